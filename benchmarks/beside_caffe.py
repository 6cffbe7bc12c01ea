"""Whole iterations of solver-train beside those of a BVLC Caffe, on the same files.

    python benchmarks/beside_caffe.py CAFFE [--only TEXT] [--rounds 3] [--threads 2] [--seconds 6]

CAFFE is its tool `caffe`, built for the CPU. The two train in turn, each in a process of its own, from the same LMDB; the
times are those that they log themselves, `Iteration 20 (3.5 iter/s, 5.6s/20 iters)`, without the first interval; with one
thread CPU time, which other processes disturb less. Where others use the machine, the shortest intervals say most.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from layers import machine
from train import CASES, SOLVER, Case, write

SHOWN = re.compile(r"Iteration \d+ \(\S+ iter/s, (\S+)s/(\d+) iters?\)")
OURS = [sys.executable, "-m", "solver_cli"]
INTERVALS = 5
SLOW = 6000  # milliseconds, where nobody has measured


def prepare(case: Case, folder: Path, interval: int) -> None:
    """The files of `case`, and a solver that shows `interval` iterations at a time."""
    write(case, folder)
    settings = {"display: 20": f"display: {interval}", "max_iter: 1000000": f"max_iter: {interval * (INTERVALS + 1)}"}
    text = SOLVER.format(folder=folder)
    for before, after in settings.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "solver.prototxt").write_text(text)


def intervals(command: list[str], folder: Path, threads: int) -> list[float]:
    """Milliseconds of an iteration, interval by interval: as the log has them, with one thread of CPU time."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "GLOG_logtostderr": "1"}
    options: dict[str, Any] = {"cwd": folder, "env": environment, "text": True}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    taken, before, said = list[float](), 0.0, list[str]()
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if shown := SHOWN.search(line):
            now = cpu_seconds(process.pid)
            taken.append(1e3 * (float(shown[1]) if threads > 1 else now - before) / int(shown[2]))
            before = now
    if process.wait():
        raise SystemExit(f"{' '.join(command)}:\n{''.join(said[-20:])}")
    return taken[2:]  # without that of iteration 0, and the first interval


def cpu_seconds(pid: int) -> float:
    """What the process has taken of the processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("caffe")
    parser.add_argument("--only", default="", help="nets whose name has this text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6, help="about so long each training")
    options = parser.parse_args()
    print(f"$ python benchmarks/beside_caffe.py {' '.join(['CAFFE', *sys.argv[2:]])}")
    print(f"{machine()}; {options.threads} thread(s)")
    clock = "CPU" if options.threads == 1 else "wall-clock"
    print(f"milliseconds of {clock} time of whole iterations; ratio = Caffe's / ours\n")
    print("  shortest            medians")
    print("    ours   Caffe ratio    ours   Caffe ratio  net, batch")
    for name, case in CASES.items():
        if (case.caffe or case.crop) and options.only.lower() in name.lower():
            interval = max(1, round(options.seconds * 1e3 / (case.caffe or SLOW) / (INTERVALS + 1)))
            with tempfile.TemporaryDirectory() as folder:
                prepare(case, Path(folder), interval)
                report(f"{name}, {case.batch}", Path(folder), options)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def report(title: str, folder: Path, options: argparse.Namespace) -> None:
    ours, theirs = list[float](), list[float]()
    for _ in range(options.rounds):
        ours += intervals([*OURS, "solver.prototxt"], folder, options.threads)
        theirs += intervals([options.caffe, "train", "--solver=solver.prototxt"], folder, options.threads)
    columns = [f"{f(ours):8.1f}{f(theirs):8.1f}{f(theirs) / f(ours):6.2f}" for f in (min, median)]
    print(f"{''.join(columns)}  {title}", flush=True)


if __name__ == "__main__":
    main()
