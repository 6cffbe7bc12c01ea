"""What of runs is drawn: panels, one for each quantity, in which every run has its curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from solver_cli.errors import ConfigError, nearest
from solver_cli.pictures.rows import Row, columns
from solver_cli.pictures.runlog import Run

AXES = ("iterations", "epochs", "seconds", "images")
LOSS, RATE, NOISE = "loss", "learning rate", "gradient noise scale"
UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
MANY = 60  # points from which on a curve is smoothed unless told
STEEP = 50  # times that the greatest value is the least one, from which on the axis is logarithmic
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """A line of a panel: of which run, of which of its nets ("train", "test", "test #1"), and where it goes.

    `means`: what is left of it when it is smoothed; none where it is not.
    """

    run: int
    net: str
    points: Points
    means: Points


@dataclass(frozen=True)
class Panel:
    """All curves of one quantity."""

    title: str
    curves: list[Curve]

    @property
    def logarithmic(self) -> bool:
        """Whether the values differ so much that only their logarithms can be seen."""
        values = sorted(y for curve in self.curves for _, y in curve.points if math.isfinite(y))
        few = 0 if self.title == RATE else len(values) // 20  # low values, such as that of the first test, do not count
        return bool(values) and values[0] > 0 and values[few] * STEEP < values[-1]


def panels(
    runs: Sequence[Run],
    x: str = "iterations",
    *,
    batch: int = 0,
    epoch: int = 0,
    only: Sequence[str] = (),
    width: int | None = None,
) -> list[Panel]:
    """The panels of `runs` against `x`, one of AXES. Raises ConfigError where the logs do not say what that takes.

    Drawn are the loss, all outputs of tests, the learning rate if it changes and the noise scale if it is logged; or `only`
    these. `batch`: records in an iteration where a log does not tell; `epoch`: records in an epoch; `width`: see `smooth`.
    """
    places = [_places(run, x, batch, epoch) for run in runs]
    names = list(only) or [LOSS, *(name for name in _outputs(runs, tests_only=True) if name != LOSS), RATE, NOISE]
    found = [
        Panel(name, [c for i, run in enumerate(runs) for c in _curves(i, run, name, places[i], width)]) for name in names
    ]
    for panel in found:
        if only and not panel.curves:
            known = [LOSS, RATE, NOISE, *_outputs(runs)]
            raise ConfigError(f"--y {panel.title}: nothing of this name is logged{nearest(panel.title, known)}")
    return [panel for panel in found if panel.curves and (only or panel.title != RATE or _changes(panel))]


def label(x: str, found: Sequence[Panel]) -> tuple[str, float]:
    """What the axis `x` is called, and by how much its values are to be divided."""
    most = max((px for panel in found for curve in panel.curves for px, _ in curve.points), default=0.0)
    if x == "seconds":
        return next(((name, size) for name, size in UNITS if most > 3 * size), UNITS[-1])
    return x, 1.0


def smooth(points: Points, width: int | None = None) -> Points:
    """The mean of so many points around each, of those that are finite; by default a 25th of all, if there are many."""
    half = (len(points) // 25 if width is None and len(points) >= MANY else width or 1) // 2
    found: Points = []
    for i, (x, _) in enumerate(points if half else ()):
        reach = min(half, i)  # as far to both sides, or the steep beginning would bend
        near = [y for _, y in points[i - reach : i + reach + 1] if math.isfinite(y)]
        found.append((x, sum(near) / len(near) if near else math.nan))
    return found


def _places(run: Run, x: str, batch: int, epoch: int) -> Callable[[Row], float]:
    """Where on the axis a row stands."""
    if x == "iterations":
        return lambda row: float(row.iteration)
    if x == "seconds":
        return lambda row: row.seconds
    if not (run.records or batch):
        raise ConfigError(f"--x {x}: the log of {run.name} does not tell the batch size: say --batch N, of an iteration")
    if x == "epochs" and not epoch:
        raise ConfigError("--x epochs: logs do not tell how many records an epoch has: say --epoch N")
    per = float(epoch if x == "epochs" else 1)
    return lambda row: ((row.iteration * batch if batch else run.images(row.iteration)) or 0) / per


def _outputs(runs: Iterable[Run], tests_only: bool = False) -> list[str]:
    """The names of outputs, in the order of their appearance, those of tests first."""
    tables = [table for run in runs for table in run.tables[1:]] + [run.displays for run in runs if not tests_only]
    return list(dict.fromkeys(name for table in tables for row in table[:2] for name in columns(row.outputs)))


def _curves(index: int, run: Run, name: str, place: Callable[[Row], float], width: int | None) -> Iterator[Curve]:
    """The curves of a run in the panel `name`."""
    for net, table in enumerate(run.tables):
        points = [(place(row), value) for row in table if (value := _value(row, name, net == 0)) is not None]
        told = name in (RATE, NOISE)  # by the train net's displays alone, and as it is
        means = smooth(points, width) if net == 0 and not told else []
        if points and (net == 0 or not told):
            words = "train" if net == 0 else "test" if len(run.tables) == 2 else f"test #{net - 1}"
            yield Curve(index, words, _stepwise(points) if name == RATE else points, means)


def _value(row: Row, name: str, train: bool) -> float | None:
    """A row's value in the panel `name`: the train net's loss is the smoothed one, of all its losses together."""
    special = {RATE: row.rate, NOISE: row.extras.get("NoiseScale"), LOSS: row.extras.get("SmoothedLoss")}
    found = special.get(name) if train or name != LOSS else None
    if found is None:
        found = columns(row.outputs).get(name)
    return row.extras.get("TestLoss") if found is None and name == LOSS else found


def _stepwise(points: Points) -> Points:
    """The points with steps between them where most of them stay as the one before."""
    steps = sum(a[1] != b[1] for a, b in pairwise(points))
    if 2 * steps > len(points):
        return points[:-1] if points[-1][1] == points[-2][1] else points  # the end is displayed, but has no rate of its own
    corners = [[(b[0], a[1]), b] if a[1] != b[1] else [b] for a, b in pairwise(points)]
    return [*points[:1], *chain.from_iterable(corners)]


def _changes(panel: Panel) -> bool:
    return any(len({y for _, y in curve.points}) > 1 for curve in panel.curves)
