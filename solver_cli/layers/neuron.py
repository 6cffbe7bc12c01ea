"""Elementwise layers: one bottom, one top of its shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import (
    DropoutParameter,
    ELUParameter,
    FillerParameter,
    LayerParameter,
    PReLUParameter,
    SeLuParameter,
    SpatialDropoutParameter,
)
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.chance import ALONE, drawn
from solver_cli.registry import layer


@layer("AbsVal", in_place=False, apart=True, half=True)
def abs_val(x: Tensor) -> Tensor:
    """top = |bottom|, with derivative 0 at 0"""
    return x.abs()


@layer("BNLL", apart=True)
def bnll(x: Tensor) -> Tensor:
    """top = log(1 + e^bottom)"""
    return F.softplus(x)


@layer("Clip", apart=True, half=True)
def clip(x: Tensor, *, min: float | None, max: float | None) -> Tensor:
    """top = bottom, held between min and max; the gradient passes at the bounds themselves"""
    if (min is None) != (max is None):
        given, missing = ("max", "min") if min is None else ("min", "max")
        raise ConfigError(f"{given} is given but not {missing}: give both bounds", field=f"clip_param.{given}")
    low, high = min or 0.0, max or 0.0
    if low > high:
        return torch.full_like(x, low)  # where torch would give the upper bound
    # not the gradient of clamp: at the bounds that is 1 or 0, by torch's version
    return torch.where((x >= low) & (x <= high), x, x.detach().clamp(low, high))


@layer("Dropout", apart=True, half=True)
class Dropout(nn.Module):
    """top = bottom * mask / (1 - dropout_ratio), mask 0 with that probability; outside of training top = bottom.

    With `sample_weights_test` (SegNet) values are dropped in testing too; `sqrt_scale` (NormFace): bottom * mask over the
    square root of 1 - dropout_ratio.
    `scale_train: false` scales outside of training instead: top = bottom * mask, and bottom * (1 - dropout_ratio).
    """

    generator: torch.Generator | None = None
    mask: Tensor | None = None  # drawn beforehand, for a batch that runs in pieces or more than once
    dealt = ALONE

    def __init__(self, param: DropoutParameter, shapes: list[tuple[int, ...]]):
        super().__init__()
        self.ratio, self.always, self.scale_train = param.dropout_ratio, param.sample_weights_test, param.scale_train
        self.power = 0.5 if param.sqrt_scale else 1
        if not 0 <= self.ratio <= 1:
            raise ConfigError(f"dropout_ratio {self.ratio:g} is not between 0 and 1", field="dropout_param.dropout_ratio")

    @property
    def draws(self) -> bool:
        """Whether it changes anything."""
        return (self.training or self.always) and self.ratio > 0

    def forward(self, x: Tensor) -> Tensor:
        if not self.draws:
            return x.view_as(x) if self.training or self.scale_train else x * (1 - self.ratio)
        if self.ratio == 1 and self.scale_train:
            raise ConfigError(
                "dropout_ratio 1 drops every value, and what is left is divided by 1 - 1: give a ratio below 1",
                field="dropout_param.dropout_ratio",
            )
        mask = self._drawn(x, x.dtype) if self.mask is None else self.mask.to(x.dtype)
        return x * (mask.div_((1 - self.ratio) ** self.power) if self.scale_train else mask)

    def draw(self, like: Tensor) -> Tensor:
        """A mask of the shape of `like` to use later: which values stay, the same that a forward would draw now."""
        return self._drawn(like, torch.bool)

    def _drawn(self, like: Tensor, dtype: torch.dtype) -> Tensor:
        mask = torch.empty(like.shape, dtype=dtype, device=like.device)  # whatever the layout of `like`
        generator = None if like.is_meta else self.generator
        return drawn(mask, self.dealt, lambda x: x.bernoulli_(1 - self.ratio, generator=generator))


@layer("SpatialDropout", origin="Intel", param="dropout_param", apart=True, half=True)
class SpatialDropout(Dropout):
    """top = bottom * mask / (1 - dropout_ratio), one mask value a channel; outside of training top = bottom

    The ratio stands in `dropout_param`: Intel's code never looks at `spatial_dropout_param`.
    """

    def __init__(
        self, param: DropoutParameter, shapes: list[tuple[int, ...]], *, spatial_dropout_param: SpatialDropoutParameter
    ):
        super().__init__(param, shapes)
        if spatial_dropout_param.HasField("dropout_ratio") and spatial_dropout_param.dropout_ratio != self.ratio:
            raise ConfigError(
                f"Intel's Caffe does not look at it and drops {self.ratio:g}: write dropout_param {{ dropout_ratio }}",
                field="spatial_dropout_param.dropout_ratio",
            )

    def _drawn(self, like: Tensor, dtype: torch.dtype) -> Tensor:
        return super()._drawn(like.new_empty(()).expand(like.shape[:2] + (1,) * (like.dim() - 2)), dtype)


@layer("ELU", apart=True, half=True)
class Elu(nn.Module):
    """top = `lambda` (NVCaffe's) times bottom where it is positive, else times alpha * (e^bottom - 1)

    As in NVCaffe, the gradient of the negative part is lambda (top + alpha): not the derivative where lambda is not 1.
    """

    def __init__(self, param: ELUParameter, shapes: list[tuple[int, ...]]):
        super().__init__()
        self.alpha, self.factor = param.alpha, getattr(param, "lambda")

    def forward(self, x: Tensor) -> Tensor:
        if self.factor == 1:
            return F.elu(x, self.alpha)
        return _ScaledElu.apply(x, self.alpha, self.factor)  # type: ignore[no-any-return,no-untyped-call]


class _ScaledElu(torch.autograd.Function):
    """NVCaffe's ELU with a lambda."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: float, factor: float) -> Tensor:
        top = F.elu(x, alpha) * factor
        ctx.save_for_backward(x, top)
        ctx.alpha, ctx.factor = alpha, factor
        return top

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        x, top = ctx.saved_tensors
        return grad * ctx.factor * torch.where(x > 0, 1, top + ctx.alpha), None, None


@layer("Exp", apart=True)
def exp(x: Tensor, *, base: float, scale: float, shift: float) -> Tensor:
    """top = base ^ (shift + scale * bottom); base -1 is e"""
    log_base = _log_base(base, "exp_param.base")
    return _linear(x, log_base * scale, log_base * shift).exp()


@layer("Log", apart=True)
def log(x: Tensor, *, base: float, scale: float, shift: float) -> Tensor:
    """top = log(shift + scale * bottom) to the base; base -1 is e"""
    log_base = _log_base(base, "log_param.base")
    if log_base == 0:
        raise ConfigError("base 1 has no logarithm: give another base, or -1 for e", field="log_param.base")
    top = _linear(x, scale, shift).log()
    return top if log_base == 1 else top / log_base


def _log_base(base: float, field: str) -> float:
    """The natural logarithm of `base`, 1 for -1."""
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise ConfigError(f"base must be positive, or -1 for e, not {base:g}", field=field)
    return math.log(base)


def _linear(x: Tensor, scale: float, shift: float) -> Tensor:
    """shift + scale * x, without the steps that change nothing"""
    x = x if scale == 1 else x * scale
    return x if shift == 0 else x + shift


@layer("PReLU", apart=True, half=True)
class PReLU(nn.Module):
    """top = max(bottom, 0) + slope * min(bottom, 0), slope learned for each index of axis 1, or one if `channel_shared`."""

    def __init__(self, param: PReLUParameter, shapes: list[tuple[int, ...]]):
        super().__init__()
        (bottom,) = shapes
        if not 2 <= len(bottom) <= 4:
            raise ConfigError(f"takes 2 to 4 axes, not a bottom of shape {bottom}: reshape it first", field="bottom[0]")
        filler = param.filler if param.HasField("filler") else FillerParameter(type="constant", value=0.25)
        self.slope = filled(filler, *(() if param.channel_shared else bottom[1:2]))

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.slope)


@layer("Power", apart=True)
def power(x: Tensor, *, power: float, scale: float, shift: float) -> Tensor:
    """top = (shift + scale * bottom) ^ power"""
    if power * scale == 0:  # the bottom counts for nothing, not even its NaNs
        return torch.full_like(x, shift).pow(power)
    x = _linear(x, scale, shift)
    if power == 1:
        return x.view_as(x)
    return x.square() if power == 2 else cast(Tensor, _Power.apply(x, power))  # type: ignore[no-untyped-call]


class _Power(torch.autograd.Function):
    """x ^ power, whose gradient is Caffe's power * top / x: the derivative but at 0, where it is NaN for positive powers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, power: float) -> Tensor:
        top = x.pow(power)
        ctx.save_for_backward(x, top)
        ctx.power = power
        return top

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, top = ctx.saved_tensors
        return grad * (ctx.power * (top / x)), None


def overwriting(x: Tensor) -> Tensor:
    """max(bottom, 0) in the bottom's memory, on the way to a gradient."""
    if torch.compiler.is_compiling() or x.grad_fn is None:
        return x.relu()  # what no layer has made is somebody's: a kept blob, a leaf
    return x.relu_()


def _overwrites(param: LayerParameter) -> Callable[[Tensor], Tensor] | None:
    return None if param.relu_param.negative_slope else overwriting


@layer("ReLU", same_shape=True, apart=True, half=True, overwrite=_overwrites)
def relu(x: Tensor, *, negative_slope: float) -> Tensor:
    """top = max(bottom, 0) + negative_slope * min(bottom, 0), with derivative negative_slope at 0"""
    return F.leaky_relu(x, negative_slope) if negative_slope else F.relu(x)


@layer("ReLU6", origin="chuanqi305", param="relu6_param", apart=True, half=True)
def relu6(x: Tensor, *, negative_slope: float) -> Tensor:
    """top = min(max(bottom, 0), 6) + negative_slope * min(bottom, 0), with derivative 0 from 6 on"""
    return torch.where(x >= 6, 6, relu(x, negative_slope=negative_slope))


@layer("SeLu", origin="jolibrain", param="selu_param", apart=True, half=True)
class SeLu(nn.Module):
    """top = lambda * bottom where it is positive, else lambda * alpha * (e^bottom - 1)"""

    def __init__(self, param: SeLuParameter, shapes: list[tuple[int, ...]]):
        super().__init__()
        self.factor: float = getattr(param, "lambda")  # a word of Python's
        self.alpha = param.alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha) * self.factor


@layer("Sigmoid", apart=True, half=True)
def sigmoid(x: Tensor) -> Tensor:
    """top = 1 / (1 + e^-bottom)"""
    return x.sigmoid()


@layer("Swish", apart=True, half=True)
def swish(x: Tensor, *, beta: float) -> Tensor:
    """top = bottom * sigmoid(beta * bottom)"""
    return F.silu(x) if beta == 1 else x * (x * beta).sigmoid()


@layer("TanH", apart=True, half=True)
def tanh(x: Tensor) -> Tensor:
    """top = the hyperbolic tangent of bottom"""
    return x.tanh()


@layer("Threshold", no_gradient=(0,), apart=True)
def threshold(x: Tensor, *, threshold: float) -> Tensor:
    """top = 1 where bottom is greater than the threshold, else 0; no gradient"""
    return (x > threshold).to(x.dtype)
