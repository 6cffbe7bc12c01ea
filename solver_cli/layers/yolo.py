"""The loss of YOLOv2 as MobileNet-YOLO's RegionLoss computes it, and what that of YOLOv3 (see `yolov3`) shares with it.

Both report a sum of squares of what they learn from; their gradient is that itself, not the derivative. Boxes are centre x,
centre y, width, height, in parts of the picture. Labels are (N, ..., 5): class and box, to the first box without a width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import RegionLossParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, shape_of
from solver_cli.layers.labels import check_labels
from solver_cli.registry import layer

NONE = -(1 << 30)


class _Given(torch.autograd.Function):
    """A loss of x with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None


def given(x: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
    return cast(Tensor, _Given.apply(x, loss, gradient))  # type: ignore[no-untyped-call]


def corners(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The lesser and the greater corner (..., 2)."""
    return boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2


def shared_and_joined(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union."""
    (low, high), (other_low, other_high) = corners(a), corners(b)
    w, h = (torch.minimum(high, other_high) - torch.maximum(low, other_low)).unbind(-1)
    shared = (w * h).masked_fill((w < 0) | (h < 0), 0)
    return shared, a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - shared


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4)."""
    shared, joined = shared_and_joined(a, b)
    return shared / joined


class Truth:
    """The labels of a batch: classes (N, T), boxes (N, T, 4), and which of them are there, by two signs.

    The search for what is no object ends at the first box with x 0, that for objects at the first of width 0, as there.
    """

    def __init__(self, labels: Tensor, pictures: int, count: int):
        if labels.shape[:1] != (pictures,) or prod(labels.shape[1:]) % 5:
            raise ConfigError(
                f"bottom 1 of shape {shape_of(labels)} must hold rows of class, x, y, width, height for each of {pictures} "
                "pictures",
                field="bottom[1]",
            )
        rows = labels.detach().reshape(pictures, -1, 5)
        self.classes, self.boxes = rows[..., 0].long(), rows[..., 1:]
        self.seen, self.present = ((rows[..., i] != 0).cumprod(1).bool() for i in (1, 3))
        if rows.device.type == "cpu" and not torch.compiler.is_compiling():
            check_labels(self.classes.where(self.present, 0), count)

    def cells(self, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
        """Column and row (N, T) of the cell that a box's centre lies in, and the cell's number, -1 where there is none."""
        column, row = (self.boxes[..., 0] * width).long(), (self.boxes[..., 1] * height).long()
        cell = row * width + column
        return column, row, cell.where(self.present & (cell >= 0) & (cell < width * height), -1)


def best_overlap(boxes: Tensor, truth: Truth, measure: Any) -> Tensor:
    """The best overlap, 0 at least, of predicted boxes (N, K, 4) with boxes that are there: (N, K)."""
    if truth.boxes.shape[1] == 0:
        return boxes.new_zeros(boxes.shape[:2])
    length = int(truth.seen.sum(1).max()) if boxes.device.type == "cpu" and boxes.numel() else truth.boxes.shape[1]
    best = boxes.new_zeros(boxes.shape[:2])
    at_once = 16  # of 300 places for boxes few are used, and all at once take much memory
    for i in range(0, length, at_once):
        part = slice(i, min(i + at_once, length))
        each = measure(boxes[:, :, None], truth.boxes[:, None, part]).masked_fill(~truth.seen[:, None, part], 0)
        best = torch.fmax(best, each.amax(2))
    return best


def places_of(n: int, width: int, height: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row of each of n x height x width predictions, flat."""
    column, row = torch.arange(width, device=like.device), torch.arange(height, device=like.device)
    shape = (n, height, width)
    return column.expand(shape).flatten(), row[:, None].expand(shape).flatten()


def last(slots: Tensor, valid: Tensor, size: int, numbers: Tensor | None = None) -> Tensor:
    """For each of `size` slots the greatest number of those (N, K) that fall there: (N, size); NONE where none does."""
    numbers = torch.arange(slots.shape[1], device=slots.device) if numbers is None else numbers
    found = torch.full((slots.shape[0], size + 1), NONE, device=slots.device)
    return found.scatter_reduce_(1, slots.where(valid, size), numbers.expand_as(slots), "amax")[:, :size]


@layer("RegionLoss", origin="YOLO2", bottoms=2, loss=True, no_gradient=(1,), spared=(1,), apart=True)
class RegionLoss(nn.Module):
    """top = 1 / N sum of squares of the deltas of boxes, objectness and classes; their 1 / N is the gradient

    Bottoms (N, num (5 + num_class), side, side), labels. `biases` are anchors in cells. Each box of the labels takes the
    anchor of best fit in its cell; boxes with a label overlapped by more than `thresh` are neither object nor background.
    """

    anchors: Tensor

    def __init__(self, param: RegionLossParameter, shapes: Sequence[Shape]):
        super().__init__()
        if param.coords != 4:
            raise ConfigError("coords must be 4: x, y, width, height", field="region_loss_param.coords")
        if len(param.biases) < max(10, 2 * param.num):
            raise ConfigError(
                f"{len(param.biases)} biases: at least {max(10, 2 * param.num)} are needed, a width and a height for each "
                f"of num: {param.num} boxes (fewer than 10 would all count as 0)",
                field="region_loss_param.biases",
            )
        for field, idle in (("softmax_tree", param.softmax_tree), ("class_map", param.class_map)):
            if idle:
                log.warning("region_loss_layer.cpp", f"region_loss_param.{field}: not looked at, as in the fork itself")
        if not param.softmax:
            log.warning("region_loss_layer.cpp", "region_loss_param.softmax: 0 changes nothing, as in the fork itself")
        anchors = torch.tensor(param.biases[: 2 * param.num], dtype=torch.float32, device="cpu").reshape(-1, 2)
        self.register_buffer("anchors", anchors, persistent=False)
        self.boxes, self.classes = param.num, param.num_class
        self.match_anchors, self.rescore, self.thresh = bool(param.bias_match), bool(param.rescore), param.thresh
        self.object, self.background = param.object_scale, param.noobject_scale
        self.class_scale, self.coord = param.class_scale, param.coord_scale

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        n, side = checked_grid(x, self.boxes, 5 + self.classes)
        if x.shape[2] != side:
            raise ConfigError(f"bottom 0 of shape {shape_of(x)} must be as high as it is wide", field="bottom[0]")
        truth = Truth(labels, n, self.classes)
        if x.is_meta:
            return x.sum()
        values = grid_values(x, self.boxes)  # (5 + classes, N, boxes side side)
        deltas = self._deltas(values, truth, side)
        gradient = deltas.reshape(-1, n, self.boxes, side, side).permute(1, 2, 0, 3, 4).reshape(x.shape)
        return given(x, deltas.square().sum() / n, gradient / n)

    def _deltas(self, values: Tensor, truth: Truth, side: int) -> Tensor:
        """What the net's values should be less, (5 + classes, N, boxes side side)."""
        objectness, classes = values[4].sigmoid(), values[5:].softmax(0)
        places = places_of(self.boxes, side, side, values)
        best = best_overlap(self._predicted(values, places, side), truth, overlap)
        slope = objectness * (1 - objectness)
        background = (self.background * objectness * slope).masked_fill(best > self.thresh, 0)
        assigned = self._assigned(values, truth, side)
        is_object, t = assigned >= 0, assigned.clamp(min=0)
        if truth.boxes.shape[1] == 0:
            return torch.cat([torch.zeros_like(values[:4]), background[None], torch.zeros_like(classes)])
        box = truth.boxes.gather(1, t[..., None].expand(*t.shape, 4))
        columns, rows, _ = truth.cells(side, side)
        places = columns.gather(1, t), rows.gather(1, t)  # those of the label: a centre at the very edge has its own
        fit = overlap(self._predicted(values, places, side), box)
        scale = self.coord * (1 if self.rescore else 2 - box[..., 2] * box[..., 3])
        wanted = fit if self.rescore else torch.ones_like(fit)
        of_object = torch.cat(
            [
                self._box_deltas(values, box, places, side) * scale,
                (self.object * (objectness - wanted) * slope)[None],
                self.class_scale * (classes - one_hot(truth.classes.gather(1, t), self.classes).to(classes)),
            ]
        )
        of_none = torch.cat([torch.zeros_like(values[:4]), background[None], torch.zeros_like(classes)])
        return of_object.where(is_object, of_none)

    def _predicted(self, values: Tensor, places: tuple[Tensor, Tensor], side: int) -> Tensor:
        """Boxes (N, K, 4)."""
        anchors = self.anchors.repeat_interleave(side * side, 0)
        centres = [(place + values[i].sigmoid()) / side for i, place in enumerate(places)]
        return torch.stack([*centres, *(values[2 + i].exp() * anchors[:, i] / side for i in (0, 1))], -1)

    def _box_deltas(self, values: Tensor, box: Tensor, places: tuple[Tensor, Tensor], side: int) -> Tensor:
        """Of x, y, w, h, (4, N, K)."""
        anchors = self.anchors.repeat_interleave(side * side, 0)
        at = values[:2].sigmoid()
        centres = [(at[i] - (box[..., i] * side - place)) * at[i] * (1 - at[i]) for i, place in enumerate(places)]
        return torch.stack([*centres, *(values[2 + i] - (box[..., 2 + i] * side / anchors[:, i]).log() for i in (0, 1))])

    def _assigned(self, values: Tensor, truth: Truth, side: int) -> Tensor:
        """Which label each prediction answers for, the last of several, -1 for none: (N, boxes side side)."""
        _, _, cell = truth.cells(side, side)
        sides = (self.anchors / side).expand(*cell.shape, -1, 2)
        slots = cell[..., None] + torch.arange(self.boxes, device=cell.device) * side * side
        if not self.match_anchors:
            index = slots.clamp(0, values.shape[2] - 1).flatten(1)
            made = [values[2 + i].gather(1, index).reshape(slots.shape).exp() for i in (0, 1)]
            sides = torch.stack(made, -1) * self.anchors / side
        shift = F.pad(truth.boxes[..., None, 2:].expand_as(sides), (2, 0))
        fit = overlap(F.pad(sides, (2, 0)), shift)
        return last(slots.gather(2, fit.argmax(2, keepdim=True)).squeeze(2), cell >= 0, values.shape[2])


def checked_grid(x: Tensor, boxes: int, length: int) -> tuple[int, int]:
    """N and the width of a bottom (N, boxes length, H, W)."""
    if x.dim() != 4 or x.shape[1] != boxes * length:
        raise ConfigError(
            f"bottom 0 of shape {shape_of(x)} must be (N, {boxes * length}, H, W): {length} values for each of {boxes} "
            "boxes of a cell",
            field="bottom[0]",
        )
    return x.shape[0], x.shape[3]


def grid_values(x: Tensor, boxes: int) -> Tensor:
    """(N, boxes length, H, W) as (length, N, boxes H W), without a gradient."""
    return x.detach().reshape(x.shape[0], boxes, -1, *x.shape[2:]).permute(2, 0, 1, 3, 4).flatten(2)


def one_hot(classes: Tensor, count: int) -> Tensor:
    """(count, ...): 1 where the class is."""
    return classes == torch.arange(count, device=classes.device).reshape(-1, *(1,) * classes.dim())
