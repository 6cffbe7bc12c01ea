"""What DetectNet learns of boxes: for each cell of a grid over the picture, whether one covers it, and where that lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import DetectNetGroundTruthParameter
from solver_cli.errors import ConfigError

FIELD = "detectnet_groundtruth_param"
HEAD = 8  # covered, the box's two corners seen from the cell, 1 / width, 1 / height, what its cells weigh; then the classes
LEAST = np.float32(1.1920929e-07)  # FLT_EPSILON
KITTI_CAR = 1
Boxes = NDArray[np.float32]  # rows of left, top, width, height


class Coverage:
    """(HEAD + classes, rows, columns) of the boxes of one picture; a later box hides an earlier one."""

    def __init__(self, param: DetectNetGroundTruthParameter):
        if param.stride < 1:
            raise ConfigError("stride must be 1 or more", field=f"{FIELD}.stride")
        self.stride, self.crops, self.part = param.stride, param.crop_bboxes, param.scale_cvg
        self.at_least = param.gridbox_type == DetectNetGroundTruthParameter.GRIDBOX_MIN
        least, most = param.min_cvg_len, param.max_cvg_len
        self.bound = least if self.at_least else most
        self.light = 0.0 if param.obj_norm else 1.0
        self.size = np.array([param.image_size_x, param.image_size_y], np.float32)
        self._classes = {one.src: one.dst for one in param.object_class} or {KITTI_CAR: 0}
        grid = (round(side / param.stride) for side in (param.image_size_y, param.image_size_x))
        self.shape = (HEAD + max(self._classes.values()) + 1, *grid)
        for name in ("image_size_x", "image_size_y"):
            if getattr(param, name) < 1:
                raise ConfigError(f"{name} must be 1 or more", field=f"{FIELD}.{name}")

    def __call__(self, boxes: Boxes, classes: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the boxes cover, each of a class by its number in the labels; those of other classes count for nothing."""
        found = np.zeros(self.shape, np.float32)
        for box, number in zip(self._cropped(boxes), classes, strict=True):
            if int(number) in self._classes and box[2] * box[3] >= LEAST:
                self._mark(found, box, self._classes[int(number)])
        return found

    def _cropped(self, boxes: Boxes) -> Boxes:
        if not self.crops:
            return boxes
        begin, end = np.maximum(boxes[:, :2], 0), np.minimum(boxes[:, :2] + boxes[:, 2:], self.size)
        return np.concatenate([begin, np.maximum(end - begin, 0)], 1)

    def _mark(self, found: NDArray[np.float32], box: Boxes, place: int) -> None:
        """Write the box into the cells that its covering part touches."""
        size = self._covering(box[2:])
        begin = box[:2] + box[2:] * np.float32(0.5) - size * np.float32(0.5)
        cells, lengths = [], []
        for axis, count in ((1, self.shape[1]), (0, self.shape[2])):
            low, high = begin[axis], begin[axis] + size[axis]
            first, last = max(int(np.floor(low / self.stride)), 0), min(int(np.ceil(high / self.stride)), count)
            starts = np.arange(first, last, dtype=np.float32) * self.stride
            cells.append(starts)
            lengths.append(np.maximum(np.minimum(high, starts + self.stride) - np.maximum(low, starts), 0))
        touched = lengths[0][:, None] * lengths[1] / self.stride**2 > LEAST
        (y, x), (rows, columns) = np.meshgrid(*cells, indexing="ij"), touched.nonzero()
        if not len(rows):
            return
        y, x = y[touched], x[touched]
        weight = max(self.light, self.stride**2 / float(size[0] * size[1]))
        values = np.zeros((self.shape[0], len(rows)), np.float32)
        values[:HEAD] = np.broadcast_arrays(
            np.float32(1), box[0] - x, box[1] - y, box[0] + box[2] - x, box[1] + box[3] - y, 1 / box[2], 1 / box[3], weight
        )
        values[HEAD + place] = 1
        found[:, rows + int(cells[0][0]) // self.stride, columns + int(cells[1][0]) // self.stride] = values

    def _covering(self, size: Boxes) -> Boxes:
        """Width and height of the part in the box's middle that counts as covered."""
        part = size * np.float32(self.part)
        part = np.minimum(size, part.clip(min=self.bound)) if self.at_least else part.clip(max=self.bound)
        return part.astype(np.float32)
