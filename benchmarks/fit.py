"""What accumulation, micro-batches and recomputation cost: time, memory and the gradients' differences, side by side.

    python benchmarks/fit.py [--only accumulation|updates|NET] [--repeat N]

On a CPU with one thread; times are CPU times of the process, medians of interleaved runs. Memory: the peak of one iteration
(SGD's history, gradients and update included; iter_size 1) by the tracker of solver_cli/memory.py on the real tensors.
Data are random, weights from the fillers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import memory as forecasts
import torch
from google.protobuf import text_format
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net import layout as cpu
from solver_cli.net.net import Net
from solver_cli.passes import memory
from solver_cli.passes.fit import Splitting
from solver_cli.passes.passes import forward_backward
from solver_cli.solver.solver import Solver
from solver_cli.solver.solverspec import read_solver
from solver_cli.updates.update import Update

# net: records, (pieces, --recompute)
CASES: dict[str, tuple[int, list[tuple[int, bool]]]] = {
    "CaffeNet": (16, [(1, False), (2, False), (4, False), (8, False)]),
    "GoogLeNet": (8, [(1, False), (2, False), (4, False), (8, False), (1, True), (2, True), (8, True)]),
    "VGG-16": (2, [(1, False), (2, False), (1, True), (2, True)]),
    "ResNet-50": (8, [(1, False), (2, False), (4, False), (8, False), (1, True), (2, True)]),
}
FILES = {"CaffeNet": (256, 32), "GoogLeNet": (32, 4), "VGG-16": (64, 4), "ResNet-50": (32, 4)}  # records, a micro-batch
NETS = {"LeNet": ((64, 1, 28, 28), 4), "CIFAR-10 full": ((25, 3, 32, 32), 4)}  # data, iter_size
OPTIM: dict[str, tuple[Any, dict[str, Any], str]] = {
    "SGD": (torch.optim.SGD, {"momentum": 0.9}, "fused"),
    "Nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, "fused"),
    "AdaGrad": (torch.optim.Adagrad, {}, "fused"),
    "RMSProp": (torch.optim.RMSprop, {"alpha": 0.98}, "foreach"),
    "AdaDelta": (torch.optim.Adadelta, {"rho": 0.9}, "foreach"),
    "Adam": (torch.optim.Adam, {}, "fused"),
}


def seconds(run: Callable[[], object]) -> float:
    """The CPU time of a call."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def times(run: Callable[[], object], calls: int) -> None:
    """Call several times."""
    for _ in range(calls):
        run()


def medians(runs: list[Callable[[], object]], repeat: int) -> list[float]:
    """The medians of interleaved runs, each run once before."""
    for run in runs:
        run()
    lapses = [[seconds(run) for run in runs] for _ in range(repeat)]
    return [median(column) for column in zip(*lapses, strict=True)]


# -- accumulation ---------------------------------------------------------------------------------------------------


def with_dummies(name: str, shape: tuple[int, ...], folder: str) -> str:
    """The solver file of a config whose net reads random pictures made once; its path."""
    solver, net = (forecasts.CONFIGS / f"{path}.prototxt" for path in forecasts.CASES[name][:2])
    spec = forecasts.read_net(str(net)).param
    kept = [layer for layer in spec.layer if not layer.HasField("data_param") and layer.type != "Accuracy"]
    del spec.layer[:]
    data = spec.layer.add(name="data", type="DummyData", top=["data", "label"])
    for size in (shape, shape[:1]):
        data.dummy_data_param.shape.add(dim=size)
    data.dummy_data_param.data_filler.add(type="constant", value=0.3)
    data.dummy_data_param.data_filler.add(type="constant", value=3)
    spec.layer.extend(kept)
    param, _ = forecasts.read(str(solver), SolverParameter, "solver")
    kind = {field: getattr(param, field) for field in ("type", "momentum", "weight_decay", "clip_gradients")}
    param = SolverParameter(base_lr=1e-4, lr_policy="fixed", max_iter=10**6, snapshot_prefix=f"{folder}/s", **kind)
    param.net = f"{folder}/net.prototxt"
    Path(param.net).write_text(text_format.MessageToString(spec))
    path = Path(folder, "solver.prototxt")
    path.write_text(text_format.MessageToString(param))
    return str(path)


def accumulation(repeat: int) -> None:
    """iter_size K beside K passes and an update measured apart."""
    print(f"{'net':16}{'batch':>6}{'iter_size':>10}{'iteration':>12}{'K passes':>12}{'update':>10}{'ratio':>8}")
    for name, (shape, count) in NETS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = with_dummies(name, shape, folder)
            spec = read_solver(path)
            spec.param.iter_size = count
            solver = Solver(spec, device="cpu")
        n = 40 // count

        def one_pass(solver: Solver = solver) -> None:
            forward_backward(solver.net, [solver.net.next_batch()])

        def passes(n: int = n, count: int = count, solver: Solver = solver) -> None:
            for _ in range(n):
                for learned in solver.net.learned:
                    learned.blob.grad = None
                for _ in range(count):
                    one_pass()

        def update(n: int = n, count: int = count, solver: Solver = solver) -> None:
            for _ in range(n):
                solver.update(1e-4, 1, count)

        whole, parts, last = (x / n for x in medians([lambda: solver.step(n), passes, update], repeat))  # noqa: B023
        lapses = "".join(f"{1e3 * x:>{w}.3f} ms" for x, w in ((whole, 9), (parts, 9), (last, 7)))
        print(f"{name:16}{shape[0]:>6}{count:>10}{lapses}{whole / (parts + last):>8.3f}", flush=True)


def equality() -> None:
    """How far a batch in 4 passes and the whole batch are apart after some updates."""
    print(f"{'net':16}" + "".join(f"{kind:>10}" for kind in OPTIM))
    for name in NETS:
        found = []
        for kind in OPTIM:
            param = SolverParameter(type=kind, weight_decay=5e-4, clip_gradients=10.0, delta=1e-4, rms_decay=0.98)
            param.momentum = 0.0 if kind in ("AdaGrad", "RMSProp") else 0.9
            found.append(apart(name, param))
        print(f"{name:16}" + "".join(f"{x:>10.1e}" for x in found), flush=True)


def apart(name: str, param: SolverParameter, updates: int = 8, passes: int = 4) -> float:
    """The largest distance of a blob's weights beside their norm."""
    torch.manual_seed(1)
    nets = []
    for count in (1, passes):
        own = SolverParameter()
        own.CopyFrom(param)
        own.iter_size, own.clip_gradients = count, count * param.clip_gradients
        net, _ = build(name, NETS[name][0][0] // 4 * 4)
        nets.append((net, Update(net, own), count))
    for iteration in range(updates):
        batch = {top: torch.randn(x.shape) for top, x in memory.meta_batch(nets[0][0]).items()}
        batch["label"] = torch.randint(10, batch["label"].shape).float()
        for net, update, count in nets:
            for learned in net.learned:
                learned.blob.grad = None
            for part in zip(*(x.chunk(count) for x in batch.values()), strict=True):
                forward_backward(net, [dict(zip(batch, part, strict=True))])
            update(1e-2, iteration, count)
    pairs = [(a.blob.detach(), b.blob.detach()) for a, b in zip(nets[0][0].learned, nets[1][0].learned, strict=True)]
    return max(float((a - b).norm() / a.norm()) for a, b in pairs)


def updates(repeat: int) -> None:
    """The update of each solver type beside torch's optimiser of the nearest rule, on the weights of two nets."""
    print(f"{'net':12}{'type':10}{'update':>12}{'torch foreach':>15}{'ratio':>8}{'torch fused':>13}{'ratio':>8}")
    for name, calls in (("LeNet", 50), ("ResNet-50", 1)):
        net, _ = forecasts.build(name, "cpu")
        for learned in net.learned:
            learned.blob.grad = torch.randn_like(learned.blob) if learned.blob.requires_grad else None
        for kind, (optimiser, options, best) in OPTIM.items():
            param = SolverParameter(type=kind, base_lr=1e-3, weight_decay=1e-4, rms_decay=0.98)
            param.momentum = 0.9 if kind in ("SGD", "Nesterov", "AdaDelta", "Adam") else 0.0
            own = Update(net, param)
            twins = []
            for how in dict.fromkeys(("foreach", best)):
                weights = [x.blob.detach().clone().requires_grad_() for x in net.learned if x.blob.requires_grad]
                for twin in weights:
                    twin.grad = torch.randn_like(twin)
                twins.append(optimiser(weights, lr=1e-3, weight_decay=1e-4, **options, **{how: True}))
            runs = [lambda: own(1e-3, 5, 1), *(twin.step for twin in twins)]  # noqa: B023
            found = medians([partial(times, run, calls) for run in runs], repeat)
            ours, *theirs = (1e3 * x / calls for x in found)
            others = "".join(f"{x:>{w}.3f} ms{ours / x:>8.2f}" for x, w in zip(theirs, (12, 10), strict=False))
            print(f"{name:12}{kind:10}{ours:>9.3f} ms{others}{'' if len(theirs) > 1 else '            -':13}", flush=True)


# -- micro-batches and recomputation --------------------------------------------------------------------------------


def build(name: str, records: int, device: str = "cpu") -> tuple[Net, SolverParameter]:
    """The train net of a case for batches of `records`, laid out as the solver does it."""
    net, param = forecasts.build(name, device, records)
    cpu.lay_out(net)
    param.iter_size = 1
    return net, param


class Variant:
    """One way to run a net's batches, and what it gave."""

    def __init__(self, net: Net, param: SolverParameter, batch: dict[str, Tensor], records: int, how: tuple[int, bool]):
        self.net, self.param, self.batch, self.how = net, param, batch, how
        self.pieces = Splitting(-(-records // how[0]), how[1]).train(net)
        self.draws = net.draws.get_state() if net.draws is not None else None

    def __call__(self) -> None:
        """One pass from cleared gradients."""
        if self.net.draws is not None and self.draws is not None:
            self.net.draws.set_state(self.draws)
        for learned in self.net.learned:
            learned.blob.grad = None
        forward_backward(self.net, [self.batch], self.pieces)

    def gradients(self) -> list[Tensor]:
        """The gradients of a pass."""
        self()
        return [x.blob.grad.clone() for x in self.net.learned if x.blob.grad is not None]

    def peak(self) -> tuple[int, int]:
        """The peak of an iteration, measured and by forecast."""

        def run(net: Net, batch: Any) -> object:
            return forward_backward(net, [batch], self.pieces)

        weights = [x.blob.detach().clone() for x in self.net.learned]
        found = memory.iterate(self.net, self.param, self.batch, run)[2]
        for learned, before in zip(self.net.learned, weights, strict=True):
            learned.blob.data.copy_(before)
        wanted = memory.forecast(self.net, self.param, run=run)
        return found, wanted.total - wanted.ahead


def difference(found: list[Tensor], wanted: list[Tensor]) -> float:
    """The distance of all gradients beside their norm."""
    distance = sum(float((a - b).norm()) ** 2 for a, b in zip(found, wanted, strict=True))
    return (distance / sum(float(b.norm()) ** 2 for b in wanted)) ** 0.5


def compare(name: str, repeat: int) -> list[dict[str, Any]]:
    """Time, memory and gradients of a net's variants."""
    torch.manual_seed(1)
    records, ways = CASES[name]
    net, param = build(name, records)
    batch = {top: torch.randn(x.shape) for top, x in memory.meta_batch(net).items()}
    batch["label"] = torch.randint(10, batch["label"].shape).float()
    variants = [Variant(net, param, batch, records, way) for way in ways]
    lapses = medians(list(variants), repeat)
    wanted = variants[0].gradients()
    rows = []
    for variant, lapse in zip(variants, lapses, strict=True):
        found, (pieces, recompute) = variant.gradients(), variant.how
        plain = next(v for v in variants if v.how == (pieces, False))
        equal = all(map(torch.equal, found, plain.gradients())) if recompute else None
        peak, forecast = variant.peak()
        rows.append(
            {"net": name, "records": records, "pieces": pieces, "recompute": recompute, "seconds": lapse, "peak": peak,
             "forecast": forecast, "difference": difference(found, wanted), "equal": equal}
        )  # fmt: skip
    return rows


def show(rows: list[dict[str, Any]], fixed: int) -> None:
    """The table's lines of a net; `fixed`: bytes of weights, gradients and history."""
    first = rows[0]
    for row in rows:
        how = f"{row['pieces']} pieces" if row["pieces"] > 1 else "whole"
        mebi = [x / 2**20 for x in (row["peak"], row["peak"] - fixed)]
        print(
            f"{row['net']:10}{row['records']:>4}  {how + ' --recompute' * row['recompute']:22}"
            f"{row['seconds']:>8.2f} s{row['seconds'] / first['seconds']:>7.2f}"
            f"{mebi[0]:>10.1f}{row['peak'] / first['peak']:>7.2f}{mebi[1]:>10.1f}"
            f"{(row['peak'] - fixed) / (first['peak'] - fixed):>7.2f}{row['forecast'] / row['peak']:>9.4f}"
            f"{row['difference']:>10.1e}  {'' if row['equal'] is None else 'equal' if row['equal'] else 'DIFFERENT'}",
            flush=True,
        )


def at_file_size(name: str) -> None:
    """The forecast for a batch as large as published, in the ways to run it."""
    records, size = FILES[name]
    net, param = build(name, records, "meta")
    totals = []
    for splitting in (Splitting(), Splitting(size), Splitting(0, True), Splitting(size, True)):
        pieces = splitting.train(net)
        found = memory.forecast(net, param, run=partial(forward_backward, pieces=pieces), device="cpu")
        totals.append(found.total - found.ahead)
    figures = "".join(f"{x / 2**20:>12.0f}{x / totals[0]:>7.2f}" for x in totals)
    print(f"{name:12}{records:>6}{size:>6}{figures}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["accumulation", "updates", "forecast", *CASES])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.one:
        print(json.dumps(compare(args.one, args.repeat)))
        return
    print("$ python " + " ".join([Path(sys.argv[0]).as_posix(), *sys.argv[1:]]))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, one used, load {os.getloadavg()[0]:.1f}"
    print(f"torch {torch.__version__}, {machine}")
    if args.only in (None, "accumulation"):
        print("\nAn iteration of iter_size K beside K passes and one update\n")
        accumulation(3 * args.repeat)
        print("\nBlobs' largest relative distance after 8 updates by 4 passes and by one on the whole batch\n")
        equality()
    if args.only in (None, "updates"):
        print("\nOne update beside torch.optim's\n")
        updates(3 * args.repeat)
    if args.only in (None, *CASES):
        print(
            "\nOne pass. Memory in MiB: of an iteration, and without weights, gradients and history; then forecast / memory,"
        )
        print("the norm of the gradients' difference to the whole batch's; --recompute beside without it: equal bits?\n")
        memories = "".join(f"{x:>10}{'ratio':>7}" for x in ("time", "memory", "without"))
        print(f"{'net':10}{'batch':>5} {'':22}{memories}{'forecast':>9}{'gradient':>10}")
    for name in CASES if args.only is None else [args.only] if args.only in CASES else ():
        net, _ = build(name, CASES[name][0], "meta")
        fixed = 12 * sum(x.blob.numel() for x in net.learned)
        command = [sys.executable, __file__, "--one", name, "--repeat", str(args.repeat)]
        show(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout), fixed)
    if args.only in (None, "forecast"):
        print("\nBatches as large as published, by forecast (iter_size 1), in MiB\n")
        ways = "".join(f"{x:>12}{'ratio':>7}" for x in ("whole", "split", "recompute", "both"))
        print(f"{'net':12}{'batch':>6}{'piece':>6}{ways}")
        for name in FILES:
            at_file_size(name)


if __name__ == "__main__":
    main()
