"""Policy plateau: the rate drops when the loss has set no new minimum for so many iterations."""

from __future__ import annotations

from solver_cli import log
from solver_cli.caffe_pb2 import SolverParameter

NOTHING_YET = 3.4028234663852886e38  # the largest float32: SSD's minimum before the first loss


class Plateau:
    """The minimum of the smoothed loss, and the iteration at which it was last lowered, or the rate."""

    def __init__(self, param: SolverParameter):
        self.param = param
        self.minimum_loss = NOTHING_YET
        self.last_event = 0

    def step(self, iteration: int, step: int, loss: float) -> int:
        """The step counter of `iteration`, given the one before it and the smoothed loss; the log says what happens."""
        if loss < self.minimum_loss:
            self.minimum_loss, self.last_event = loss, iteration
        windows, display = self.param.plateau_winsize, abs(self.param.display)
        if step < len(windows) and iteration >= self.last_event + windows[step]:
            step, self.last_event = step + 1, iteration
            log.info("sgd_solver.cpp:77", f"Plateau Status: Iteration {iteration}, step = {step}")
        if display and iteration % display == 0 and self.last_event > iteration - display:
            found = log.number(self.minimum_loss)
            log.info("sgd_solver.cpp:83", f"Plateau Status: Iteration {iteration}, current minimum_loss = {found}")
        return step
