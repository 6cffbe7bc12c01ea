"""Runs killed with SIGKILL at random moments, resumed with `--snapshot auto` until done, against the run that nobody killed.

KILLS=2000 in the environment makes the long version of it.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import LOG_LINE, PICTURES, program

from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import write_lmdb

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SEQUENCES = """
layer { name: "data" type: "HDF5Data" top: "x" top: "cont" top: "y"
  hdf5_data_param { source: "list.txt" batch_size: 6 shuffle: true } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "lstm"
  recurrent_param { num_output: 4 weight_filler { type: "uniform" min: -0.3 max: 0.3 } } }
layer { name: "fc" type: "InnerProduct" bottom: "lstm" top: "fc"
  inner_product_param { num_output: 1 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "fc" bottom: "y" top: "loss" }
"""
COMMON = 'net: "net.prototxt" lr_policy: "multistep" gamma: 0.5 stepvalue: 30 stepvalue: 60 momentum: 0.9 max_iter: 90 '
COMMON += 'display: 4 average_loss: 6 iter_size: 2 snapshot: 3 snapshot_prefix: "run" solver_mode: CPU random_seed: 7 '
RUNS = {
    "pictures": (PICTURES, COMMON + "base_lr: 0.02 test_iter: 3 test_iter: 2 test_interval: 10"),
    "sequences": (SEQUENCES, COMMON + 'base_lr: 0.01 type: "Adam" snapshot_format: HDF5'),
}
OPTIONS = {"pictures": ["--keep-best", "accuracy", "--keep", "3"], "sequences": []}
KILLS = int(os.environ.get("KILLS", "40"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
END = 90
# Torch is imported once; each line asks for a run of the command in a forked process, whose number is printed.
NURSERY = """
import os, sys
import h5py, lmdb, torch
import torch._dynamo  # drawn in when a net is built
from solver_cli.commands import progress, training
from solver_cli.commands.train import train
from solver_cli.solver import solver
torch.set_num_threads(1)
for line in sys.stdin:
    folder, log, *args = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.dup2(os.open(log, os.O_WRONLY), 2)
        try:
            train.main(args, standalone_mode=True)
        except SystemExit as end:
            os._exit(end.code or 0)
    print(child, flush=True)
    if sys.stdin.readline() == "kill\\n":
        os.kill(child, 9)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def make(folder: Path, name: str) -> None:
    """Data, net and solver of the run `name`."""
    rng = np.random.default_rng(3)
    if name == "pictures" and not (folder / "db").exists():
        pictures = rng.integers(0, 256, (37, 288), np.uint8)
        data = [Datum(channels=2, height=12, width=12, label=i % 3, data=x.tobytes()) for i, x in enumerate(pictures)]
        write_lmdb(folder / "db", ((f"{i:08d}".encode(), d.SerializeToString()) for i, d in enumerate(data)))
    for file_name, rows in (("a.h5", 25), ("b.h5", 17)):
        with h5py.File(folder / file_name, "w") as file:
            file["x"] = rng.standard_normal((rows, 2, 3), np.float32)
            file["cont"] = (rng.random((rows, 2)) > 0.2).astype(np.float32)
            file["y"] = rng.standard_normal((rows, 2, 1), np.float32)
    (folder / "list.txt").write_text("a.h5\nb.h5\n")
    net, solver = RUNS[name]
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver)


def command(name: str) -> list[str]:
    return ["solver.prototxt", "--snapshot", "auto", *OPTIONS[name]]


def last_files(folder: Path) -> dict[str, bytes]:
    """The content of the last snapshot, and of the best one."""
    names = [p for p in sorted(folder.glob("run_*")) if "_best" in p.name or f"_iter_{END}." in p.name]
    return {path.name: path.read_bytes() for path in names}


def shown(lines: list[str]) -> list[str]:
    """The figures of the log, without speeds."""
    messages = [re.sub(r" \(.* iters\)", "", LOG_LINE.sub("", line).rstrip("\n")) for line in lines if LOG_LINE.match(line)]
    return [m for m in messages if re.match(r"Iteration \d+, (loss|lr)|    (Train|Test) net output", m)]


class Undisturbed:
    """What the run that nobody kills leaves and shows."""

    def __init__(self, folder: Path, name: str):
        make(folder, name)
        ended = subprocess.run(
            [program("solver-train"), "solver.prototxt", *OPTIONS[name]],
            cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=True,
        )  # fmt: skip
        self.files = last_files(folder)
        self.figures = shown(ended.stderr.splitlines())
        assert len(self.files) == (4 if OPTIONS[name] else 2)
        if OPTIONS[name]:
            kept = {int(re.findall(r"\d+", path.name)[0]) for path in folder.glob("run_iter_*")}
            assert kept == {84, 87, 90}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Undisturbed]:
    known: dict[str, Undisturbed] = {}

    def get(name: str) -> Undisturbed:
        if name not in known:
            known[name] = Undisturbed(tmp_path_factory.mktemp(name), name)
        return known[name]

    return get


class Real:
    """A run of the command in a process of its own."""

    def __init__(self, folder: Path, name: str):
        self.process = subprocess.Popen(
            [program("solver-train"), *command(name)], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        )
        self.log, self.kill = self.process.stderr, self.process.kill

    def ended(self) -> int:
        self.log.close()
        return self.process.wait()


class Forked:
    """A run of the command in a process that the nursery forks."""

    def __init__(self, nursery: subprocess.Popen[str], folder: Path, name: str):
        path, self.nursery = folder / "log", nursery
        if not path.exists():
            os.mkfifo(path)
        nursery.stdin.write("\t".join([str(folder), str(path), *command(name)]) + "\n")
        nursery.stdin.flush()
        nursery.stdout.readline()
        self.log = path.open()
        self.killed = False

    def kill(self) -> None:
        self.nursery.stdin.write("kill\n")
        self.nursery.stdin.flush()
        self.killed = True

    def ended(self) -> int:
        self.log.close()
        if not self.killed:
            self.nursery.stdin.write("wait\n")
            self.nursery.stdin.flush()
        return -int(self.nursery.stdout.readline())


@dataclass
class Count:
    """What has happened to runs."""

    runs: int = 0
    kills: int = 0
    halves: int = 0  # kills that left a half file
    passed_over: int = 0  # starts that found a torn pair
    finished: int = 0  # starts that found a pair of which only a name was missing


def torment(name: str, start: Callable[[Path, str], Real | Forked], draw: random.Random, wanted: Undisturbed, folder: Path,
            kills: int) -> Count:  # fmt: skip
    """Kill runs `kills` times at random lines of their logs, and moments after; each run must end as the undisturbed one."""
    count = Count()
    spread = 40 if OPTIONS[name] else 20  # lines, of some 230 and 130
    while count.kills < kills:
        make(folder, name)
        lines, code = [], -9
        while code:
            run = start(folder, name)
            lines = list(until(run.log, "Starting Optimization"))
            if count.kills < kills:
                lines += [line for _, line in zip(range(draw.randrange(spread)), run.log, strict=False)]
                time.sleep(draw.uniform(0, 0.01))
                run.kill()
            lines += run.log
            code = run.ended()
            assert code in (0, -9), lines[-3:]
            count.kills += code == -9
            count.halves += bool(list(folder.glob(".run_*.tmp")))
            count.passed_over += any("passed over" in line for line in lines)
            count.finished += any("has its name now" in line for line in lines)
        assert last_files(folder) == wanted.files
        figures = shown(lines)
        assert figures == wanted.figures[-len(figures) :] if figures else count.kills
        assert not list(folder.glob(".run_*.tmp"))
        for file in folder.glob("run_*"):
            file.unlink()
        count.runs += 1
    return count


def until(log: Iterator[str], text: str) -> Iterator[str]:
    """The lines up to the first one with `text`."""
    for line in log:
        yield line
        if text in line:
            return


@pytest.mark.parametrize(("name", "seed"), [("pictures", 1), ("sequences", 2)])
def test_twenty_runs_killed(name: str, seed: int, tmp_path: Path, undisturbed: Callable[[str], Undisturbed]) -> None:
    """Ten kills of the real command for each of two runs."""
    torment(name, Real, random.Random(seed), undisturbed(name), tmp_path, 10)


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.parametrize("name", RUNS)
def test_forked_runs_killed(
    name: str, nursery: subprocess.Popen[str], tmp_path: Path, undisturbed: Callable[[str], Undisturbed]
) -> None:
    """As above, without the start of Python, so that there can be many more kills."""
    print(torment(name, partial(Forked, nursery), random.Random(3), undisturbed(name), tmp_path, KILLS // 2))
