"""What a solver file asks for, before anything is trained: the text of `solver-tools plan`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields, replace
from math import isfinite, log, prod

import torch

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.commands.lint import advice, records_of
from solver_cli.commands.several import ASSUMED, ONE, Several
from solver_cli.data.absent import AbsentData
from solver_cli.errors import Error
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.memory import (
    Forecast,
    Tracker,
    batch_of,
    forecast,
    forecast_test,
    largest_batch,
    mebi,
    meta_batch,
    without_data,
)
from solver_cli.passes.pace import multiply_adds
from solver_cli.registry import Shape
from solver_cli.solver.building import find_modules
from solver_cli.solver.lr_policy import learning_rate, step_counter
from solver_cli.solver.solverspec import SolverSpec, check, test_nets, train_net
from solver_cli.text.netspec import NetSpec

WIDTH, HEIGHT = 60, 7  # of the chart
NAMES = {
    "data": "batch",
    "ahead": "batches read ahead",
    "workspace": "scratch of cuDNN (a guess)",
}


@dataclass(frozen=True)
class Row:
    """One layer as it runs on a batch: first top, learned values, multiply-adds, bytes that it leaves in memory."""

    node: Node
    shape: Shape
    learned: int
    multiply_adds: int
    kept: int


def plan(
    spec: SolverSpec,
    *,
    batch: int | None = None,
    memory: int | None = None,
    python_layers: bool = True,
    ranks: Several = ONE,
) -> Iterator[str]:
    """The lines of the plan of a solver. Nothing is trained, filled or written. Raises Error.

    `batch`: a batch size for the train net instead of its file's; `memory`: bytes that the largest batch is to fit into,
    None for what is free on the device that would train; `ranks`: on how many, of what device, it is to train.
    """
    check(spec)
    with ExitStack() as stack:
        train = stack.enter_context(closing(_build(spec.file, train_net(spec), python_layers)))
        tests = [stack.enter_context(closing(_build(spec.file, net, python_layers))) for _, net in test_nets(spec)]
        for net in tests:
            net.share_with(train)
        yield f"{spec.file}: {spec.param.type}, {spec.param.max_iter} iterations"
        yield from _absent([train, *tests])
        yield from _layers(train, batch)
        yield from _memory(spec, train, tests, batch, memory, ranks)
        size = batch or batch_of(train)
        yield from _run(spec.param, size, records_of(train), ranks.size)
        yield from ranks.lines(spec.param, train)
        if rows := ranks.forecast(spec.param, train, size):
            yield "\nForecast of an update"
            yield from in_columns(rows, left=1)
            yield from (f"  {line}" for line in ASSUMED)
        yield from _rates(spec.param)
        yield from _noise(spec.param, size, records_of(train), ranks.size)
        yield "\nAdvice"
        lines = [f"  {where}: {text}" for where, text in advice(spec, train, tests, size * ranks.size)]
        yield from lines or ["  none"]


def _build(solver: str, spec: NetSpec, python_layers: bool) -> Net:
    """The net without values; absent data are stood in for where their shapes are known."""
    if python_layers:
        find_modules(solver, spec)
    return Net(spec, device="meta", python_layers=python_layers, absent=lambda node, error: AbsentData(node.param, error))


def _absent(nets: Sequence[Net]) -> Iterator[str]:
    for net in nets:
        for node in net.nodes:
            if isinstance(node.source, AbsentData):
                error = node.spec.locate(node.source.error)
                yield f"{error}: {node.source.guess}; what needs the records is left out"


# -- layers ---------------------------------------------------------------------------------------------------------


def rows(net: Net, batch: int | None) -> list[Row]:
    """The layers of `net` with `batch` items (None: the file's), as they run. Raises Error."""
    found: list[Row] = []
    with without_data(net):
        blobs = meta_batch(net, batch)
        tracker, losses = Tracker(), []
        tracker.count(learned.blob for learned in net.learned)
        with tracker:
            for node in net.nodes:
                before, bottoms = tracker.live, [tuple(blobs[name].shape) for name in node.bottoms]
                losses.append(net.run([node], blobs))
                tops = [blobs[name] for name in node.tops if name]
                tracker.count(tops)
                shapes = [tuple(top.shape) for top in tops]
                learned = sum(map(prod, node.blob_shapes))
                work = multiply_adds(node, bottoms, shapes)
                found.append(Row(node, shapes[0] if shapes else (), learned, work, tracker.live - before))
    return found


def _layers(net: Net, batch: int | None) -> Iterator[str]:
    yield f"\nTrain net{f' {net.name}' if net.name else ''}, a batch of {batch or batch_of(net)}"
    table = [["layer", "type", "top", "learned values", "multiply-adds", "memory kept"]]
    found = [row for row in rows(net, batch) if row.node.param.type != "Split"]
    for row in found:
        shape = " x ".join(map(str, row.shape))
        table.append([row.node.name, row.node.param.type, shape, *_figures(row.learned, row.multiply_adds, row.kept)])
    learned = sum(x.blob.numel() for x in net.learned)
    totals = _figures(learned, sum(row.multiply_adds for row in found), sum(row.kept for row in found))
    yield from in_columns([*table, ["total", "", "", *totals]], left=3)


def _figures(learned: int, multiply_adds: int, kept: int) -> list[str]:
    return [
        f"{learned:,}" if learned else "",
        metric(multiply_adds) if multiply_adds else "",
        mebi(kept) if kept >= 1024 else "",
    ]


def in_columns(rows: list[list[str]], left: int = 1) -> Iterator[str]:
    """The cells in columns, the first `left` of them flush left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        yield ("  " + "  ".join(cells)).rstrip()


def metric(value: float) -> str:
    """`1.23 G`"""
    for unit in ("", " k", " M", " G", " T"):
        if value < 999.5 or unit == " T":
            break
        value /= 1000
    return f"{value:.3g}{unit}" if value < 999.5 else f"{value:,.0f}{unit}"


# -- memory ---------------------------------------------------------------------------------------------------------


def _memory(
    spec: SolverSpec, train: Net, tests: Sequence[Net], batch: int | None, budget: int | None, ranks: Several
) -> Iterator[str]:
    device = ranks.device(spec.param)
    found = [forecast(train, spec.param, batch, device=device.type)]
    found += [forecast_test(net, train, found[0], device=device.type) for net in tests]
    queues = sum(one.ahead for one in found)  # they stay full, whichever net is at work
    heads = ["train", *(f"test #{i}" for i in range(len(tests)))]
    on = "the GPU" if device.type == "cuda" else "the CPU"
    yield f"\nMemory {'of each rank, ' if ranks.size > 1 else ''}on {on}, forecast at the peak"
    table = [["batch size", *(str(one.batch) for one in found)]]
    for field in fields(Forecast)[1:]:
        values = [queues if field.name == "ahead" else getattr(one, field.name) for one in found]
        if any(values):
            table.append([NAMES.get(field.name, field.name), *map(mebi, values)])
    sent = found[0].gradients if ranks.size > 1 else 0
    if sent:
        table.append(["gradients sent", *[mebi(sent)] * len(found)])
    totals = [replace(one, ahead=queues).total + sent for one in found]
    yield from in_columns([["", *heads], *table, ["total", *map(mebi, totals)]])
    if budget is None and device.type == "cuda" and not torch.cuda.is_available():
        yield "  largest batch: there is no GPU here: --memory 16G says what one has"
        return
    budget = ranks.share(device) if budget is None else budget
    try:
        most = largest_batch(train, spec.param, budget - sent - (queues - found[0].ahead), device=device.type)
    except Error as error:
        yield f"  largest batch: only the file's batch size can be forecast ({error})"
        return
    fits = f"batch_size {most:,}" if most else "not even one record fits"
    yield f"  largest batch in {mebi(budget)}: {fits}"
    for head, total in zip(heads[1:], totals[1:], strict=True):
        if total > budget:
            yield f"  {head} does not fit: it takes {mebi(total)}"


# -- the run --------------------------------------------------------------------------------------------------------


def _run(param: SolverParameter, batch: int, records: int | None, ranks: int) -> Iterator[str]:
    effective = batch * param.iter_size * ranks
    each = f"{ranks} ranks" if ranks > 1 else "1 device"
    yield f"\nRun\n  effective batch: {effective} = {batch} x iter_size {param.iter_size} x {each}"
    if not records:
        return
    yield f"  an epoch of {records:,} records: {records / effective:,.4g} iterations"
    yield f"  {param.max_iter:,} iterations: {param.max_iter * effective / records:,.4g} epochs"
    for name, what in (("test_interval", "tests"), ("snapshot", "snapshots")):
        if (interval := getattr(param, name)) > 0 and (name == "snapshot" or param.test_iter):
            yield f"  between {what}: {interval:,} iterations, {interval * effective / records:,.4g} epochs"


def rates(param: SolverParameter, iterations: Sequence[int]) -> list[float]:
    """The learning rates of `iterations`, which rise."""
    found, step = [], 0
    for iteration in iterations:
        while (following := step_counter(param, iteration, step)) != step:  # one stepvalue at a time
            step = following
        found.append(learning_rate(param, iteration, step))
    return found


def _rates(param: SolverParameter) -> Iterator[str]:
    """The learning rate over the run, as a chart if it changes."""
    last = param.max_iter - 1
    if last < 0:
        return
    if param.lr_policy == "plateau":
        windows = ", ".join(map(str, param.plateau_winsize)) or "no"
        yield (
            f"\nLearning rate (plateau): {param.base_lr:g} at iteration 0, times {param.gamma:g} when the loss has set no "
            f"new minimum for {windows} iterations"
        )
        return
    values = rates(param, [last * i // (WIDTH - 1) for i in range(WIDTH)])
    if min(values) == max(values):
        yield f"\nLearning rate ({param.lr_policy}): {values[0]:g} throughout"
        return
    yield f"\nLearning rate ({param.lr_policy}): {values[0]:g} at iteration 0, {values[-1]:g} at iteration {last:,}"
    if all(map(isfinite, values)):
        yield from chart(values, logarithmic=param.lr_policy in ("step", "multistep", "exp") and min(values) > 0)
        yield f"{'0':>13}{f'{last:,}':>{WIDTH}}"


def chart(values: Sequence[float], logarithmic: bool) -> Iterator[str]:
    """One column for each value, one line for each level, the highest first."""
    scaled = [log(value) for value in values] if logarithmic else list(values)
    low, high = min(scaled), max(scaled)
    levels = [round((value - low) / (high - low) * (HEIGHT - 1)) for value in scaled]
    for level in reversed(range(HEIGHT)):
        label = f"{max(values):.3g}" if level == HEIGHT - 1 else f"{min(values):.3g}" if level == 0 else ""
        line = "".join("*" if found == level else " " for found in levels)
        yield f"{label:>10} | {line}".rstrip()


def _noise(param: SolverParameter, batch: int, records: int | None, ranks: int) -> Iterator[str]:
    """How much chance there is in the updates, and what three remedies for a small memory do to it."""
    momentum, size = param.momentum, batch * param.iter_size * ranks
    if param.type not in ("SGD", "Nesterov") or not 0 <= momentum < 1 or param.base_lr <= 0:
        return
    factor = param.base_lr / (size * (1 - momentum))
    yield "\nNoise of the updates: g = lr N / (B (1 - momentum)), N records, B the effective batch (Smith & Le 2018)"
    g = factor * records if records else None
    formula = f"{param.base_lr:g} x {records or 'N'} / ({size} x {1 - momentum:.4g})"
    yield f"  as the file is: {formula} = {f'{g:.4g}' if g else f'{factor:.4g} N'}"
    yield "  too much of it never settles, too little settles in poor minima; equal g at another B mostly trains alike"

    changes = [
        ("iter_size x 10", 0.1, f"base_lr {param.base_lr * 10:.3g} keeps it, and max_iter / 10 sees as many records"),
        ("images of half the side", 0.25, f"a quarter of the memory each, so the batch may be about {4 * batch}"),
    ]
    if momentum < 0.99:
        times = (1 - momentum) / 0.01
        changes.insert(0, ("momentum 0.99", times, f"base_lr {param.base_lr / times:.3g} keeps it as it is"))
    for change, times, remedy in changes:
        yield f"  {change}: g x {times:.3g}{f' = {g * times:.4g}' if g else ''}; {remedy}"
