"""Draw pictures of cells and what they show, to train a U-Net with: `python configs/unet/make_cells.py`.

Grey pictures like those of a phase-contrast microscope: touching cells, uneven light, noise. A label for each pixel: 1 is a
cell, 0 the background, which the borders between touching cells belong to, 255 (ignored) a rim where even a person could
not tell.
Writes cells_train.h5 and cells_test.h5 (data N x 1 x H x W, label N x 1 x h x w, the middle of the picture) and their list
files, which name them as this program was told to. The same seed draws the same pictures. Needs numpy and h5py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]
CELL, BACKGROUND, IGNORED = 1, 0, 255
SPACE = 800  # pixels of a picture for each cell


def cells(size: int, rng: Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One picture and its labels, [size, size] each: values around 0, most within -1 and 1."""
    light = np.zeros((size, size))
    first, second = np.full((2, size, size), np.inf)
    for _ in range(max(2, size * size // SPACE)):
        distance = cell(size, rng)
        light = np.where(distance < first, rng.normal(0.16, 0.1), light)
        first, second = np.minimum(first, distance), np.sort([first, second, distance], axis=0)[1]
    between = (second < 1.2) & (second - first < 0.2)
    labels = np.where((first < 1) & ~between, CELL, BACKGROUND)
    labels[(abs(first - 1) < 0.06) & ~between] = IGNORED
    return picture(first, between, light, rng).astype(np.float32), labels.astype(np.float32)


def cell(size: int, rng: Generator) -> Array:
    """The distance of each pixel from a cell's middle, 1 on its edge, a circle with dents and bulges."""
    y, x = np.mgrid[:size, :size]
    middle = rng.uniform(-8, size + 8, 2)
    angle = np.arctan2(y - middle[0], x - middle[1])
    waves = range(2, 6)
    edge = 1 + sum(rng.normal(0, 0.3) / k * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in waves)
    away: Array = np.hypot(y - middle[0], x - middle[1]) / (rng.uniform(9, 17) * np.maximum(edge, 0.3))
    return away


def picture(distance: Array, between: NDArray[np.bool_], light: Array, rng: Generator) -> Array:
    """Cells of their own brightness and grain, with bright edges and dark borders, unevenly lit, and noise."""
    size = len(distance)
    inside = distance < 1
    seen = inside * (light + 0.25 * clouds(size, 5, rng)) + 0.12 * clouds(size, 12, rng) * ~inside
    seen += 0.3 * np.exp(-(((distance - 1) / 0.12) ** 2)) * rng.uniform(0.2, 1)
    seen -= 0.22 * between * inside
    uneven = 1 + 0.5 * clouds(size, size // 2, rng)
    return 2 * (seen * uneven + 0.5 * clouds(size, size, rng) + rng.normal(0, 0.1, (size, size)))


def clouds(size: int, grain: int, rng: Generator) -> Array:
    """Smooth noise: random numbers every `grain` pixels, lines between them."""
    knots = max(2, size // grain + 1)
    field: Array = rng.normal(0, 1, (knots, knots))
    for _ in range(2):  # along one axis, then along the other
        at = np.linspace(0, knots - 1, size)
        field = np.stack([np.interp(at, np.arange(knots), row) for row in field]).T
    return field


def write(folder: Path, part: str, count: int, size: int, label_size: int, shrink: int, rng: Generator) -> None:
    """An HDF5 file of `count` pictures, made smaller `shrink` times, and the list that names it."""
    drawn = [cells(size, rng) for _ in range(count)]
    margin = (size - label_size) // 2
    data = np.stack([image for image, _ in drawn])[:, None]
    label = np.stack([labels for _, labels in drawn])[:, None, margin : margin + label_size, margin : margin + label_size]
    if shrink > 1:
        data = data.reshape(count, 1, size // shrink, shrink, size // shrink, shrink).mean((3, 5), np.float32)
        label = label[:, :, ::shrink, ::shrink]
    path = folder / f"cells_{part}.h5"
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = data, label
    (folder / f"cells_{part}.txt").write_text(f"{path.as_posix()}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw pictures of cells, for training and for testing.")
    parser.add_argument("--to", type=Path, default=Path("configs/unet"), help="folder to write to [%(default)s]")
    parser.add_argument("--train", type=int, default=300, help="pictures to train on [%(default)s]")
    parser.add_argument("--test", type=int, default=60, help="pictures to test on [%(default)s]")
    parser.add_argument("--size", type=int, default=96, help="side in pixels [%(default)s]")
    parser.add_argument("--label-size", type=int, help="side of the labels, the middle of the picture [all of it]")
    parser.add_argument("--shrink", type=int, default=1, help="make pictures and labels smaller by this factor")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    label_size = args.label_size or args.size
    if not 0 < label_size <= args.size or args.shrink < 1 or args.size % args.shrink or label_size % args.shrink:
        parser.error("the labels must be no larger than the pictures, and both a multiple of --shrink")
    if min(args.train, args.test) < 1:
        parser.error("--train and --test must be 1 or more")
    args.to.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", args.train, 0), ("test", args.test, 1)):
        write(args.to, part, count, args.size, label_size, args.shrink, np.random.default_rng([args.seed, seed]))
    print(f"wrote {args.to}/cells_train.h5 and {args.to}/cells_test.h5")


if __name__ == "__main__":
    main()
