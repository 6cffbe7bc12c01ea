"""Predictions drawn on the pictures that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from solver_cli.data.decode import opencv
from solver_cli.tools.predict import Box, Class, Prediction
from solver_cli.tools.sheet import Pixels, write_png

LEAST = 320  # pixels of the longer side, to which small pictures are enlarged by whole pixels
LINE, FONT = 20, 0.5  # height of a line of text in pixels, size of its letters
STRENGTH = 0.55  # of a mask's colours over the picture's

Colour = tuple[int, int, int]  # blue, green, red


def colour(label: int) -> Colour:
    """The colour of a label in PASCAL VOC's palette, in which each bit of the number lights up a bit of a channel."""
    red = green = blue = 0
    for bit in range(8):
        red, green, blue = (c | (label >> (3 * bit + i) & 1) << (7 - bit) for i, c in enumerate((red, green, blue)))
    return blue, green, red


def drawn(found: Prediction) -> Pixels:
    """The picture with its boxes, or with its mask or classes and their names below."""
    scale = max(1, LEAST // max(found.pixels.shape[:2]))
    pixels = np.ascontiguousarray(_larger(found.pixels, scale))
    if found.boxes is not None:
        for box in reversed(found.boxes):  # the best on top
            _box(pixels, box, scale)
        return pixels
    if found.mask is not None:
        mask = _larger(found.mask, scale)
        colours = np.array([colour(label) for label in range(256)], np.float32)
        shown = (mask != 0) & (mask != 255)
        mixed = pixels[shown] * (1 - STRENGTH) + colours[mask[shown]] * STRENGTH
        pixels[shown] = mixed.astype(np.uint8)
    return np.concatenate([pixels, _legend(found.classes, pixels.shape[1], found.mask is not None)])


def _larger(pixels: Pixels, scale: int) -> Pixels:
    return pixels.repeat(scale, 0).repeat(scale, 1)


def _box(pixels: Pixels, box: Box, scale: int) -> None:
    cv2, ink = opencv(), colour(box.label)
    corners = [round(value * scale) for value in (box.xmin, box.ymin, box.xmax, box.ymax)]
    left, top = corners[:2]
    cv2.rectangle(pixels, (left, top), (corners[2] - 1, corners[3] - 1), ink, 2)
    words = f"{box.name} {box.score:.2f}"
    (width, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, FONT, 1)
    left = max(0, min(left, pixels.shape[1] - width - 6))
    top = top if top >= LINE else min(corners[1] + LINE, pixels.shape[0])  # above the box, or inside where there is no room
    cv2.rectangle(pixels, (left, top - LINE), (left + width + 6, top), ink, -1)
    bright = 0.114 * ink[0] + 0.587 * ink[1] + 0.299 * ink[2] > 120
    _text(pixels, words, (left + 3, top - 6), (0, 0, 0) if bright else (255, 255, 255))


def _legend(classes: Sequence[Class], width: int, mask: bool) -> Pixels:
    """A white strip: a class a line with its score, or with its colour and its share of the pixels."""
    strip = np.full((LINE * max(1, len(classes)) + 6, width, 3), 255, np.uint8)
    for i, each in enumerate(classes):
        left, base = 6, i * LINE + LINE - 3
        if mask:
            strip[base - 11 : base + 1, 6:18] = colour(each.label)
            left = 24
        _text(strip, f"{each.name}: {each.score:.1%}" if mask else f"{each.name}: {each.score:.3f}", (left, base), (0, 0, 0))
    return strip


def _text(pixels: Pixels, words: str, place: tuple[int, int], ink: Colour) -> None:
    cv2 = opencv()
    cv2.putText(pixels, words, place, cv2.FONT_HERSHEY_SIMPLEX, FONT, ink, 1, cv2.LINE_AA)


def draw(found: Prediction, folder: Path, taken: set[str]) -> list[str]:
    """Write NAME.png, and NAME_mask.png with the labels themselves as grey values, to `folder`; their paths. `taken` holds
    the names that are not free any more. Raises Error."""
    stem = Path(found.path).stem
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    paths = [str(folder / f"{name}.png")]
    write_png(paths[0], drawn(found))
    if found.mask is not None:
        paths.append(str(folder / f"{name}_mask.png"))
        write_png(paths[1], found.mask)
    return paths
