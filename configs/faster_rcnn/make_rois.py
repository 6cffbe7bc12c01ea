"""Draw pictures of shapes with regions to judge, for the head of a Faster R-CNN: `python configs/faster_rcnn/make_rois.py`.

Writes rois_train.h5 and rois_test.h5 and the lists that name them, as this program was told to. Beside the pictures (data)
they hold what a proposal layer and a roi_data_layer make: rois (picture of the batch, x1, y1, x2, y2), a quarter of them on
a shape (an overlap of 0.5 or more), the others away from them (below 0.3); their labels; and for each class four numbers of
where the shape is from there, by Girshick's formula and divided by his deviations (bbox_targets), of which those of the
region's own class count (bbox_inside_weights, bbox_outside_weights). The same seed draws the same pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from shapes import CLASSES, drawing, made

SIZE = 64  # side of a picture in pixels
BATCH = 2  # pictures in a batch of train_test.prototxt, among which a region says which one it is of
ROIS = 32  # of a picture
DEVIATIONS = np.array([0.1, 0.1, 0.2, 0.2])
Array = NDArray[np.float64]


def make(folder: str | Path, seed: int = 1, train: int = 800, test: int = 100) -> list[Path]:
    """Draw `train` and `test` pictures, both a multiple of 2, into `folder`; the paths of the two lists."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    written = []
    for number, (part, count) in enumerate((("train", train), ("test", test))):
        rng = np.random.default_rng([seed, number])
        made = [regions(i % BATCH, rng) for i in range(count)]
        path = Path(folder) / f"rois_{part}.h5"
        with h5py.File(path, "w") as file:
            for name in made[0]:
                file[name] = np.stack([each[name] for each in made]).astype(np.float32)
        written.append(path.with_suffix(".txt"))
        written[-1].write_text(f"{path.as_posix()}\n")
    return written


def regions(place: int, rng: Generator) -> dict[str, Array]:
    """A picture, which stands at `place` in its batch, and its regions."""
    drawn = drawing(SIZE, rng)
    shapes = np.array([box for _, *box in drawn.boxes])
    kinds = np.array([kind for kind, *_ in drawn.boxes])
    rois, labels = np.empty((ROIS, 4)), np.zeros(ROIS, int)
    targets, weights = np.zeros((ROIS, len(CLASSES), 4)), np.zeros((ROIS, len(CLASSES), 4))
    for i in range(ROIS):
        on_shape, fits = i < ROIS // 4, False
        while not fits:
            roi = near(shapes[rng.integers(len(shapes))], rng) if i % 2 or on_shape else anywhere(rng)
            overlaps = overlap(roi, shapes)
            best = int(overlaps.argmax())
            fits = bool(overlaps[best] >= 0.5 if on_shape else overlaps[best] < 0.3)
        rois[i] = roi
        if on_shape:
            labels[i] = kinds[best]
            targets[i, labels[i]] = way(roi, shapes[best]) / DEVIATIONS
            weights[i, labels[i]] = 1
    return {
        "data": (drawn.picture.transpose(2, 0, 1) - 127) / 64.0,
        "rois": np.concatenate((np.full((ROIS, 1), place), rois), 1),
        "labels": labels.astype(np.float64),
        "bbox_targets": targets.reshape(ROIS, -1),
        "bbox_inside_weights": weights.reshape(ROIS, -1),
        "bbox_outside_weights": weights.reshape(ROIS, -1),
    }


def near(box: Array, rng: Generator) -> Array:
    """A box beside, around or within another."""
    size = box[2:] - box[:2]
    moved = box + np.concatenate((size, size)) * rng.normal(0, 0.25, 4)
    return within(moved)


def anywhere(rng: Generator) -> Array:
    """Some box."""
    middle, size = rng.uniform(0, SIZE, 2), rng.uniform(7, 28, 2)
    return within(np.concatenate((middle - size / 2, middle + size / 2)))


def within(box: Array) -> Array:
    """The box cut at the picture's edges, and at least 4 pixels wide and high."""
    first = box[:2].clip(0, SIZE - 5)
    return np.concatenate((first, np.maximum(box[2:].clip(0, SIZE - 1), first + 4)))


def overlap(box: Array, others: Array) -> Array:
    """Intersection over union of a box with each of others."""
    shared = (np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])).clip(0).prod(1)
    share: Array = shared / ((box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared)
    return share


def way(box: Array, target: Array) -> Array:
    """How `target` lies from `box`: the middle's way by the size, the logarithm of the ratio of the sizes."""
    size, wanted = box[2:] - box[:2] + 1, target[2:] - target[:2] + 1
    return np.concatenate(((target[:2] + wanted / 2 - box[:2] - size / 2) / size, np.log(wanted / size)))


if __name__ == "__main__":
    for path in made(make, "faster_rcnn", "Draw pictures of shapes with regions to judge.", 800, 100, BATCH):
        print(f"wrote {path} and {path.with_suffix('.h5')}")
