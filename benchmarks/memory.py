"""The memory forecast of the configs' nets beside the peak of the real run.

    python benchmarks/memory.py [--only NAME]

One iteration each, from cleared gradients to the update, on a CPU, in a process of its own; data are zeros, labels 0, since
they do not matter. `measured`: what the tracker of solver_cli/memory.py sees on real tensors. `process`: what the process
grew by (VmHWM), with torch's scratch memory, its allocator's slack and the code that the pass loads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from solver_cli.caffe_pb2 import NetState, Phase, SolverParameter
from solver_cli.errors import DataError
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes import memory
from solver_cli.passes.passes import forward_backward
from solver_cli.text.netspec import read_net
from solver_cli.text.prototxt import read

Shape = tuple[int, ...]
CASES: dict[str, tuple[str, str, Shape, Shape, tuple[int, ...]]] = {  # solver, net, a record's shape, its label's, batches
    "LeNet": ("mnist/lenet_solver", "mnist/lenet_train_test", (1, 28, 28), (), (1, 16, 64)),
    "LeNet, Adam": ("mnist/lenet_adam_solver", "mnist/lenet_train_test", (1, 28, 28), (), (1, 16, 64)),
    "CIFAR-10 full": ("cifar10/cifar10_full_solver", "cifar10/cifar10_full_train_test", (3, 32, 32), (), (1, 10, 100)),
    "CaffeNet": ("caffenet/solver", "caffenet/train_val", (3, 227, 227), (), (1, 8, 32)),
    "GoogLeNet": ("googlenet/solver", "googlenet/train_val", (3, 224, 224), (), (1, 4, 8)),
    "VGG-16": ("vgg16/solver", "vgg16/train_val", (3, 224, 224), (), (1, 2, 4)),
    "ResNet-50": ("resnet50/solver", "resnet50/train_val", (3, 224, 224), (), (1, 2, 4)),
    "U-Net, small": ("unet/unet_small_solver", "unet/unet_small", (1, 96, 96), (96, 96), (1, 4, 16)),
    "U-Net": ("unet/unet_solver", "unet/unet", (1, 572, 572), (388, 388), (1, 2, 3)),
}
CONFIGS = Path(__file__).parent.parent / "configs"


class Given:
    """A data source that has shapes only."""

    def __init__(self, shapes: list[Shape]):
        self.shapes = shapes

    def close(self) -> None:
        """Nothing is held."""


def build(name: str, device: str, records: int = 4) -> tuple[Net, SolverParameter]:
    """The train net of a case, with `records` in a batch, and the solver."""
    solver, net, record, label, _ = CASES[name]

    def given(node: Node, error: DataError) -> Given:
        return Given([(records, *record), (records, *label)])

    param, _ = read(str(CONFIGS / f"{solver}.prototxt"), SolverParameter, "solver")
    spec = read_net(str(CONFIGS / f"{net}.prototxt")).with_state(NetState(phase=Phase.Value("TRAIN")))
    for layer in spec.param.layer:
        for _, value in layer.ListFields():
            if hasattr(value, "batch_size"):
                value.source = "not here"
    return Net(spec, device=device, seed=1, absent=given), param  # type: ignore[arg-type]


def measured(name: str, batch: int) -> dict[str, int]:
    """The peak of one real iteration, by the tracker and by the process."""
    net, param = build(name, "cpu")
    blobs = {top: torch.zeros(x.shape) for top, x in memory.meta_batch(net, batch).items()}
    given = sum(x.blob.untyped_storage().nbytes() for x in net.learned) + sum(
        x.untyped_storage().nbytes() for x in blobs.values()
    )
    before = status("VmRSS")
    peak = memory.iterate(net, param, blobs, forward_backward)[2]
    return {"peak": peak, "process": status("VmHWM") - before + given}


def status(field: str) -> int:
    """A field of the process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def main() -> None:
    """Print one line for each net and batch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.one:
        print(json.dumps(measured(args.one[0], int(args.one[1]))))
        return
    print("$ python " + " ".join([Path(sys.argv[0]).as_posix(), *sys.argv[1:]]))
    print(
        f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores, one used, load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"{'net':15}{'batch':>6}{'forecast':>12}{'measured':>12}{'ratio':>8}{'process':>12}{'time':>9}")
    for name in [args.only] if args.only else CASES:
        net, param = build(name, "meta")
        for batch in CASES[name][4]:
            begun = time.perf_counter()
            forecast = memory.forecast(net, param, batch, device="cpu")
            lapse, total = time.perf_counter() - begun, forecast.total - forecast.ahead
            ended = subprocess.run(
                [sys.executable, __file__, "--one", name, str(batch)], stdout=subprocess.PIPE, text=True, check=True
            )
            found = json.loads(ended.stdout)
            sizes = [f"{size / 2**20:>8.1f} MiB" for size in (total, found["peak"], found["process"])]
            print(
                f"{name:15}{batch:>6}{sizes[0]}{sizes[1]}{total / found['peak']:>8.4f}{sizes[2]}{lapse:>7.2f} s", flush=True
            )


if __name__ == "__main__":
    main()
