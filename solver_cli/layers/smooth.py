"""Losses of differences: SmoothL1Loss as Fast R-CNN, R-FCN, SSD and NormFace mean it, and L1Loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import LayerParameter, LossParameter, SmoothL1LossParameter, SmoothL1Parameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, shape_of
from solver_cli.layers.loss import _legacy_shape, _Mean, _same_batch
from solver_cli.registry import layer


def _checked(x: Tensor, target: Tensor, *weights: Tensor) -> None:
    """Raise ConfigError for bottoms that do not match."""
    if 0 < x.dim() <= 4 and all(other.shape == x.shape for other in (target, *weights)):
        return
    _same_batch(x, target, *weights)
    for i, other in enumerate((target, *weights), 1):
        if _legacy_shape(other, i) != _legacy_shape(x, 0):
            raise ConfigError(
                f"bottom 0 of shape {shape_of(x)} and bottom {i} of shape {shape_of(other)} must be equal",
                field=f"bottom[{i}]",
            )


def _difference(x: Tensor, target: Tensor, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
    """x - target, and the weights in its shape, without a gradient. Raises ConfigError for bottoms that do not match."""
    _checked(x, target, *weights)
    return x - _like(target, x), [_like(weight.detach() if weight.requires_grad else weight, x) for weight in weights]


def _like(other: Tensor, x: Tensor) -> Tensor:
    """`other` in x's shape; itself where it is, since a view costs a tenth of a small loss."""
    return other if other.shape == x.shape else other.reshape(x.shape)


def _smooth(x: Tensor, edge: float = 1.0) -> Tensor:
    """x^2 / 2 edge below the edge, |x| - edge / 2 from there on, of each number."""
    return F.smooth_l1_loss(x, x.new_zeros(()).expand_as(x), beta=edge, reduction="none")


@layer("SmoothL1Loss/rcnn", origin="R-CNN", param="smooth_l1_loss_param", bottoms=(2, 4), loss=True, unweighted=True)
class SmoothL1LossOfRCNN(nn.Module):
    """top = 1 / N sum of outside * s(inside * (bottom 0 - bottom 1)), s(x) = sigma^2 x^2 / 2 below 1 / sigma^2, else linear

    Bottoms 2 and 3, the weights inside and outside, may be missing. Intel's loss_param.normalization NONE leaves 1 / N out.
    """

    def __init__(self, param: SmoothL1LossParameter, shapes: Sequence[Shape], *, loss_param: LossParameter):
        super().__init__()
        if param.sigma == 0:
            raise ConfigError("sigma must not be 0: the loss would always be 0", field="smooth_l1_loss_param.sigma")
        _refuse(loss_param, "ignore_label", "normalize")
        known = (LossParameter.NONE, LossParameter.BATCH_SIZE)
        if loss_param.HasField("normalization") and loss_param.normalization not in known:
            raise ConfigError(
                "normalization: SmoothL1Loss divides by the first axis: give NONE or BATCH_SIZE",
                field="loss_param.normalization",
            )
        self.edge = param.sigma**-2
        self.divides = not loss_param.HasField("normalization") or loss_param.normalization != LossParameter.NONE

    def forward(self, x: Tensor, target: Tensor, *weights: Tensor) -> Tensor:
        if weights:
            diff, factors = _difference(x, target, *weights)
            losses = _smooth(diff * factors[0], self.edge)
            total = (losses * factors[1] if len(factors) > 1 else losses).sum()
        else:
            _checked(x, target)
            total = F.smooth_l1_loss(x, _like(target, x), beta=self.edge, reduction="sum")
        return total / x.shape[0] if self.divides else total


@layer("SmoothL1Loss/rfcn", origin="R-FCN", param=None, bottoms=(2, 3), tops=(1, 2), loss=True, unweighted=True)
@layer("SmoothL1LossOHEM", origin="R-FCN", param=None, bottoms=(2, 3), tops=(1, 2), loss=True, unweighted=True)
class SmoothL1LossOHEM(nn.Module):
    """top 0 = sum of s(bottom 2 * (bottom 0 - bottom 1)) / normaliser, top 1 = these sums over axis 1, (N, 1, H, W)

    s(x) = x^2 / 2 below 1, else |x| - 1/2. Normaliser: loss_param's, where VALID is FULL, N H W; never below 1. There is no
    gradient from top 1.
    """

    def __init__(self, param: LayerParameter, shapes: Sequence[Shape], *, loss_param: LossParameter, num_tops: int):
        super().__init__()
        _refuse(loss_param, "ignore_label")
        self.mean, self.num_tops = _Mean.of(loss_param, LossParameter.VALID), num_tops

    def forward(self, x: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        diff, factors = _difference(x, target, *([] if weight is None else [weight]))
        losses = _smooth(diff * factors[0] if factors else diff)
        n, _, height, width = _legacy_shape(x, 0)
        loss = self.mean(losses.sum(), n, height * width, None)
        return loss if self.num_tops == 1 else (loss, losses.detach().reshape(n, -1, height, width).sum(1, keepdim=True))


def _refuse(param: LossParameter, *fields: str) -> None:
    for field in fields:
        if param.HasField(field):
            raise ConfigError(f"{field} means nothing to this loss: take it out", field=f"loss_param.{field}")


@layer("SmoothL1Loss/ssd", origin="SSD", param=None, bottoms=2, loss=True, apart=True)
def smooth_l1_loss_of_ssd(x: Tensor, target: Tensor) -> Tensor:
    """top = 1 / N sum of s(bottom 0 - bottom 1), s(x) = x^2 / 2 below 1, else |x| - 1/2"""
    _checked(x, target)
    return F.smooth_l1_loss(x, _like(target, x), reduction="sum") / x.shape[0]


@layer("SmoothL1Loss/normface", origin="NormFace", param="smoothl1_param", bottoms=(2, 3), loss=True, unweighted=True)
class SmoothL1LossOfNormFace(nn.Module):
    """top = 1 / N sum of s(bottom 2 * (bottom 0 - bottom 1)), s(x) = x^2 / 2 below t = turn_point, else |x| - t + t^2 / 2

    Its gradient is x below t, else the sign: the derivative.
    """

    def __init__(self, param: SmoothL1Parameter, shapes: Sequence[Shape]):
        super().__init__()
        self.turn = param.turn_point

    def forward(self, x: Tensor, target: Tensor, *weights: Tensor) -> Tensor:
        diff, factors = _difference(x, target, *weights)
        diff = diff * factors[0] if factors else diff
        size = diff.abs()
        losses = (diff.square() / 2).where(size < self.turn, size - self.turn + self.turn**2 / 2)
        return losses.sum() / x.shape[0]


@layer("L1Loss", origin="NVCaffe", param=None, bottoms=2, loss=True, apart=True)
def l1_loss(x: Tensor, target: Tensor) -> Tensor:
    """top = 1 / N sum of |bottom 0 - bottom 1|, with derivative 0 at 0"""
    return _difference(x, target)[0].abs().sum() / x.shape[0]
