"""Training logs of Caffe, its forks and ours, read back as runs.

A resumed run goes on in the run whose log says that it wrote the snapshot: what that had shown from the snapshot's iteration
on is lost and replaced. Seconds are those of training: a pause between two parts does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from solver_cli import files
from solver_cli.errors import DataError, Where
from solver_cli.formats.atomic import reason
from solver_cli.pictures.rows import Row

# I0210 13:39:22.381027 25210 solver.cpp:239] and, with the year, I20260210 ...
PREFIX = re.compile(r"[IWEF](?:\d{4})?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d\.\d+) +\d+ [\w.+-]+:\d+\] ?")
RANK = re.compile(r"[\[(](?:(\d+)\.)?\d+[\])] *")  # NVCaffe: rank.device, of the train net in [], of a test net in ()
NUMBER = r"([-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|nan|inf))"
ITERATION = re.compile(r"Iteration (\d+)\b(.*)")
LOSS = re.compile(rf".*\bloss = {NUMBER}$")
RATE = re.compile(rf", lr = {NUMBER}")
TESTING = re.compile(r", Testing net \(#(\d+)\)")
OUTPUT = re.compile(rf"(Train|Test) net output(?: mAP)? #\d+: (.+?) = {NUMBER}(?: \(\*|$)")
EXTRAS = {
    "TestLoss": re.compile(rf"Test loss: {NUMBER}$"),
    "NoiseScale": re.compile(rf"Effective batch \d+, gradient noise scale about {NUMBER}"),
    "ImagesPerSecond": re.compile(rf"{NUMBER} images/s, .* left$"),
}
CLASS = re.compile(rf"class(?: AP )?(\d+): {NUMBER}$")
RESUMED = re.compile(r"(?:Resuming from|Restoring previous solver status from) (.+)")
SAVED = re.compile(r"Snapshotting solver state to +(?:.* file )?(.+)")
GROWN = re.compile(r"The (?:batch grows|learning rate drops) at iteration (\d+): iter_size (?:\d+ -> )?(\d+)")
GPUS = re.compile(r"Using GPUs ([\d, ]+)$")
BATCH = re.compile(r" +(?:batch_size|dim): (\d+)$")
ITER_SIZE = re.compile(r"iter_size: (\d+)$")
BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)  # days before each month
DAY = 86400.0


@dataclass
class Run:
    """A run: its displays, the tests of each test net, and from which iterations on an iteration has how many records."""

    name: str
    displays: list[Row] = field(default_factory=list)
    tests: dict[int, list[Row]] = field(default_factory=dict)
    records: list[tuple[int, int]] = field(default_factory=list)
    saved: dict[str, tuple[int, float]] = field(default_factory=dict)  # {state file: iteration and second}
    resumed: str | None = None  # the state it began from; "" if the log does not say which
    begun: float | None = None  # the clock's time
    last: int = -1  # the last iteration that was named
    batch: int = 0
    iter_size: int = 1
    gpus: int = 1

    @property
    def tables(self) -> list[list[Row]]:
        """The displays, and the tests of each net in order."""
        return [self.displays, *(self.tests[index] for index in sorted(self.tests))]

    @property
    def first(self) -> int:
        """The iteration it began at."""
        return min((rows[0].iteration for rows in self.tables if rows), default=0)

    def images(self, iteration: int) -> float | None:
        """How many records have been seen before `iteration`; None where the log does not say."""
        if not self.records:
            return None
        ends = [*(begin for begin, _ in self.records[1:]), iteration]
        parts = zip(self.records, ends, strict=True)
        return float(sum(size * max(0, min(end, iteration) - begin) for (begin, size), end in parts))


class Clock:
    """Seconds from month, day and time: without a year, as in most logs, a new one begins where the months begin again."""

    def __init__(self) -> None:
        self.days = self.leap = 0  # days of the years before; whether this one has had a 29th of February
        self.now = 0.0

    def at(self, month: int, day: int, hour: int, minute: int, second: float) -> float:
        """The seconds since the beginning of the log's first year."""
        self.leap |= (month, day) == (2, 29)
        time = self._seconds(month, day) + hour * 3600 + minute * 60 + second
        if time < self.now - DAY:  # a thread may be late with its line, but not by a day
            self.days, self.leap = self.days + 365 + self.leap, 0
            return self.at(month, day, hour, minute, second)
        self.now = time
        return time

    def _seconds(self, month: int, day: int) -> float:
        return (self.days + BEFORE[(month - 1) % 12] + day + (self.leap if month > 2 else 0)) * DAY


def read(paths: Iterable[str]) -> list[Run]:
    """The runs in these logs, in order, resumed ones joined. Raises DataError for a file without any."""
    paths = list(paths)
    short = [Path(path).name for path in paths]
    runs: list[Run] = []
    for path in paths:
        name = Path(path).name if short.count(Path(path).name) == 1 else path
        parts = _Reader(name).read(_lines(path))
        if not parts:
            line = "I0210 13:39:22.381027 25210 solver.cpp:239] Iteration 0, loss = 2.3"
            raise DataError(f"is no log of a training run: no line such as '{line}' is in it", Where(path))
        own: list[Run] = []  # runs of this file
        for part in parts:
            _take_in(part, runs, own)
        for number, run in enumerate(own[1:], 2):
            run.name += f"#{number}"
    return runs


def _lines(path: str) -> Iterator[str]:
    """The whole lines of a log: one that is cut off at the end may be half a number."""
    try:
        with files.reading(path) as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line.decode("utf-8", "replace").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {reason(error)}", Where(path)) from None


class _Reader:
    """Goes through the lines of a file and finds the parts of runs in it."""

    def __init__(self, name: str):
        self.name = name
        self.clock = Clock()
        self.nets = 0
        self.run = Run(name)
        self.row: Row | None = None  # the display or test that outputs belong to
        self.rate: float | None = None

    def read(self, lines: Iterable[str]) -> list[Run]:
        """All parts that have rows."""
        parts = [self.run]
        for line in lines:
            prefixes = list(PREFIX.finditer(line))
            if not prefixes:
                self._settings(line)
                continue
            found = prefixes[-1]  # a line that was cut off has the next process's behind it
            rank = RANK.match(message := line[found.end() :].strip())
            if rank and rank[1] not in (None, "0"):
                continue  # another GPU's
            month, day, hour, minute = map(int, found.groups()[:4])
            self.now = self.clock.at(month, day, hour, minute, float(found[5]))
            self._message(message[rank.end() :] if rank else message)
            if self.run is not parts[-1]:
                parts.append(self.run)
        return [part for part in parts if any(part.tables)]

    def _begin(self, resumed: str | None = None) -> None:
        """A new part begins, unless nothing has been shown since the last began."""
        if self.run.last >= 0:
            self.run, self.row, self.rate, self.nets = Run(self.name), None, None, 0
        self.run.resumed = self.run.resumed if resumed is None else resumed

    def _settings(self, line: str) -> None:
        """A line of the solver's or a net's text: iter_size and the batch size are the first ones."""
        if not self.nets and (match := ITER_SIZE.match(line)):
            self.run.iter_size = int(match[1])
        if self.nets == 1 and not self.run.batch and (match := BATCH.match(line)):
            self.run.batch = int(match[1])

    def _message(self, text: str) -> None:
        if text.startswith("Initializing solver from parameters"):
            self._begin()
        elif text.startswith("Initializing net from parameters"):
            self.nets += 1
        elif match := RESUMED.match(text):
            self._begin(match[1])
        elif match := GPUS.match(text):
            self._begin()
            self.run.gpus = match[1].count(",") + 1
        elif text.startswith("Solving "):
            self._begin()
            self.run.begun = self.now
        elif match := SAVED.match(text):
            self.run.saved[match[1]] = _iteration_of(match[1], self.run.last), self._seconds()
        elif self.run.records and (match := GROWN.match(text)):
            self.run.records.append((int(match[1]), self.run.batch * int(match[2]) * self.run.gpus))
        elif match := ITERATION.match(text):
            self._iteration(int(match[1]), match[2])
        elif match := OUTPUT.match(text):
            self._output(match[1] == "Train", match[2], float(match[3]))
        elif self.row and (match := CLASS.match(text)):
            self.row.extras[f"class{match[1]}"] = float(match[2])
        elif self.row:
            for name, pattern in EXTRAS.items():
                if match := pattern.match(text):
                    self.row.extras[name] = float(match[1])

    def _seconds(self) -> float:
        if self.run.begun is None:
            self.run.begun = self.now
        return self.now - self.run.begun

    def _iteration(self, iteration: int, rest: str) -> None:
        if rate := RATE.match(rest):
            self._rate(iteration, float(rate[1]))
            return
        loss, testing = LOSS.match(rest), TESTING.match(rest)
        if not (loss or testing):
            return
        if iteration < self.run.last:  # a log that does not say that a run begins, as with --quiet
            self._begin("" if iteration else None)
        run = self.run
        if run.last < 0 and run.batch and not run.records:
            run.records = [(0, run.batch * run.iter_size * run.gpus)]
        run.last = iteration
        self.row = Row(iteration, self._seconds(), self.rate)
        if testing:
            run.tests.setdefault(int(testing[1]), []).append(self.row)
        elif loss:
            self.row.extras["SmoothedLoss"] = float(loss[1])
            run.displays.append(self.row)

    def _rate(self, iteration: int, rate: float) -> None:
        """The rate of an iteration, said after its test and its display; before the first, that of the beginning."""
        for rows in self.run.tables:
            for row in reversed(rows):
                if row.iteration != iteration and self.rate is not None:
                    break
                row.rate = rate
        self.rate = rate

    def _output(self, train: bool, name: str, value: float) -> None:
        """A number of the last display, or of the last test."""
        if self.row and train == any(row is self.row for row in self.run.displays[-1:]):
            if not self.row.outputs:
                self.row.seconds = self._seconds()  # parse_log's
            self.row.outputs.setdefault(name, []).append(value)


def _iteration_of(state: str, otherwise: int) -> int:
    """The iteration in the name of a snapshot."""
    match = re.search(r"_iter_(\d+)\.solverstate(\.h5)?$", state)
    return int(match[1]) if match else otherwise


def _take_in(part: Run, runs: list[Run], own: list[Run]) -> None:
    """Join a part to the run that it goes on from, or let it be one more, in its file (`own`) too."""
    found = _origin(part, runs, own) if part.resumed is not None else None
    if found is None:
        runs.append(part)
        own.append(part)
        return
    run, at, seconds = found
    for rows in run.tables:
        rows[:] = [row for row in rows if row.iteration < at]
    if seconds is None:
        seconds = max((rows[-1].seconds for rows in run.tables if rows), default=0.0)
    for row in (row for rows in part.tables for row in rows):
        row.seconds += seconds
    run.displays += part.displays
    for index, rows in part.tests.items():
        run.tests.setdefault(index, []).extend(rows)
    before = [entry for entry in run.records if entry[0] < at]
    grown = len(before) > 1  # then the part goes on with the larger batch, of which its solver's text knows nothing
    run.records = before + [(max(begin, at), size) for begin, size in part.records[grown:]]
    run.saved |= {state: (iteration, second + seconds) for state, (iteration, second) in part.saved.items()}


def _origin(part: Run, runs: list[Run], own: list[Run]) -> tuple[Run, int, float | None] | None:
    """(the run that a resumed part goes on from, at which iteration, at which of its seconds if they are known)."""
    state = part.resumed or ""
    for name in (str, _file_name):
        for run in reversed(runs):
            if found := next((when for file, when in run.saved.items() if state and name(file) == name(state)), None):
                return run, *found
    at = _iteration_of(state, part.first)
    if own and at and not (state and own[-1].saved):
        return own[-1], at, None
    return None


def _file_name(path: str) -> str:
    return Path(path).name
