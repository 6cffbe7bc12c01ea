"""The part of its time that training waits for its data: LeNet, CaffeNet and ResNet-50, raw records of an LMDB, on a CPU.

    python benchmarks/waiting.py [--seconds 20]

As `solver-train` logs it at the end of a run; the first three iterations do not count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from train import CASES, write

from solver_cli import Solver
from solver_cli.net.layout import keep_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in ("LeNet", "CaffeNet", "ResNet-50"):
        with tempfile.TemporaryDirectory() as folder, keep_memory():
            write(CASES[name], Path(folder))
            solver = Solver(f"{folder}/solver.prototxt")
            solver.step(3)
            (source,) = solver.net.sources.values()
            waited, begun, first = source.waited, time.perf_counter(), solver.iter
            while time.perf_counter() < begun + options.seconds:
                solver.step(1)
            lapse, count = time.perf_counter() - begun, solver.iter - first
            print(
                f"{name}, batches of {CASES[name].batch}: {count} iterations of {lapse / count * 1e3:.1f} ms, "
                f"waiting {(source.waited - waited) / lapse:.2%} of the time, load {os.getloadavg()[0]:.1f}"
            )
            solver.close()


if __name__ == "__main__":
    main()
