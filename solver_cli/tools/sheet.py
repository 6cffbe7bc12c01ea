"""Many pictures on one, with a word below each."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver_cli.data.decode import opencv
from solver_cli.formats.atomic import atomic_write
from solver_cli.tools.imageset import encode

TILE, GAP, LINE = 96, 6, 18  # pixels: side of a tile, between two of them, height of the word below

Pixels = NDArray[np.uint8]


def pixels_of(picture: NDArray[Any]) -> Pixels:
    """[height, width, 3] bytes of a picture [channels, height, width] in Caffe's order; floats from their least to their
    largest. Of more channels than three, or two, the first is shown in grey."""
    values = picture if picture.shape[0] in (1, 3) else picture[:1]
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = ((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(values.transpose(1, 2, 0), (*values.shape[1:], 3)))


def sheet(pictures: Sequence[tuple[NDArray[Any], str]], columns: int) -> Pixels:
    """The pictures in rows of `columns`, each within a tile, its shape kept, small ones enlarged by whole pixels."""
    cv2 = opencv()
    rows = ceil(len(pictures) / columns)
    wide, tall = TILE + GAP, TILE + LINE + GAP
    canvas = np.full((rows * tall + GAP, columns * wide + GAP, 3), 255, np.uint8)
    for i, (picture, word) in enumerate(pictures):
        top, left = i // columns * tall + GAP, i % columns * wide + GAP
        tile = _fitted(cv2, pixels_of(picture))
        height, width = tile.shape[:2]
        down, right = top + (TILE - height) // 2, left + (TILE - width) // 2
        canvas[down : down + height, right : right + width] = tile
        (length, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        place = (left + max(0, TILE - length) // 2, top + TILE + LINE - 5)
        cv2.putText(canvas, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def _fitted(cv2: Any, pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if max(height, width) <= TILE // 2:
        scale = TILE // max(height, width)
        return pixels.repeat(scale, 0).repeat(scale, 1)
    share = TILE / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR)  # type: ignore[no-any-return]


def write_png(path: str, pixels: Pixels) -> None:
    """Write pixels [height, width, 3], blue first, as a PNG. Raises SnapshotError."""
    with atomic_write(path) as out:
        out.write(encode(pixels, "png", path))
