"""The progress bar: on a terminal only, below the log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from solver_cli import log
from solver_cli.passes.memory import batch_of
from solver_cli.solver.solver import Solver
from solver_cli.solver.watchers import Tested, Watcher

SECONDS = 0.1  # between two pictures of the bar in a test


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
    """Moves `bar` on with every update and every batch of a test, and shows what is known now."""

    def __init__(self, solver: Solver, bar: tqdm[Any]):
        self.solver, self.bar = solver, bar
        self.images = batch_of(solver.net)
        self.rate = 0.0
        self.index = 0
        self.drawn = 0.0

    def updating(self, iteration: int, rate: float) -> None:
        self.rate = rate

    def updated(self, iteration: int) -> None:
        speed = (self.bar.format_dict["rate"] or 0) * self.images * self.solver.schedule.passes(iteration)
        shown = f"loss={self.solver.alarm.last:g}, lr={self.rate:g}, {speed:.0f} images/s"
        self.bar.set_postfix_str(shown, refresh=False)
        self.bar.update(iteration - self.bar.n)

    def testing(self, index: int, iteration: int) -> None:
        self.index = index

    def looked(self, done: int) -> None:
        if time.monotonic() > self.drawn + SECONDS:
            self.drawn = time.monotonic()
            self.bar.set_description_str(f"Test #{self.index}, batch {done + 1}/{self.solver.param.test_iter[self.index]}")

    def tested(self, test: Tested) -> None:
        self.bar.set_description_str("", refresh=False)
