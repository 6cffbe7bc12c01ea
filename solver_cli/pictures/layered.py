"""Boxes and arrows as an SVG where Graphviz is not installed: in layers, as Sugiyama, Tagawa and Toda (1981) draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from solver_cli.pictures.boxes import Box
from solver_cli.pictures.dot import COLOURS, FONT, OTHER, words_of

LETTER, LINE, PAD = 6.3, 13.0, 8.0  # pixels of a letter, a line, and around the text
GAP, STEP, FRAME = 18.0, 42.0, 14.0  # between boxes, between layers, around a frame
SWEEPS = 12
HALO = 'paint-order="stroke" stroke="white" stroke-width="3" stroke-linejoin="round"'
Point = tuple[float, float]


@dataclass
class _Spot:
    """A box, or a place where an arrow passes through a layer."""

    rank: int
    width: float
    height: float
    x: float = 0.0  # of the middle
    y: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


def svg(boxes: Sequence[Box], rankdir: str = "TB") -> str:
    """The drawing; `rankdir` is Graphviz's."""
    flat = rankdir in ("LR", "RL")
    spots = [_spot(box, rank, flat) for box, rank in zip(boxes, _ranks(boxes), strict=True)]
    paths = [(arrow, _threaded(spots, arrow.source, i)) for i, box in enumerate(boxes) for arrow in box.inputs]
    layers = [[i for i, spot in enumerate(spots) if spot.rank == r] for r in range(max(s.rank for s in spots) + 1)]
    for sweep in range(SWEEPS):
        _order(spots, layers, down=sweep % 2 == 0)
    _place(spots, layers)
    return "".join(_drawn(boxes, spots, [(arrow.shape, arrow.minor, path) for arrow, path in paths], rankdir))


def _spot(box: Box, rank: int, flat: bool) -> _Spot:
    words = words_of(box)
    width, height = max(map(len, words)) * LETTER + 2 * PAD, len(words) * LINE + PAD
    return _Spot(rank, height, width) if flat else _Spot(rank, width, height)


def _ranks(boxes: Sequence[Box]) -> list[int]:
    """The layer of each box: below all that it reads."""
    ranks: list[int] = []
    for box in boxes:
        ranks.append(max((ranks[arrow.source] + 1 for arrow in box.inputs), default=0))
    return ranks


def _threaded(spots: list[_Spot], source: int, target: int) -> list[int]:
    """The spots of an arrow, with a new one in each layer that it passes."""
    path = [source]
    for rank in range(spots[source].rank + 1, spots[target].rank):
        spots.append(_Spot(rank, GAP / 2, 0))
        path.append(len(spots) - 1)
    path.append(target)
    for a, b in pairwise(path):
        spots[a].below.append(b)
        spots[b].above.append(a)
    return path


def _order(spots: Sequence[_Spot], layers: list[list[int]], down: bool) -> None:
    """Put each layer's spots in the order of the middles of their neighbours, so that few arrows cross."""
    for layer in layers if down else reversed(layers):
        for place, i in enumerate(layer):
            near = spots[i].above if down else spots[i].below
            spots[i].x = sum(spots[j].y for j in near) / len(near) if near else float(place)
        layer.sort(key=lambda i: spots[i].x)
        for place, i in enumerate(layer):
            spots[i].y = float(place)  # its place, for the next layer


def _place(spots: Sequence[_Spot], layers: Sequence[Sequence[int]]) -> None:
    """Places in pixels: under the middle of the neighbours as far as the others of the layer let it."""
    for layer in layers:
        _spread(spots, layer, [0.0] * len(layer))
    for sweep in range(2 * SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = []
            for i in layer:
                near = (spots[i].above if sweep % 2 == 0 else spots[i].below) or [i]
                wanted.append(sum(spots[j].x for j in near) / len(near))
            _spread(spots, layer, wanted)
    top = 0.0
    for layer in layers:
        height = max(spots[i].height for i in layer)
        for i in layer:
            spots[i].y = top + height / 2
            spots[i].height = spots[i].height or height  # an arrow goes straight through between boxes
        top += height + STEP


def _spread(spots: Sequence[_Spot], layer: Sequence[int], wanted: Sequence[float]) -> None:
    """The middle between what comes of pushing from the left to the right, and of pushing back."""
    right, left = list(wanted), list(wanted)
    for n in range(1, len(layer)):
        right[n] = max(right[n], right[n - 1] + _apart(spots, layer, n))
    for n in range(len(layer) - 1, 0, -1):
        left[n - 1] = min(left[n - 1], left[n] - _apart(spots, layer, n))
    for n, i in enumerate(layer):
        spots[i].x = (right[n] + left[n]) / 2


def _apart(spots: Sequence[_Spot], layer: Sequence[int], n: int) -> float:
    return (spots[layer[n - 1]].width + spots[layer[n]].width) / 2 + GAP


def _drawn(
    boxes: Sequence[Box], spots: Sequence[_Spot], arrows: Sequence[tuple[str, bool, list[int]]], rankdir: str
) -> Iterator[str]:
    flat, back = rankdir in ("LR", "RL"), rankdir in ("BT", "RL")
    left = min(s.x - s.width / 2 for s in spots) - 3 * FRAME
    width = max(s.x + s.width / 2 for s in spots) - left + 3 * FRAME
    height = max(s.y + s.height / 2 for s in spots) + 4 * FRAME

    def at(x: float, y: float) -> Point:
        x, y = x - left, y + 2 * FRAME
        y = height - y if back else y
        return (y, x) if flat else (x, y)

    w, h = (height, width) if flat else (width, height)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.0f} {h:.0f}" '
    yield f'font-family="{FONT}" font-size="11" text-anchor="middle">\n<rect width="100%" height="100%" fill="white"/>\n'
    yield '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    yield '<path d="M0,0 L8,4 L0,8 z" fill="#666666"/></marker></defs>\n'
    yield from _frames(boxes, spots, at)
    told: set[tuple[int, str]] = set()
    for shape, minor, path in arrows:
        ends = [(spots[i].x, spots[i].y + side * spots[i].height / 2) for i in path for side in (-1, 1)]
        points = [at(*end) for end in ends[1:-1]]
        dashes = ' stroke-dasharray="4 3"' if minor else ""
        yield f'<path d="{_curve(points, flat)}" fill="none" stroke="#666666" marker-end="url(#head)"{dashes}/>\n'
        if shape and (path[0], shape) not in told:
            told.add((path[0], shape))
            x, y = (points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2
            yield f'<text x="{x:.1f}" y="{y:.1f}" dx="4" font-size="9" text-anchor="start" fill="#444444" {HALO}>'
            yield f"{shape}</text>\n"
    for box, spot in zip(boxes, spots, strict=False):
        yield from _box(box, at(spot.x, spot.y), (spot.height, spot.width) if flat else (spot.width, spot.height))
    yield "</svg>\n"


def _curve(points: Sequence[Point], flat: bool) -> str:
    """A path that leaves and reaches every point in the direction of the drawing."""
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        mx, my = (x0 + x1) / 2, (y0 + y1) / 2
        bends = f"{mx:.1f},{y0:.1f} {mx:.1f},{y1:.1f}" if flat else f"{x0:.1f},{my:.1f} {x1:.1f},{my:.1f}"
        parts.append(f"C{bends} {x1:.1f},{y1:.1f}")
    return " ".join(parts)


def _frames(boxes: Sequence[Box], spots: Sequence[_Spot], at: Callable[[float, float], Point]) -> Iterator[str]:
    """A frame around the boxes of each group, with its name."""
    for group in dict.fromkeys(box.group for box in boxes if box.group):
        inside = [spot for box, spot in zip(boxes, spots, strict=False) if box.group == group]
        (x0, y0), (x1, y1) = (
            at(min(s.x - s.width / 2 for s in inside) - FRAME / 2, min(s.y - s.height / 2 for s in inside) - FRAME),
            at(max(s.x + s.width / 2 for s in inside) + FRAME / 2, max(s.y + s.height / 2 for s in inside) + FRAME / 2),
        )
        x, y = min(x0, x1), min(y0, y1)
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{abs(x1 - x0):.1f}" height="{abs(y1 - y0):.1f}" rx="8" fill="#F7F7F7" '
        yield f'stroke="#AAAAAA"/>\n<text x="{x + 6:.1f}" y="{y + 9:.1f}" text-anchor="start" {HALO}>'
        yield f"{escape(group)}</text>\n"


def _box(box: Box, middle: Point, size: Point) -> Iterator[str]:
    (x, y), (width, height) = middle, size
    dashes = ' stroke-dasharray="4 3"' if box.phases else ""
    yield f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" rx="7" '
    yield f'fill="{COLOURS.get(box.family, OTHER)}" stroke="#666666"{dashes}/>\n'
    words = words_of(box)
    for n, line in enumerate(words):
        below = y + (n - (len(words) - 1) / 2) * LINE + 4
        yield f'<text x="{x:.1f}" y="{below:.1f}">{escape(line)}</text>\n'
