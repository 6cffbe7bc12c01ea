"""Displays and tests as rows of tables, with the columns of Caffe's tools/extra/parse_log.py."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MAIN = ("NumIters", "Seconds", "LearningRate")
Cell = int | float | None


@dataclass
class Row:
    """A display or a test: when it was, the learning rate, the numbers of each output by name, and what else was said."""

    iteration: int
    seconds: float
    rate: float | None = None
    outputs: dict[str, list[float]] = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)  # SmoothedLoss, TestLoss, NoiseScale, ImagesPerSecond, class1 ...

    def cells(self, everything: bool = False) -> dict[str, Cell]:
        """{column: value}; with `everything` also what parse_log leaves out."""
        return dict(zip(MAIN, (self.iteration, self.seconds, self.rate), strict=True)) | columns(self.outputs) | (
            self.extras if everything else {}
        )  # fmt: skip


def columns(outputs: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """A column for each number: called like its output, or output[0], output[1] ... where that has several."""
    return {
        name if len(values) == 1 else f"{name}[{i}]": value
        for name, values in outputs.items()
        for i, value in enumerate(values)
    }


def header(rows: Iterable[Mapping[str, Cell]]) -> list[str]:
    """The columns of all rows, in the order of their first appearance."""
    return list(dict.fromkeys([*MAIN, *(name for row in rows for name in row)]))


def line(cells: Iterable[str]) -> str:
    """One line of a CSV file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def csv_text(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A table as a CSV file; a cell is empty where its row does not have it."""
    names = header(rows)
    return line(names) + "".join(line(shown(name, row.get(name)) for name in names) for row in rows)


def shown(name: str, value: Cell) -> str:
    """A cell's text: seconds to the microsecond, all else as logs have it, with six digits."""
    if value is None:
        return ""
    return f"{value:.6f}" if name == "Seconds" else str(value) if isinstance(value, int) else f"{value:g}"


def plain(row: Mapping[str, Cell]) -> dict[str, Cell]:
    """The row for JSON, which has no word for NaN and infinity: null instead."""
    return {name: value if value is not None and math.isfinite(value) else None for name, value in row.items()}
