"""Train solver files, each in its folder, on two ranks: both write weights and history beside them, the first one also how
many buckets of gradients left early, how many there are, and the gradient noise scale.

    python two_ranks.py STEPS BYTES_OF_A_BUCKET '[["FOLDER", {"micro_batch": 3}], ...]'
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from typing import Any

import numpy as np
import torch

from solver_cli.commands.running import reported
from solver_cli.parallel import ranks as module
from solver_cli.parallel.launch import launch
from solver_cli.parallel.ranks import Ranks, joined
from solver_cli.solver.solver import Solver


def train(rank: int, meeting: str, steps: int, bucket: int, jobs: list[tuple[str, dict[str, Any]]]) -> None:
    module.BUCKET = bucket
    with reported(rank=str(rank)), joined(torch.device("cpu"), Ranks(rank, 2, rank), meeting) as ranks:
        for folder, options in jobs:
            os.chdir(folder)
            with closing(Solver("solver.prototxt", device="cpu", ranks=ranks, **options)) as solver:
                solver.step(steps)
                blobs = [*(learned.blob for learned in solver.net.learned), *solver.history]
                np.savez(f"rank{rank}.npz", *[blob.detach().double().numpy() for blob in blobs])
                if ranks.first:
                    sending = solver.passes.sending
                    np.save("sent.npy", [sending.early, len(sending.buckets)])
                    np.save("noise.npy", solver.noise.scale())


if __name__ == "__main__":
    sys.exit(launch(train, 2, int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
