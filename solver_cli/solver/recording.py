"""Watchers that write down what a run shows: a row for every display and test, and the tables of `--csv`."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from torch import Tensor

from solver_cli.errors import ConfigError, Error, Where
from solver_cli.formats.atomic import atomic_write, reason
from solver_cli.net.net import Net
from solver_cli.passes.memory import batch_of
from solver_cli.passes.noise import NoiseScale
from solver_cli.passes.precision import Precision
from solver_cli.pictures import rows
from solver_cli.pictures.rows import Row
from solver_cli.solver.schedule import Schedule
from solver_cli.solver.watchers import Displayed, Tested, Watcher

TRAIN = -1  # the train net's number beside those of the test nets


@dataclass(frozen=True)
class Watched:
    """What recorders look at."""

    train: Net
    tests: Sequence[Net]
    schedule: Schedule
    noise: NoiseScale
    precision: Precision
    ranks: int = 1


class Recorder(Watcher):
    """Makes a row of every display and test, and hands it to `take` when the rate of its iteration is known."""

    may_fail = (OSError, Error)  # a full disk ends the recording, not the run

    def __init__(self, run: Watched):
        self.run = run
        self.rate: float | None = None
        self.seconds = 0.0  # of training before this process, if they are known
        self._start: float | None = None
        self._lap = 0, 0.0
        self._rows: list[tuple[int, Row]] = []

    def begin(self, iteration: int) -> None:
        """Training begins or goes on at `iteration`: what was written of it and of later ones is void."""

    def take(self, net: int, row: Row) -> None:
        """Write down a row of test net `net`, or of TRAIN."""

    def begun(self, iteration: int) -> None:
        if self._start is None or iteration < self._lap[0]:  # a program may go on step by step, or go back
            self._rows.clear()
            self.begin(iteration)
            self._start = time.perf_counter() - self.seconds
        self._lap = iteration, self._now()

    def _now(self) -> float:
        return time.perf_counter() - (self._start or 0.0)

    def displayed(self, shown: Displayed) -> None:
        extras = {"SmoothedLoss": shown.loss}
        (before, then), self._lap = self._lap, (shown.iteration, self._now())
        if shown.iteration > before and self.run.train.sources:
            images = batch_of(self.run.train) * self.run.ranks * self.run.schedule.passes(shown.iteration)
            extras["ImagesPerSecond"] = images * (shown.iteration - before) / (self._lap[1] - then)
        if self.run.noise.known() and not isnan(scale := self.run.noise.scale()):
            extras["NoiseScale"] = scale
        self._rows.append((TRAIN, Row(shown.iteration, self._lap[1], None, _numbers(shown.outputs), extras)))

    def tested(self, test: Tested) -> None:
        if test.means is not None:
            self._rows.append((test.index, Row(test.iteration, self._now(), None, _numbers(test.means))))

    def updating(self, iteration: int, rate: float) -> None:
        self.rate = rate
        if self._rows:
            self._hand_over()

    def closed(self) -> None:
        self._hand_over()

    def _hand_over(self) -> None:
        waiting, self._rows = self._rows, []
        for net, row in waiting:
            row.rate = self.rate
            self.take(net, row)


def _numbers(outputs: Mapping[str, Tensor]) -> dict[str, list[float]]:
    return {name: [float(value) for value in blob.flatten().tolist()] for name, blob in outputs.items()}


class Tables(Recorder):
    """FILE.train and FILE.test (FILE.test1 of a second test net), with the columns of Caffe's parse_log.

    `kept`: the rows of the run before it was resumed, by the net's number.
    """

    def __init__(self, run: Watched, path: str):
        """Raises ConfigError where the files cannot be written, or hold something else."""
        super().__init__(run)
        self.paths = {net: Path(f"{path}.{name_of(net)}") for net in range(TRAIN, len(run.tests))}
        self.headers: dict[int, list[str]] = {}
        self.kept: dict[int, list[Row]] = {}
        for file in self.paths.values():
            found = _read(file)
            if found and found[0][: len(rows.MAIN)] != list(rows.MAIN):
                raise ConfigError("is no table of a run, and --csv would overwrite it: name another", Where(str(file)))
            check_writable("--csv", file)

    def begin(self, iteration: int) -> None:
        for net, file in self.paths.items():
            header, *cells = _read(file) or [[]]
            whole = [row for row in cells if len(row) == len(header) and row[0].isdecimal() and int(row[0]) < iteration]
            self._write(net, header if whole else [], whole)
            self.kept[net] = [_row(header, row) for row in whole]
        self.seconds = max((row.seconds for kept in self.kept.values() for row in kept), default=0.0)

    def take(self, net: int, row: Row) -> None:
        cells, header = row.cells(), self.headers[net]
        wanted = rows.header([dict.fromkeys(header), cells])
        if wanted != header:  # the first row, or a net that shows more than the one before
            table = [dict(zip(header, found, strict=True)) for found in _read(self.paths[net])[1:]]
            self._write(net, wanted, [[found.get(name, "") for name in wanted] for found in table])
        with self.paths[net].open("a", encoding="utf-8", newline="") as out:
            out.write(rows.line(rows.shown(name, cells.get(name)) for name in wanted))

    def _write(self, net: int, header: list[str], cells: list[list[str]]) -> None:
        self.headers[net] = header
        with atomic_write(self.paths[net]) as out:
            out.write("".join(map(rows.line, [header, *cells] if header else [])).encode())


def name_of(net: int) -> str:
    """train, test, test1 ..."""
    return "train" if net == TRAIN else f"test{net or ''}"


def check_writable(option: str, file: Path) -> None:
    """Raise ConfigError unless `file` can be written."""
    try:
        before = file.exists()
        with file.open("ab"):
            pass
        if not before:
            file.unlink()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{option}: cannot be written: {reason(error)}", Where(str(file))) from None


def _read(file: Path) -> list[list[str]]:
    """The lines of a table; none where there is no file."""
    try:
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            return [row for row in csv.reader(lines) if row]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"--csv: cannot be read: {reason(error)}", Where(str(file))) from None


def _row(header: list[str], cells: list[str]) -> Row:
    """A row as it was before it was written."""
    found = {name: float(value) for name, value in zip(header, cells, strict=True) if value}
    outputs = {name: [value] for name, value in found.items() if name not in rows.MAIN}
    return Row(int(found["NumIters"]), found["Seconds"], found.get("LearningRate"), outputs)
