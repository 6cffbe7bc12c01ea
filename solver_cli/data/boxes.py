"""Boxes around objects: what they cover, and what becomes of them in a part of the picture (SSD's rules, in float32)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import AnnotatedDatum, EmitConstraint

Boxes = NDArray[np.float32]  # [n, (xmin, ymin, xmax, ymax)], over the sides of a picture
Flags = NDArray[np.bool_]
WHOLE = np.array([0, 0, 1, 1], np.float32)


@dataclass(frozen=True)
class Objects:
    """The `n` annotated objects of a picture. `sizes`: the areas that their records state, NaN where they state none."""

    labels: NDArray[np.int64]
    instances: NDArray[np.int64]
    boxes: Boxes
    sizes: NDArray[np.float32]
    difficult: Flags

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def areas(self) -> NDArray[np.float32]:
        found = area(self.boxes)
        return np.where(np.isnan(self.sizes) | (found == 0), found, self.sizes)

    def pick(self, kept: Flags) -> Objects:
        return Objects(self.labels[kept], self.instances[kept], self.boxes[kept], self.sizes[kept], self.difficult[kept])

    def within(self, part: Boxes, constraint: EmitConstraint | None) -> Objects:
        """Those that are seen in `part` of the picture, cut to it and measured by it; `constraint` may ask for more."""
        found = self if constraint is None else self.pick(emitted(self, part, constraint))
        boxes, kept = projected(found.boxes, part)
        return replace(found, boxes=boxes, sizes=area(boxes)).pick(kept)

    def rows(self, item: int) -> NDArray[np.float32]:
        """[n, 8]: item, label, instance, xmin, ymin, xmax, ymax, difficult."""
        ahead = np.full(len(self), item), self.labels, self.instances
        return np.column_stack([*ahead, self.boxes, self.difficult]).astype(np.float32)


    def centred(self, difficult: bool, most: int, columns: int) -> NDArray[np.float32]:
        """[most, columns]: label less 1, middle x and y, width, height; 0 behind. `difficult`: with those that are."""
        found = np.zeros((most, columns), np.float32)
        kept = self if difficult else self.pick(~self.difficult)
        low, high = kept.boxes[:most, :2], kept.boxes[:most, 2:]
        found[: len(low)] = np.column_stack([kept.labels[:most] - 1, (low + high) / 2, high - low])
        return found


def objects_of(datum: AnnotatedDatum) -> Objects:
    """The objects of a record, group by group."""
    pairs = [(group.group_label, note) for group in datum.annotation_group for note in group.annotation]
    boxes = [note.bbox for _, note in pairs]
    return Objects(
        np.array([label for label, _ in pairs], np.int64),
        np.array([note.instance_id for _, note in pairs], np.int64),
        np.array([(box.xmin, box.ymin, box.xmax, box.ymax) for box in boxes], np.float32).reshape(-1, 4),
        np.array([box.size if box.HasField("size") else np.nan for box in boxes], np.float32),
        np.array([box.difficult for box in boxes], bool),
    )


def area(boxes: Boxes) -> NDArray[np.float32]:
    """0 for a box that ends before it begins."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clip(min=0)
    found: NDArray[np.float32] = sides[..., 0] * sides[..., 1]
    return found


def shared(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """The area that both cover."""
    low, high = np.maximum(boxes[..., :2], others[..., :2]), np.minimum(boxes[..., 2:], others[..., 2:])
    return area(np.concatenate([low, high], -1))


def ratio(parts: NDArray[np.float32], wholes: NDArray[np.float32]) -> NDArray[np.float32]:
    """parts / wholes, 0 where the part is nothing."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=parts > 0)


def emitted(objects: Objects, part: Boxes, constraint: EmitConstraint) -> Flags:
    """Which objects the constraint lets into `part`: by their centre, or by more than a share of them that it covers."""
    if constraint.emit_type == EmitConstraint.MIN_OVERLAP:
        covered = ratio(shared(objects.boxes, part), objects.areas)
        return covered > np.float32(constraint.emit_overlap)
    centres = (objects.boxes[:, :2] + objects.boxes[:, 2:]) / 2
    inside: Flags = np.all((centres >= part[:2]) & (centres <= part[2:]), axis=1)
    return inside


def projected(boxes: Boxes, part: Boxes) -> tuple[Boxes, Flags]:
    """Boxes over the sides of `part`, cut to it, and of which something is left."""
    meets = ((boxes[:, :2] < part[2:]) & (boxes[:, 2:] > part[:2])).all(1)
    sides = np.tile(part[2:] - part[:2], 2)
    found = ((boxes - np.tile(part[:2], 2)) / sides).clip(0, 1)
    return found, meets & (area(found) > 0)


def flipped(boxes: Boxes) -> Boxes:
    """Boxes in the mirror image."""
    return np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
