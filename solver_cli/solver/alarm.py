"""NaN and infinity in a run: noticed in its losses and weights, explained by the pass that made them, never saved."""

from __future__ import annotations

import math
from typing import NoReturn

from solver_cli.net import finite
from solver_cli.passes.passes import Passes
from solver_cli.snapshots.snapshot import Checkpoints
from solver_cli.solver.schedule import Schedule


class Alarm:
    """Raises NumericalError that names the first number which is not finite, unless `allowed`.

    `last`   the last loss that it was shown: on a GPU that of the last display
    """

    last = math.nan

    def __init__(self, passes: Passes, schedule: Schedule, snapshots: Checkpoints, allowed: bool):
        self.passes, self.schedule, self.snapshots, self.allowed = passes, schedule, snapshots, allowed
        passes.check = self.loss

    def loss(self, loss: float, iteration: int | None = None) -> None:
        """Look at the loss of `iteration`, None for the one at work."""
        self.last = loss
        if not (self.allowed or math.isfinite(loss)):
            self._explain(self.schedule.iter if iteration is None else iteration)

    def weights(self) -> None:
        """Look at the weights."""
        if not (self.allowed or finite.all_finite([learned.blob for learned in self.passes.net.learned])):
            self._explain(self.schedule.iter)

    def _explain(self, iteration: int) -> NoReturn:
        """Run the last pass again, with what dropout drew for it, to find the first number that went wrong."""
        self.snapshots.writer.wait()
        net, draws = self.passes.net, self.passes.draws
        if net.draws is not None and draws is not None:
            net.draws.set_state(draws)
        rate = self.schedule.rate(iteration, self.schedule.current_step)
        raise finite.explain(net, self.passes.batch, iteration, rate, self.snapshots.good, self.schedule.has_updated)
