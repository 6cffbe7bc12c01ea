"""The part of its time that training waits for its data: LeNet and CaffeNet from raw records in an LMDB, on a CPU.

    python benchmarks/waiting.py [--seconds 20]

What `Prefetcher.next_batch` takes, over the time of the iterations; the first three do not count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from train import CASES, write

from solver_cli import Solver
from solver_cli.data.prefetch import Prefetcher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    waited, real = 0.0, Prefetcher.next_batch

    def watched(source: Prefetcher) -> Any:
        nonlocal waited
        begun = time.perf_counter()
        batch = real(source)
        waited += time.perf_counter() - begun
        return batch

    Prefetcher.next_batch = watched  # type: ignore[method-assign]
    print(f"{os.cpu_count()} CPUs, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in ("LeNet", "CaffeNet"):
        with tempfile.TemporaryDirectory() as folder:
            write(CASES[name], Path(folder))
            solver = Solver(f"{folder}/solver.prototxt")
            solver.step(3)
            waited, begun, first = 0.0, time.perf_counter(), solver.iter
            while time.perf_counter() < begun + options.seconds:
                solver.step(1)
            lapse, count = time.perf_counter() - begun, solver.iter - first
            print(
                f"{name}, batches of {CASES[name].batch}: {count} iterations of {lapse / count * 1e3:.1f} ms, "
                f"waiting {waited / lapse:.2%} of the time, load {os.getloadavg()[0]:.1f}"
            )
            solver.close()


if __name__ == "__main__":
    main()
