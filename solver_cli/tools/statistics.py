"""Numbers in a few words: how many, their norm, least, mean and largest, and a row of blocks for how they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 16
PART = 1 << 20  # numbers that are squared at once
BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Statistics:
    """Of the finite numbers of an array; `histogram` counts them in BINS bins of one width from min to max."""

    shape: tuple[int, ...]
    count: int
    not_finite: int
    norm: float
    min: float
    mean: float
    max: float
    histogram: tuple[int, ...]

    def words(self) -> list[str]:
        """The columns of a table; see `HEAD`."""
        shape = " x ".join(map(str, self.shape)) or "()"
        numbers = [f"{value:.4g}" for value in (self.norm, self.min, self.mean, self.max)]
        odd = f" {self.not_finite} not finite" if self.not_finite else ""
        return [shape, str(self.count), *numbers, bars(self.histogram) + odd]


HEAD = ["shape", "count", "norm", "min", "mean", "max", "histogram"]


def of(array: NDArray[Any]) -> Statistics:
    """The statistics of an array of numbers, whose sums are made in float64, a part at a time."""
    values = np.asarray(array).ravel()
    good = np.isfinite(values)
    finite = values if good.all() else values[good]
    if not finite.size:
        return Statistics(tuple(array.shape), values.size, values.size, 0.0, 0.0, 0.0, 0.0, ())
    low, high = float(finite.min()), float(finite.max())
    ends = (low, high) if low < high else (low - 0.5, high + 0.5)
    counts = tuple(map(int, np.histogram(finite, BINS, ends)[0]))
    parts = np.array_split(finite, -(-finite.size // PART))
    norm = math.sqrt(sum(float(np.square(part, dtype=np.float64).sum()) for part in parts))
    odd, mean = values.size - finite.size, float(finite.mean(dtype=np.float64))
    return Statistics(tuple(array.shape), values.size, odd, norm, low, mean, high, counts)


def bars(counts: Sequence[int]) -> str:
    """A block for each count, as high as its share of the largest; what is there has a height."""
    most = max(counts, default=0) or 1
    return "".join(BLOCKS[-(-count * (len(BLOCKS) - 1) // most)] for count in counts)


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines of columns of one width; those whose number is in `right` stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pads = [str.rjust if i in right else str.ljust for i in range(len(widths))]
    return ["  ".join(pad(word, width) for pad, word, width in zip(pads, row, widths, strict=True)).rstrip() for row in rows]
