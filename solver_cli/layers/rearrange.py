"""Layers that put values elsewhere: Flip, YOLO's Reorg, yjxiong's Gather and Scatter, warp-ctc's Reverse and Transpose."""

from __future__ import annotations

from torch import Tensor

from solver_cli.errors import ConfigError
from solver_cli.layers.common import shape_of
from solver_cli.registry import SAME, layer


def _four_axes(x: Tensor) -> None:
    if x.dim() != 4:
        raise ConfigError(f"the bottom must have 4 axes (N, C, H, W), not the shape {shape_of(x)}", field="bottom[0]")


@layer("Gather", origin="yjxiong", bottoms=(1, None), tops=SAME, param=None, apart=True, half=True, view=True, each=True)
def gather(*bottoms: Tensor) -> tuple[Tensor, ...]:
    """tops = bottoms: yjxiong's layer puts the batches of several GPUs together; here each goes on with its own"""
    return tuple(x.view_as(x) for x in bottoms)


# and its reverse
layer("Scatter", origin="yjxiong", bottoms=(1, None), tops=SAME, param=None, apart=True, half=True, view=True)(gather)


@layer("Flip", origin="NormFace", in_place=False, same_shape=True, apart=True, half=True)
def flip(x: Tensor, *, flip_width: bool, flip_height: bool) -> Tensor:
    """top = bottom (N, C, H, W), mirrored left to right (`flip_width`), top to bottom (`flip_height`), or both"""
    _four_axes(x)
    return x.flip([axis for axis, wanted in ((2, flip_height), (3, flip_width)) if wanted])


@layer("Reorg", origin="YOLO2", in_place=False, apart=True, half=True)
def reorg(x: Tensor, *, stride: int | None, reverse: bool) -> Tensor:
    """top = (N, C, H, W) as (N, C s^2, H / s, W / s), s = stride; with `reverse` (N, C / s^2, H s, W s)

    As YOLO's first code does it: without `reverse`, the memory of the bottom counts as (N, C / s^2, H s, W s), of which
    each s x s block goes to s^2 groups of channels. The gradient is its derivative.
    """
    _four_axes(x)
    n, c, h, w = x.shape
    s = stride or 0
    if s == 0:
        raise ConfigError("stride must be given and positive", field="reorg_param.stride")
    if c % s**2 or (not reverse and (h % s or w % s)):
        wanted = f"{s**2} and a size" if not reverse else f"{s**2}"
        raise ConfigError(
            f"a bottom of shape {shape_of(x)} needs a number of channels that is divisible by {wanted}"
            + (f" divisible by {s}" if not reverse else ""),
            field="reorg_param.stride",
        )
    if reverse:
        return x.reshape(n, s, s, c // s**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // s**2, h * s, w * s)
    return x.reshape(n, c // s**2, h, s, w, s).permute(0, 3, 5, 1, 2, 4).reshape(n, c * s**2, h // s, w // s)


@layer(
    "Reverse", origin="warp-ctc",
    in_place=False,
    apart=lambda param, bottoms: param.reverse_param.axis != 0,
    half=True,
)
def reverse(x: Tensor, *, axis: int) -> Tensor:
    """top = bottom, the last along `axis` first"""
    if not 0 <= axis < x.dim():
        raise ConfigError(f"axis {axis} is out of range for a bottom of shape {shape_of(x)}", field="reverse_param.axis")
    return x.flip(axis)


@layer(
    "Transpose", origin="warp-ctc",
    in_place=False,
    apart=lambda param, bottoms: param.transpose_param.dim[:1] == [0],
    half=True,
    view=True,
)
def transpose(x: Tensor, *, dim: tuple[int, ...]) -> Tensor:
    """top = bottom, whose axis dim[i] becomes axis i"""
    if sorted(dim) != list(range(x.dim())):
        raise ConfigError(
            f"dim {list(dim)} must name each axis of a bottom of shape {shape_of(x)} once", field="transpose_param.dim"
        )
    return x.permute(*dim)
