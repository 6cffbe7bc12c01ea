"""How positions in one blob of a net correspond to positions in another, to crop one to the other.

A map is (axis, scale, shift): position x in one blob is position scale * x + shift in the other, on the axes after `axis`;
axis None: on all. Scales and shifts may be arrays with one entry for each of those axes.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from .net_spec import Function, Top
from .net_spec import layers as L

PASS_THROUGH_LAYERS = [
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN", "PReLU", "Power",
    "ReLU", "Scale", "Sigmoid", "Split", "Swish", "TanH", "Threshold",
]  # fmt: skip
_LEGACY = ("pad_h", "pad_w", "kernel_h", "kernel_w", "stride_h", "stride_w")

Map = tuple[Any, Any, Any]
IDENTITY: Map = (None, 1, 0)


class UndefinedMapException(Exception):
    """The layer's tops have no positions that correspond to positions in its bottoms."""


class AxisMismatchException(Exception):
    """Two maps that should follow each other begin at different axes."""


def conv_params(fn: Function) -> tuple[int, Any, Any, Any]:
    """Axis, stride, extent of the dilated kernel and padding of a convolution or pooling."""
    settings = _settings(fn, "pooling_param" if fn.type_name == "Pooling" else "convolution_param")
    old = [name for name in _LEGACY if name in settings]
    if old:
        raise AssertionError(f"{fn.type_name}: cropping does not support {', '.join(old)}: write kernel_size, stride, pad")
    if "kernel_size" not in settings:
        raise UndefinedMapException(f"{fn.type_name} has no kernel_size")
    stride, kernel, dilation, pad = (
        np.array(settings.get(name, default), ndmin=1)
        for name, default in (("stride", 1), ("kernel_size", 1), ("dilation", 1), ("pad", 0))
    )
    return settings.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, Any]:
    """Axis and offset of a Crop layer."""
    settings = _settings(fn, "crop_param")
    return settings.get("axis", 2), np.array(settings.get("offset", 0), ndmin=1)


def _settings(fn: Function, message: str) -> dict[str, Any]:
    """The settings, whether they are written as the layer's keywords or as its message."""
    settings: dict[str, Any] = fn.params.get(message, fn.params)
    return settings


def coord_map(fn: Function) -> Map:
    """The map from a layer's bottom to its top. Raises UndefinedMapException."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, extent, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (extent - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, extent, pad = conv_params(fn)
        return axis, stride, (extent - 1) / 2 - pad
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    raise UndefinedMapException(f"positions do not correspond through a layer of type {fn.type_name}")


def compose(base_map: Map, next_map: Map) -> Map:
    """base(next(x)): scales multiply, the further shift is scaled. Raises AxisMismatchException."""
    (axis, scale, shift), (next_axis, next_scale, next_shift) = base_map, next_map
    if axis is None:
        axis = next_axis
    elif next_axis not in (None, axis):
        raise AxisMismatchException(f"maps of axes {axis} and {next_axis} cannot follow each other")
    return axis, scale * next_scale, scale * next_shift + shift


def inverse(coord_map: Map) -> Map:
    """The map the other way round: x = (y - shift) / scale."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map between two tops, through the nearest blob that both come from. Raises RuntimeError if there is none."""
    from_maps = _ancestors(top_from)
    for top, mapped in _ancestors(top_to).items():
        if top in from_maps:
            return compose(mapped, inverse(from_maps[top]))
    raise RuntimeError("the tops are not connected by layers that keep positions, so there is no map between them")


def _ancestors(top: Top) -> dict[Top, Map]:
    """The map to each blob that `top` comes from, the nearest first.

    All bottoms of a layer are mapped alike, but of a Crop the second one only gives its size.
    """
    maps, waiting = {top: IDENTITY}, deque([top])
    while waiting:
        above = waiting.popleft()
        try:
            for bottom in above.fn.inputs[: 1 if above.fn.type_name == "Crop" else None]:
                mapped = compose(maps[above], coord_map(above.fn))
                if bottom not in maps:
                    maps[bottom] = mapped
                    waiting.append(bottom)
        except UndefinedMapException:
            continue
    return maps


def crop(top_from: Top, top_to: Top) -> Any:
    """A Crop layer that cuts `top_from` to `top_to`, its offsets from the map between them.

    Raises AssertionError where the scales differ or an offset is negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    scale, shift = np.atleast_1d(scale), np.atleast_1d(shift)
    if (scale != 1).any():
        raise AssertionError(f"scale mismatch on crop (a = {scale}): the strides between the two do not cancel out")
    if (shift > 0).any():
        raise AssertionError(f"cannot crop negative offset (b = {shift}): the blob to be cropped is the smaller one")
    if (np.round(shift) != shift).any():
        raise AssertionError(f"cannot crop noninteger offset (b = {shift})")
    first = 2 if axis is None else axis + 1
    return L.Crop(top_from, top_to, crop_param={"axis": first, "offset": [int(-b) for b in shift]})
