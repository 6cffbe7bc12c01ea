"""MS-CNN: what is learned where objects of several scales are found, each on a map of its own, and how well.

A map (N, classes + 4, H, W) holds scores of the classes, 0 for background, and a box by its centre in fields and log size.
Its labels (N, 6, H, W) are class, centre, width and height of the box in pixels, and its overlap with the place's field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import BBoxRegParameter, DetectionAccuracyParameter, DetectionLossParameter, LossParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape
from solver_cli.layers.fields import COORDS, Field, overlap, spread
from solver_cli.layers.labels import check_labels, readable
from solver_cli.layers.loss import BOUND, _held, _ignored
from solver_cli.registry import layer

SMALLEST = 2.0  # pixels: a box counts as at least so wide and high
SAMPLES = ("random", "bootstrap", "mixture", "all")


def _classes(name: str, param: DetectionLossParameter | DetectionAccuracyParameter, shapes: Sequence[Shape]) -> int:
    """The number of classes of a map and its labels, which must fit. Raises ConfigError."""
    scores, labels = shapes
    if param.coord_num != COORDS:
        raise ConfigError("coord_num must be 4: centre, width and height", field=f"{name}.coord_num")
    wanted = (scores[0], COORDS + 2, *scores[2:]) if len(scores) == 4 else ()
    if len(scores) != 4 or scores[1] != param.cls_num + COORDS or labels != wanted:
        raise ConfigError(
            f"bottoms of shape {tuple(scores)} and {tuple(labels)}: {param.cls_num} classes need "
            f"(N, {param.cls_num + COORDS}, H, W) and (N, {COORDS + 2}, H, W)",
            field="bottom",
        )
    if param.objectness and param.cls_num != 2:
        raise ConfigError("objectness has two classes: background and object", field=f"{name}.cls_num")
    for field in ("field_h", "field_w", "downsample_rate"):
        if getattr(param, field) == 0:
            raise ConfigError(f"{field} must be positive", field=f"{name}.{field}")
    return param.cls_num


def _label_left_out(param: LossParameter) -> int | None:
    """The label that does not count; what else there is means nothing here."""
    for field, _ in param.ListFields():
        if field.name != "ignore_label":
            log.warning("layer_factory.cpp", f"loss_param.{field.name} has no effect here, as in MS-CNN's fork")
    return _ignored(param)


@layer("DetectionLoss", origin="MS-CNN", bottoms=2, loss=True, no_gradient=(1,), spared=(1,), once=True, waits=True)
class DetectionLoss(nn.Module):
    """top (1, 1, 1, 2) = loss of classes + lambda loss of boxes, and lambda loss of boxes; the gradient is of the first.

    Places with an object all count, and of the others, whose overlap is below bg_threshold, bg_multiple times as many of a
    picture: drawn, those of highest scores (`bootstrap`), or half and half (`mixture`). The classes' loss is the weighted
    sum of -log softmax over the number of places, the boxes' the smooth L1 distance over that of their numbers. A box that
    is beyond field_whr and field_xyr counts as held there, with the gradient of where it is (not the derivative).
    """

    generator: torch.Generator | None = None  # what it draws places from

    def __init__(
        self,
        param: DetectionLossParameter,
        shapes: Sequence[Shape],
        *,
        loss_param: LossParameter,
        bbox_reg_param: BBoxRegParameter,
    ):
        super().__init__()
        self.classes = _classes("detection_loss_param", param, shapes)
        if param.sample_mode not in SAMPLES:
            text = f"unknown sample_mode '{param.sample_mode}': expected {', '.join(SAMPLES)}"
            raise ConfigError(text, field="detection_loss_param.sample_mode")
        self.field = Field(param.field_w, param.field_h, param.downsample_rate, param.field_xyr, param.field_whr)
        self.means, self.stds = spread(bbox_reg_param, each=False)
        self.ignored, self.smooth, self.factor = _label_left_out(loss_param), param.bb_smooth, getattr(param, "lambda")
        self.mode, self.multiple, self.threshold = param.sample_mode, param.bg_multiple, param.bg_threshold
        self.objects, self.by_overlap, self.balanced = param.objectness, param.iou_weighted, param.pos_neg_weighted

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        scores, boxes = x[:, : self.classes], x[:, self.classes :]
        if x.is_meta:
            return (scores.sum() + boxes.sum()).expand(2).reshape(1, 1, 1, 2)
        labels = labels.detach()
        raw, others = labels[:, 0].long(), labels[:, -1] < self.threshold
        target = raw.clamp(max=1) if self.objects else raw
        if readable(target):
            check_labels(target, self.classes, self.ignored)
        kept = self._kept(scores.detach(), raw, target, (raw == 0) & others)
        counts = (target != 0) | kept
        if self.ignored is not None:
            counts &= target != self.ignored
        weight = self._weights(raw, labels[:, -1], kept)
        losses = F.cross_entropy(scores, target.where(counts, 0).clamp(0, self.classes - 1), reduction="none")
        of_classes = (_held(losses, high=BOUND) * weight).where(counts, 0).sum() / counts.sum().clamp(min=1)
        objects = raw != 0 if self.ignored is None else (raw != 0) & (raw != self.ignored)
        of_boxes = self.factor * self._of_boxes(boxes, labels, objects)
        return torch.stack((of_classes + of_boxes, of_boxes.detach())).reshape(1, 1, 1, 2)

    def _kept(self, scores: Tensor, raw: Tensor, target: Tensor, free: Tensor) -> Tensor:
        """Which places without an object count, (N, H, W), of those that are `free` to be taken."""
        if self.mode == "all":
            return free
        share = 0.5 if self.mode == "mixture" else 1.0
        kept = torch.zeros_like(free).flatten(1)
        for i, may in enumerate(free.flatten(1)):
            if self.mode != "bootstrap":
                count = int(int((target[i] != 0).sum()) * self.multiple * share)
                count = max(count, 4 * (self.classes - 1))
                drawn = torch.randint(len(may), (count,), generator=self.generator, device=may.device)
                kept[i, drawn] = True
                kept[i] &= may
            if self.mode != "random":
                for k in range(1, self.classes):
                    count = max(4, int(int((target[i] == k).sum()) * self.multiple * share))
                    best = scores[i, k].flatten().where(may, -torch.inf).flip(0).sort(stable=True, descending=True).indices
                    kept[i, len(may) - 1 - best[: min(count, int(may.sum()))]] = True
        return kept.view_as(free)

    def _weights(self, raw: Tensor, overlaps: Tensor, kept: Tensor) -> Tensor:
        """What each place counts for, (N, H, W)."""
        objects = raw != 0
        weight = overlaps.where(objects, 1.0) if self.by_overlap else torch.ones_like(overlaps)
        if not self.balanced:
            return weight
        up, down = weight.where(objects, 0).sum(), weight.where(kept & ~objects, 0).sum()
        share, count = 1 / (1 + self.multiple), kept.sum() + objects.sum()
        balanced = weight * torch.where(objects, share * count / up, (1 - share) * count / down.clamp(min=1e-30))
        return torch.where(up != 0, balanced, weight)

    def _of_boxes(self, boxes: Tensor, labels: Tensor, objects: Tensor) -> Tensor:
        """The mean distance of the numbers of boxes where there are objects."""
        along, down = self.field.centres(boxes)
        size = labels[:, 3:5].clamp(min=SMALLEST)
        wanted = torch.stack(
            (
                (labels[:, 1] - along) / self.field.width,
                (labels[:, 2] - down) / self.field.height,
                (size[:, 0] / self.field.width).log(),
                (size[:, 1] / self.field.height).log(),
            ),
            1,
        )
        means, stds = (boxes.new_tensor(values).view(1, -1, 1, 1) for values in (self.means, self.stds))
        wanted = (wanted - means) / stds
        held = torch.cat(
            (self._held(boxes[:, :2], 0, 1 / self.field.moved), self._held(boxes[:, 2:], 2, math.log(self.field.scaled))), 1
        )
        mode = F.smooth_l1_loss if self.smooth else F.mse_loss
        distance = mode(held, wanted, reduction="none") * (1.0 if self.smooth else 0.5)
        return distance.where(objects.unsqueeze(1), 0).sum() / (COORDS * objects.sum()).clamp(min=1)

    def _held(self, x: Tensor, first: int, most: float) -> Tensor:
        """Two numbers of boxes, held between bounds; the gradient is as if they were not."""
        mean, std = sum(self.means[first : first + 2]) / 2, math.sqrt(self.stds[first] * self.stds[first + 1])
        return _held(x, (-most - mean) / std, (most - mean) / std)


@layer("DetectionAccuracy", origin="MS-CNN", bottoms=2, tops=(1, 2), no_gradient=(0, 1), spared=(0, 1))
class DetectionAccuracy(nn.Module):
    """top 0 (1, 1, 1, 2) = share of places, and of those with an object, whose class is among the top_k best scores

    Places without an object count if their overlap is below bg_threshold. top 1 (1, 1, 1, 1) = mean overlap of found boxes
    with those of the labels. -1 where nothing counts.
    """

    def __init__(
        self,
        param: DetectionAccuracyParameter,
        shapes: Sequence[Shape],
        *,
        loss_param: LossParameter,
        bbox_reg_param: BBoxRegParameter,
        num_tops: int,
    ):
        super().__init__()
        self.classes = _classes("detection_accuracy_param", param, shapes)
        self.field = Field(param.field_w, param.field_h, param.downsample_rate, param.field_xyr, param.field_whr)
        self.means, self.stds = spread(bbox_reg_param, each=False)
        self.ignored, self.best, self.objects = _label_left_out(loss_param), param.top_k, param.objectness
        self.threshold, self.num_tops = param.bg_threshold, num_tops

    def forward(self, x: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x, labels = x.detach(), labels.detach()
        scores, raw = x[:, : self.classes], labels[:, 0].long()
        target = raw.clamp(max=1) if self.objects else raw
        counts, objects = (target != 0) | (labels[:, -1] < self.threshold), raw != 0
        if self.ignored is not None:
            counts, objects = counts & (target != self.ignored), objects & (raw != self.ignored)
        own = scores.gather(1, target.clamp(0, self.classes - 1).unsqueeze(1))
        number = torch.arange(self.classes, device=x.device).view(1, -1, 1, 1)
        before = (scores > own) | ((scores == own) & (number > target.unsqueeze(1)))
        right = before.sum(1) < self.best
        fore = counts & (target != 0)
        top = torch.stack((mean_of(right, counts, x), mean_of(right, fore, x))).reshape(1, 1, 1, 2)
        if self.num_tops == 1:
            return top
        width, height = labels[:, 3], labels[:, 4]
        theirs = labels[:, 1] - width / 2, labels[:, 2] - height / 2, width, height
        found = overlap(self.field.boxes(x[:, self.classes :], self.means, self.stds), theirs)
        return top, mean_of(found, objects, x).reshape(1, 1, 1, 1)


def mean_of(values: Tensor, counts: Tensor, like: Tensor) -> Tensor:
    """The mean of what counts, -1 if nothing does."""
    total = counts.sum()
    return torch.where(total > 0, values.to(like.dtype).where(counts, 0).sum() / total.clamp(min=1), -1.0).to(like.dtype)
