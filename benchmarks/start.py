"""How long solver-train takes to say something and to begin: `--help`, LeNet's first iteration, ResNet-152 built.

    python benchmarks/start.py [--repeats 5]

Every time is that of a fresh process, the median of the repeats: wall-clock, and CPU time, which other processes disturb
less.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from layers import CONFIGS, machine

LENET = (CONFIGS / "mnist" / "lenet_train_test.prototxt").read_text()
DUMMY = """
layer { name: "mnist" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 64 dim: 1 dim: 28 dim: 28 } shape { dim: 64 } data_filler { type: "gaussian" } data_filler { } } }
"""
SOLVER = 'base_lr: 0.01 lr_policy: "fixed" display: 1 max_iter: 1 snapshot_after_train: false solver_mode: CPU'
COMMAND = [sys.executable, "-c", "from solver_cli.commands.train import train; train()"]
BUILD = """
import logging, sys, time
begin = time.process_time()
from solver_cli import Net
logging.getLogger("solver_cli").setLevel(logging.ERROR)
Net.from_text("layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 } } }")
imported = time.process_time()
Net.from_file(sys.argv[1])
print(imported - begin, time.process_time() - imported)
"""


def resnet152() -> str:
    """The net in Caffe's text, made of its blocks."""
    return "\n".join(["name: 'ResNet-152'", *_layers()])


def _layers() -> Iterator[str]:
    yield "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } } }"
    yield _normed("conv1", "data", 64, 7, "pad: 3 stride: 2", relu=True)
    yield "layer { name: 'pool1' type: 'Pooling' bottom: 'conv1' top: 'pool1' pooling_param { kernel_size: 3 stride: 2 } }"
    bottom = "pool1"
    for stage, count in enumerate((3, 8, 36, 3)):
        for i in range(count):
            name, width, stride = f"res{stage + 2}_{i}", 64 << stage, f"stride: {2 if stage and not i else 1}"
            straight = bottom
            if not i:
                straight = f"{name}_straight"
                yield _normed(straight, bottom, 4 * width, 1, stride)
            yield _normed(f"{name}a", bottom, width, 1, stride, relu=True)
            yield _normed(f"{name}b", f"{name}a", width, 3, "pad: 1", relu=True)
            yield _normed(f"{name}c", f"{name}b", 4 * width, 1)
            yield f"layer {{ name: '{name}' type: 'Eltwise' bottom: '{straight}' bottom: '{name}c' top: '{name}' }}"
            yield f"layer {{ name: '{name}_relu' type: 'ReLU' bottom: '{name}' top: '{name}' }}"
            bottom = name
    average = "pooling_param { pool: AVE global_pooling: true }"
    yield f"layer {{ name: 'pool5' type: 'Pooling' bottom: '{bottom}' top: 'pool5' {average} }}"
    yield "layer { name: 'fc' type: 'InnerProduct' bottom: 'pool5' top: 'fc' inner_product_param { num_output: 1000 } }"


def _normed(name: str, bottom: str, width: int, kernel: int, more: str = "", relu: bool = False) -> str:
    windows = f"num_output: {width} kernel_size: {kernel} bias_term: false weight_filler {{ type: 'msra' }} {more}"
    blobs = f"bottom: '{bottom}' top: '{name}'"
    above = ["BatchNorm", "Scale", *(["ReLU"] if relu else [])]
    return "\n".join(
        [
            f"layer {{ name: '{name}' type: 'Convolution' {blobs} convolution_param {{ {windows} }} }}",
            *(f"layer {{ name: '{name}_{kind}' type: '{kind}' bottom: '{name}' top: '{name}' }}" for kind in above),
        ]
    )


def timed(command: list[str], repeats: int) -> tuple[float, float, str]:
    """Median seconds of wall clock and of CPU, and the last output."""
    walls, cpus, out = [], [], ""
    for _ in range(repeats):
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - wall)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(walls), median(cpus), out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"$ python benchmarks/start.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{machine()}\nseconds of wall clock and of CPU, medians of {repeats}\n")
    with tempfile.TemporaryDirectory() as folder:
        net, solver, big = (Path(folder) / name for name in ("net.prototxt", "solver.prototxt", "resnet152.prototxt"))
        net.write_text(DUMMY + LENET[LENET.index("layer", LENET.index('name: "conv1"') - 40) :])
        solver.write_text(f'net: "{net}" {SOLVER}')
        big.write_text(resnet152())
        cases = {
            "solver-train --help": [*COMMAND, "--help"],
            "python -c 'import torch'": [sys.executable, "-c", "import torch"],
            "solver-train, LeNet, one iteration, from the command to its end": [*COMMAND, str(solver)],
        }
        for what, command in cases.items():
            wall, cpu, _ = timed(command, repeats)
            print(f"{wall:7.2f} {cpu:7.2f}  {what}", flush=True)
        built = [timed([sys.executable, "-c", BUILD, str(big)], 1)[2].split() for _ in range(repeats)]
        for i, what in enumerate(("import solver_cli", "ResNet-152 built, random weights and torch's meta device included")):
            print(f"{'-':>7} {median(float(words[i]) for words in built):7.2f}  {what}", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
