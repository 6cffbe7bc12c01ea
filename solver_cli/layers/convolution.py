"""Convolution, Deconvolution, Im2col: windows that slide over any number of spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import ConvolutionParameter, LayerParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape, canonical_axis
from solver_cli.registry import SAME, Shapes, by_axis, layer

FEW_PIXELS = 400  # of a picture
FEW_OUTPUTS = 15  # channels, less than oneDNN works on at once
SMALL = 20480  # values of one picture, for which torch does not ask oneDNN
MOST_TAPS = 1 << 12  # along an axis, where they are gone through one by one


@dataclass(frozen=True)
class Windows:
    """How a kernel slides: one number for each spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, param: ConvolutionParameter, axes: int) -> Windows:
        """The windows of `param` over `axes` spatial axes. Raises ConfigError."""
        return cls(
            _sizes(param, "kernel", axes),
            _sizes(param, "stride", axes, default=1),
            _sizes(param, "pad", axes, default=0),
            _sizes(param, "dilation", axes, default=1),
        )

    @cached_property
    def extent(self) -> tuple[int, ...]:
        """What one kernel covers, its holes included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def inner(self) -> Windows:
        """The same without the first axis."""
        return Windows(self.kernel[1:], self.stride[1:], self.pad[1:], self.dilation[1:])


def _sizes(param: ConvolutionParameter, name: str, axes: int, default: int | None = None) -> tuple[int, ...]:
    """`name` once for all axes, once for each, or as `name`_h and `name`_w."""
    if name == "dilation" and (holes := [f for f in ("hole", "hole_h", "hole_w") if param.HasField(f)]):
        return _holes(param, holes, axes)
    field = "kernel_size" if name == "kernel" else name
    pair = (f"{name}_h", f"{name}_w")
    repeated = tuple(getattr(param, field))
    given = [f for f in pair if param.HasField(f)]
    if given:
        if axes != 2:
            raise _error(f"{given[0]} is for two spatial axes, this input has {axes}: use {field}", given[0])
        if repeated:
            raise _error(f"either {field} or {pair[0]} and {pair[1]}, not both", field)
        sizes = tuple(getattr(param, f) for f in pair)
    elif len(repeated) in (1, axes):
        sizes = repeated * axes if len(repeated) == 1 else repeated
    elif not repeated and default is not None:
        sizes = (default,) * axes
    else:
        wanted = f"give it once, or {axes} times (once for each spatial axis)"
        raise _error(f"{field} is given {len(repeated)} times: {wanted}", field)
    if name != "pad" and 0 in sizes:
        raise _error(f"{name} {' x '.join(map(str, sizes))} must be positive along every axis", given[0] if given else field)
    return sizes


def _holes(param: ConvolutionParameter, given: list[str], axes: int) -> tuple[int, ...]:
    """The dilation by DeepLab's name for it: `hole`, or `hole_h` and `hole_w`."""
    if param.dilation or param.HasField("dilation_h") or param.HasField("dilation_w"):
        raise _error("hole and dilation mean the same: give one of them", given[0])
    if given == ["hole"]:
        sizes = (param.hole,) * axes
    elif given == ["hole_h", "hole_w"] and axes == 2:
        sizes = (param.hole_h, param.hole_w)
    else:
        raise _error(f"give hole, or over two spatial axes both hole_h and hole_w, not {' and '.join(given)}", given[0])
    if 0 in sizes:
        raise _error("a hole must be positive", given[0])
    return sizes


def _error(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"convolution_param.{field}")


def fold(x: Tensor, axis: int) -> Tensor:
    """All axes before `axis` made one."""
    return x if axis == 1 else x.reshape(prod(x.shape[:axis]), *x.shape[axis:])


def unfold(y: Tensor, x: Tensor, axis: int) -> Tensor:
    """y's first axis made x's axes before `axis` again."""
    return y if axis == 1 else y.reshape(*x.shape[:axis], *y.shape[1:])


def reach(x: Tensor, windows: Windows) -> Tensor:
    """x, lengthened by zeros where a kernel is larger than the padded input but Caffe still counts one window.

    Caffe's size is (in + 2 pad - extent) / stride + 1 with a division that truncates towards 0.
    """
    padded = [n + 2 * p for n, p in zip(x.shape[2:], windows.pad, strict=True)]
    short = [max(0, e - n) for e, n in zip(windows.extent, padded, strict=True)]
    if not any(short):
        return x
    if any(s >= step for s, step in zip(short, windows.stride, strict=True)):
        kernel, found = (" x ".join(map(str, sizes)) for sizes in (windows.extent, padded))
        raise _error(f"kernel {kernel} is larger than the padded input {found}", "kernel_size")
    return F.pad(x, [n for s in reversed(short) for n in (0, s)])


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows, group: int) -> Tensor:
    """Cross-correlation of (N, C, spatial...) with (out, C / group, kernel...)."""
    axes = len(windows.kernel)
    if axes == 0:
        return F.conv1d(x.unsqueeze(2), weight.unsqueeze(2), bias, groups=group).squeeze(2)
    if windows.kernel == (1, 1) and windows.pad == (0, 0) and group == 1:
        pixels = x.movedim(1, -1)[:, :: windows.stride[0], :: windows.stride[1]]
        if _better_as_product(x, pixels, weight.shape[0]):
            return F.linear(pixels, weight.movedim(1, -1).flatten(1), bias).movedim(-1, 1)
    if axes <= 3:
        plane = axes == 2 and _small_plane(x, weight)
        if plane:
            x, weight = x.view(x.shape), weight.view(weight.shape)  # one channel: views in the usual layout
        run = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
        y: Tensor = run(x, weight, bias, windows.stride, windows.pad, windows.dilation, group)
        return y.contiguous(memory_format=torch.channels_last) if plane else y
    return _convolve_many(x, weight, bias, windows, group)


def _better_as_product(x: Tensor, pixels: Tensor, outputs: int) -> bool:
    """Whether one matrix product over all `pixels` (N, H, W, C) beats torch's convolutions: up to twice as fast."""
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    few = pixels.shape[1] * pixels.shape[2] <= FEW_PIXELS or outputs <= FEW_OUTPUTS
    return few and x.is_contiguous(memory_format=torch.channels_last)


def _small_plane(x: Tensor, weight: Tensor) -> bool:
    """Whether torch's own convolution has one channel of one picture to see: channels last it takes ten times as long."""
    if x.device.type != "cpu" or torch.compiler.is_compiling() or x.shape[:2] != (1, 1) or x.numel() > SMALL:
        return False
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return last and x.is_contiguous() and weight.is_contiguous()


def _convolve_many(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows, group: int) -> Tensor:
    """Beyond three axes, where torch stops: the sum over the first axis's taps of convolutions over the others."""
    step, pad, hole = windows.stride[0], windows.pad[0], windows.dilation[0]
    _check_taps(windows)
    x = F.pad(x, [0, 0] * (len(windows.kernel) - 1) + [pad, pad])
    size = (x.shape[2] - windows.extent[0]) // step + 1
    parts = []
    for tap in range(windows.kernel[0]):
        seen = x[:, :, tap * hole : tap * hole + step * (size - 1) + 1 : step]
        seen = seen.transpose(1, 2).flatten(0, 1)
        parts.append(convolve(seen, weight[:, :, tap], None if tap else bias, windows.inner, group))
    return torch.unflatten(torch.stack(parts).sum(0), 0, (x.shape[0], size)).transpose(1, 2)


def _check_taps(windows: Windows) -> None:
    if windows.kernel[0] > MOST_TAPS:
        raise _error(f"beyond three axes a kernel may be {MOST_TAPS} long, not {windows.kernel[0]}", "kernel_size")


def deconvolve(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows, group: int) -> Tensor:
    """The transpose of `convolve`: (N, C, spatial...) with (C, out / group, kernel...)."""
    axes = len(windows.kernel)
    if axes == 0:
        return F.conv_transpose1d(x.unsqueeze(2), weight.unsqueeze(2), bias, groups=group).squeeze(2)
    if axes <= 3:
        run = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
        y: Tensor = run(x, weight, bias, windows.stride, windows.pad, 0, group, windows.dilation)
        return y
    return _deconvolve_many(x, weight, bias, windows, group)


def _deconvolve_many(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows, group: int) -> Tensor:
    """Beyond three axes: each of the first axis's taps lands on rows of its own, `stride` apart."""
    batch, size, step, pad, hole = x.shape[0], x.shape[2], windows.stride[0], windows.pad[0], windows.dilation[0]
    rows = x.transpose(1, 2).flatten(0, 1)
    _check_taps(windows)
    y = None
    for tap in range(windows.kernel[0]):
        part = deconvolve(rows, weight[:, :, tap], None, windows.inner, group)
        part = torch.unflatten(part, 0, (batch, size)).transpose(1, 2)
        if y is None:
            y = part.new_zeros(batch, part.shape[1], step * (size - 1) + windows.extent[0], *part.shape[3:])
        y[:, :, tap * hole : tap * hole + step * (size - 1) + 1 : step] += part
    assert y is not None
    y = y[:, :, pad : y.shape[2] - pad]
    return y if bias is None else y + bias.view(-1, *(1,) * (y.dim() - 2))


class Filters(nn.Module):
    """What Convolution and Deconvolution share: `weight`, `bias`, and the axes before `axis` taken as batch.

    Every bottom goes through the same blobs and gives one top.
    """

    def __init__(self, param: ConvolutionParameter, shapes: Sequence[Shape], transposed: bool, depthwise: bool = False):
        super().__init__()
        bottom = shapes[0]
        if any(tuple(s) != tuple(bottom) for s in shapes):
            found = ", ".join(str(tuple(s)) for s in shapes)
            raise ConfigError(f"all bottoms must have one shape, not {found}", field="bottom")
        self.axis = canonical_axis(param.axis, bottom, "convolution_param.axis")
        self.windows = Windows.of(param, len(bottom) - self.axis - 1)
        channels = bottom[self.axis]
        self.group, outputs = (channels, channels) if depthwise else (param.group, param.num_output)
        if outputs == 0:
            raise _error("num_output must be positive", "num_output")
        if self.group == 0 or channels % self.group or outputs % self.group:
            raise _error(f"group {self.group} must divide the {channels} input channels and num_output {outputs}", "group")
        first, second = (channels, outputs) if transposed else (outputs, channels)
        self.weight = filled(param.weight_filler, first, second // self.group, *self.windows.kernel)
        self.bias = filled(param.bias_filler, outputs) if param.bias_term else None


APART = by_axis("convolution_param.axis")


def _work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    return sum(prod(top) // blobs[0][0] * prod(blobs[0]) for top in tops)


def _keeps_nothing(param: LayerParameter, bottoms: Shapes) -> bool:
    return not param.convolution_param.relu


@layer(
    "Convolution",
    bottoms=(1, None),
    tops=SAME,
    apart=APART,
    half=True,  # sums are float32 inside
    lets_go=_keeps_nothing,
    convolves=True,
    work=_work,
)
class Convolution(Filters):
    """top = bottom, cross-correlated with `weight` (out, in / group, kernel...), plus bias.

    Bottoms: (batch..., channels, spatial...), `axis` being the channels. The output size rounds down. With Intel's `relu`
    what is negative is multiplied by `negative_slope`, as by a ReLU behind.
    """

    def __init__(self, param: ConvolutionParameter, shapes: Sequence[Shape]):
        super().__init__(param, shapes, transposed=False)
        self._slope(param)

    def _slope(self, param: ConvolutionParameter) -> None:
        self.slope = param.negative_slope if param.relu else 1.0
        if param.negative_slope and not param.relu:
            raise _error("negative_slope is relu's, which is not true", "negative_slope")

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._map(x) for x in bottoms)

    def _map(self, x: Tensor) -> Tensor:
        seen = reach(fold(x, self.axis), self.windows)
        y = unfold(convolve(seen, self.weight, self.bias, self.windows, self.group), x, self.axis)
        return y if self.slope == 1 else F.leaky_relu(y, self.slope) if self.slope else y.relu()


@layer(
    "DepthwiseConvolution", origin="yonghenglh6",
    param="convolution_param",
    bottoms=(1, None),
    tops=SAME,
    apart=APART,
    half=True,
    lets_go=_keeps_nothing,
    convolves=True,
    work=_work,
)
class DepthwiseConvolution(Convolution):
    """top = what Convolution gives; by its name it has as many groups as channels, but the text must say so (`group`)."""


@layer(
    "ConvolutionDepthwise", origin="jolibrain",
    param="convolution_param",
    apart=APART,
    half=True,
    lets_go=_keeps_nothing,
    convolves=True,
    work=_work,
)
class ConvolutionDepthwise(Convolution):
    """top = each channel of bottom, cross-correlated with its row of `weight` (C, 1, kernel...), plus bias.

    There are as many outputs and groups as channels, whatever num_output and group say.
    """

    def __init__(self, param: ConvolutionParameter, shapes: Sequence[Shape]):
        Filters.__init__(self, param, shapes, transposed=False, depthwise=True)
        self._slope(param)
        for name in ("num_output", "group"):
            if param.HasField(name) and getattr(param, name) != self.group:
                log.info("conv_dw_layer.cpp", f"{name} {getattr(param, name)} is not looked at: {self.group} channels")


def _transposed_work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    return sum(prod(bottom) // blobs[0][0] * prod(blobs[0]) for bottom in bottoms)


@layer(
    "Deconvolution",
    param="convolution_param",
    bottoms=(1, None),
    tops=SAME,
    apart=APART,
    half=True,
    lets_go=True,
    convolves=True,
    work=_transposed_work,
)
class Deconvolution(Filters):
    """top = bottom, spread by `weight` (in, out / group, kernel...), plus bias: the transpose of Convolution.

    The output size is stride (in - 1) + dilation (kernel - 1) + 1 - 2 pad.
    """

    def __init__(self, param: ConvolutionParameter, shapes: Sequence[Shape]):
        super().__init__(param, shapes, transposed=True)

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._map(x) for x in bottoms)

    def _map(self, x: Tensor) -> Tensor:
        w = self.windows
        sizes = [
            s * (n - 1) + e - 2 * p for n, s, e, p in zip(x.shape[self.axis + 1 :], w.stride, w.extent, w.pad, strict=True)
        ]
        if any(size < 1 for size in sizes):
            raise _error(f"pad {' x '.join(map(str, w.pad))} leaves no output ({' x '.join(map(str, sizes))})", "pad")
        y = deconvolve(fold(x, self.axis), self.weight, self.bias, w, self.group)
        return unfold(y, x, self.axis)


@layer("Im2col", param="convolution_param", apart=APART, goes_on=True)
class Im2col(nn.Module):
    """top = what each window of a convolution sees, in the place of the channels: channel, kernel row, kernel column.

    Bottom (batch..., C, spatial...), top (batch..., C * kernel size, windows...). No learned blobs.
    """

    def __init__(self, param: ConvolutionParameter, shapes: Sequence[Shape]):
        super().__init__()
        (bottom,) = shapes
        self.axis = canonical_axis(param.axis, bottom, "convolution_param.axis")
        if self.axis == len(bottom) - 1:
            raise _error(f"axis {param.axis} leaves no spatial axis of the shape {tuple(bottom)}", "axis")
        self.windows = Windows.of(param, len(bottom) - self.axis - 1)

    def forward(self, x: Tensor) -> Tensor:
        w, axes = self.windows, len(self.windows.kernel)
        seen = F.pad(reach(fold(x, self.axis), w), [n for p in reversed(w.pad) for n in (p, p)])
        for i in range(axes):
            seen = seen.unfold(2 + i, w.extent[i], w.stride[i])[..., :: w.dilation[i]]
        places, taps = range(2, 2 + axes), range(2 + axes, 2 + 2 * axes)
        columns = seen.permute(0, 1, *taps, *places).flatten(1, 1 + axes)
        return unfold(columns, x, self.axis)
