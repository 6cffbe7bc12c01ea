"""Pooling and SPP: the greatest or the mean value of each window, or one drawn by chance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import LayerParameter, PoolingParameter, SPPParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.chance import ALONE, drawn
from solver_cli.layers.common import Shape
from solver_cli.registry import Shapes, layer

Pair = tuple[int, int]


def max_pool(x: Tensor, kernel: Pair, stride: Pair, pad: Pair, ceil: bool = True) -> tuple[Tensor, Tensor]:
    """The greatest value of each window inside the picture, and its index y * W + x; the first of equals.

    A window without a pixel gives the lowest number and the index -1.
    """
    size = output_size(x, kernel, stride, pad, ceil)
    if _torch_takes(kernel, pad):
        y, index = F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil, return_indices=True)
    else:
        padded = _padded(x, pad, -torch.inf)
        y, index = F.max_pool2d(padded, kernel, stride, ceil_mode=ceil, return_indices=True)
        width = padded.shape[3]
        index = (index // width - pad[0]) * x.shape[3] + index % width - pad[1]
    return _fitted(y, size, torch.finfo(x.dtype).min), _fitted(index, size, -1)


def mean_pool(x: Tensor, kernel: Pair, stride: Pair, pad: Pair, ceil: bool = True) -> Tensor:
    """The sum of each window's pixels divided by its area cut to the padded picture; 0 / 0 if that area is 0."""
    if kernel == (x.shape[2], x.shape[3]) and not any(pad):
        return x.mean((2, 3), keepdim=True)  # twice as fast as one large window
    size = output_size(x, kernel, stride, pad, ceil)
    if _torch_takes(kernel, pad):
        y = F.avg_pool2d(x, kernel, stride, pad, ceil_mode=ceil)
    else:
        y = F.avg_pool2d(_padded(x, pad, 0), kernel, stride, ceil_mode=ceil)
    y = _fitted(y, size, 0)
    if any(pad) or not any((n - 1) * s >= of for n, s, of in zip(size, stride, x.shape[2:], strict=True)):
        return y
    rows, columns = (torch.arange(n, device=x.device) * s == of for n, s, of in zip(size, stride, x.shape[2:], strict=True))
    return y.masked_fill(rows[:, None] | columns, torch.nan)


def output_size(x: Tensor, kernel: Pair, stride: Pair, pad: Pair, ceil: bool) -> Pair:
    """Windows along height and width.

    With padding on either axis a last window that would start behind the picture's end is dropped; without, it stays.
    """
    sizes = []
    for n, k, s, p in zip(x.shape[2:], kernel, stride, pad, strict=True):
        room = n + 2 * p - k
        size = (-(-room // s) if ceil else room // s) + 1
        if any(pad) and (size - 1) * s >= n + p:
            size -= 1
        sizes.append(size)
    if min(sizes) < 1:
        padded = " x ".join(str(n + 2 * p) for n, p in zip(x.shape[2:], pad, strict=True))
        raise ConfigError(
            f"kernel {kernel[0]} x {kernel[1]} is larger than the padded input {padded}", field="pooling_param.kernel_size"
        )
    return sizes[0], sizes[1]


def _torch_takes(kernel: Pair, pad: Pair) -> bool:
    """Torch refuses a pad of more than half a kernel."""
    return 2 * pad[0] <= kernel[0] and 2 * pad[1] <= kernel[1]


def _padded(x: Tensor, pad: Pair, value: float) -> Tensor:
    return F.pad(x, (pad[1], pad[1], pad[0], pad[0]), value=value)


def _fitted(y: Tensor, size: Pair, value: float) -> Tensor:
    """y cut or lengthened to `size`: torch counts windows in padding that is real by now, and no empty ones."""
    short = size[0] - y.shape[2], size[1] - y.shape[3]
    return F.pad(y, (0, short[1], 0, short[0]), value=value) if any(short) else y


def drawn_pool(x: Tensor, kernel: Pair, stride: Pair, ceil: bool, share: Tensor) -> Tensor:
    """The first value of each window with which, in reading order, `share` (0 to 1) of the window's sum is reached."""
    size = output_size(x, kernel, stride, (0, 0), ceil)
    missing = [max(0, (n - 1) * s + k - of) for n, s, k, of in zip(size, stride, kernel, x.shape[2:], strict=True)]
    x = F.pad(x, (0, missing[1], 0, missing[0]))
    windows = x.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])[:, :, : size[0], : size[1]].flatten(4)
    sums = windows.detach().cumsum(4)
    order = torch.arange(sums.shape[4], device=x.device)
    reached = sums >= share.unsqueeze(4) * sums[..., -1:]
    first = torch.where(reached, order, len(order) - 1).amin(4, keepdim=True)
    return windows.gather(4, first).squeeze(4)


def expected_pool(x: Tensor, kernel: Pair, stride: Pair, ceil: bool) -> Tensor:
    """What `drawn_pool` gives on the average: sum x^2 / sum x of each window, 0 where the sum is not positive."""
    squares, values = (mean_pool(each, kernel, stride, (0, 0), ceil) for each in (x * x, x))
    positive = values > 0
    return torch.where(positive, squares / values.where(positive, 1), 0)


def _half(param: LayerParameter, bottoms: Shapes) -> bool:
    """A second top holds indices; sums that decide by chance are float32."""
    return len(param.top) == 1 and param.pooling_param.pool != PoolingParameter.STOCHASTIC


@layer("Pooling", tops=(1, 2), apart=True, half=_half, lets_go=True)
class Pooling(nn.Module):
    """top = the greatest (MAX) or mean (AVE) value of each window; a second top of MAX holds the winners' indices.

    STOCHASTIC: in training a value that is drawn, each with its share of the window's sum, else their mean weighted so.
    Bottom (N, C, H, W). A class for want of a field's default: what is set decides (kernel_size or kernel_h and kernel_w).
    """

    mask: Tensor | None = None  # random numbers drawn beforehand, for a batch that runs in pieces or more than once
    dealt = ALONE

    def __init__(self, param: PoolingParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__()
        (bottom,) = shapes
        _check_four_axes(bottom)
        self.mean, self.stochastic = param.pool == PoolingParameter.AVE, param.pool == PoolingParameter.STOCHASTIC
        if num_tops > 1 and param.pool != PoolingParameter.MAX:
            raise ConfigError("only pool: MAX has a second top (the indices)", field="top")
        self.num_tops = num_tops
        self.ceil = _rounds_up(param)
        self.kernel = _kernel(param)
        self.stride, self.pad = _pair(param, "stride"), _pair(param, "pad")
        _check_windows(self.kernel, self.stride, self.pad)
        if self.stochastic:
            if any(self.pad):
                raise _error("pool: STOCHASTIC takes no pad: take it out", "pad")
            self.generator: torch.Generator | None = None

    @property
    def draws(self) -> bool:
        """Whether it goes by chance."""
        return self.training and self.stochastic

    def draw(self, like: Tensor) -> Tensor:
        """Random numbers for a top of the shape of `like`, to use later."""
        share = torch.empty(like.shape, dtype=torch.float32, device=like.device)
        generator = None if like.is_meta else self.generator
        return drawn(share, self.dealt, lambda x: x.uniform_(generator=generator))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        kernel = self.kernel or (x.shape[2], x.shape[3])
        if self.draws:
            like = x.new_empty(()).expand(*x.shape[:2], *output_size(x, kernel, self.stride, self.pad, self.ceil))
            share = self.draw(like) if self.mask is None else self.mask
            return drawn_pool(x, kernel, self.stride, self.ceil, share.to(x.dtype))
        if self.stochastic:
            return expected_pool(x, kernel, self.stride, self.ceil)
        if self.mean:
            return mean_pool(x, kernel, self.stride, self.pad, self.ceil)
        y, index = max_pool(x, kernel, self.stride, self.pad, self.ceil)
        return (y, index.to(x.dtype)) if self.num_tops > 1 else y


def _error(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"pooling_param.{field}")


def _check_four_axes(bottom: Shape) -> None:
    if len(bottom) != 4:
        raise ConfigError(f"the input must have 4 axes (N, C, H, W), not the shape {tuple(bottom)}", field="bottom")


def _rounds_up(param: PoolingParameter) -> bool:
    """Whether a last window may reach beyond the picture: by BVLC's name for it, or by other forks'."""
    if not param.HasField("ceil_mode"):
        return param.round_mode == PoolingParameter.CEIL
    if param.HasField("round_mode") and param.ceil_mode != (param.round_mode == PoolingParameter.CEIL):
        raise _error("round_mode and ceil_mode say the opposite: give one of them", "ceil_mode")
    return param.ceil_mode


def _kernel(param: PoolingParameter) -> Pair | None:
    """None: the whole picture."""
    square, sides = param.HasField("kernel_size"), [f for f in ("kernel_h", "kernel_w") if param.HasField(f)]
    if param.global_pooling:
        if square or sides:
            field = "kernel_size" if square else sides[0]
            raise _error(f"global_pooling takes the whole picture as its kernel: remove {field}", field)
        return None
    if square and sides:
        raise _error("either kernel_size or kernel_h and kernel_w, not both", "kernel_size")
    if square:
        return param.kernel_size, param.kernel_size
    if len(sides) < 2:
        raise _error("no kernel: give kernel_size, or both kernel_h and kernel_w", sides[0] if sides else "kernel_size")
    return param.kernel_h, param.kernel_w


def _pair(param: PoolingParameter, name: str) -> Pair:
    """`name` for both axes, or `name`_h and `name`_w."""
    sides = [f for f in (f"{name}_h", f"{name}_w") if param.HasField(f)]
    if not sides:
        return getattr(param, name), getattr(param, name)
    if len(sides) < 2 or param.HasField(name):
        raise _error(f"either {name} or both {name}_h and {name}_w", sides[0])
    return getattr(param, sides[0]), getattr(param, sides[1])


def _check_windows(kernel: Pair | None, stride: Pair, pad: Pair) -> None:
    if kernel is None:
        if pad != (0, 0) or stride != (1, 1):
            raise _error("global_pooling goes with pad 0 and stride 1 only", "pad" if pad != (0, 0) else "stride")
        return
    if 0 in kernel:
        raise _error("the kernel must be positive", "kernel_size")
    if 0 in stride:
        raise _error("stride must be positive", "stride")
    if pad[0] >= kernel[0] or pad[1] >= kernel[1]:
        raise _error(f"pad {pad[0]} x {pad[1]} must be smaller than the kernel {kernel[0]} x {kernel[1]}", "pad")


@layer("SPP", apart=True)
class SPP(nn.Module):
    """top = bottom pooled into 1, 4, 16 ... bins, each level flattened, all joined: (N, C (1 + 4 + 16 ...)).

    Bottom (N, C, H, W) of any size that has a pixel for each bin. One level alone stays (N, C, 1, 1).
    """

    def __init__(self, param: SPPParameter, shapes: Sequence[Shape]):
        super().__init__()
        _check_four_axes(shapes[0])
        if param.pool == SPPParameter.STOCHASTIC:
            raise ConfigError("pool: STOCHASTIC is not supported: use MAX or AVE", field="spp_param.pool")
        if param.pyramid_height == 0:
            raise ConfigError("pyramid_height must be positive", field="spp_param.pyramid_height")
        self.height = param.pyramid_height
        self.mean = param.pool == SPPParameter.AVE

    def forward(self, x: Tensor) -> Tensor:
        levels = [self._level(x, 2**level) for level in range(self.height)]
        return levels[0] if self.height == 1 else torch.cat([y.flatten(1) for y in levels], 1)

    def _level(self, x: Tensor, bins: int) -> Tensor:
        """kernel = stride = size / bins, rounded up; what is missing is padded."""
        h, w = (-(-n // bins) for n in x.shape[2:])
        pad = (h * bins - x.shape[2] + 1) // 2, (w * bins - x.shape[3] + 1) // 2
        if pad[0] >= h or pad[1] >= w:
            raise ConfigError(
                f"an input of {x.shape[2]} x {x.shape[3]} is too small for {bins} x {bins} bins: "
                f"the pad {pad[0]} x {pad[1]} must be smaller than the kernel {h} x {w}",
                field="spp_param.pyramid_height",
            )
        return mean_pool(x, (h, w), (h, w), pad) if self.mean else max_pool(x, (h, w), (h, w), pad)[0]
