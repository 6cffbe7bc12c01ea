"""The loss of YOLOv3's nets as MobileNet-YOLO's layer Yolov3 computes it: its gradient is not the derivative, see `yolo`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import Yolov3Parameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape
from solver_cli.layers.yolo import (
    Truth,
    best_overlap,
    checked_grid,
    corners,
    given,
    grid_values,
    last,
    one_hot,
    overlap,
    places_of,
    shared_and_joined,
)
from solver_cli.registry import layer

SMALL = 1e-6


def _enclosing(a: Tensor, b: Tensor) -> Tensor:
    """Width and height (..., 2) of the box around both."""
    (low, high), (other_low, other_high) = corners(a), corners(b)
    return torch.maximum(high, other_high) - torch.minimum(low, other_low)


def _generalized(a: Tensor, b: Tensor) -> Tensor:
    """GIoU: the overlap less the share of the box around both that neither covers."""
    shared, joined = shared_and_joined(a, b)
    around = _enclosing(a, b).prod(-1)
    return shared / joined - ((around - joined) / around).masked_fill(around == 0, 0)


def _distant(a: Tensor, b: Tensor) -> Tensor:
    """DIoU: the overlap less the distance of the centres, in diagonals of the box around both, to the power of 1.2."""
    return overlap(a, b) - _distance(a, b) ** 0.6


def _complete(a: Tensor, b: Tensor) -> Tensor:
    """CIoU: the overlap less the squared distance and the difference of the sides' ratios, weighted."""
    fit, ratio = overlap(a, b), _ratios(a, b)
    return fit - (_distance(a, b) + ratio / (1 - fit + ratio + SMALL) * ratio)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    diagonal = _enclosing(a, b).square().sum(-1)
    return ((a[..., :2] - b[..., :2]).square().sum(-1) / diagonal).masked_fill(diagonal == 0, 0)


def _turn(a: Tensor, b: Tensor) -> Tensor:
    return (b[..., 2] / b[..., 3]).atan() - (a[..., 2] / a[..., 3]).atan()


def _ratios(a: Tensor, b: Tensor) -> Tensor:
    return 4 / pi**2 * _turn(a, b).square()


MEASURES: dict[int, Callable[[Tensor, Tensor], Tensor]] = {
    Yolov3Parameter.IOU: overlap,
    Yolov3Parameter.MSE: overlap,
    Yolov3Parameter.GIOU: _generalized,
    Yolov3Parameter.DIOU: _distant,
    Yolov3Parameter.CIOU: _complete,
}


def ascent(a: Tensor, b: Tensor, kind: int) -> Tensor:
    """The direction (..., 4) of x, y, w, h in which the fit of box a to b grows, as the fork has it: not the derivative.

    Width and height count for twice as much as in the derivative of the overlap, and for GIoU, DIoU and CIoU boxes that do
    not touch get the direction of the further term alone.
    """
    (low, high), (other_low, other_high) = corners(a), corners(b)
    side, shared = high - low, torch.minimum(high, other_high) - torch.maximum(low, other_low)
    area, both = side.prod(-1, keepdim=True), shared.prod(-1, keepdim=True)
    joined = area + (other_high - other_low).prod(-1, keepdim=True) - both
    around = _enclosing(a, b)
    # what a shift of the lesser (first) and of the greater corner adds to a's area, to what is shared, and around
    d_area = torch.stack([-side.flip(-1), side.flip(-1)])
    inner = torch.stack([low > other_low, high < other_high])
    d_both = torch.stack([-shared.flip(-1), shared.flip(-1)]) * inner
    d_joined = d_area - d_both
    grow = ((joined * d_both - both * d_joined) / joined.square()).masked_fill(joined <= 0, 0)
    apart = (shared <= 0).any(-1, keepdim=True)
    outer = torch.stack([low < other_low, high > other_high])
    if kind == Yolov3Parameter.GIOU:
        hull = around.prod(-1, keepdim=True)
        d_hull = torch.stack([-around.flip(-1), around.flip(-1)]) * outer
        further = (hull * d_joined - joined * d_hull) / hull.square()
        grow = (further + grow.masked_fill(apart, 0)).where(hull > 0, grow)
    way = torch.cat([grow[0] + grow[1], grow[1] - grow[0]], -1)
    if kind not in (Yolov3Parameter.DIOU, Yolov3Parameter.CIOU):
        return way
    further = _nearer(a, b, around, outer)
    if kind == Yolov3Parameter.CIOU:
        further = further + _rounder(a, b, (both / joined)[..., 0])
    return further + way.masked_fill(apart, 0)


def _nearer(a: Tensor, b: Tensor, around: Tensor, outer: Tensor) -> Tensor:
    """Of the term of distance; `outer`: which corners of a lie on the box around both."""
    diagonal = around.square().sum(-1, keepdim=True)
    squared = (a[..., :2] - b[..., :2]).square().sum(-1, keepdim=True)
    first, second = outer.to(a.dtype)
    centre = 2 * (b[..., :2] - a[..., :2]) * diagonal - 2 * around * (second - first) * squared
    sides = around * (first + second) * squared  # twice around times a half each
    return torch.cat([centre, sides], -1) / diagonal.square()


def _rounder(a: Tensor, b: Tensor, fit: Tensor) -> Tensor:
    """Of the term of the sides' ratios."""
    ratio = _ratios(a, b)
    step = ratio / (1 - fit + ratio + SMALL) * 8 / pi**2 * _turn(a, b)
    return F.pad(torch.stack([step * a[..., 3], -step * a[..., 2]], -1), (2, 0))


@layer("Yolov3", origin="MobileNet-YOLO", bottoms=2, loss=True, no_gradient=(1,), spared=(1,))
class Yolov3(nn.Module):
    """top = 1 / N sum of squares of the deltas of boxes, objectness and classes; their 1 / N is the gradient

    Bottoms (N, num (5 + num_class), H, W), labels (see `yolo`). `biases` are anchors in pixels of a picture of H x W times
    anchors_scale, of which `mask` are this bottom's. With an iou_loss other than MSE, the boxes' part of the top is
    iou_normalizer times the mean of 1 - fit. `use_logic_gradient` multiplies by the sigmoid's derivative on the way back.
    """

    anchors: Tensor
    own: Tensor  # this bottom's anchors,
    numbers: Tensor  # which of all they are,
    first: Tensor  # and whether none before is the same

    def __init__(self, param: Yolov3Parameter, shapes: Sequence[Shape]):
        super().__init__()
        if len(param.mask) < param.num:
            raise _wrong(f"{len(param.mask)} mask for num: {param.num} boxes: give one for each", "mask")
        needed = max(param.mask, default=-1) + 1
        if len(param.biases) % 2 or len(param.biases) < 2 * needed:
            raise _wrong(f"{len(param.biases)} biases: give two for each anchor, {needed} at least", "biases")
        anchors = torch.tensor(param.biases, dtype=torch.float32, device="cpu").reshape(-1, 2)
        mask = list(param.mask[: param.num])
        numbers = torch.tensor(mask, dtype=torch.long, device="cpu")
        first = torch.tensor([mask.index(m) == k for k, m in enumerate(mask)], device="cpu")
        for name, value in (("anchors", anchors), ("own", anchors[numbers]), ("numbers", numbers), ("first", first)):
            self.register_buffer(name, value, persistent=False)
        self.scale = param.anchors_scale
        self.boxes, self.classes, self.kind = param.num, param.num_class, param.iou_loss
        self.thresh, self.share, self.limit = param.thresh, param.iou_thresh, param.max_delta
        self.coord, self.class_scale, self.normalizer = param.coord_scale, param.class_scale, param.iou_normalizer
        self.object = param.object_scale if param.use_logic_gradient else 1.0
        self.logic, self.focal, self.smooth = param.use_logic_gradient, param.use_focal_loss, param.label_smooth_eps
        self.accumulate = param.accumulate and self.kind != Yolov3Parameter.MSE

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        n, width = checked_grid(x, self.boxes, 5 + self.classes)
        truth = Truth(labels, n, self.classes)
        if x.is_meta:
            return x.sum()
        values = grid_values(x, self.boxes)  # (5 + classes, N, boxes H W)
        raw = torch.arange(len(values), device=x.device)[:, None, None]
        values = values.where((raw == 2) | (raw == 3), values.sigmoid())
        deltas, misfit = self._deltas(values, truth, (width, x.shape[2]))
        counted = deltas if self.kind == Yolov3Parameter.MSE else deltas[4:]
        total = counted.square().sum() + (0 if self.kind == Yolov3Parameter.MSE else self.normalizer * misfit)
        if self.logic:
            deltas = deltas.where((raw == 2) | (raw == 3), deltas * values * (1 - values))
        gradient = deltas.reshape(-1, n, self.boxes, *x.shape[2:]).permute(1, 2, 0, 3, 4).reshape(x.shape)
        return given(x, total / n, gradient / n)

    def _deltas(self, values: Tensor, truth: Truth, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """What the net's values should be less, (5 + classes, N, boxes H W), and the mean of 1 - fit of the objects."""
        measure, cells = MEASURES[self.kind], size[0] * size[1]
        made = self._made(values, places_of(self.boxes, *size, values), self.own.repeat_interleave(cells, 0), size)
        background = values[4].masked_fill(best_overlap(made, truth, measure) > self.thresh, 0)
        nothing = torch.cat([torch.zeros_like(values[:4]), background[None], torch.zeros_like(values[5:])])
        if truth.boxes.shape[1] == 0:
            return nothing, values.new_zeros(())
        column, row, cell = truth.cells(*size)
        visits = self._visits(truth, size) * (cell >= 0)[..., None]  # (N, T, boxes)
        slots = (cell.clamp(min=0)[..., None] + torch.arange(self.boxes, device=cell.device) * cells).flatten(1)
        visited, label = visits.flatten(1), torch.arange(cell.shape[1], device=cell.device).repeat_interleave(self.boxes)
        latest = last(slots, visited > 0, values.shape[2], label)
        at = values.gather(2, slots.expand(len(values), *slots.shape))
        box = truth.boxes.repeat_interleave(self.boxes, 1)
        places = [place.repeat_interleave(self.boxes, 1) for place in (column, row)]
        anchors = self.own.repeat(cell.shape[1], 1)
        predicted = self._made(at, places, anchors, size)
        fit = MEASURES[self.kind if self.kind != Yolov3Parameter.IOU else Yolov3Parameter.DIOU](predicted, box)
        misfit = ((1 - fit).where(visited > 0, 0) * visited).sum() / visited.sum().clamp(min=1)
        weight = visited if self.accumulate else (latest.gather(1, slots) == label) & (visited > 0)
        steps = self._box_steps(at, predicted, box, places, anchors, size).where(weight > 0, 0) * weight
        boxes = torch.zeros_like(values[:4]).scatter_add_(2, slots.expand(4, *slots.shape), steps)
        objects = torch.cat(
            [boxes, (self.object * (values[4] - 1))[None], self._class_deltas(values[5:], truth, slots, visits, label)]
        )
        return objects.where(latest >= 0, nothing), misfit

    def _made(self, values: Tensor, places: Sequence[Tensor], anchors: Tensor, size: tuple[int, int]) -> Tensor:
        """Boxes (N, K, 4) of values (., N, K) in cells of these columns and rows."""
        centres = [(place + values[i]) / size[i] for i, place in enumerate(places)]
        sides = [values[2 + i].exp() * anchors[:, i] / (size[i] * self.scale) for i in (0, 1)]
        return torch.stack([*centres, *sides], -1)

    def _visits(self, truth: Truth, size: tuple[int, int]) -> Tensor:
        """How often a label is learned by each of this bottom's boxes, 0 to 2: (N, T, boxes)

        By the anchor of best fit of all, then by each that fits better than iou_thresh. That the best is not taken twice
        is checked by its place in `mask`, not by its number: a slip of the fork, so it may be twice, or another not at all.
        """
        sides = torch.stack([self.anchors[:, i] / (size[i] * self.scale) for i in (0, 1)], -1)
        fit = MEASURES[self.kind](F.pad(sides, (2, 0)), F.pad(truth.boxes[..., None, 2:], (2, 0)))  # (N, T, anchors)
        most, best = fit.max(2)
        taken = (self.numbers == best[..., None]) & self.first & (most > 0)[..., None]
        skipped = best.where(most > 0, -1).where(~taken.any(2), taken.int().argmax(2))
        more = self.first & (self.numbers != skipped[..., None]) & (fit[..., self.numbers] > self.share)
        return taken.int() + (more.int() if self.share < 1 else 0)

    def _box_steps(
        self, at: Tensor, predicted: Tensor, box: Tensor, places: Sequence[Tensor], anchors: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """The deltas of x, y, w, h, (4, N, K)."""
        if self.kind != Yolov3Parameter.MSE:
            way = ascent(predicted, box, self.kind).movedim(-1, 0)
            way = torch.cat([way[:2], way[2:] * at[2:4].exp()]) * self.normalizer
            return -way.where(way.isfinite(), 0).clamp(-self.limit, self.limit)
        wanted = [box[..., i] * size[i] - place for i, place in enumerate(places)]
        wanted += [(box[..., 2 + i] * (size[i] * self.scale) / anchors[:, i]).log() for i in (0, 1)]
        return (at[:4] - torch.stack(wanted)) * self.coord * (2 - box[..., 2] * box[..., 3])

    def _class_deltas(self, scores: Tensor, truth: Truth, slots: Tensor, visits: Tensor, label: Tensor) -> Tensor:
        """(classes, N, boxes H W), of what is visited: wanted are all classes of the labels that a box learns."""
        count, (n, size) = self.classes, scores.shape[1:]
        classes = truth.classes.clamp(0, count - 1).repeat_interleave(self.boxes, 1)
        visited = visits.flatten(1).to(scores.dtype)
        times = scores.new_zeros(n, size * count).scatter_add_(1, slots * count + classes, visited)
        times = times.reshape(n, size, count).permute(2, 0, 1)
        low, high = self.smooth / 2, 1 - self.smooth / 2
        deltas = self.class_scale * (scores - (low + (high - low) * (times > 0)))
        if not self.focal:
            return deltas
        # the first label of a box is learned by the focal rule, of the others and of repeats only their own class, plainly
        first = -last(slots, visited > 0, size, -label)
        own = one_hot(truth.classes.gather(1, first.clamp(0, visits.shape[1] - 1)), count)
        p = (scores * own).sum(0) + 1e-15
        slope = -(1 - p) * (2 * p * p.log() + p - 1)
        focal = self.class_scale * (scores - own.to(scores)) * 0.5 * slope
        return deltas.where(times - own.to(times) > 0, focal)


def _wrong(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"yolov3_param.{field}")
