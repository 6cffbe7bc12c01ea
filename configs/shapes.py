"""Pictures of circles, squares and triangles on an uneven ground, drawn for configs/ssd, segnet and faster_rcnn."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

try:
    import cv2
except ImportError:
    raise SystemExit("the shapes are drawn by OpenCV: pip install 'solver-train[images]'") from None

CLASSES = ("background", "circle", "square", "triangle")
IGNORED = 255  # in a label picture: the rim, where a pixel shows both
SMALLEST = 0.14  # the least width of a shape, as a share of the picture's


class Drawing(NamedTuple):
    """A picture (size, size, 3), blue green red; the label of each pixel; (class, xmin, ymin, xmax, ymax) of each shape."""

    picture: NDArray[np.uint8]
    label: NDArray[np.uint8]
    boxes: list[tuple[int, float, float, float, float]]


def drawing(size: int, rng: Generator, most: int = 4) -> Drawing:
    """One to `most` shapes that hardly meet; boxes count in pixels."""
    ground = cv2.resize(rng.uniform(40, 215, (4, 4, 3)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    label = np.zeros((size, size), np.uint8)
    boxes: list[tuple[int, float, float, float, float]] = []
    for _ in range(int(rng.integers(1, most + 1))):
        for _ in range(20):  # tries to find it a free place
            radius = size * rng.uniform(SMALLEST, 0.42) / 2
            kind = int(rng.integers(1, len(CLASSES)))
            outline = corners(kind, radius, rng)
            outline += rng.uniform(radius, size - radius, 2)
            (left, top), (right, bottom) = outline.min(0), outline.max(0)
            part = np.s_[max(0, int(top) - 1) : int(bottom) + 3, max(0, int(left) - 1) : int(right) + 3]
            if not label[part].any():
                break
        else:
            continue
        fill(ground, label, outline, kind, rng)
        boxes.append((kind, *(float(side) for side in np.clip((left, top, right, bottom), 0, size))))
    noisy = ground + rng.normal(0, 8, ground.shape)
    return Drawing(noisy.clip(0, 255).astype(np.uint8), label, boxes)


def encoded(picture: NDArray[np.uint8], ending: str) -> bytes:
    """The file of a picture, by the ending of its name."""
    return bytes(cv2.imencode(ending, picture)[1])


def corners(kind: int, radius: float, rng: Generator) -> NDArray[np.float64]:
    """The outline of a shape around 0, turned by chance."""
    count = (36, 4, 3)[kind - 1]
    angles = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2 * np.pi / count
    stretch = rng.uniform(0.8, 1, 2) if kind == 1 else 1
    return radius * stretch * np.stack((np.cos(angles), np.sin(angles)), 1)


def fill(
    ground: NDArray[np.float32], label: NDArray[np.uint8], outline: NDArray[np.float64], kind: int, rng: Generator
) -> None:
    """Draw a shape in a colour that differs from the ground's, and its label with an ignored rim."""
    points = np.round(outline * 16).astype(np.int32)[None]  # OpenCV's 4 bits behind the point
    cover = np.zeros(label.shape, np.uint8)
    cv2.fillPoly(cover, points, 255, cv2.LINE_AA, 4)
    share = cover[..., None].astype(np.float32) / 255
    beneath = (ground * share).sum((0, 1)) / max(1, share.sum())
    colour = (beneath + rng.choice((-1, 1), 3) * rng.uniform(50, 110, 3)).clip(0, 255)
    ground[...] = ground * (1 - share) + colour.astype(np.float32) * share
    label[cover > 127] = kind
    cv2.polylines(label, points, True, IGNORED, 1, cv2.LINE_8, 4)


def made(make: Callable[..., list[Path]], config: str, what: str, train: int, test: int, batch: int = 1) -> list[Path]:
    """What `make` writes as the command line of a config's script says.

    `train`, `test`: how many pictures, if it does not say; `batch`: of how many both must be a multiple.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--to", type=Path, default=Path("configs", config), help="folder to write to [%(default)s]")
    parser.add_argument("--train", type=int, default=train, help="pictures to train on [%(default)s]")
    parser.add_argument("--test", type=int, default=test, help="pictures to test on [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if min(args.train, args.test) < batch or args.train % batch or args.test % batch:
        wanted = f"a multiple of {batch}, the pictures of a batch" if batch > 1 else "1 or more"
        parser.error(f"--train and --test must be {wanted}")
    return make(args.to, args.seed, args.train, args.test)
