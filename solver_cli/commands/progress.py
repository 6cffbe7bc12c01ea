"""The progress bar: on a terminal only, below the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from solver_cli import log
from solver_cli.solver.solver import Solver


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
    images = _images_per_pass(solver)
    with tqdm(total=solver.schedule.last, initial=solver.iter, unit="iter", file=sys.stderr, dynamic_ncols=True) as bar:

        def step(solver: Solver) -> None:
            bar.update(solver.iter - bar.n)
            if solver.due(solver.param.display or 1):
                rate = solver.schedule.rate(solver.iter, solver.current_step)
                speed = (bar.format_dict["rate"] or 0) * images * solver.schedule.passes(solver.iter)
                bar.set_postfix_str(f"loss={solver.smoothed.value:g}, lr={rate:g}, {speed:.0f} images/s", refresh=False)

        solver.on_step = step
        try:
            yield
        finally:
            solver.on_step = None
    log.to_stderr()


def _images_per_pass(solver: Solver) -> int:
    """Records that one pass sees: the first data layer's batch; 0 without a data layer."""
    batches = [source.shapes[0][0] for source in solver.net.sources.values() if source.shapes[0]]
    return batches[0] if batches else 0
