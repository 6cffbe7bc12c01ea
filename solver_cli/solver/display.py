"""What the training loop shows: the smoothed loss, and a line for each number of each output."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from solver_cli import log
from solver_cli.data.prefetch import Prefetcher
from solver_cli.errors import ConfigError, nearest
from solver_cli.net.net import Net

MUCH = 0.02  # of the time waited for data: from there on a display says so


class Pace:
    """How many iterations a second are made, and what part of the time they wait for the data of `nets`."""

    def __init__(self, nets: Sequence[Net]):
        self._sources = [node.source for net in nets for node in net.nodes if isinstance(node.source, Prefetcher)]
        self._waiting = 0.0  # part of the last lap
        self.start(0)

    def start(self, iteration: int) -> None:
        """Measure from now on."""
        self._begun = self._lap = self._now(iteration)

    def _now(self, iteration: int) -> tuple[int, float, float]:
        return iteration, time.perf_counter(), sum(source.waited for source in self._sources)

    def lap(self, iteration: int) -> tuple[float, float]:
        """Iterations a second, and the seconds, since the last call."""
        before, self._lap = self._lap, self._now(iteration)
        count, lapse, waited = (new - old for new, old in zip(self._lap, before, strict=True))
        self._waiting = waited / (lapse or 1)
        return count / (lapse or 1), lapse

    def log_lap(self) -> None:
        """Say what part of the last lap was waiting for data if it was much, and what helps."""
        if self._waiting > MUCH:
            remedy = "more processors, a faster disk, or pictures that are smaller or not encoded would help"
            log.info("solver.cpp", f"Waited for data {_percent(self._waiting)} of the time since the last display: {remedy}")

    def log_whole(self) -> None:
        """Say what part of the time since the start was waiting for data, if any are read."""
        _, lapse, waited = (new - old for new, old in zip(self._now(0), self._begun, strict=True))
        if self._sources:
            log.info("solver.cpp", f"Waited for data {_percent(waited / (lapse or 1))} of the time.")


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


class SmoothedLoss:
    """The mean of the last `window` losses, kept in float32 in Caffe's order of operations."""

    def __init__(self, window: int):
        self.window = window
        self.losses: list[np.float32] = []
        self.count = 0
        self.value = np.float32(0)

    def add(self, loss: float) -> None:
        """Take in the loss of the next iteration."""
        new = np.float32(loss)
        if len(self.losses) < self.window:
            self.losses.append(new)
            size = np.float32(len(self.losses))
            self.value = (self.value * (size - np.float32(1)) + new) / size
        else:
            oldest = self.count % self.window
            self.value += (new - self.losses[oldest]) / np.float32(self.window)
            self.losses[oldest] = new
        self.count += 1

    def state(self) -> dict[str, Any]:
        """The window as plain values (a float32 is exact in them)."""
        return {"losses": [float(x) for x in self.losses], "count": self.count, "value": float(self.value)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, unless the window has another length now."""
        if len(state["losses"]) == min(self.window, state["count"]):
            with np.errstate(over="ignore"):
                self.losses = [np.float32(x) for x in state["losses"]]
                self.count, self.value = int(state["count"]), np.float32(state["value"])


def log_outputs(phase: str, site: str, net: Net, outputs: Mapping[str, Tensor]) -> None:
    """One line for each number of each output."""
    weights = net.loss_weights
    index = 0
    for name, blob in outputs.items():
        weight = weights.get(name, 0.0)
        for value in blob.flatten().tolist():
            product = float(np.float32(weight) * np.float32(value))
            part = f" (* {log.number(weight)} = {log.number(product)} loss)" if weight else ""
            log.info(site, f"    {phase} net output #{index}: {name} = {log.number(value)}{part}")
            index += 1


def log_unshared(train: Net, test: Net) -> None:
    """Name the layers of the train net that the test net lacks, as Caffe does whenever it shares weights for a test."""
    names = {node.name for node in test.nodes}
    for node in train.nodes:
        if node.name not in names:
            log.info("net.cpp:678", f"Ignoring source layer {node.name}")


class Best:
    """The best value of a test output so far: the highest, or the lowest of one that has a weight in the loss or says so."""

    def __init__(self, output: str, nets: list[Net]):
        self.output = output
        self.net = next((i for i, net in enumerate(nets) if output in net.outputs), -1)
        if self.net < 0:
            known = [name for net in nets for name in net.outputs]
            have = f"the test nets have {', '.join(sorted(set(known)))}" if known else "there is no test net"
            raise ConfigError(f"--keep-best {output}: no such test output{nearest(output, known)}; {have}")
        self.lower = output in nets[self.net].loss_weights or "loss" in output.lower() or "error" in output.lower()
        self.value: float | None = None

    def improved(self, net: int, means: Mapping[str, list[float]]) -> bool:
        """Take in the means of a test of net `net`; whether they are the best so far."""
        if net != self.net or not means.get(self.output):
            return False
        value = means[self.output][0]
        if math.isnan(value):
            return False
        better = self.value is None or (value < self.value if self.lower else value > self.value)
        self.value = value if better else self.value
        return better

    def state(self) -> dict[str, Any]:
        """Output and value as plain values."""
        return {"output": self.output, "value": self.value}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Go on from `state`, unless it is of another output."""
        if state and state["output"] == self.output:
            self.value = state["value"]
