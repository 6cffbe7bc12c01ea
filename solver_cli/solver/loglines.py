"""What the log says of a training run, in Caffe's lines and a few of our own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
from torch import Tensor

from solver_cli import log
from solver_cli.data.prefetch import Prefetcher
from solver_cli.net import finite
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import ALONE, Ranks
from solver_cli.passes.memory import batch_of
from solver_cli.passes.noise import NoiseScale
from solver_cli.passes.precision import Precision
from solver_cli.snapshots.snapshot import Names
from solver_cli.solver.detection import log_precisions
from solver_cli.solver.schedule import Schedule
from solver_cli.solver.watchers import Displayed, Tested, Watcher

MUCH = 0.02  # of the time waited for data: from there on the log says so


class LogLines(Watcher):
    """Logs what Caffe logs in its loop, in its words and order, and what `noise` and `precision` have to say."""

    def __init__(
        self, schedule: Schedule, train: Net, tests: Sequence[Net], noise: NoiseScale, precision: Precision, names: Names,
        ranks: Ranks = ALONE,
    ):  # fmt: skip
        self.schedule, self.train, self.tests, self.names = schedule, train, tests, names
        self.noise, self.precision, self.ranks = noise, precision, ranks
        self.pace = Pace((train, *tests))
        self.images = batch_of(train) if train.sources else 0

    def begun(self, iteration: int) -> None:
        self.pace.start(iteration)

    def displayed(self, shown: Displayed) -> None:
        count, speed, lapse = self.pace.lap(shown.iteration)
        log.info(
            "solver.cpp:239",
            f"Iteration {shown.iteration} ({log.number(speed)} iter/s, {log.number(lapse)}s/{self.schedule.param.display} "
            f"iters), loss = {log.number(shown.loss)}",
        )
        log_outputs("Train", "solver.cpp:258", self.train, shown.outputs)
        if remark := finite.saturated(self.train, shown.outputs):
            log.warning("solver.cpp:258", remark)
        if count and self.images:
            images = self.images * self.ranks.size * self.schedule.passes(shown.iteration) * speed
            left = timedelta(seconds=round((self.schedule.last - shown.iteration) / speed))
            log.info("solver.cpp", f"{images:.0f} images/s, {left} left")
        self.noise.log()
        self.precision.log()
        self.pace.log_lap()

    def updating(self, iteration: int, rate: float) -> None:
        self.schedule.announce(iteration, rate)
        if self.schedule.due(self.schedule.param.display, iteration):
            log.info("sgd_solver.cpp:112", f"Iteration {iteration}, lr = {log.number(rate)}")

    def testing(self, index: int, iteration: int) -> None:
        log.info("solver.cpp:347", f"Iteration {iteration}, Testing net (#{index})")
        log_unshared(self.train, self.tests[index])

    def tested(self, test: Tested) -> None:
        if test.means is None:
            log.info("solver.cpp:396", "Test interrupted.")
            return
        if self.schedule.param.test_compute_loss and test.batches:
            log.info("solver.cpp:401", f"Test loss: {log.number(float(test.loss) / test.batches)}")
        if test.precisions:
            log_precisions(test.precisions, self.schedule.param.show_per_class_result)
        else:
            log_outputs("Test", "solver.cpp:414", self.tests[test.index], test.means)

    def saving(self, weights: str, state: str) -> None:
        kind, lines = ("HDF5", (474, 296)) if self.names.hdf5 else ("binary proto", (464, 284))
        log.info(f"solver.cpp:{lines[0]}", f"Snapshotting to {kind} file {weights}")
        log.info(f"sgd_solver.cpp:{lines[1]}", f"Snapshotting solver state to {kind} file {state}")

    def ended(self, iteration: int) -> None:
        self.pace.log_whole()


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

    def lap(self, iteration: int) -> tuple[int, float, float]:
        """Iterations, iterations a second, and the seconds, since the last call."""
        before, self._lap = self._lap, self._now(iteration)
        count, lapse, waited = (new - old for new, old in zip(self._lap, before, strict=True))
        self._waiting = waited / (lapse or 1)
        return int(count), count / (lapse or 1), lapse or 1

    def log_lap(self) -> None:
        """Say what part of the last lap was waiting for data if it was much, and what helps."""
        if self._waiting > MUCH:
            remedy = "more processors, a faster disk, or pictures that are smaller or not encoded would help"
            log.info("solver.cpp", f"Waited for data {_percent(self._waiting)} of the time since the last display: {remedy}")

    def log_whole(self) -> None:
        """Say what part of the time since the start was waiting for data, if it was much."""
        _, lapse, waited = (new - old for new, old in zip(self._now(0), self._begun, strict=True))
        if (part := waited / (lapse or 1)) > MUCH:
            log.info("solver.cpp", f"Waited for data {_percent(part)} of the time.")


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def log_outputs(phase: str, site: str, net: Net, outputs: Mapping[str, Tensor]) -> None:
    """One line for each number of each output."""
    weights = net.loss_weights
    index = 0
    for name, blob in outputs.items():
        for value in blob.flatten().tolist():
            part = in_loss(weights.get(name, 0.0), value)
            log.info(site, f"    {phase} net output #{index}: {name} = {log.number(value)}{part}")
            index += 1


def in_loss(weight: float, value: float) -> str:
    """What a number of an output is in the loss, behind it in a line; nothing without a weight."""
    product = float(np.float32(weight) * np.float32(value))
    return f" (* {log.number(weight)} = {log.number(product)} loss)" if weight else ""


def log_unshared(train: Net, test: Net) -> None:
    """Name the layers of the train net that the test net lacks, as Caffe does whenever it shares weights for a test."""
    names = {node.name for node in test.nodes}
    for node in train.nodes:
        if node.name not in names:
            log.info("net.cpp:678", f"Ignoring source layer {node.name}")
