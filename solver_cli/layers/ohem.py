"""Losses that look at hard examples: R-FCN's, which tell that of each roi, its choice of the hardest rois, and FocalLoss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import FocalLossParameter, LossParameter, SoftmaxParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, canonical_axis, shape_of
from solver_cli.layers.labels import guarded, labels_of, poisoned
from solver_cli.layers.loss import BOUND, FLT_MIN, NO_LABEL, _held, _ignored, _Mean, _same_batch
from solver_cli.registry import layer

TRAITS: dict[str, Any] = {
    "bottoms": 2,
    "loss": True,
    "no_gradient": (1,),
    "spared": (1,),
    "labels": lambda param, scores: (scores[param.softmax_param.axis], _ignored(param.loss_param)),
}


@layer("SoftmaxWithLoss/rfcn", origin="R-FCN", param="softmax_param", tops=(1, 3), **TRAITS)
@layer("SoftmaxWithLossOHEM", origin="R-FCN", param="softmax_param", tops=(1, 3), **TRAITS)
class SoftmaxWithLossOHEM(nn.Module):
    """top 0 = SoftmaxWithLoss, top 1 = the softmax, top 2 = -log softmax(bottom 0)[label] in the labels' shape, 0 if ignored

    There is no gradient from tops 1 and 2. A sum that PRE_FIXED divides by pre_fixed_normalizer is not divided below 1.
    """

    def __init__(self, param: SoftmaxParameter, shapes: Sequence[Shape], *, loss_param: LossParameter, num_tops: int):
        super().__init__()
        self.axis = canonical_axis(param.axis, shapes[0], "softmax_param.axis")
        self.mean, self.num_tops = _Mean.of(loss_param, LossParameter.VALID), num_tops

    def forward(self, x: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, ...]:
        scores, target, valid, wrong = _read(x, labels, self.axis, self.mean)
        unknown = NO_LABEL if self.mean.ignored is None else self.mean.ignored
        losses = _held(F.cross_entropy(scores, target, ignore_index=unknown, reduction="none"), high=BOUND)
        loss = poisoned(self.mean(losses.sum(), target.shape[0], target.shape[1], valid), wrong)
        tops = (loss, x.detach().softmax(self.axis), losses.detach().reshape(labels.shape))
        return loss if self.num_tops == 1 else tops[: self.num_tops]


def _read(x: Tensor, labels: Tensor, axis: int, mean: _Mean) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Scores (outer, classes, inner), labels (outer, inner), which of them count, and which are wrong on a GPU."""
    _same_batch(x, labels)
    target, wrong = guarded(labels_of(x, labels, axis, mean.ignored), x.shape[axis], mean.ignored)
    return x.reshape(target.shape[0], x.shape[axis], target.shape[1]), target, mean.valid(target), wrong


@layer("FocalLoss", origin="jolibrain", tops=(1, 2), **TRAITS)
class FocalLoss(nn.Module):
    """top 0 = mean of -alpha (1 - p)^gamma log p, p = softmax(bottom 0)[label], over what counts; top 1 = the softmax

    alpha is 0.25 unless given. The mean is SoftmaxWithLoss's; there is no gradient from top 1.
    """

    def __init__(
        self,
        param: FocalLossParameter,
        shapes: Sequence[Shape],
        *,
        loss_param: LossParameter,
        softmax_param: SoftmaxParameter,
        num_tops: int,
    ):
        super().__init__()
        for field in ("type", "beta"):
            if param.HasField(field):
                raise ConfigError(
                    f"{field} belongs to NormFace's FocalLoss, which is another one and not supported: take it out",
                    field=f"focal_loss_param.{field}",
                )
        self.alpha, self.gamma = param.alpha if param.HasField("alpha") else 0.25, param.gamma
        for field, wrong in (("alpha", self.alpha <= 0), ("gamma", self.gamma < 0)):
            if wrong:
                sign = "positive" if field == "alpha" else "0 at least"
                raise ConfigError(f"{field} must be {sign}", field=f"focal_loss_param.{field}")
        self.axis = canonical_axis(softmax_param.axis, shapes[0], "softmax_param.axis")
        self.mean, self.num_tops = _Mean.of(loss_param, LossParameter.VALID), num_tops

    def forward(self, x: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        scores, target, valid, wrong = _read(x, labels, self.axis, self.mean)
        index = target if valid is None else target.where(valid, 0)
        logs = _held(scores.log_softmax(1).gather(1, index.unsqueeze(1)).squeeze(1), low=-BOUND)
        losses = -self.alpha * (1 - logs.exp()).clamp(min=FLT_MIN) ** self.gamma * logs
        losses = losses if valid is None else losses.where(valid, 0)
        loss = poisoned(self.mean(losses.sum(), target.shape[0], target.shape[1], valid), wrong)
        return loss if self.num_tops == 1 else (loss, x.detach().softmax(self.axis))


@layer("BoxAnnotatorOHEM", origin="R-FCN", param="box_annotator_ohem_param", bottoms=4, tops=2)
def box_annotator_ohem(
    rois: Tensor, losses: Tensor, labels: Tensor, weights: Tensor, *, roi_per_img: int, ignore_label: int
) -> tuple[Tensor, Tensor]:
    """tops = labels and weights, but ignore_label and 0 for all but the roi_per_img rois of greatest loss of each picture

    Bottoms (R, 5, H, W), (R, 1, H, W) twice, (R, C, H, W); axes of 1 at the end may be missing. There is no gradient.
    """
    if roi_per_img == 0:
        raise ConfigError("roi_per_img must be positive", field="box_annotator_ohem_param.roi_per_img")
    rois, losses, labels, weights = (_four_axes(x.detach()) for x in (rois, losses, labels, weights))
    for i, (x, channels) in enumerate(((rois, 5), (losses, 1), (labels, 1), (weights, weights.shape[1]))):
        if shape_of(x) != (rois.shape[0], channels, *rois.shape[2:]):
            raise ConfigError(
                f"bottom {i} of shape {shape_of(x)} does not fit rois of shape {shape_of(rois)}: the shape "
                f"({rois.shape[0]}, {channels}, {rois.shape[2]}, {rois.shape[3]}) is needed",
                field=f"bottom[{i}]",
            )
    kept = _hardest(losses.flatten(), rois[:, 0].flatten().long(), roi_per_img).reshape(labels.shape)
    return labels.masked_fill(~kept, ignore_label), weights.masked_fill(~kept, 0)


def _four_axes(x: Tensor) -> Tensor:
    return x.reshape(x.shape + (1,) * (4 - x.dim()))


def _hardest(losses: Tensor, pictures: Tensor, n: int) -> Tensor:
    """Which losses are among the n greatest of their picture, of equal ones the first."""
    order = losses.argsort(stable=True, descending=True)
    order = order[pictures[order].argsort(stable=True)]  # picture by picture, the hardest first
    grouped = pictures[order].contiguous()
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(grouped, grouped)
    return torch.empty_like(order, dtype=torch.bool).scatter_(0, order, place < n)
