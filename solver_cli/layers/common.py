"""Layers that join, cut, reorder and reduce blobs, or scale and shift them."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import (
    BiasParameter,
    ConcatParameter,
    EltwiseParameter,
    FillerParameter,
    LayerParameter,
    ParameterParameter,
    ReductionParameter,
    ReshapeParameter,
    ScaleParameter,
    SliceParameter,
)
from solver_cli.errors import ConfigError, DataError
from solver_cli.fillers import filled
from solver_cli.layers.narrow import dense_back
from solver_cli.registry import Shapes, by_axis, layer

Shape = tuple[int, ...]


def shape_of(x: Tensor) -> Shape:
    return tuple(x.shape)


def canonical_axis(axis: int, bottom: Shape | Tensor, field: str) -> int:
    """The axis counted from 0; ConfigError if `bottom` has no such axis."""
    shape = shape_of(bottom) if isinstance(bottom, Tensor) else bottom
    if not -len(shape) <= axis < len(shape):
        raise ConfigError(f"axis {axis} is out of range for a bottom of shape {shape}, {len(shape)} axes", field=field)
    return axis % len(shape)


def _argmax_apart(param: LayerParameter, bottoms: Shapes) -> bool:
    return not param.argmax_param.HasField("axis") or by_axis("argmax_param.axis")(param, bottoms)


@layer("ArgMax", param="argmax_param", no_gradient=(0,), apart=_argmax_apart)
def argmax(x: Tensor, *, out_max_val: bool, top_k: int, axis: int | None) -> Tensor:
    """top = indices of the top_k greatest values, of equal ones the later first; with `out_max_val` their values

    Along `axis`, or over all axes but the first: then top is (N, 1, top_k), or (N, 2, top_k) with indices and values,
    padded with axes of 1 to the bottom's number.
    """
    rows = x.detach() if axis is not None else x.detach().reshape(x.shape[0], -1)
    along = 1 if axis is None else canonical_axis(axis, x, "argmax_param.axis")
    size = rows.shape[along]
    if not 1 <= top_k <= size:
        raise ConfigError(
            f"top_k {top_k} is not between 1 and the {size} values of a bottom of shape {shape_of(x)}",
            field="argmax_param.top_k",
        )
    values, order = rows.flip(along).sort(stable=True, dim=along, descending=True)
    values, indices = values.narrow(along, 0, top_k), (size - 1 - order.narrow(along, 0, top_k)).to(x.dtype)
    if axis is not None:
        return values if out_max_val else indices
    top = torch.stack((indices, values) if out_max_val else (indices,), 1)
    return top.reshape(shape_of(top) + (1,) * (x.dim() - 3))


@layer("BatchReindex", bottoms=2, no_gradient=(1,))
def batch_reindex(x: Tensor, index: Tensor) -> Tensor:
    """top[i] = bottom[index[i]]"""
    if index.dim() != 1:
        raise ConfigError(f"the index (bottom 1) must have one axis, not shape {shape_of(index)}", field="bottom[1]")
    if index.device.type == "cpu" and not torch.compiler.is_compiling():
        wrong = (index < 0) | (index >= x.shape[0])
        if wrong.any():
            at = int(wrong.nonzero()[0])
            raise DataError(f"index {index[at].item():g} at {at} is not in 0..{x.shape[0] - 1}, the rows of bottom 0")
    return x.index_select(0, index.long())


def _factors_apart(param: LayerParameter, bottoms: Shapes) -> bool:
    """Bias and Scale: if the factors are not those of single records, or come record by record themselves."""
    settings = param.scale_param if param.type == "Scale" else param.bias_param
    first = settings.axis % len(bottoms[0]) == 0
    return first if len(bottoms) > 1 else not first or settings.num_axes == 0


@layer("Bias", bottoms=(1, 2), apart=_factors_apart)
class Bias(nn.Module):
    """top = bottom + bias, a learned blob or bottom 1, of the shape of `num_axes` axes of bottom 0 from `axis` on."""

    def __init__(self, param: BiasParameter, shapes: list[Shape]):
        super().__init__()
        self.axis = param.axis
        self.bias = filled(param.filler, *_aligned_shape(param, shapes[0], "bias_param")) if len(shapes) == 1 else None

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return x + _aligned(self.bias if bias is None else bias, x, self.axis, "bias_param")


def _per_channel(param: ScaleParameter, bottoms: Shapes) -> bool:
    """Whether there is one learned value for each index of axis 1."""
    if len(bottoms) > 1 or len(_aligned_shape(param, bottoms[0], "scale_param")) != 1:
        return False
    return canonical_axis(param.axis, bottoms[0], "scale_param.axis") == 1


@layer(
    "Scale",
    bottoms=(1, 2),
    apart=_factors_apart,
    half=lambda param, bottoms: _per_channel(param.scale_param, bottoms),
)
class Scale(nn.Module):
    """top = bottom * scale + bias, scale as the blob of Bias; `bias_term` adds a learned bias of its shape.

    Each pass sets a learned scale between NormFace's `min_value` and `max_value`.
    """

    def __init__(self, param: ScaleParameter, shapes: list[Shape]):
        super().__init__()
        self.axis = param.axis
        self.scale: nn.Parameter | None = None
        self.per_channel = _per_channel(param, shapes)
        shape = shapes[-1]
        if len(shapes) == 1:
            shape = _aligned_shape(param, shapes[0], "scale_param")
            filler = param.filler if param.HasField("filler") else FillerParameter(type="constant", value=1)
            self.scale = filled(filler, *shape)
        self.bias = filled(param.bias_filler, *shape) if param.bias_term else None
        self.bounds = tuple(getattr(param, f) if param.HasField(f) else None for f in ("min_value", "max_value"))
        if len(shapes) > 1 and self.bounds != (None, None):
            raise ConfigError("min_value and max_value are for a scale that the layer learns", field="scale_param")

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        if self.scale is not None and self.bounds != (None, None):
            self.scale.data.clamp_(*self.bounds)
        if self.per_channel and self.scale is not None and x.shape[1:2] == self.scale.shape:
            # Normalising by mean 0 and variance 1 changes nothing and is up to 3 times as fast, above all on the way back.
            mean, variance = torch.zeros_like(self.scale), torch.ones_like(self.scale)
            return F.batch_norm(x, mean, variance, self.scale, self.bias, eps=0.0)
        scale = _aligned(self.scale if scale is None else scale, x, self.axis, "scale_param")
        if self.bias is None:
            return x * scale
        return torch.addcmul(_aligned(self.bias, x, self.axis, "scale_param"), x, scale)


def _aligned_shape(param: BiasParameter | ScaleParameter, bottom: Shape, field: str) -> Shape:
    """The shape of the learned blob: `num_axes` axes of the bottom from `axis` on, -1 all that follow."""
    axis = canonical_axis(param.axis, bottom, f"{field}.axis")
    end = len(bottom) if param.num_axes == -1 else axis + param.num_axes
    if not axis <= end <= len(bottom):
        raise ConfigError(
            f"num_axes {param.num_axes} from axis {axis} on does not fit a bottom of shape {bottom}",
            field=f"{field}.num_axes",
        )
    return bottom[axis:end]


def _aligned(blob: Tensor | None, x: Tensor, axis: int, field: str) -> Tensor:
    """`blob` with axes of 1 behind, so that its first axis meets `axis` of x."""
    assert blob is not None
    axis = canonical_axis(axis, x, f"{field}.axis") if blob.dim() else 0
    if x.shape[axis : axis + blob.dim()] != blob.shape:
        raise ConfigError(
            f"the blob of shape {shape_of(blob)} does not match bottom 0 of shape {shape_of(x)} from axis {axis} on",
            field="bottom[1]",
        )
    return blob.reshape(blob.shape + (1,) * (x.dim() - axis - blob.dim()))


@layer("Concat", bottoms=(1, None), apart=True, half=True, lets_go=True)
class Concat(nn.Module):
    """top = the bottoms, one after the other along `axis`"""

    def __init__(self, param: ConcatParameter, shapes: list[Shape]):
        super().__init__()
        self.axis = axis = _old_axis(param, "concat_dim", shapes[0], "concat_param")
        for i, shape in enumerate(shapes):
            if (*shape[:axis], *shape[axis + 1 :]) != (*shapes[0][:axis], *shapes[0][axis + 1 :]):
                raise ConfigError(
                    f"bottom {i} of shape {shape} does not fit bottom 0 of shape {shapes[0]}: only axis {axis} may differ",
                    field=f"bottom[{i}]",
                )

    def forward(self, *bottoms: Tensor) -> Tensor:
        return torch.cat([dense_back(x, self.axis) for x in bottoms], self.axis)


def _old_axis(param: ConcatParameter | SliceParameter, old: str, bottom: Shape, field: str) -> int:
    """The axis, counted from 0, by its name of today or by its old one."""
    if not param.HasField(old):
        return canonical_axis(param.axis, bottom, f"{field}.axis")
    if param.HasField("axis"):
        raise ConfigError(f"axis and {old} mean the same: give one of them", field=f"{field}.{old}")
    return canonical_axis(getattr(param, old), bottom, f"{field}.{old}")


@layer("Crop", bottoms=2, apart=True, half=True)
def crop(x: Tensor, reference: Tensor, *, axis: int, offset: tuple[int, ...]) -> Tensor:
    """top = bottom 0, cut from `axis` on to the size of bottom 1, `offset` values in"""
    start = canonical_axis(axis, x, "crop_param.axis")
    cropped = range(start, x.dim())
    if len(offset) > 1 and len(offset) != len(cropped):
        raise ConfigError(
            f"{len(offset)} offsets for {len(cropped)} axes, those of shape {shape_of(x)} from axis {start} "
            "on: give one for all, or one for each",
            field="crop_param.offset",
        )
    if reference.dim() < x.dim():
        raise ConfigError(
            f"bottom 1 of shape {shape_of(reference)} has fewer axes than bottom 0 of shape {shape_of(x)}", field="bottom[1]"
        )
    pads: list[int] = []  # what comes off at the beginning and at the end of each axis, the last axis first
    for i, skip in zip(cropped, offset if len(offset) > 1 else (offset or (0,)) * len(cropped), strict=True):
        rest = x.shape[i] - reference.shape[i] - skip
        if rest < 0:
            raise ConfigError(
                f"axis {i}: offset {skip} + size {reference.shape[i]} is more than the {x.shape[i]} of bottom 0 "
                f"(bottoms {shape_of(x)}, {shape_of(reference)})",
                field="crop_param.offset",
            )
        pads = [-skip, -rest, *pads]
    return F.pad(x, pads) if any(pads) else x  # slices would lose channels_last on the way back


@layer(
    "Eltwise",
    bottoms=(2, None),
    apart=True,
    half=lambda param, _: param.eltwise_param.operation != EltwiseParameter.PROD,  # its gradient is top / bottom
    lets_go=lambda param, _: param.eltwise_param.operation == EltwiseParameter.SUM,
)
def eltwise(*bottoms: Tensor, operation: int, coeff: tuple[float, ...], stable_prod_grad: bool) -> Tensor:
    """top = the product, the sum weighted by `coeff`, or the maximum of the bottoms"""
    first, *rest = bottoms
    for i, x in enumerate(bottoms):
        if x.shape != first.shape:
            raise ConfigError(
                f"bottom {i} of shape {shape_of(x)} differs from bottom 0 of shape {shape_of(first)}: "
                "Eltwise does not broadcast",
                field=f"bottom[{i}]",
            )
    if coeff and len(coeff) != len(bottoms):
        raise ConfigError(f"{len(coeff)} coeff for {len(bottoms)} bottoms: give one for each", field="eltwise_param.coeff")
    if operation == EltwiseParameter.SUM:
        return _weighted_sum(bottoms, coeff or (1.0,) * len(bottoms))
    if operation == EltwiseParameter.MAX:
        return _maximum(bottoms)
    if coeff:
        raise ConfigError("coeff is for SUM, not for PROD", field="eltwise_param.coeff")
    if not stable_prod_grad:
        top: Tensor = _Product.apply(*bottoms)  # type: ignore[no-untyped-call]
        return top
    top = first
    for x in rest:
        top = top * x
    return top


def _weighted_sum(bottoms: tuple[Tensor, ...], coeff: tuple[float, ...]) -> Tensor:
    """sum_i coeff_i bottom_i"""
    top = bottoms[0] if coeff[0] == 1 else bottoms[0] * coeff[0]
    for x, c in zip(bottoms[1:], coeff[1:], strict=True):
        top = torch.add(top, x, alpha=c)
    return top


def _maximum(bottoms: tuple[Tensor, ...]) -> Tensor:
    """The maximum, whose gradient goes to one bottom: of the first two the second if they are equal, else the earlier."""
    first, second, *rest = bottoms
    top = torch.where(first > second, first, second)
    for x in rest:
        top = torch.where(x > top, x, top)
    return top


class _Product(torch.autograd.Function):
    """The product, whose gradient is Caffe's top / bottom: the derivative but at 0, where it is NaN."""

    @staticmethod
    def forward(ctx: Any, *bottoms: Tensor) -> Tensor:
        top = bottoms[0]
        for x in bottoms[1:]:
            top = top * x
        ctx.save_for_backward(top, *bottoms)
        return top

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        top, *bottoms = ctx.saved_tensors
        return tuple(grad * (top / x) for x in bottoms)


@layer("Filter", bottoms=(2, None), tops=(1, None), no_gradient=(-1,), dynamic=True)
def filter(*bottoms: Tensor, num_tops: int) -> tuple[Tensor, ...]:
    """top i = the rows of bottom i whose selector, the last bottom, is not 0"""
    *kept, selector = bottoms
    if num_tops != len(kept):
        raise ConfigError(f"{num_tops} tops for {len(kept)} bottoms and their selector: give {len(kept)}", field="top")
    if selector.dim() == 0 or selector.numel() != selector.shape[0]:
        raise ConfigError(
            f"the selector (the last bottom) must be one value a row, not of shape {shape_of(selector)}",
            field=f"bottom[{len(kept)}]",
        )
    for i, x in enumerate(kept):
        if x.shape[:1] != selector.shape[:1]:
            raise ConfigError(
                f"bottom {i} of shape {shape_of(x)} and its selector of shape {shape_of(selector)} differ in axis 0",
                field=f"bottom[{i}]",
            )
    if selector.is_meta:  # the values are not known yet: all rows, as Caffe says before its first batch
        return tuple(x.view_as(x) for x in kept)
    rows = selector.reshape(-1).nonzero().squeeze(1)
    return tuple(x.index_select(0, rows) for x in kept)


@layer("Flatten", in_place=False, apart=True, half=True, view=True)
def flatten(x: Tensor, *, axis: int, end_axis: int) -> Tensor:
    """top = bottom with the axes from `axis` to `end_axis`, it included, made one"""
    start = canonical_axis(axis, x, "flatten_param.axis")
    end = canonical_axis(end_axis, x, "flatten_param.end_axis") + 1
    if start > end:
        raise ConfigError(
            f"end_axis {end_axis} lies before axis {axis} in a bottom of shape {shape_of(x)}", field="flatten_param.end_axis"
        )
    return x.reshape((*x.shape[:start], prod(x.shape[start:end]), *x.shape[end:]))


@layer("Parameter", bottoms=0)
class Parameter(nn.Module):
    """top = a learned blob of the given shape, which starts as `blob_filler` (NormFace's) says, at 0 without."""

    def __init__(self, param: ParameterParameter, shapes: list[Shape]):
        super().__init__()
        self.blob = filled(param.blob_filler, *param.shape.dim)

    def forward(self) -> Tensor:
        return self.blob.view_as(self.blob)


@layer("Reduction", apart=True)
def reduction(x: Tensor, *, operation: int, axis: int, coeff: float) -> Tensor:
    """top = coeff times the sum, mean, sum of magnitudes or sum of squares of bottom over `axis` and all that follow"""
    axes = tuple(range(canonical_axis(axis, x, "reduction_param.axis"), x.dim()))
    if operation == ReductionParameter.ASUM:
        x = x.abs()
    elif operation == ReductionParameter.SUMSQ:
        x = x.square()
    top = x.mean(axes) if operation == ReductionParameter.MEAN else x.sum(axes)
    return top if coeff == 1 else top * coeff


def _reshape_apart(param: LayerParameter, bottoms: Shapes) -> bool:
    """Apart if the size of the batch is not written out."""
    settings = param.reshape_param
    start = settings.axis if settings.axis >= 0 else len(bottoms[0]) + 1 + settings.axis
    return start > 0 or (len(settings.shape.dim) > 0 and settings.shape.dim[0] in (0, -1))


@layer("Reshape", in_place=False, apart=_reshape_apart, half=True, view=True)
class Reshape(nn.Module):
    """top = bottom with `num_axes` axes from `axis` on (-1: all) replaced by `shape`: 0 copies an axis, -1 is inferred"""

    def __init__(self, param: ReshapeParameter, shapes: list[Shape]):
        super().__init__()
        self.dims = tuple(param.shape.dim)
        self.axis, self.num_axes = param.axis, param.num_axes

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(_reshaped(shape_of(x), self.dims, self.axis, self.num_axes))


def _reshaped(bottom: Shape, dims: Shape, axis: int, num_axes: int) -> Shape:
    """The shape that Reshape gives to a bottom; here, a negative axis counts from behind the last one."""
    start = axis if axis >= 0 else len(bottom) + 1 + axis
    if not 0 <= start <= len(bottom):
        raise ConfigError(f"axis {axis} is out of range for a bottom of shape {bottom}", field="reshape_param.axis")
    end = len(bottom) if num_axes == -1 else start + num_axes
    if not start <= end <= len(bottom):
        raise ConfigError(
            f"num_axes {num_axes} from axis {start} on does not fit a bottom of shape {bottom}",
            field="reshape_param.num_axes",
        )
    if min(dims, default=0) < -1 or dims.count(-1) > 1:
        raise ConfigError(f"shape {dims} may hold one -1 and no other negative value", field="reshape_param.shape")
    if 0 in dims[max(0, len(bottom) - start) :]:
        raise ConfigError(
            f"shape {dims} holds a 0 where a bottom of shape {bottom} has no axis to copy", field="reshape_param.shape"
        )
    copied = [bottom[start + i] if dim == 0 else dim for i, dim in enumerate(dims)]
    known = prod(bottom[:start]) * prod([d for d in copied if d != -1]) * prod(bottom[end:])
    count = prod(bottom)
    if -1 in copied and known and count % known == 0:
        copied[copied.index(-1)] = count // known
    top = (*bottom[:start], *copied, *bottom[end:])
    if -1 in copied or prod(top) != count:
        raise ConfigError(
            f"the {count} values of a bottom of shape {bottom} cannot take the shape {top}", field="reshape_param.shape"
        )
    return top


@layer("Silence", bottoms=(1, None), tops=0, apart=True, half=True)
def silence(*bottoms: Tensor) -> tuple[Tensor, ...]:
    """no top: takes blobs that nothing else reads"""
    return ()


@layer("Slice", tops=(1, None), apart=True, half=True, view=True)
class Slice(nn.Module):
    """tops = the pieces of bottom along `axis`, cut at the slice points, or of equal size"""

    def __init__(self, param: SliceParameter, shapes: list[Shape], *, num_tops: int):
        super().__init__()
        self.axis = _old_axis(param, "slice_dim", shapes[0], "slice_param")
        self.points, self.num_tops = tuple(param.slice_point), num_tops
        if self.points and len(self.points) != num_tops - 1:
            raise ConfigError(
                f"{len(self.points)} slice_point for {num_tops} tops: give {num_tops - 1}", field="slice_param.slice_point"
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, self._sizes(shape_of(x)), self.axis)

    def _sizes(self, bottom: Shape) -> list[int]:
        size, points = bottom[self.axis], self.points
        if not points and size % self.num_tops:
            raise ConfigError(
                f"axis {self.axis} of a bottom of shape {bottom} is not divisible by {self.num_tops} tops: give slice_point",
                field="slice_param",
            )
        if not points:
            return [size // self.num_tops] * self.num_tops
        sizes = [end - begin for begin, end in pairwise((0, *points, size))]
        if min(sizes) <= 0:
            raise ConfigError(
                f"slice points {points} do not increase within axis {self.axis} of a bottom of shape {bottom}",
                field="slice_param.slice_point",
            )
        return sizes


@layer("Split", tops=(1, None), in_place=False, apart=True, half=True, view=True)
def split(x: Tensor, *, num_tops: int) -> tuple[Tensor, ...]:
    """tops = bottom, each; their gradients add up"""
    return tuple(torch.ops.aten.alias(x) for _ in range(num_tops))  # view_as would lose channels_last at batch 1


@layer("Tile", apart=True, half=True)
def tile(x: Tensor, *, axis: int, tiles: int | None) -> Tensor:
    """top = `tiles` copies of bottom, one after the other along `axis`"""
    axis = canonical_axis(axis, x, "tile_param.axis")
    if tiles is None or tiles <= 0:
        raise ConfigError(f"tiles must be given and positive, not {tiles}", field="tile_param.tiles")
    return x.repeat([tiles if i == axis else 1 for i in range(x.dim())])
