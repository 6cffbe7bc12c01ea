"""Watchers: what hears of a run and does not change it. The log's lines, the progress bar, the best snapshot kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any, Concatenate, ParamSpec

from torch import Tensor

from solver_cli import log
from solver_cli.errors import ConfigError, nearest
from solver_cli.net.net import Net

Facts = ParamSpec("Facts")


@dataclass(frozen=True)
class Displayed:
    """A display: the smoothed loss of `iteration`, and the outputs of its last pass by name."""

    iteration: int
    loss: float
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True)
class Tested:
    """A test of test net `index`: the sum of its losses, and the means of its outputs; None if it was broken off.

    Of an output of judged detections, `precisions` has the average precision of each class; its mean is that over them.
    """

    iteration: int
    index: int
    batches: int
    loss: Tensor
    means: Mapping[str, Tensor] | None
    precisions: Mapping[str, Mapping[int, float | None]] = field(default_factory=dict)


class Watcher:
    """Override what is to be heard. Events come in the order in which they stand here.

    `may_fail`: the errors that end the watching, with a warning, and not the run.
    """

    may_fail: tuple[type[Exception], ...] = ()

    def begun(self, iteration: int) -> None:
        """Training begins, or goes on, at `iteration`."""

    def testing(self, index: int, iteration: int) -> None:
        """Test net `index` is about to be tested."""

    def looked(self, done: int) -> None:
        """So many batches of the test are done, and another one comes."""

    def tested(self, test: Tested) -> None:
        """A test net has been tested."""

    def on_start(self, iteration: int) -> None:
        """The first pass of `iteration` is about to begin."""

    def displayed(self, shown: Displayed) -> None:
        """The loss is due to be shown: every `display` iterations."""

    def on_gradients_ready(self, iteration: int) -> None:
        """All passes of `iteration` are done; its update comes next."""

    def updating(self, iteration: int, rate: float) -> None:
        """The update of `iteration` is about to be made, with the learning rate `rate`."""

    def updated(self, iteration: int) -> None:
        """`iteration` updates have been made."""

    def saving(self, weights: str, state: str) -> None:
        """A snapshot is about to be written into these two files."""

    def ended(self, iteration: int) -> None:
        """The last update of the run has been made."""

    def closed(self) -> None:
        """Nothing comes any more."""


class Watchers(list[Watcher]):
    """The watchers of a run, told one after the other."""

    def tell(self, event: Callable[Concatenate[Any, Facts], None], *facts: Facts.args, **named: Facts.kwargs) -> None:
        """Tell all of `event`, a method of Watcher."""
        for watcher in list(self):
            try:
                getattr(watcher, event.__name__)(*facts, **named)
            except watcher.may_fail as error:
                self.remove(watcher)
                log.warning("solver.cpp", f"{type(watcher).__name__} has ended, training goes on: {error}")


def check_output(output: str, outputs: Sequence[Sequence[str]]) -> int:
    """The index of the first test net, of those with these outputs, that has `output`. Raises ConfigError if none has."""
    found = next((i for i, names in enumerate(outputs) if output in names), -1)
    if found < 0:
        known = [name for names in outputs for name in names]
        have = f"the test nets have {', '.join(sorted(set(known)))}" if known else "there is no test net"
        raise ConfigError(f"--keep-best {output}: no such test output{nearest(output, known)}; {have}")
    return found


class Best(Watcher):
    """Keeps a snapshot of the best value of a test output: the highest, or the lowest of a loss or an error.

    It is the lowest if the output has a weight in the loss, or says in its name that it is one.
    """

    def __init__(self, output: str, nets: Sequence[Net], save: Callable[[], None]):
        """`save` writes the snapshot. Raises ConfigError where no test net has such an output."""
        self.output, self.save = output, save
        self.net = check_output(output, [net.outputs for net in nets])
        self.lower = output in nets[self.net].loss_weights or "loss" in output.lower() or "error" in output.lower()
        self.value: float | None = None

    def tested(self, test: Tested) -> None:
        if test.index != self.net or not test.means or not test.means[self.output].numel():
            return
        value = float(test.means[self.output].flatten()[0])
        if not isnan(value) and (self.value is None or (value < self.value if self.lower else value > self.value)):
            self.value = value
            self.save()

    def state(self) -> dict[str, Any]:
        """Output and value as plain values."""
        return {"output": self.output, "value": self.value}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Go on from `state`, unless it is of another output."""
        if state and state["output"] == self.output:
            self.value = state["value"]
