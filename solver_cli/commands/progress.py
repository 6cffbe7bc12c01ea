"""The progress bar: on a terminal only, below the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from solver_cli import log
from solver_cli.solver.solver import Solver
from solver_cli.solver.watchers import Watcher


class AboveBar(logging.Handler):
    """Writes log lines above the bar that is being drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        with log.stderr_may_go():
            tqdm.write(self.format(record), file=sys.stderr)


@contextmanager
def progress(solver: Solver) -> Iterator[None]:
    """Draw a bar while `solver` trains: iterations, speed, images/s, time left, loss, lr; only if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    log.to_stderr(AboveBar())
    total = solver.schedule.last
    with tqdm(total=total, initial=solver.iter, unit="iter", file=sys.stderr, dynamic_ncols=True) as bar:
        watcher = Bar(solver, bar)
        solver.watchers.append(watcher)
        try:
            yield
        finally:
            solver.watchers.remove(watcher)
    log.to_stderr()


class Bar(Watcher):
    """Moves `bar` on with every update of `solver`."""

    def __init__(self, solver: Solver, bar: tqdm[Any]):
        self.solver, self.bar = solver, bar
        self.images = _images_per_pass(solver)
        self.rate = 0.0

    def updating(self, iteration: int, rate: float) -> None:
        self.rate = rate

    def updated(self, iteration: int) -> None:
        solver, bar = self.solver, self.bar
        bar.update(iteration - bar.n)
        if solver.due(solver.param.display or 1):
            speed = (bar.format_dict["rate"] or 0) * self.images * solver.schedule.passes(iteration)
            shown = f"loss={solver.losses.smoothed.value:g}, lr={self.rate:g}, {speed:.0f} images/s"
            bar.set_postfix_str(shown, refresh=False)


def _images_per_pass(solver: Solver) -> int:
    """Records that one pass sees: the first data layer's batch; 0 without a data layer."""
    batches = [source.shapes[0][0] for source in solver.net.sources.values() if source.shapes[0]]
    return batches[0] if batches else 0
