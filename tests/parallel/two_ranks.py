"""Train solver files, each in its folder, on two ranks: the first writes weights and history beside them.

    python two_ranks.py STEPS FOLDER...
"""

from __future__ import annotations

import os
import sys
from contextlib import closing

import numpy as np
import torch

from solver_cli.parallel.launch import launch
from solver_cli.parallel.ranks import Ranks, joined
from solver_cli.solver.solver import Solver


def train(rank: int, meeting: str, steps: int, folders: list[str]) -> None:
    with joined(torch.device("cpu"), Ranks(rank, 2, rank), meeting) as ranks:
        for folder in folders:
            os.chdir(folder)
            with closing(Solver("solver.prototxt", device="cpu", ranks=ranks)) as solver:
                solver.step(steps)
                blobs = [*(learned.blob for learned in solver.net.learned), *solver.history]
                np.savez(f"rank{rank}.npz", *[blob.detach().double().numpy() for blob in blobs])


if __name__ == "__main__":
    sys.exit(launch(train, 2, int(sys.argv[1]), sys.argv[2:]))
