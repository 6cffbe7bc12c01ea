"""Iterations of solver-train on a GPU beside the same training written by hand in PyTorch.

    python benchmarks/train_gpu.py [--only TEXT] [--batch 256] [--rounds 7] [--device cuda] [--plain]

Ours is `solver_cli.Solver` as `solver-train` runs it, its data read from LMDB or HDF5, by the options that head the columns.
By hand: the modules of `train.py` in channels_last, torch.optim.SGD(fused=True), pictures that lie on the GPU, one crop a
batch, no log; eager (TF32 as ours), and by bf16 autocast and torch.compile. Each side has a process of its own, and they run
in turn; times are medians of wall-clock time with the GPU waited for at both ends, ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
import train
from layers import machine
from torch import Tensor
from train import CASES, Case

from solver_cli import Solver

OURS: dict[str, dict[str, Any]] = {
    "ours": {},
    "--no-cuda-graphs": {"cuda_graphs": False},
    "--compile": {"compile": True},
    "bf16": {"precision": "bf16"},
    "bf16 --compile": {"precision": "bf16", "compile": True},
}
EAGER, COMPILED = "eager by hand", "AMP + compile by hand"


class ByHand(train.ByHand):
    """The hand-written loop over pictures that lie on the device."""

    def __init__(self, case: Case, device: str, compiled: bool):
        super().__init__(case, torch.channels_last)
        self.net = self.net.to(device)
        self.pictures, self.labels = self.pictures.to(device), self.labels.to(device)
        self.mean = torch.tensor([104.0, 117.0, 123.0], device=device).view(3, 1, 1)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 1e-5, 0.9, weight_decay=5e-4, fused=True)
        self.autocast = torch.autocast(device, torch.bfloat16, enabled=compiled)
        self.loss = torch.compile(self.scored, mode="reduce-overhead") if compiled else self.scored

    def batch(self) -> tuple[Tensor, Tensor]:
        case, size = self.case, self.case.crop
        chosen = torch.arange(self.at, self.at + case.batch, device=self.labels.device) % len(self.labels)
        self.at += case.batch
        x, y = self.pictures[chosen], self.labels[chosen]
        if case.module is train.LSTM:
            return x, y.flatten(0, 1)
        if size:
            top, left = torch.randint(x.shape[2] - size, (2,)).tolist()
            x = x[:, :, top : top + size, left : left + size].float() - self.mean
        return x.float().contiguous(memory_format=self.layout), y

    def scored(self, x: Tensor, y: Tensor) -> Tensor:
        with self.autocast:
            scores = self.net(x)
        first, *more = scores if isinstance(scores, list) else [scores]
        loss = F.cross_entropy(first.float(), y, ignore_index=255 if self.case.segments else -100)
        return sum((0.3 * F.cross_entropy(head.float(), y) for head in more), loss)

    def step(self, count: int) -> None:
        for _ in range(count):
            x, y = self.batch()
            self.optimizer.zero_grad()
            self.loss(x, y).backward()
            self.optimizer.step()


def work(case: Case, side: str, device: str, pipe: Any) -> None:
    """A process: build one side, then run as many iterations as asked for and answer with their seconds, until told 0."""
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    with tempfile.TemporaryDirectory() as folder:
        if side in OURS:
            train.write(case, Path(folder))
            runner: Any = Solver(f"{folder}/solver.prototxt", device=device, **OURS[side])
        else:
            runner = ByHand(case, device, side == COMPILED)
        runner.step(5)
        while count := pipe.recv():
            wait()
            begin = time.perf_counter()
            runner.step(count)
            wait()
            pipe.send((time.perf_counter() - begin) / count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="nets whose name has this text")
    parser.add_argument("--batch", type=int, default=256, help="of nets over pictures of ImageNet's size")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--plain", action="store_true", help="without the sides that are compiled")
    options = parser.parse_args()
    sides = [side for side in (*OURS, EAGER, COMPILED) if not (options.plain and "compile" in side)]
    name = torch.cuda.get_device_name() if options.device == "cuda" else "no GPU"
    print(f"$ python benchmarks/train_gpu.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{machine()}; {name}")
    print("milliseconds an iteration, medians; ratios: by hand / the best of ours\n")
    print("".join(f"{side:>22}" for side in sides), " ratios  net, batch")
    for net, case in CASES.items():
        if options.only == net or (options.only not in CASES and options.only.lower() in net.lower()):
            case = replace(case, batch=options.batch) if case.crop else case
            report(net, case, options.rounds, options.device, sides)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def report(name: str, case: Case, rounds: int, device: str, sides: list[str]) -> None:
    taken = train.measure(work, {side: (case, side, device) for side in sides}, rounds)
    best = min((taken[side] for side in sides if side in OURS), key=median)
    ratios = [median(b / a for a, b in zip(best, taken[side], strict=True)) for side in sides if side not in OURS]
    print(
        "".join(f"{median(values) * 1e3:22.2f}" for values in taken.values()),
        " ".join(f"{ratio:6.2f}" for ratio in ratios),
        f" {name}, {case.batch}",
        flush=True,
    )


if __name__ == "__main__":
    main()
