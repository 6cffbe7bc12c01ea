"""BN of SegNet and of yjxiong, and what NVCaffe and Intel have made of BatchNorm: each has statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import BatchNormParameter, BNParameter, FillerParameter, Phase
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape
from solver_cli.layers.counting import Counting
from solver_cli.layers.normalization import BatchNorm, over_batch
from solver_cli.registry import layer

SEGNET_EPS = 1e-9
LEAST_EPS = 1e-5  # NVCaffe's


def statistic(start: float, *shape: int) -> nn.Parameter:
    """A blob that the forward pass changes, not the update; its multipliers are 0 whatever the text says."""
    blob = filled(FillerParameter(value=start), *shape)
    blob.requires_grad_(False).rate = 0.0  # type: ignore[attr-defined]
    return blob


def _channels(shapes: Sequence[Shape], most: int | None = None) -> int:
    (bottom,) = shapes
    if len(bottom) < 2 or (most and len(bottom) > most):
        wanted = f"2 to {most}" if most else "at least 2"
        raise ConfigError(f"the input must have {wanted} axes, not the shape {tuple(bottom)}", field="bottom")
    return bottom[1]


def _refuse(param: BNParameter, fork: str, fields: str) -> None:
    """Refuse fields that another fork's BN knows."""
    for name in fields.split():
        if param.HasField(name):
            raise ConfigError(f"the BN of {fork} has no {name}: take it out, or see --dialect", field=f"bn_param.{name}")


def _biased(variance: Tensor, x: Tensor) -> Tensor:
    """The mean squared deviation, from torch's unbiased variance of each channel of x."""
    values = x.numel() // max(x.shape[1], 1)
    return variance * ((values - 1) / max(values, 1))


class StoredStatistics(torch.autograd.Function):
    """y = scale z + bias, z = (x - mean) r, by stored statistics, whose gradient has the terms of the batch's all the same.

    dx = scale r (dy - mean(dy) - z mean(dy z)), not the derivative: what yjxiong's BN does outside of training.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, bias: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, mean, (variance + eps).rsqrt(), scale)
        return F.batch_norm(x, mean, variance, scale, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, r, scale = ctx.saved_tensors
        axes = [i for i in range(x.dim()) if i != 1]
        shape = [-1 if i == 1 else 1 for i in range(x.dim())]
        z = (x - mean.view(shape)) * r.view(shape)
        d_scale, d_bias = (grads[0] * z).sum(axes), grads[0].sum(axes)
        values = x.numel() // x.shape[1]
        dx = (grads[0] - (d_bias / values).view(shape) - z * (d_scale / values).view(shape)) * (scale * r).view(shape)
        return dx, None, None, d_scale, d_bias, None


@layer("BN/segnet", origin="SegNet", tops=(1, 3), half=lambda param, _: len(param.top) == 1, apart=True)
class SegNetBN(nn.Module):
    """top = scale * (bottom - mean) / sqrt(variance + 1e-9) + shift, by the batch in both phases.

    INFERENCE: top = scale * bottom + shift. Blobs: scale, shift (1, C, 1, 1). Tops have 4 axes;
    tops 1 and 2 are the batch's mean and variance, (1, C, 1, 1).
    """

    def __init__(self, param: BNParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__()
        shape = (1, _channels(shapes, 4), 1, 1)
        _refuse(param, "SegNet", "slope_filler bias_filler momentum eps frozen var_eps moving_average decay across_spatial")
        self.scale, self.shift = filled(param.scale_filler, *shape), filled(param.shift_filler, *shape)
        self.from_batch = param.bn_mode == BNParameter.LEARN
        self.num_tops = num_tops
        if num_tops > 1 and not self.from_batch:
            raise ConfigError("bn_mode: INFERENCE has no statistics: take the further tops out", field="top")

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        x = x.reshape(x.shape + (1,) * (4 - x.dim()))
        if not self.from_batch:
            return torch.addcmul(self.shift, x, self.scale)
        y, mean, variance = over_batch(x, self.scale.flatten(), self.shift.flatten(), SEGNET_EPS)
        tops = (y, *(s.view(1, -1, 1, 1) for s in (mean, _biased(variance, x))))
        return tops[: self.num_tops] if self.num_tops > 1 else y


@layer("BN/yjxiong", origin="yjxiong", same_shape=True, apart=True, half=True)
class RunningBN(nn.Module):
    """top = slope * (bottom - mean) / sqrt(variance + eps) + bias, by the batch in training, else by the running statistics.

    Blobs (1, C, 1, 1): slope, bias, running mean, running variance (biased). `frozen`: running statistics in training as
    well, nothing learned.
    """

    repeating = False

    def __init__(self, param: BNParameter, shapes: Sequence[Shape]):
        super().__init__()
        shape = (1, _channels(shapes, 4), 1, 1)
        _refuse(param, "yjxiong", "scale_filler shift_filler bn_mode var_eps moving_average decay across_spatial")
        self.momentum, self.eps, self.frozen = param.momentum, param.eps, param.frozen
        self.slope, self.bias = filled(param.slope_filler, *shape), filled(param.bias_filler, *shape)
        self.mean, self.variance = statistic(0, *shape), statistic(float(param.frozen), *shape)
        if self.frozen:
            for blob in (self.slope, self.bias):
                blob.requires_grad_(False).rate = 0.0  # type: ignore[attr-defined]

    @property
    def from_batch(self) -> bool:
        """Whether it takes its statistics from the batch, which joins the batch's records."""
        return self.training and not self.frozen

    def forward(self, x: Tensor) -> Tensor:
        slope, bias, mean, variance = (blob.flatten() for blob in (self.slope, self.bias, self.mean, self.variance))
        if self.frozen:
            return F.batch_norm(x, mean, variance, slope, bias, eps=self.eps)
        if not self.training:
            stored: Tensor = StoredStatistics.apply(x, mean, variance, slope, bias, self.eps)  # type: ignore[no-untyped-call]
            return stored
        y, mean, variance = over_batch(x, slope, bias, self.eps)
        if not (x.is_meta or self.repeating):
            for own, batch in ((self.mean, mean), (self.variance, _biased(variance, x))):
                own.mul_(self.momentum).add_(batch.view_as(own), alpha=1 - self.momentum)
        return y


@layer("BatchNorm/nvcaffe", origin="NVCaffe", param="batch_norm_param", same_shape=True, apart=True, half=True)
class NVCaffeBatchNorm(Counting):
    """top = scale * (bottom - mean) / sqrt(variance + eps) + bias, by the batch in training, else by the running statistics.

    Blobs: running mean, running variance (biased, with eps) (C), 1, and with `scale_bias` or a filler scale and bias (C).
    The first two passes of a run overwrite the running statistics; use_global_stats counts for nothing, as in NVCaffe 0.17.
    """

    def __init__(self, param: BatchNormParameter, shapes: Sequence[Shape]):
        super().__init__()
        channels = _channels(shapes)
        if param.HasField("use_global_stats"):
            log.info("batch_norm_layer.cpp", "use_global_stats is not looked at, as in NVCaffe: the phase decides")
        self.fraction, self.eps = param.moving_average_fraction, max(param.eps, LEAST_EPS)
        self.channels = channels
        self.mean, self.variance, self.correction = statistic(0, channels), statistic(0, channels), statistic(1, 1)
        self.scale: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        if param.scale_bias or param.HasField("scale_filler") or param.HasField("bias_filler"):
            one = param.scale_filler if param.HasField("scale_filler") else FillerParameter(value=1)
            self.scale, self.bias = filled(one, channels), filled(param.bias_filler, channels)
            self.scale.rate = self.bias.rate = 1.0  # type: ignore[attr-defined]

    def order(self, sizes: Sequence[int]) -> list[int] | None:
        """Of a file's blobs, by their sizes, the order here: NVCaffe 0.15 has scale, bias, mean, variance, an unused one."""
        old = len(sizes) == 5 and sizes[2] == self.channels and sizes[4] == 1
        return [2, 3, 4, 0, 1] if old and self.channels > 1 else None

    @property
    def from_batch(self) -> bool:
        """Whether it takes its statistics from the batch, which joins the batch's records."""
        return self.training

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(x, self.mean, self.variance, self.scale, self.bias, eps=self.eps)
        y, mean, variance = over_batch(x, self.scale, self.bias, self.eps)
        if not (x.is_meta or self.repeating):
            for own, batch in ((self.mean, mean), (self.variance, _biased(variance, x) + self.eps)):
                own.copy_(torch.where(self.passes > 1, torch.lerp(batch, own, self.fraction), batch))
            self.count(x)
        return y


@layer("BatchNorm/intel", origin="Intel", param="batch_norm_param", same_shape=True, apart=True, half=True)
class IntelBatchNorm(BatchNorm):
    """top = BatchNorm of `stats_batch_size` records at a time, times weight plus bias where asked for; `relu`: max(that, 0).

    Blobs: BVLC's three; where the text asks for weights (`use_weight_bias`, `filler`, `bias_term`, `bias_filler`), as for
    Intel's own engines, also weight (C) and bias (C).
    """

    def __init__(self, param: BatchNormParameter, shapes: Sequence[Shape], *, phase: int):
        super().__init__(param, shapes)
        self.records, self.relu = param.stats_batch_size, param.relu
        stored = phase == Phase.Value("TEST") if self.use_stored is None else self.use_stored
        if self.records and not stored and shapes[0][0] % self.records:
            raise ConfigError(
                f"stats_batch_size {self.records} does not divide the batch of {shapes[0][0]}",
                field="batch_norm_param.stats_batch_size",
            )
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        asked = any(param.HasField(name) for name in ("use_weight_bias", "filler", "bias_term", "bias_filler"))
        if asked and param.use_weight_bias:
            self.weight = filled(param.filler if param.HasField("filler") else FillerParameter(value=1), shapes[0][1])
            self.bias = filled(param.bias_filler, shapes[0][1]) if param.bias_term else None

    def absorbs(self, following: nn.Module) -> None:
        """It does not run a Scale behind it."""

    def forward(self, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        parted = self.records and self.from_batch
        y = self._in_parts(x) if parted else super().forward(x, self.weight, self.bias)
        return y.relu() if self.relu else y

    def _in_parts(self, x: Tensor) -> Tensor:
        """The parts of the batch beside each other, as channels of their own; their statistics count one after the other."""
        parts = len(x) // self.records
        beside = x.view(parts, self.records, *x.shape[1:]).transpose(0, 1).flatten(1, 2)
        scale, bias = (None if blob is None else blob.repeat(parts) for blob in (self.weight, self.bias))
        y, mean, variance = over_batch(beside, scale, bias, self.eps)
        for i in range(parts):
            self._add(mean.view(parts, -1)[i], variance.view(parts, -1)[i])
        return y.view(self.records, parts, *x.shape[1:]).transpose(0, 1).flatten(0, 1)


@layer("BatchNorm/normface", origin="NormFace", param="batch_norm_param", same_shape=True, apart=True)
class HalfBatchNorm(BatchNorm):
    """top = BatchNorm that subtracts no mean (`disable_mean`) or divides by no deviation (`disable_variance`).

    Without the mean the variance is the mean of the squares. The sum of what is left out stays as it is.
    """

    def __init__(self, param: BatchNormParameter, shapes: Sequence[Shape]):
        super().__init__(param, shapes)
        self.centres, self.scales = not param.disable_mean, not param.disable_variance

    def absorbs(self, following: nn.Module) -> None:
        """It does not run a Scale behind it."""

    def forward(self, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        axes, each = [axis for axis in range(x.dim()) if axis != 1], [1, -1] + [1] * (x.dim() - 2)
        share = torch.where(self.factor == 0, 0, 1 / self.factor)
        mean = x.mean(axes) if self.from_batch else self.mean * share
        top = x - mean.view(each) if self.centres else x
        variance = top.square().mean(axes) if self.from_batch else self.variance * share
        if self.from_batch:
            values = x.numel() // x.shape[1]
            unbiased = variance.detach() * (values / max(values - 1, 1))
            self._add(mean.detach() if self.centres else None, unbiased if self.scales else None)
        return top / (variance + self.eps).sqrt().view(each) if self.scales else top
