"""What --compile and --precision make of a training pass: CPU times of forward and backward, side by side in one run.

    python benchmarks/compile.py [--repeat N]

On a CPU with one thread; data are random. Compiling is timed apart: the CPU time of this process and of its compilers in
the first pass.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from google.protobuf import text_format

from solver_cli.net import layout as cpu
from solver_cli.net.net import Net
from solver_cli.passes.compiled import Compiled
from solver_cli.passes.passes import forward_backward
from solver_cli.passes.precision import Precision
from solver_cli.text.netspec import read_net

CONFIGS = Path(__file__).parents[1] / "configs"
INPUT = 'layer {{ name: "data" type: "Input" top: "data" top: "label" input_param {{ {0} shape {{ dim: {1} }} }} }}\n'
NETS = {
    "LeNet": ("mnist/lenet_train_test.prototxt", (64, 1, 28, 28)),
    "CIFAR-10 full": ("cifar10/cifar10_full_train_test.prototxt", (100, 3, 32, 32)),
}
WAYS = {"fp32": (None, False), "fp32 --compile": (None, True), "bf16": ("bf16", False)}


def seconds() -> float:
    """CPU time of this process and of the compilers that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def build(file: str, shape: tuple[int, ...]) -> Net:
    """The net of a config, with an Input layer instead of its data layers."""

    param = read_net(str(CONFIGS / file)).param
    kept = [layer for layer in param.layer if layer.type != "Data" and not layer.include]
    del param.layer[:]
    param.layer.extend(kept)
    dims = " ".join(f"dim: {n}" for n in shape)
    text = INPUT.format(f"shape {{ {dims} }}", shape[0]) + text_format.MessageToString(param)
    net = Net.from_text(text, phase="TRAIN", seed=1)
    cpu.lay_out(net)
    return net


def pass_of(file: str, shape: tuple[int, ...], precision: str | None, compiled: bool) -> Callable[[], None]:
    """One pass, forward and backward."""
    net = build(file, shape)
    Precision(precision, net)
    if compiled:
        net.run = Compiled(net)
    batch = {"data": torch.randn(shape), "label": torch.randint(10, shape[:1]).float()}

    def run() -> None:
        for learned in net.learned:
            learned.blob.grad = None
        forward_backward(net, [batch])

    return run


def timed(run: Callable[[], None]) -> float:
    begin = seconds()
    run()
    return seconds() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, cpu, torch {torch.__version__}, 1 thread, load {os.getloadavg()[0]:.1f}, "
        f"{args.repeat} repeats"
    )
    for name, (file, shape) in NETS.items():
        runs = {way: pass_of(file, shape, *options) for way, options in WAYS.items()}
        first = {way: timed(run) for way, run in runs.items()}
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(args.repeat):
            for way, run in runs.items():
                times[way].append(timed(run))
        usual = median(times["fp32"])
        for way, found in times.items():
            took = median(found)
            print(
                f"{name}, batch {shape[0]}, {way}: {1e3 * took:.2f} ms a pass, ratio {took / usual:.2f}; "
                f"the first {first[way]:.1f} s"
            )


if __name__ == "__main__":
    with cpu.keep_memory():
        main()
