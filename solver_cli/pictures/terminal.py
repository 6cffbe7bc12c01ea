"""Curves in a terminal, in the dots of braille: two by four to a character."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from solver_cli.pictures.curves import Panel, label

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of U+2800, by row and column
COLOURS = (34, 31, 32, 35, 33, 36)  # of ANSI
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARGIN = 11  # columns for the values at the side


def lines(panels: Sequence[Panel], names: Sequence[str], x: str, width: int, height: int, colour: bool) -> Iterator[str]:
    """The panels below each other, `width` columns wide; where there is no `colour`, letters tell several curves apart."""
    axis, unit = label(x, panels)
    for panel in panels:
        yield f"{' ' * MARGIN}{panel.title}"
        yield from _panel(panel, width - MARGIN - 1, height, unit, colour)
        for index, curve in enumerate(panel.curves if len(panel.curves) > 1 or len(names) > 1 else ()):
            mark = _painted("━━", index) if colour else LETTERS[index % 26]
            yield f"{' ' * MARGIN}{mark} {names[curve.run]}, {curve.net}"
        yield ""
    yield f"{' ' * MARGIN}against {axis}"


def _panel(panel: Panel, columns: int, rows: int, unit: float, colour: bool) -> Iterator[str]:
    """The lines of one panel, with the values at the side and below."""
    scale = math.log if panel.logarithmic else float
    curves = [[(px, scale(y)) for px, y in curve.means or curve.points if math.isfinite(y)] for curve in panel.curves]
    xs = [px for points in curves for px, _ in points] or [0.0]
    ys = [y for points in curves for _, y in points] or [0.0]
    cells: dict[tuple[int, int], tuple[int, int]] = {}  # {(row, column): (dots, curve)}
    for index, points in enumerate(curves):
        places = [(_place(px, xs, 2 * columns), 4 * rows - 1 - _place(y, ys, 4 * rows)) for px, y in points]
        for column, row in _joined(places):
            dots, before = cells.get((row // 4, column // 2), (0, index))
            kept = dots if before == index else 0  # of two curves in one cell the later one is seen
            cells[row // 4, column // 2] = kept | DOTS[row % 4][column % 2], index
    back = math.exp if panel.logarithmic else float
    for row in range(rows):
        value = {0: max(ys), rows - 1: min(ys)}.get(row)
        side = f"{back(value):.4g}" if value is not None else ""
        drawn = (_cell(*cells.get((row, column), (0, 0)), colour, len(curves)) for column in range(columns))
        yield f"{side:>{MARGIN - 2}} │{''.join(drawn)}".rstrip()
    left, right = f"{min(xs) / unit:.4g}", f"{max(xs) / unit:.4g}"
    yield f"{' ' * (MARGIN - 1)}└{'─' * columns}"
    yield f"{' ' * MARGIN}{left}{right:>{max(0, columns - len(left))}}"


def _place(value: float, values: Sequence[float], count: int) -> int:
    low, high = min(values), max(values)
    return round((value - low) / (high - low) * (count - 1)) if high > low else (count - 1) // 2


def _joined(places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """All dots of the lines from each place to the next."""
    yield from places[:1]
    for (c0, r0), (c1, r1) in pairwise(places):
        steps = max(abs(c1 - c0), abs(r1 - r0), 1)
        yield from ((round(c0 + (c1 - c0) * i / steps), round(r0 + (r1 - r0) * i / steps)) for i in range(1, steps + 1))


def _cell(dots: int, curve: int, colour: bool, curves: int) -> str:
    if not dots:
        return " "
    if curves > 1 and not colour:
        return LETTERS[curve % 26]
    return _painted(chr(0x2800 + dots), curve) if colour else chr(0x2800 + dots)


def _painted(text: str, curve: int) -> str:
    return f"\x1b[{COLOURS[curve % len(COLOURS)]}m{text}\x1b[0m"
