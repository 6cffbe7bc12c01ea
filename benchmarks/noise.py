"""What measuring the gradient noise scale costs: iterations of LeNet with and without it.

    python benchmarks/noise.py [--repeats 40] [--threads 1] [--device cpu]

Two solvers take turns in one process; figures are medians of 4 iterations or more, one of which measures; the ratio is the
median over neighbours. On a GPU it is wall time up to its end, on the CPU CPU time (the machine may be busy).
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from solver_cli import Solver
from solver_cli.caffe_pb2 import TEST, LayerParameter, NetParameter
from solver_cli.text import prototxt

NET = Path(__file__).parent.parent / "configs/mnist/lenet_train_test.prototxt"
SOLVER = """net: "net.prototxt" base_lr: 0.001 lr_policy: "fixed" momentum: 0.9 max_iter: 1000000 display: 1000000
iter_size: {passes} snapshot_after_train: false random_seed: 1"""


def lenet(batch: int) -> str:
    """LeNet's train net on noise instead of its data."""
    net, _ = prototxt.read(str(NET), NetParameter, "net")
    data = LayerParameter(name="data", type="DummyData", top=["data", "label"])
    for dims in ((batch, 1, 28, 28), (batch,)):
        data.dummy_data_param.shape.add(dim=dims)
    data.dummy_data_param.data_filler.add(type="constant", value=0.5)
    data.dummy_data_param.data_filler.add(type="constant", value=1)
    kept = [x for x in net.layer if x.type != "Data" and not any(rule.phase == TEST for rule in x.include)]
    return prototxt.to_text(NetParameter(layer=[data, *kept]))


def timed(solver: Solver, iterations: int) -> float:
    """Seconds of one iteration."""
    clock = time.perf_counter if solver.device.type == "cuda" else time.process_time
    if solver.device.type == "cuda":
        torch.cuda.synchronize()
    start = clock()
    solver.step(iterations)
    if solver.device.type == "cuda":
        torch.cuda.synchronize()
    return (clock() - start) / iterations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"{platform.processor() or platform.machine()}, {args.device}, torch {torch.__version__}, {args.threads} threads, "
          f"load {os.getloadavg()[0]:.1f}, {args.repeats} repeats")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for batch, passes, iterations in ((64, 4, 4), (8, 4, 8), (1, 8, 8)):
            Path("net.prototxt").write_text(lenet(batch))
            Path("solver.prototxt").write_text(SOLVER.format(passes=passes))
            on, off = (Solver("solver.prototxt", device=args.device) for _ in range(2))
            off.passes.noise = None
            pairs = [(timed(off, iterations), timed(on, iterations)) for _ in range(args.repeats + 5)][5:]
            on.noise.scale()
            print(
                f"LeNet, batch {batch}, iter_size {passes}: {median(a for a, _ in pairs) * 1e3:.2f} ms without, "
                f"{median(b for _, b in pairs) * 1e3:.2f} ms with, ratio {median(b / a for a, b in pairs):.4f}"
            )


if __name__ == "__main__":
    main()
