"""Upsample and Interp: pictures made larger or smaller, without anything learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import InterpParameter, UpsampleParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers.common import Shape
from solver_cli.layers.labels import poisoned, readable
from solver_cli.registry import layer

SCALE = 2  # of Upsample, where none is given


def _four_axes(bottom: Shape) -> None:
    if len(bottom) != 4:
        raise ConfigError(f"the input must have 4 axes (N, C, H, W), not the shape {tuple(bottom)}", field="bottom")


def _error(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"upsample_param.{field}")


@layer("Upsample/yolo", origin="MobileNet-YOLO", param="upsample_param", apart=True, half=True)
class Repeat(nn.Module):
    """top = each value of bottom (N, C, H, W), `scale` times in each row and column"""

    def __init__(self, param: UpsampleParameter, shapes: Sequence[Shape]):
        super().__init__()
        _four_axes(shapes[0])
        for name in ("scale_h", "scale_w", "pad_out_h", "pad_out_w", "upsample_h", "upsample_w"):
            if param.HasField(name):
                raise _error(f"an Upsample of one bottom repeats its values `scale` times: take {name} out", name)
        self.scale = param.scale if param.HasField("scale") else SCALE
        if self.scale == 0:
            raise _error("scale must be positive", "scale")

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=self.scale, mode="nearest")


@layer("Upsample/segnet", origin="SegNet", param="upsample_param", bottoms=2, apart=True)
class Unpool(nn.Module):
    """top = bottom 0, each value at the index of its plane that bottom 1 gives (top 1 of a MAX Pooling), and 0 elsewhere.

    Of values for one place the last stays, and each gets the place's gradient (not the derivative). Top (N, C, H', W'):
    `upsample_h` x `upsample_w`, else the bottom's size times the scales, one less with `pad_out_h`, `pad_out_w`.
    """

    def __init__(self, param: UpsampleParameter, shapes: Sequence[Shape]):
        super().__init__()
        _four_axes(shapes[0])
        if tuple(shapes[0]) != tuple(shapes[1]):
            raise ConfigError(
                f"the values have the shape {tuple(shapes[0])}, their places {tuple(shapes[1])}: both must be equal",
                field="bottom[1]",
            )
        self.size = _unpooled(param, shapes[0])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        places = self.size[0] * self.size[1]
        index, wrong = mask.detach().long().flatten(2), None
        if readable(index):
            self._check(mask.detach(), index)
        else:
            wrong = None if index.is_meta or index.is_cpu else (index < 0) | (index >= places)
            index = index.clamp(0, places - 1)
        y: Tensor = _Placed.apply(x.flatten(2), index, places)  # type: ignore[no-untyped-call]
        return poisoned(y, wrong).view(*x.shape[:2], *self.size)

    def _check(self, mask: Tensor, index: Tensor) -> None:
        """Raise DataError for places outside of the top."""
        places = self.size[0] * self.size[1]
        if mask.numel() == 0 or all(-1 < bound < places for bound in map(float, mask.aminmax())):
            return
        wrong = (index < 0) | (index >= places)
        raise DataError(
            f"place {int(index[wrong][0])} lies outside of the top's {self.size[0]} x {self.size[1]} values: its size "
            "must be that of the blob which was pooled",
            field="bottom[1]",
        )


def _unpooled(param: UpsampleParameter, bottom: Shape) -> tuple[int, int]:
    """Height and width of the top. Raises ConfigError."""
    if param.HasField("upsample_h") and param.HasField("upsample_w"):
        for name in ("upsample_h", "upsample_w"):
            if getattr(param, name) < 2:
                raise _error(f"{name} must be more than 1", name)
        return param.upsample_h, param.upsample_w
    sides = [name for name in ("scale_h", "scale_w") if param.HasField(name)]
    if len(sides) == 1 or (sides and param.HasField("scale")):
        raise _error("give upsample_h and upsample_w, or scale, or both scale_h and scale_w", sides[0])
    for name in ("upsample_h", "upsample_w"):
        if param.HasField(name):
            raise _error("give both upsample_h and upsample_w", name)
    scales = (param.scale_h, param.scale_w) if sides else (param.scale if param.HasField("scale") else SCALE,) * 2
    for side, scale, less in zip("hw", scales, (param.pad_out_h, param.pad_out_w), strict=True):
        if scale < 2:
            raise _error(f"a scale must be more than 1, not {scale}", f"scale_{side}" if sides else "scale")
        if less and scale != 2:
            raise _error(f"pad_out_{side} goes with scale 2 alone: give upsample_h and upsample_w", f"pad_out_{side}")
    return bottom[2] * scales[0] - param.pad_out_h, bottom[3] * scales[1] - param.pad_out_w


class _Placed(torch.autograd.Function):
    """Values (N, C, n) at their places (N, C, n) of planes (N, C, places)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, places: int) -> Tensor:
        ctx.save_for_backward(index)
        if x.is_cpu and not torch.compiler.is_compiling():  # where scatter goes through a plane in order: ten times as fast
            return x.new_zeros(*x.shape[:2], places).scatter_(2, index, x)
        order = torch.arange(x.shape[2], device=x.device).expand(index.shape)
        last = index.new_full((*x.shape[:2], places), -1).scatter_reduce(2, index, order, "amax")
        return torch.where(last >= 0, x.gather(2, last.clamp(min=0)), 0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return grads[0].gather(2, index), None, None


@layer("Interp", origin="DeepLab", bottoms=(1, 2), apart=True)
class Interp(nn.Module):
    """top = bottom (N, C, H, W), brought to another size by lines between its values, corners on corners.

    The negative `pad_beg` and `pad_end` first cut rows and columns. Size: by `shrink_factor` or `zoom_factor` alone, else
    `height` x `width`, else shrunk and then zoomed; with `use_blob_size` (py-RFCN-priv) that of bottom 1.
    """

    def __init__(self, param: InterpParameter, shapes: Sequence[Shape]):
        super().__init__()
        _four_axes(shapes[0])
        for name in ("pad_beg", "pad_end"):
            if getattr(param, name) > 0:
                raise _interp_error(f"{name} must be 0 or less (it cuts), not {getattr(param, name)}", name)
        self.cut = -param.pad_beg, -param.pad_end
        inner = [n - sum(self.cut) for n in shapes[0][2:]]
        if min(inner) < 1:
            raise _interp_error(f"nothing is left of a bottom of shape {tuple(shapes[0])}", "pad_beg")
        if (len(shapes) > 1) != param.use_blob_size:
            has = "needs a second bottom, which has" if param.use_blob_size else "says whether a second bottom gives"
            raise _interp_error(f"use_blob_size {has} the size", "use_blob_size")
        self.size = tuple(shapes[1][2:]) if param.use_blob_size else _interpolated(param, inner)
        if min(self.size) < 1:
            raise _interp_error(f"the size {self.size[0]} x {self.size[1]} must be positive", "height")

    def forward(self, x: Tensor, like: Tensor | None = None) -> Tensor:
        first, last = self.cut
        x = x[:, :, first : x.shape[2] - last, first : x.shape[3] - last]
        size = self.size if like is None else like.shape[2:]
        return F.interpolate(x, size, mode="bilinear", align_corners=True)


def _interpolated(param: InterpParameter, inner: Sequence[int]) -> tuple[int, int]:
    """Height and width of the top. Raises ConfigError."""
    shrinks, zooms = param.HasField("shrink_factor"), param.HasField("zoom_factor")
    for name in ("shrink_factor", "zoom_factor"):
        if getattr(param, name) < 1:
            raise _interp_error(f"{name} must be at least 1, not {getattr(param, name)}", name)
    if shrinks == zooms and param.HasField("height") and param.HasField("width"):
        return param.height, param.width
    if not (shrinks or zooms):
        given = next((name for name in ("height", "width") if param.HasField(name)), "height")
        raise _interp_error("no size: give height and width, shrink_factor or zoom_factor", given)
    shrunk = [(n - 1) // param.shrink_factor + 1 for n in inner]
    height, width = (n + (n - 1) * (param.zoom_factor - 1) for n in shrunk)
    return height, width


def _interp_error(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"interp_param.{field}")
