"""Layers of the nets that find edges: HED's and RCF's balanced loss, RCF's crop."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, crop, shape_of
from solver_cli.registry import layer


@layer("AutoCrop", origin="RCF", param="crop_param", apart=True, half=True)
def auto_crop(x: Tensor, reference: Tensor, *, axis: int, offset: tuple[int, ...]) -> Tensor:
    """top = bottom 0, cut to the height and width of bottom 1 where their places fit: the net tells where (RCF)"""
    return cast(Tensor, crop(x, reference, axis=axis, offset=offset))


@layer(
    "SigmoidCrossEntropyLoss/hed", origin="HED", param=None, bottoms=2, loss=True, no_gradient=(1,), spared=(1,), apart=True
)
class BalancedLoss(nn.Module):
    """top = 1 / N sum of -(b t log p + a (1 - t) log(1 - p)), p = sigmoid(bottom 0), t = bottom 1, 0 or 1

    a is the share of ones among a record's targets, b that of zeros. Other targets count nothing, but have HED's gradient
    p - t (not the derivative). loss_param is not looked at.
    """

    zeros, others = 1.0, 1.0  # factors of a and of the gradient at other targets

    def __init__(self, param: LayerParameter, shapes: list[Shape]):
        super().__init__()
        scores, targets = shapes
        if scores[:1] != targets[:1] or torch.Size(scores).numel() != torch.Size(targets).numel():
            raise ConfigError(
                f"bottom 0 of shape {tuple(scores)} and bottom 1 of shape {tuple(targets)} must have equal counts",
                field="bottom[1]",
            )

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        target = target.detach().reshape(shape_of(x))
        return cast(Tensor, _Balanced.apply(x, target, self.zeros, self.others))  # type: ignore[no-untyped-call]


@layer(
    "SigmoidCrossEntropyLoss/rcf", origin="RCF", param=None, bottoms=2, loss=True, no_gradient=(1,), spared=(1,), apart=True
)
class WeightedBalancedLoss(BalancedLoss):
    """HED's balanced loss, with 1.1 a for zeros and no gradient at targets that are neither 0 nor 1: RCF's."""

    zeros, others = 1.1, 0.0


class _Balanced(torch.autograd.Function):
    """1 / N sum of the balanced losses of scores (N, ...) and targets of the same shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor, zeros: float, others: float) -> Tensor:
        ones, nones = (target == 1).flatten(1), (target == 0).flatten(1)
        up, down = ones.sum(1, keepdim=True, dtype=x.dtype), nones.sum(1, keepdim=True, dtype=x.dtype)
        weight = torch.where(ones, down / (up + down), torch.where(nones, zeros * up / (up + down), 0.0))
        ctx.save_for_backward(x, target, weight if not others else weight.masked_fill(~(ones | nones), others))
        losses = F.binary_cross_entropy_with_logits(x, target.to(x.dtype), reduction="none").flatten(1)
        return (losses * weight).sum() / len(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        x, target, weight = ctx.saved_tensors
        return (x.sigmoid() - target) * weight.reshape(shape_of(x)) * (grad / len(x)), None, None, None
