"""What `solver-tools time` does: `caffe time` in its lines, then a table of time, memory and speed by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from solver_cli import log
from solver_cli.commands.devices import one_device
from solver_cli.commands.report import in_columns, metric
from solver_cli.commands.single import single
from solver_cli.net.net import Net
from solver_cli.passes.memory import batch_of, mebi
from solver_cli.passes.pace import multiply_adds
from solver_cli.passes.timing import ByLayer, Timed, Whole, whole
from solver_cli.solver.options import RunOptions


@dataclass(frozen=True)
class Row:
    """One layer in an average iteration: milliseconds, bytes, and the operations a second of its products of matrices."""

    name: str
    kind: str
    forward: float
    backward: float
    learned: int
    kept: int
    forward_flops: float
    backward_flops: float


@dataclass(frozen=True)
class Timing:
    """A net that has been timed: its layers but the Splits, one by one, and its whole passes, as averages."""

    title: str
    batch: int
    rows: list[Row]
    whole: Whole


def measure(path: str, iterations: int, run: RunOptions, phase: str = "TRAIN") -> Timing:
    """Time the layers of the net file `path` over `iterations` passes, and whole passes; log the former. Raises Error."""
    with _net(path, phase, run) as (net, half):
        layers = log_by_layer(ByLayer(net, half), iterations)
        passes = whole(net, iterations)
        average = Whole(*(value / iterations for value in (passes.forward, passes.backward, passes.update)))
        rows = [_row(timed, iterations) for timed in layers if timed.node.param.type != "Split"]
        title = f"{net.name or path}, {net.phase}, on the {'GPU' if net.device.type == 'cuda' else 'CPU'}"
        return Timing(title, batch_of(net), rows, average)


def time_layers(path: str, iterations: int, run: RunOptions, phase: str = "TRAIN") -> None:
    """What `caffe time` does, and no more: time the layers, and log them. Raises Error."""
    with _net(path, phase, run) as (net, half):
        log_by_layer(ByLayer(net, half), iterations)


def _net(path: str, phase: str, run: RunOptions) -> AbstractContextManager[tuple[Net, torch.dtype | None]]:
    return single(path, phase, run, one_device(run.gpu, "caffe.cpp:339", "caffe.cpp:343"))


def log_by_layer(passes: ByLayer, iterations: int) -> list[Timed]:
    """Run a pass to warm up and `iterations` timed ones; log what `caffe time` does."""
    log.info("caffe.cpp:351", "Performing Forward")
    passes.look()
    log.info("caffe.cpp:356", f"Initial loss: {log.number(passes.loss)}")
    log.info("caffe.cpp:357", "Performing Backward")
    log.info("caffe.cpp:365", "*** Benchmark begins ***")
    log.info("caffe.cpp:366", f"Testing for {iterations} iterations.")
    total = 0.0
    for index in range(iterations):
        total += (lapse := passes.run())
        log.info("caffe.cpp:394", f"Iteration: {index + 1} forward-backward time: {log.number(lapse)} ms.")
    log.info("caffe.cpp:397", "Average time per layer: ")
    for timed in passes.layers:
        log.info("caffe.cpp:400", f"{timed.node.name:>10}\tforward: {log.number(timed.forward / iterations)} ms.")
        log.info("caffe.cpp:403", f"{timed.node.name:>10}\tbackward: {log.number(timed.backward / iterations)} ms.")
    forward, backward = (sum(getattr(x, name) for x in passes.layers) / iterations for name in ("forward", "backward"))
    log.info("caffe.cpp:408", f"Average Forward pass: {log.number(forward)} ms.")
    log.info("caffe.cpp:410", f"Average Backward pass: {log.number(backward)} ms.")
    log.info("caffe.cpp:412", f"Average Forward-Backward: {log.number(total / iterations)} ms.")
    log.info("caffe.cpp:414", f"Total Time: {log.number(total)} ms.")
    log.info("caffe.cpp:415", "*** Benchmark ends ***")
    return passes.layers


def _row(timed: Timed, iterations: int) -> Row:
    """The averages of a layer. A product of matrices is two operations for each multiplication; on the way back there is
    one product for the gradient of the bottom and one for that of the weights."""
    forward, backward = timed.forward / iterations, timed.backward / iterations
    work = 2e3 * multiply_adds(timed.node, timed.bottoms, timed.tops)  # a second has a thousand milliseconds
    return Row(
        timed.node.name,
        timed.node.param.type,
        forward,
        backward,
        timed.learned,
        timed.kept,
        work / forward if forward else 0.0,
        work * timed.products / backward if backward else 0.0,
    )


def table(timing: Timing) -> Iterator[str]:
    """The layers in columns, then the whole passes as training makes them."""
    yield f"{timing.title}, a batch of {timing.batch}: an average iteration, layer by layer"
    total = sum(row.forward + row.backward for row in timing.rows) or 1.0
    cells = [["layer", "type", "forward ms", "backward ms", "share", "learned", "memory kept", "FLOP/s", "back FLOP/s"]]
    for row in timing.rows:
        share = f"{100 * (row.forward + row.backward) / total:.1f} %"
        flops = [metric(value) if value else "" for value in (row.forward_flops, row.backward_flops)]
        sizes = [mebi(value) if value else "" for value in (row.learned, row.kept)]
        cells.append([row.name, row.kind, f"{row.forward:.3f}", f"{row.backward:.3f}", share, *sizes, *flops])
    sums = [sum(getattr(row, name) for row in timing.rows) for name in ("forward", "backward", "learned", "kept")]
    cells.append(["total", "", f"{sums[0]:.3f}", f"{sums[1]:.3f}", "", mebi(sums[2]), mebi(sums[3]), "", ""])
    yield from in_columns(cells, left=2)
    found = timing.whole
    yield "as training runs it, where layers run as one and none waits for the clock:"
    yield f"  forward {found.forward:.3f} ms, backward {found.backward:.3f} ms, update {found.update:.3f} ms (momentum)"
    if lapse := found.forward + found.backward + found.update:
        yield f"  {1e3 / lapse:.4g} iter/s, {1e3 * timing.batch / lapse:.4g} records/s"
