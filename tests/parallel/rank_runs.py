"""Runs of solver-train on two ranks, as processes: what they train on, how they begin and end, what they leave."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from running import ENVIRONMENT, PICTURES, Ended, program, run, write

from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.formats import caffemodel

SOLVER = """
net: "net.prototxt" base_lr: 0.02 lr_policy: "fixed" momentum: 0.9 max_iter: 30 display: 5 iter_size: 2 snapshot: 10
snapshot_prefix: "run" solver_mode: CPU random_seed: 7 test_iter: 5 test_interval: 10
"""
RANKS = ["--cpu", "--ranks", "2"]


def write_run(folder: Path) -> None:
    """A run on 40 pictures."""
    draw = np.random.default_rng(3)
    pictures = draw.integers(0, 256, (40, 3, 12, 12), np.uint8)
    write_records(folder, [(pixels.tobytes(), i % 3) for i, pixels in enumerate(pictures)])
    write(folder, PICTURES, SOLVER)


def write_records(folder: Path, pictures: Iterable[tuple[bytes, int]]) -> None:
    """A database of pictures of 3 x 12 x 12 with their labels."""
    records = [Datum(channels=3, height=12, width=12, data=pixels, label=label) for pixels, label in pictures]
    write_lmdb(folder / "db", [(b"%04d" % i, record.SerializeToString()) for i, record in enumerate(records)])


def train(folder: Path, *args: str) -> Ended:
    ended = run("solver-train", "solver.prototxt", *args, folder=folder)
    assert ended.code == 0, ended.stderr
    return ended


def begun(folder: Path, *args: str) -> subprocess.Popen[str]:
    """A run of many iterations that has shown its 20th."""
    command = [program("solver-train"), "solver.prototxt", *RANKS, "--set", "max_iter=1000000", *args]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    for line in process.stderr or ():
        if "Iteration 20 (" in line:
            return process
    raise AssertionError(f"ended with {process.wait()}")


def ended(process: subprocess.Popen[str]) -> Ended:
    _, stderr = process.communicate(timeout=100)
    return Ended(process.returncode, "", stderr)


def weights(path: Path) -> list[np.ndarray]:
    return [blob for layer in caffemodel.read(path).layers for blob in layer.blobs if blob is not None]


def alike(a: Path, b: Path) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def children(process: subprocess.Popen[str]) -> list[int]:
    """The ranks' process numbers, by rank."""
    command = ["ps", "-ww", "-o", "pid,args", "--ppid", str(process.pid)]  # whole lines
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return sorted(int(line.split()[0]) for line in found.stdout.splitlines()[1:] if "spawn_main" in line)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
