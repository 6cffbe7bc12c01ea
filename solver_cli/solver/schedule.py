"""Schedule: how many passes an iteration makes, at which rate, and where it stands in the solver file's own count.

A growing schedule (Smith, Kindermans, Ying, Le: "Don't Decay the Learning Rate, Increase the Batch Size", ICLR 2018) makes
every drop of the rate by lr_policy step or multistep a larger iter_size instead, up to a cap; from there on the rate drops
after all. Rate / passes is at every record what the file says, and as many records are seen.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from solver_cli import log
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError, SnapshotError
from solver_cli.formats.solverstate import Event
from solver_cli.solver.lr_policy import learning_rate, period_start, step_counter
from solver_cli.solver.plateau import NOTHING_YET, Plateau
from solver_cli.updates.settings import warms_up

POLICIES = ("step", "multistep")
UNGROWN = (
    "warmup_iter", "rampup_interval", "min_lr", "larc", "local_lr_auto", "momentum_policy", "weight_decay_policy",
    "lookahead",
)  # settings that count iterations, or to which the size of a batch is nothing
EXACT = 1 + 1e-6  # a gamma of 0.1 is a float32 a little above it: 1 / gamma shall be 10 all the same


class Stage(NamedTuple):
    """Iterations between two drops, `passes` passes each, from iteration `first` on.

    They begin when the run has made `begun` passes and end when it has made `end`: the last one makes what is left.
    """

    first: int
    begun: int
    end: float
    passes: int

    def made(self, iteration: int) -> int:
        """The passes that the run has made before `iteration`, one of this stage."""
        return self.begun + (iteration - self.first) * self.passes

    def reached(self, made: float) -> float:
        """The first iteration before which the run has made `made` passes, `end` at the most."""
        return self.first - (self.begun - made) // self.passes if made < math.inf else math.inf


class Schedule:
    """Counts the iterations of a run: plainly, as `param` says, or with batches that grow up to `cap` passes.

    `iter`          how often the weights have been updated, which is the number of the iteration that comes
    `current_step`  how often the rate has dropped: Caffe's counter of policy multistep
    `plateau`       what policy plateau remembers of the losses
    `loss`          gives policy plateau the smoothed loss of the iteration at work

    All else follows from `param`, `cap` and the iteration, so that a resumed run goes on alike. The `position` of an
    iteration is the one of the file at which as many records have been seen.
    """

    def __init__(self, param: SolverParameter, cap: int | None = None):
        """Raises ConfigError where nothing can grow up to `cap`."""
        self.param = param
        self.plateau = Plateau(param)
        self.loss: Callable[[], float] = lambda: 0.0
        self.iter = self.current_step = self._begun = 0
        self.cap: int | None = None
        self._stages: list[Stage] = []  # as far as they have been asked for
        self._further: Iterator[Stage] = iter(())
        if cap is not None:
            self._grow(cap)

    def _grow(self, cap: int) -> None:
        policy, option = self.param.lr_policy, f"--grow-batch {cap}"
        if policy not in POLICIES or self.param.gamma >= 1:
            found = f"gamma is {self.param.gamma:g}" if policy in POLICIES else f"lr_policy is '{policy}'"
            raise ConfigError(
                f"{option} grows the batch where lr_policy {' or '.join(POLICIES)} with a gamma below 1 lowers the rate, "
                f"but {found}",
                field="gamma" if policy in POLICIES else "lr_policy",
            )
        decoupled = "regularization_type" if self.param.regularization_type == "decoupled" else ""
        if other := next((name for name in UNGROWN if _is_set(self.param, name)), decoupled):
            raise ConfigError(f"{option} does not go together with {other}: leave one out", field=other)
        if cap <= self.param.iter_size:
            found = f"{option} is the largest iter_size: it must be above the file's {self.param.iter_size}"
            raise ConfigError(found, field="iter_size")
        self.cap = cap
        self._further = _stages(self.param, cap)
        self._stages = [next(self._further)]

    # -- what the solver asks ---------------------------------------------------------------------------------------

    def passes(self, iteration: int) -> int:
        """How many passes `iteration` makes."""
        stage = self._stage(iteration)
        return int(min(stage.passes, stage.end - stage.made(iteration)))

    def position(self, iteration: int) -> int:
        """The file's iteration that stands where `iteration` begins."""
        return self._stage(iteration).made(iteration) // self.param.iter_size

    def reached(self, position: int) -> int:
        """The first iteration whose position is `position` or later."""
        made = position * self.param.iter_size
        while self.cap is not None and self._stages[-1].end <= made:
            self._stages.append(next(self._further))
        stages = self._stages or [self._stage(0)]
        return int(stages[max(bisect_right(stages, made, key=lambda stage: stage.begun) - 1, 0)].reached(made))

    @property
    def last(self) -> int:
        """The iteration at which max_iter is reached."""
        return self.reached(self.param.max_iter)

    def due(self, interval: int, iteration: int, offset: int = 0) -> bool:
        """Whether a multiple of `interval` (0: never) of the file's iterations, from `offset` on, has come with this one."""
        every, now, before = abs(interval), self.position(iteration) - offset, self.position(iteration - 1) - offset
        return bool(every) and now // every > before // every

    def following(self, interval: int, iteration: int) -> int:
        """The first iteration after `iteration` at which `interval` is due."""
        every = abs(interval)
        return self.reached((self.position(iteration) // every + 1) * every)

    def next_snapshot(self, iteration: int) -> int:
        """The iteration after `iteration` at which a snapshot is due; 0 for none."""
        due = self.following(self.param.snapshot, iteration) if self.param.snapshot else self.last + 1
        if due <= self.last:
            return due
        return self.last if self.param.snapshot_after_train and iteration < self.last else 0

    def step(self, iteration: int, before: int) -> int:
        """The step counter of `iteration`, given the one before it."""
        return step_counter(self.param, self.position(iteration), before)

    def rate(self, iteration: int, step: int) -> float:
        """The learning rate of `iteration`: the file's, times what its batch is larger."""
        rate = learning_rate(self.param, self.position(iteration), step)
        return float(np.float32(rate * (self.passes(iteration) / self.param.iter_size)))

    def advance(self) -> float:
        """The learning rate of the iteration that comes; the step counter moves on to it."""
        step, policy = self.step(self.iter, self.current_step), self.param.lr_policy
        if policy == "plateau" and not warms_up(self.param, self.iter):
            step = self.plateau.step(self.iter, step, self.loss())
        if policy == "multistep" and step != self.current_step:
            log.info("sgd_solver.cpp:50", f"MultiStep Status: Iteration {self.iter}, step = {step}")
        self.current_step = step
        return self.rate(self.iter, step)

    def announce(self, iteration: int, rate: float) -> None:
        """Log what grows or drops, where `iteration` is the first of a stage."""
        stage = self._stage(iteration)
        if self.cap is None or iteration == 0 or iteration != stage.first:
            return
        before, passes = self._stage(iteration - 1).passes, self.passes(iteration)
        what = "The batch grows" if passes > before else "The learning rate drops"
        sizes = f"{before} -> {passes}" if passes != before else f"{passes}"
        own, file = log.number(rate), log.number(rate * self.param.iter_size / passes)
        log.info(
            "solver.cpp",
            f"{what} at iteration {iteration}: iter_size {sizes}, lr {own} (the file's iteration "
            f"{self.position(iteration)}: iter_size {self.param.iter_size}, lr {file})",
        )

    # -- resuming ---------------------------------------------------------------------------------------------------

    def go_on(self, iteration: int, step: int, event: Event | None) -> None:
        """Go on at `iteration` with this step counter and, if the state tells it, what policy plateau remembers."""
        self.iter = self._begun = iteration
        self.current_step = step
        if event and self.param.lr_policy == "plateau":
            self.plateau.minimum_loss, self.plateau.last_event = event

    def event(self) -> Event | None:
        """What forks' states hold for policies plateau and sgdr: the minimum loss, and when it or the rate last changed."""
        if self.param.lr_policy == "sgdr":
            return NOTHING_YET, period_start(self.param, self.iter)
        return (self.plateau.minimum_loss, self.plateau.last_event) if self.param.lr_policy == "plateau" else None

    @property
    def has_updated(self) -> bool:
        """Whether this run has changed the weights."""
        return self.iter > self._begun

    def state(self) -> dict[str, Any]:
        """What a run that goes on from here must agree with, as plain values."""
        return {"grow_batch": self.cap, "position": self.position(self.iter)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as the run that left `state` ({}: Caffe's, or none). Raises SnapshotError, ConfigError."""
        iteration = self.iter
        saved, position = state.get("grow_batch"), state.get("position", iteration)
        if saved is not None and type(saved) is not int:
            raise ValueError(f"grow_batch {saved!r}")
        if saved is not None and self.cap is None:
            log.info("solver.cpp", f"The snapshot is of a run with --grow-batch {saved}: this one goes on so")
            self._grow(saved)
        if saved not in (None, self.cap):
            raise SnapshotError(f"--grow-batch {self.cap}: the snapshot is of a run with --grow-batch {saved}; leave it out")
        if self.cap is not None and position != self.position(iteration):
            remedy = "put stepsize, stepvalue, gamma and iter_size back" if saved else "grow from before the first drop on"
            raise SnapshotError(
                f"iteration {iteration} of the snapshot is the file's {position}, but with --grow-batch {self.cap} it is "
                f"the file's {self.position(iteration)}: {remedy}"
            )

    def _stage(self, iteration: int) -> Stage:
        if self.cap is None:  # settings may change while a program trains
            return Stage(0, 0, math.inf, self.param.iter_size)
        while self._stages[-1].reached(self._stages[-1].end) <= iteration:
            self._stages.append(next(self._further))
        return self._stages[max(bisect_right(self._stages, iteration, key=lambda stage: stage.first) - 1, 0)]


def _is_set(param: SolverParameter, name: str) -> bool:
    """Whether a field is set to anything else than its default, which all forks have as the way of BVLC's."""
    return bool(getattr(param, name) != param.DESCRIPTOR.fields_by_name[name].default_value)


def _stages(param: SolverParameter, cap: int) -> Iterator[Stage]:
    """The stages between the drops, each with as many passes as are worth the drops so far and do not raise the rate."""
    first = 0
    for drops, (begin, end) in enumerate(itertools.pairwise(itertools.chain([0], _drops(param), [math.inf]))):
        factor = float(param.gamma) ** drops
        passes = int(min(cap, param.iter_size / factor * EXACT)) if factor else cap
        if begin < end:
            stage = Stage(first, int(begin) * param.iter_size, end * param.iter_size, passes)
            yield stage
            first = int(stage.reached(stage.end)) if end < math.inf else first


def _drops(param: SolverParameter) -> Iterator[int]:
    """The file's iterations at which the step counter moves; multistep's moves by one at the most."""
    if param.lr_policy == "step":
        yield from itertools.count(param.stepsize, param.stepsize)
    drop = -1
    for value in param.stepvalue:
        drop = max(value, drop + 1)
        yield drop
