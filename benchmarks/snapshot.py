"""How long training waits for a snapshot of VGG-16 (138 M weights and their momenta: 1.1 GB), beside plain writes.

    python benchmarks/snapshot.py [--folder .] [--repeat 5]

Medians over rounds in which everything is measured in turn. `plain` writes the same number of bytes from memory with
nothing but write, fsync and rename. `training waits`: in snapshot() and, after the
next passes, before the update. Takes about 3 GB of memory and of disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from solver_cli.solver.solver import Solver

NET = Path(__file__).parents[1] / "configs" / "vgg16" / "train_val.prototxt"
DATA = """name: "VGG_ILSVRC_16_layers"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 1 dim: 3 dim: 224 dim: 224 } shape { dim: 1 } } }
"""
SOLVER = """net: "net.prototxt" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "vgg"
solver_mode: CPU random_seed: 1 """


def build() -> Solver:
    """VGG-16 on made-up data, without test net, in the current folder."""
    text = NET.read_text()
    text = text[text.index('layer {\n  name: "conv1_1"') :]
    text = re.sub(r'type: "(xavier|gaussian)"[^}]*', 'type: "constant" ', text)  # filled below, faster
    Path("net.prototxt").write_text(DATA + text)
    Path("solver.prototxt").write_text(SOLVER)
    solver = Solver("solver.prototxt")
    with torch.no_grad():
        for blob in [x.blob for x in solver.net.learned] + solver.history:
            blob.normal_()
    return solver


def timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def clear(solver: Solver) -> None:
    for learned in solver.net.learned:
        learned.blob.grad = None


def plain(blocks: list[memoryview]) -> None:
    """Write the blocks as one file, by chunks of 16 MB."""
    with open("plain.tmp", "wb", buffering=0) as out:
        for block in blocks:
            for at in range(0, len(block), 1 << 24):
                out.write(block[at : at + (1 << 24)])
        os.fsync(out.fileno())
    Path("plain.tmp").rename("plain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=".", help="the disk to write to")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        os.chdir(folder)
        solver = build()
        blobs = [x.blob.detach() for x in solver.net.learned] + solver.history
        blocks = [memoryview(blob.contiguous().numpy()).cast("B") for blob in blobs]
        size = sum(map(len, blocks)) / 1e6
        rows: dict[str, list[float]] = {}
        for _ in range(options.repeat):
            rows.setdefault("plain write and fsync of the same bytes", []).append(timed(lambda: plain(blocks)))
            rows.setdefault("waiting snapshot", []).append(timed(solver.snapshot))
            begun = time.perf_counter()
            rows.setdefault("background snapshot: training waits", []).append(timed(lambda: solver.snapshot(wait=False)))
            rows.setdefault("the passes after it (batch of 1)", []).append(timed(lambda: solver.passes(1)))
            waits = timed(solver.snapshots.copied)
            rows["background snapshot: training waits"][-1] += waits
            solver.snapshots.writer.check()
            rows.setdefault("background snapshot: until it is on the disk", []).append(time.perf_counter() - begun)
            clear(solver)
            rows.setdefault("the same passes without a snapshot", []).append(timed(lambda: solver.passes(1)))
            clear(solver)
            rows.setdefault("copy of the same bytes in memory", []).append(timed(lambda: [blob.clone() for blob in blobs]))
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, torch {torch.__version__}, {torch.get_num_threads()} threads")
        print(f"{size:.0f} MB, {options.repeat} rounds, load {os.getloadavg()[0]:.1f}\n")
        yardstick = median(rows["plain write and fsync of the same bytes"])
        print(f"{'':46}{'median s':>10}{'min s':>8}{'max s':>8}{'/ plain':>9}")
        for name, times in rows.items():
            print(f"{name:46}{median(times):10.3f}{min(times):8.3f}{max(times):8.3f}{median(times) / yardstick:9.2f}")
        solver.close()
        os.chdir("/")


if __name__ == "__main__":
    main()
