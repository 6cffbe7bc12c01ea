"""What YOLO's nets detect, as MobileNet-YOLO's layers say it: rows 0, class + 1, score, xmin, ymin, xmax, ymax.

The picture is 0 in each row, and one suppression runs over all classes and pictures: so is it there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import YoloDetectionOutputParameter, Yolov3DetectionOutputParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, shape_of
from solver_cli.layers.suppression import standing
from solver_cli.layers.yolo import overlap
from solver_cli.registry import layer

Found = tuple[Tensor, Tensor, Tensor]  # boxes (K, 4) of x, y, w, h, scores (K), classes (K)


def grid(x: Tensor, index: int, boxes: int, length: int) -> Tensor:
    """A bottom (N, boxes length, H, W) as (length, N, H, W, boxes). Raises ConfigError."""
    if x.dim() != 4 or x.shape[1] != boxes * length:
        raise ConfigError(
            f"bottom {index} of shape {shape_of(x)} must be (N, {boxes * length}, H, W): {length} values for each of "
            f"{boxes} boxes of a cell",
            field=f"bottom[{index}]",
        )
    return x.detach().reshape(x.shape[0], boxes, length, *x.shape[2:]).permute(2, 0, 3, 4, 1)


def _boxes(x: Tensor, y: Tensor, w: Tensor, h: Tensor, anchors: Tensor, size: Sequence[float]) -> Tensor:
    """Boxes (N, H, W, boxes, 4): centres within their cells, sides as factors of anchors of pictures of this size."""
    height, width = x.shape[1:3]
    row, column = torch.arange(height, device=x.device)[:, None, None], torch.arange(width, device=x.device)[:, None]
    sides = w.exp() * anchors[:, 0] / size[0], h.exp() * anchors[:, 1] / size[1]
    return torch.stack([(x + column) / width, (y + row) / height, *sides], -1)


def anchors_of(biases: Sequence[float], needed: int, field: str) -> Tensor:
    """(anchors, 2): widths and heights. Raises ConfigError if there are fewer than `needed`."""
    if len(biases) < 2 * needed or len(biases) % 2:
        raise ConfigError(f"{len(biases)} biases: {2 * needed} are needed, a width and a height for each box", field=field)
    return torch.tensor(biases, dtype=torch.float32, device="cpu").reshape(-1, 2)


def _rows(found: Sequence[Found], threshold: float, pictures: int) -> Tensor:
    """The detections that stand, best first, (1, 1, K, 7); if there are none, a row i, -1, ... for each picture."""
    boxes, scores, classes = (torch.cat(parts) for parts in zip(*found, strict=True))
    order = scores.argsort(stable=True, descending=True)
    stands = standing(boxes[order], lambda a, b: overlap(a, b) >= threshold)
    order = order[stands]
    if not len(order):
        rows = boxes.new_full((pictures, 7), -1)
        rows[:, 0] = torch.arange(pictures)
        return rows[None, None]
    centre, half, scores = boxes[order, :2], boxes[order, 2:] / 2, scores[order, None]
    parts = (torch.zeros_like(scores), classes[order, None] + 1, scores, centre - half, centre + half)
    return torch.cat(parts, 1)[None, None]


@layer("YoloDetectionOutput", origin="MobileNet-YOLO", bottoms=(1, 2), dynamic=True)
class YoloDetectionOutput(nn.Module):
    """top = boxes whose objectness times best softmax is at least confidence_threshold, after suppression, (1, 1, K, 7)

    Bottoms (N, num_box (5 + num_classes), side, side), both with the same anchors: `biases` in cells.
    """

    anchors: Tensor

    def __init__(self, param: YoloDetectionOutputParameter, shapes: Sequence[Shape]):
        super().__init__()
        if not param.HasField("num_classes") or param.num_classes == 0:
            raise ConfigError("num_classes must be given and positive", field="yolo_detection_output_param.num_classes")
        self.length, self.boxes = 5 + param.num_classes, param.num_box
        self.confidence, self.overlap = param.confidence_threshold, param.nms_threshold
        anchors = anchors_of(param.biases, param.num_box, "yolo_detection_output_param.biases")[: param.num_box]
        self.register_buffer("anchors", anchors, persistent=False)

    def forward(self, *bottoms: Tensor) -> Tensor:
        found = [self._found(x, i) for i, x in enumerate(bottoms)]
        return bottoms[0].new_empty(1, 1, 1, 7) if bottoms[0].is_meta else _rows(found, self.overlap, len(bottoms[0]))

    def _found(self, bottom: Tensor, index: int) -> Found:
        values = grid(bottom, index, self.boxes, self.length)
        height, width = bottom.shape[2:]
        if height != width:
            raise ConfigError(
                f"bottom {index} of shape {shape_of(bottom)} must be as high as it is wide", field=f"bottom[{index}]"
            )
        if bottom.is_meta:
            return values, values, values
        best, classes = values[5:].softmax(0).max(0)
        scores = values[4].sigmoid() * best
        boxes = _boxes(values[0].sigmoid(), values[1].sigmoid(), values[2], values[3], self.anchors, (width, height))
        kept = scores >= self.confidence
        return boxes[kept], scores[kept], classes[kept]


@layer("Yolov3DetectionOutput", origin="MobileNet-YOLO", bottoms=(1, None), dynamic=True)
class Yolov3DetectionOutput(nn.Module):
    """top = boxes with objectness times a class's sigmoid above confidence_threshold, after suppression, (1, 1, K, 7)

    Bottoms (N, num_box (5 + num_classes), H, W), each with its group of `mask`, which chooses from the anchors, `biases` in
    pixels of a picture of H x W times its `anchors_scale`. With `gaussian_box` there are 9 values beside the classes, for
    the boxes' numbers come with their uncertainties, whose mean lowers the objectness.
    """

    anchors: Tensor

    def __init__(self, param: Yolov3DetectionOutputParameter, shapes: Sequence[Shape]):
        super().__init__()
        if not param.HasField("num_classes") or param.num_classes == 0:
            raise _wrong("num_classes must be given and positive", "num_classes")
        groups = param.mask_group_num
        if groups != len(shapes):
            raise _wrong(f"mask_group_num {groups} for {len(shapes)} bottoms: give {len(shapes)}", "mask_group_num")
        if len(param.anchors_scale) < groups:
            raise _wrong(f"{len(param.anchors_scale)} anchors_scale for {groups} bottoms: too few", "anchors_scale")
        if len(param.mask) // groups < param.num_box:
            raise _wrong(f"{len(param.mask)} mask for {groups} bottoms of {param.num_box} boxes: give one for each", "mask")
        anchors = anchors_of(param.biases, max(param.mask) + 1, "yolov3_detection_output_param.biases")
        self.register_buffer("anchors", anchors, persistent=False)
        self.length, self.boxes = (9 if param.gaussian_box else 5) + param.num_classes, param.num_box
        self.masks, self.step = tuple(param.mask), len(param.mask) // groups
        self.scales, self.gaussian = tuple(param.anchors_scale), param.gaussian_box
        self.confidence, self.overlap = param.confidence_threshold, param.nms_threshold

    def forward(self, *bottoms: Tensor) -> Tensor:
        found = [self._found(x, i) for i, x in enumerate(bottoms)]
        return bottoms[0].new_empty(1, 1, 1, 7) if bottoms[0].is_meta else _rows(found, self.overlap, len(bottoms[-1]))

    def _found(self, bottom: Tensor, index: int) -> Found:
        values = grid(bottom, index, self.boxes, self.length)
        if bottom.is_meta:
            return values, values, values
        anchors = self.anchors[list(self.masks[index * self.step :][: self.boxes])]
        height, width = bottom.shape[2:]
        size = width * self.scales[index], height * self.scales[index]
        if self.gaussian:
            box = (values[0].sigmoid(), values[2].sigmoid(), values[4], values[6])
            certain = 4 - sum(values[i].sigmoid() for i in (1, 3, 5, 7))
            scores, classes = values[8].sigmoid() * certain / 4, values[9:]
        else:
            box = (values[0].sigmoid(), values[1].sigmoid(), values[2], values[3])
            scores, classes = values[4].sigmoid(), values[5:]
        boxes = _boxes(*box, anchors, size)
        each = (classes.sigmoid() * scores).movedim(0, -1)  # a box may be of several classes
        kept = (each > self.confidence).nonzero()
        return boxes[tuple(kept[:, :4].T)], each[tuple(kept.T)], kept[:, 4]


def _wrong(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"yolov3_detection_output_param.{field}")
