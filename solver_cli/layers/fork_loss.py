"""Losses of forks of Caffe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import CtcLossParameter, DiceCoefLossParameter, LossParameter, SoftmaxParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, shape_of
from solver_cli.layers.labels import check_labels, guarded, labels_of, poisoned, readable
from solver_cli.layers.loss import SoftmaxWithLoss, _ignored, _Mean
from solver_cli.registry import by_axis, layer


@dataclass(frozen=True)
class _PlainMean(_Mean):
    """SegNet's: of a batch in which no label counts the mean is 0 / 0."""

    def __call__(self, total: Tensor, outer: int, inner: int, valid: Tensor | None) -> Tensor:
        if self.mode == LossParameter.VALID and valid is not None:
            return total / valid.sum()
        return super().__call__(total, outer, inner, valid)


@layer(
    "SoftmaxWithLoss/segnet", origin="SegNet",
    param="softmax_param",
    bottoms=2,
    loss=True,
    no_gradient=(1,),
    spared=(1,),
    apart=lambda param, bottoms: (
        not param.loss_param.HasField("ignore_label") and by_axis("softmax_param.axis")(param, bottoms)  # see _PlainMean
    ),
    labels=lambda param, scores: (scores[param.softmax_param.axis], _ignored(param.loss_param)),
)
class WeightedSoftmaxWithLoss(SoftmaxWithLoss):
    """top = mean over the labels that count of -weight[label] log softmax(bottom 0)[label]

    The weights, one `class_weighting` a class, count with `weight_by_label_freqs`; the mean is by the number of labels.
    """

    def __init__(self, param: SoftmaxParameter, shapes: list[Shape], *, loss_param: LossParameter):
        super().__init__(param, shapes, loss_param=loss_param)
        self.mean = _PlainMean(self.mean.mode, self.mean.ignored)
        weights, classes = list(loss_param.class_weighting), shapes[0][self.axis]
        if not loss_param.weight_by_label_freqs:
            return
        if len(weights) != classes:
            raise ConfigError(
                f"{len(weights)} class_weighting for {classes} classes: give one for each",
                field="loss_param.class_weighting",
            )
        self.weight = torch.tensor(weights, device="cpu")


@layer("TripletLoss", origin="NormFace", bottoms=3, loss=True, apart=True)
def triplet_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *, margin: float) -> Tensor:
    """top = 1 / 2N sum of max(margin + |a - p|^2 - |a - n|^2, 0), a, p, n the rows (N, C) of the bottoms (NormFace)"""
    for i, x in enumerate((positive, negative), 1):
        if shape_of(x)[:2] != shape_of(anchor)[:2] or x.numel() != anchor.numel() or x.dim() < 2:
            raise ConfigError(
                f"bottom {i} of shape {shape_of(x)} must be (N, C) as bottom 0 of shape {shape_of(anchor)} is",
                field=f"bottom[{i}]",
            )
    near, far = ((anchor - x.reshape(anchor.shape)).flatten(1).square().sum(1) for x in (positive, negative))
    return (margin + near - far).relu().sum() / (2 * len(anchor))


@layer("CtcLoss", origin="warp-ctc", bottoms=2, loss=True, no_gradient=(1,), spared=(1,))
class CtcLoss(nn.Module):
    """top = mean over the streams of -log p(labels | scores), by connectionist temporal classification.

    Bottoms: scores (T, N, alphabet_size), of which the first `time_step` steps count, and labels (N, L), where blank labels
    fill up. Labels that have no room in the steps count 0, without a gradient, as in warp-ctc.
    """

    def __init__(self, param: CtcLossParameter, shapes: Sequence[Shape]):
        super().__init__()
        scores, labels = shapes
        for name in ("alphabet_size", "time_step"):
            if getattr(param, name) == 0:
                raise ConfigError(f"{name} must be positive", field=f"ctc_loss_param.{name}")
        self.steps, self.classes, self.blank = param.time_step, param.alphabet_size, param.blank_label
        if len(scores) < 3 or scores[2:3] != (self.classes,) or (len(scores) > 3 and max(scores[3:]) > 1):
            raise ConfigError(
                f"the scores must have the shape (T, N, alphabet_size {self.classes}), not {tuple(scores)}",
                field="bottom[0]",
            )
        if self.steps > scores[0]:
            raise ConfigError(f"time_step {self.steps} is more than the {scores[0]} steps", field="ctc_loss_param.time_step")
        if not 0 <= self.blank < self.classes:
            raise ConfigError(f"blank_label {self.blank} is none of the labels", field="ctc_loss_param.blank_label")
        if len(labels) < 2 or labels[0] != scores[1]:
            raise ConfigError(f"the labels must have the shape ({scores[1]}, L), not {tuple(labels)}", field="bottom[1]")

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        logs = x.flatten(2)[: self.steps].log_softmax(2)
        if x.is_meta:
            return logs.sum()
        index = labels.detach().long().flatten(1)
        if readable(index):
            check_labels(index, self.classes)
        index, wrong = guarded(index, self.classes)
        blank = index == self.blank
        index = index.gather(1, blank.long().argsort(stable=True, dim=1))  # the others first
        lengths = (~blank).sum(1)
        steps = torch.full_like(lengths, self.steps)
        total = F.ctc_loss(logs, index, steps, lengths, blank=self.blank, reduction="sum", zero_infinity=True)
        return poisoned(total / x.shape[1], wrong)


POWERS = {
    DiceCoefLossParameter.INVERSE_VOLUME: -2,
    DiceCoefLossParameter.EQUALIZE_CLASSES: -1,
    DiceCoefLossParameter.EXTRA_SMALL_VOLUMES: -3,
}
NEVER = 1e6  # how much larger than a picture an ignored class counts


@layer(
    "DiceCoefLoss", origin="jolibrain",
    bottoms=2,
    loss=True,
    no_gradient=(1,),
    spared=(1,),
    labels=lambda param, scores: (scores[1], None),
)
class DiceCoefLoss(nn.Module):
    """top = 1 - mean over the records of (s + 2 sum w p t) / (s + sum w p^2 + sum w t^2), p = bottom 0, t = 1 at the label.

    s = 1 / N and w = 1, but 0 for `ignore_label` in mode MULTICLASS; in the weighted modes s = 0 and w = (1 + places of the
    class)^-2 or as `weight_mode` says, of each record or (BATCH) on the average. The gradient is N times the derivative and
    leaves MULTICLASS's w out, as jolibrain's does.
    """

    def __init__(self, param: DiceCoefLossParameter, shapes: Sequence[Shape]):
        super().__init__()
        scores, labels = shapes
        if len(scores) < 2 or labels != (scores[0], 1, *scores[2:]):
            wanted = (scores[0], 1, *scores[2:]) if scores else ()
            raise ConfigError(f"the labels must have the shape {wanted}, not {tuple(labels)}", field="bottom[1]")
        self.mode, self.power = param.generalization, POWERS[param.weight_mode]
        known = param.HasField("ignore_label") and param.ignore_label >= 0 and self.mode != DiceCoefLossParameter.NONE
        self.ignored = param.ignore_label if known else None
        if self.ignored is not None and self.ignored >= scores[1]:
            raise ConfigError(f"ignore_label {self.ignored} is no class", field="dice_coef_loss_param.ignore_label")

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        p = x.flatten(2)
        index = labels_of(p, labels, 1)
        index, wrong = guarded(index, p.shape[1])
        target = torch.zeros_like(p.detach()).scatter_(1, index.unsqueeze(1), 1)
        weighted = self.mode in (DiceCoefLossParameter.MULTICLASS_WEIGHTED, DiceCoefLossParameter.MULTICLASS_WEIGHTED_BATCH)
        weight = self._weights(target) if weighted else torch.ones_like(target[:, :, :1])
        counted = weight
        if self.ignored is not None and not weighted:
            counted = weight.index_fill(1, torch.tensor(self.ignored, device=p.device), 0)
        smooth = 0.0 if weighted else 1 / len(p)
        loss = cast(Tensor, _Dice.apply(p, target, weight, counted, smooth))  # type: ignore[no-untyped-call]
        return poisoned(loss, wrong)

    def _weights(self, target: Tensor) -> Tensor:
        """A factor for each record and class, (N, C, 1)."""
        places = torch.ones_like(target[:, :, :1])
        if self.ignored is not None:
            places[:, self.ignored] = NEVER * target.shape[2]
        places = places + target.sum(2, keepdim=True)
        if self.mode == DiceCoefLossParameter.MULTICLASS_WEIGHTED_BATCH:
            places = places.mean(0, keepdim=True).expand_as(places)
        return places**self.power


class _Dice(torch.autograd.Function):
    """1 - mean of (s + 2 sum w p t) / (s + sum w (p^2 + t^2)) of (N, C, places); the gradient by weights of its own."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, target: Tensor, weight: Tensor, counted: Tensor, smooth: float) -> Tensor:
        below = (counted * (p.square() + target)).sum((1, 2), keepdim=True) + smooth
        share = (2 * (counted * p * target).sum((1, 2), keepdim=True) + smooth) / below
        ctx.save_for_backward(p, target, weight / below, share)
        return 1 - share.mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        p, target, factor, share = ctx.saved_tensors
        return 2 * grad * factor * (share * p - target), None, None, None, None
