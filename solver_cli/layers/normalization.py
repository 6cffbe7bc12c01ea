"""LRN, BatchNorm, MVN, SSD's Normalize, Softmax: values set against their neighbours, their batch, their picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import BatchNormParameter, FillerParameter, LayerParameter, LRNParameter, NormalizeParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Scale, Shape, canonical_axis
from solver_cli.layers.pooling import mean_pool
from solver_cli.registry import Shapes, by_axis, layer

ACCURATE = 2048  # values that a naive sum in float32 takes with an error below 1e-6
LANES = 4096  # sums kept at once


def _across(param: LayerParameter, bottoms: Shapes) -> bool:
    return param.lrn_param.norm_region == LRNParameter.ACROSS_CHANNELS


@layer("LRN", apart=True, goes_on=_across)
def lrn(x: Tensor, *, local_size: int, alpha: float, beta: float, k: float, norm_region: int) -> Tensor:
    """top = bottom (k + alpha / n sum x^2)^-beta over n channels; within a channel over n x n pixels with k = 1.

    Bottom (N, C, H, W); a window cut at an end is divided by its full size all the same.
    """
    if x.dim() != 4:
        raise ConfigError(f"the input must have 4 axes (N, C, H, W), not the shape {tuple(x.shape)}", field="bottom")
    if local_size % 2 == 0:
        raise ConfigError(f"local_size {local_size} must be odd", field="lrn_param.local_size")
    if norm_region == LRNParameter.WITHIN_CHANNEL:
        k = 1.0
    y: Tensor = Response.apply(x, local_size, norm_region, alpha, beta, k)  # type: ignore[no-untyped-call]
    return y


class Response(torch.autograd.Function):
    """LRN. Keeps two tensors for the way back; across channels 5 times as fast as F.local_response_norm on a CPU.

    With s = k + alpha mean(x^2) over neighbours: y = x s^-beta, dx = dy s^-beta - 2 alpha beta x mean(dy y / s).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, region: int, alpha: float, beta: float, k: float) -> Tensor:
        mean, factor = _mean(x * x, size, region)
        scale = mean.mul_(alpha * factor).add_(k)
        ctx.save_for_backward(x, scale)
        ctx.settings = size, region, alpha, beta
        return _power(scale, beta).mul_(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        (x, scale), (size, region, alpha, beta) = ctx.saved_tensors, ctx.settings
        straight = _power(scale, beta).mul_(grads[0])
        mean, factor = _mean((straight * x).div_(scale), size, region)
        return mean.mul_(x).mul_(-2 * alpha * beta * factor).add_(straight), None, None, None, None, None


def _mean(x: Tensor, size: int, region: int) -> tuple[Tensor, float]:
    """The mean over the neighbours, as a tensor and a factor; it is its own transpose."""
    if region == LRNParameter.ACROSS_CHANNELS:
        return _box(x, size), 1 / size
    return mean_pool(x, (size, size), (1, 1), (size // 2, size // 2)), 1.0


def _box(x: Tensor, size: int) -> Tensor:
    """The sum over the channels at most size / 2 away. Sums, not differences of running sums: those cancel."""
    y = x.clone()
    for i in range(1, min(size // 2 + 1, x.shape[1])):
        y[:, i:] += x[:, :-i]
        y[:, :-i] += x[:, i:]
    return y


def _power(scale: Tensor, beta: float) -> Tensor:
    """scale^-beta, where autograd does not look; the usual 3/4 by two roots, which is a quarter faster."""
    return scale.sqrt().mul_(scale).rsqrt_() if beta == 0.75 else scale**-beta


@layer("BatchNorm", same_shape=True, apart=True, half=True, lets_go=True, goes_on=True)
class BatchNorm(nn.Module):
    """top = (bottom - mean) / sqrt(variance + eps) for each channel (axis 1); no learned scale, that is Scale's.

    Blobs: sum of means (C), sum of unbiased variances (C), factor (1), all starting at 0. A pass over the batch's own
    statistics multiplies them by moving_average_fraction and adds the batch's mean, variance and 1; otherwise the
    statistics are sum / factor (0 while the factor is 0). In half precision sums, statistics and weights are float32 inside.
    """

    repeating = False  # a batch that has been counted runs once more

    def __init__(self, param: BatchNormParameter, shapes: Sequence[Shape]):
        super().__init__()
        (bottom,) = shapes
        if len(bottom) < 2:
            raise ConfigError(f"the input must have at least 2 axes, not the shape {tuple(bottom)}", field="bottom")
        if param.eps < 0:
            raise ConfigError(f"eps must be 0 or more, not {param.eps:g}", field="batch_norm_param.eps")
        self.fraction, self.eps = param.moving_average_fraction, param.eps
        self.use_stored = param.use_global_stats if param.HasField("use_global_stats") else None
        self.mean, self.variance, self.factor = (
            filled(FillerParameter(), n).requires_grad_(False) for n in (bottom[1], bottom[1], 1)
        )

    @property
    def from_batch(self) -> bool:
        """Whether it takes its statistics from the batch, which joins the batch's records."""
        return self.training if self.use_stored is None else not self.use_stored

    def absorbs(self, following: nn.Module) -> Callable[[Tensor], Tensor] | None:
        """What does the work of the layer right behind as well, two to three times as fast, if that is such a Scale."""
        if not isinstance(following, Scale) or not following.per_channel or following.bounds != (None, None):
            return None
        return lambda x: self(x, following.scale, following.bias)  # type: ignore[no-any-return]

    def forward(self, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """The top; `scale` and `bias` (C) are those of a Scale layer that follows, done in the same go."""
        if not self.from_batch:
            share = torch.where(self.factor == 0, 0, 1 / self.factor)
            return F.batch_norm(x, self.mean * share, self.variance * share, scale, bias, eps=self.eps)
        y, mean, variance = over_batch(x, scale, bias, self.eps)
        self._add(mean, variance)
        return y

    def _add(self, mean: Tensor | None, variance: Tensor | None) -> None:
        """Count a batch's statistics; the sum of those that it has not stays as it is."""
        if not (self.factor.is_meta or self.repeating):
            for stored, batch in ((self.mean, mean), (self.variance, variance)):
                if batch is not None:
                    torch.add(batch, stored, alpha=self.fraction, out=stored)
            self.factor.mul_(self.fraction).add_(1)


def over_batch(x: Tensor, scale: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """`x` normalised by its own statistics, and these: mean and unbiased variance (0 of one value) of each channel."""
    values = x.numel() // max(x.shape[1], 1)
    dtype = torch.promote_types(x.dtype, torch.float32)
    both = x.new_zeros(2, x.shape[1], dtype=dtype)
    mean, variance = both[0], both[1]
    if values == 1:  # torch refuses to divide by values - 1; the deviation is 0 and so is everything else
        return F.batch_norm(x - x, mean, torch.ones_like(mean), scale, bias, eps=0.0), x.detach().flatten(), variance
    if _summed_naively(x):
        mean, variance = moments(x.detach())
        y: Tensor = OverBatch.apply(x, mean, variance, scale, bias, eps)  # type: ignore[no-untyped-call]
        return y, mean, variance * (values / (values - 1))
    # At momentum 1 torch's running statistics are this batch's, with the variance unbiased as Caffe stores it.
    # Not by F.batch_norm: it refuses an eps of 0.
    y = torch.batch_norm(x, scale, bias, mean, variance, True, 1.0, eps, torch.backends.cudnn.enabled)
    return y, mean, variance


def _summed_naively(x: Tensor) -> bool:
    """Whether torch would add up so many values of a channel one by one in float32: 100 000 of them are off by 1e-5."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.compiler.is_compiling():
        return False
    return x.numel() > ACCURATE * x.shape[1] and x.movedim(1, -1).is_contiguous()


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel: torch's for parts of the values, and those of the parts together."""
    found = torch.batch_norm_update_stats(_folded(x), None, None, 0.0)
    means, variances = (part.view(-1, x.shape[1]) for part in found)
    between, mean = torch.var_mean(means, 0, correction=0)
    return mean, variances.mean(0).add_(between)


def _folded(x: Tensor) -> Tensor:
    """Channels-last `x` (N, C, ...) as rows of n pixels, n C values, which torch sums apart: n parts a channel."""
    channels = x.shape[1]
    return x.movedim(1, -1).reshape(-1, _parts(x.numel() // channels, channels) * channels)


@lru_cache
def _parts(values: int, channels: int) -> int:
    """Into how many equal parts to divide the values of a channel."""
    least = min(values, -(-LANES // channels))
    return next(n for n in range(least, values + 1) if values % n == 0)


class OverBatch(torch.autograd.Function):
    """y = scale z + bias, z = (x - mean) r, r = (variance + eps)^-1/2; dx = scale r (dy - mean(dy) - z mean(dy z)).

    For channels-last x and its own mean and variance, with accurate sums on the way back as well.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, mean: Tensor, variance: Tensor, scale: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, mean, (variance + eps).rsqrt_(), scale)
        return F.batch_norm(x, mean, variance, scale, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, r, scale = ctx.saved_tensors
        rows, above = _folded(x), _folded(grads[0])
        parts, values = rows.shape[1] // x.shape[1], x.numel() // x.shape[1]
        settings = True, 0.0, [False, True, True]  # training, eps, which gradients
        found = torch.ops.aten.native_batch_norm_backward(
            above, rows, None, None, None, mean.repeat(parts), r.repeat(parts), *settings
        )
        d_scale, d_bias = (sums.view(parts, -1).sum(0) for sums in found[1:])
        by_dy = r if scale is None else scale * r
        by_x = by_dy * r * d_scale / -values
        constant = by_dy * d_bias / -values - by_x * mean
        dx = torch.addcmul(constant.repeat(parts), rows, by_x.repeat(parts)).addcmul_(above, by_dy.repeat(parts))
        learned = [d if wanted else None for d, wanted in zip((d_scale, d_bias), ctx.needs_input_grad[3:5], strict=True)]
        return dx.view_as(x.movedim(1, -1)).movedim(-1, 1), None, None, *learned, None


@layer("MVN", apart=True, goes_on=True)
def mvn(x: Tensor, *, normalize_variance: bool, across_channels: bool, eps: float) -> Tensor:
    """top = (bottom - mean) / (standard deviation + eps) for each picture and channel, or each picture; always 4 axes."""
    if x.dim() > 4:
        raise ConfigError(f"the input must have at most 4 axes, not the shape {tuple(x.shape)}", field="bottom")
    x = x.reshape(*x.shape, *(1,) * (4 - x.dim()))
    axes = (1, 2, 3) if across_channels else (2, 3)
    if not normalize_variance:
        return x - x.mean(axes, keepdim=True)
    y: Tensor = MeanVariance.apply(x, axes, eps)  # type: ignore[no-untyped-call]
    return y


class MeanVariance(torch.autograd.Function):
    """y = (x - mean) / d, d = deviation + eps; Caffe's dx = (dy - mean(dy) - y mean(dy y)) / d leaves eps out.

    So it is not quite the derivative, but finite where the deviation is 0.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
        centred = x - x.mean(axes, keepdim=True)
        divisor = centred.square().mean(axes, keepdim=True).sqrt_().add_(eps)
        y = centred.div_(divisor)
        ctx.save_for_backward(y, divisor)
        ctx.axes = axes
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (y, divisor), (dy,) = ctx.saved_tensors, grads
        straight, along = dy.mean(ctx.axes, keepdim=True), (dy * y).mean(ctx.axes, keepdim=True)
        return (dy - straight - y * along).div_(divisor), None, None


@layer("Normalize/ssd", origin="SSD", param="norm_param", same_shape=True, apart=True)
class Normalize(nn.Module):
    """top = scale bottom / sqrt(sum of bottom^2 + eps), summed over the channels of each place, or over a whole picture.

    Blob: scale (), or (C) unless `channel_shared`.
    """

    def __init__(self, param: NormalizeParameter, shapes: Sequence[Shape]):
        super().__init__()
        (bottom,) = shapes
        if len(bottom) < 2:
            raise ConfigError(f"the input must have at least 2 axes, not the shape {tuple(bottom)}", field="bottom")
        if param.eps < 0:
            raise ConfigError(f"eps must be 0 or more, not {param.eps:g}", field="norm_param.eps")
        filler = param.scale_filler if param.HasField("scale_filler") else FillerParameter(type="constant", value=1)
        self.axes = tuple(range(1, len(bottom))) if param.across_spatial else (1,)
        self.scale = filled(filler) if param.channel_shared else filled(filler, bottom[1])
        self.eps = param.eps

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale.view(-1, *(1,) * (x.dim() - 2)) if self.scale.dim() else self.scale
        y: Tensor = ToLength.apply(x, scale, self.axes, self.eps)  # type: ignore[no-untyped-call]
        return y


class ToLength(torch.autograd.Function):
    """y = scale u, u = x / n, n = sqrt(sum of x^2 + eps); SSD's dx = scale (dy - u sum(dy u)) / n.

    Where channels have scales of their own that is not the derivative, whose sum would have the scale in it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
        length = x.square().sum(axes, keepdim=True).add_(eps).sqrt_()
        ctx.save_for_backward(x, scale, length)
        ctx.axes = axes
        return (x / length).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (x, scale, length), (dy,) = ctx.saved_tensors, grads
        unit = x / length
        products = dy * unit
        d_scale = products.sum_to_size(scale.shape) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, d_scale, None, None
        return (dy - unit * products.sum(ctx.axes, keepdim=True)).div_(length).mul_(scale), d_scale, None, None


@layer("Softmax", apart=by_axis("softmax_param.axis"), goes_on=True)
def softmax(x: Tensor, *, axis: int, scaling_temperature: float | None) -> Tensor:
    """top = e^bottom, divided by its sum along `axis`; bottom is first divided by jolibrain's `scaling_temperature`"""
    x = x / scaling_temperature if scaling_temperature else x
    return x.softmax(canonical_axis(axis, x, "softmax_param.axis"))
