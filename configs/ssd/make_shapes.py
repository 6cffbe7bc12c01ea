"""Draw pictures of shapes with a box around each, to train an SSD with: `python configs/ssd/make_shapes.py`.

Writes shapes_train_lmdb and shapes_test_lmdb (AnnotatedDatums with JPEG pictures), labelmap.prototxt, and
shapes_test_name_size.txt (name, height and width of each test picture). The same seed draws the same pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.random import Generator

from solver_cli.caffe_pb2 import AnnotatedDatum, LabelMap, LabelMapItem
from solver_cli.commands.datasets import write_lmdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from shapes import CLASSES, Drawing, drawing, encoded, made

SIZE = 96  # side of a picture in pixels


def make(folder: str | Path, seed: int = 1, train: int = 400, test: int = 100) -> list[Path]:
    """Draw `train` and `test` pictures into `folder`; the paths of what is written."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = [target / "shapes_train_lmdb", target / "shapes_test_lmdb"]
    for part, (path, count) in enumerate(zip(written, (train, test), strict=True)):
        write_lmdb(path, records(count, np.random.default_rng([seed, part])))
    names = LabelMap(item=[LabelMapItem(name=name, label=label, display_name=name) for label, name in enumerate(CLASSES)])
    for name, text in (
        ("labelmap.prototxt", str(names)),
        ("shapes_test_name_size.txt", "".join(f"{number:06d} {SIZE} {SIZE}\n" for number in range(test))),
    ):
        written.append(target / name)
        written[-1].write_text(text)
    return written


def records(count: int, rng: Generator) -> Iterator[tuple[bytes, bytes]]:
    """Key and AnnotatedDatum of each picture."""
    for number in range(count):
        yield b"%06d" % number, annotated(drawing(SIZE, rng)).SerializeToString()


def annotated(drawn: Drawing) -> AnnotatedDatum:
    """A picture and its boxes, which count as shares of its sides, a group for each class."""
    height, width = drawn.picture.shape[:2]
    record = AnnotatedDatum(type=AnnotatedDatum.BBOX)
    record.datum.encoded = True
    record.datum.data = encoded(drawn.picture, ".jpg")
    for label in sorted({kind for kind, *_ in drawn.boxes}):
        group = record.annotation_group.add(group_label=label)
        for instance, (_, left, top, right, bottom) in enumerate(box for box in drawn.boxes if box[0] == label):
            box = group.annotation.add(instance_id=instance).bbox
            box.xmin, box.ymin, box.xmax, box.ymax = left / width, top / height, right / width, bottom / height
    return record


if __name__ == "__main__":
    for path in made(make, "ssd", "Draw pictures of shapes with a box around each.", 400, 100):
        print(f"wrote {path}")
