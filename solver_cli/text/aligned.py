"""Crops that no text says the offset of: it follows from the layers between the two bottoms, as in FCN's first fork.

A map (scale, shift) for each of height and width says where the places of a blob lie in another: scale * x + shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from solver_cli import log
from solver_cli.caffe_pb2 import ConvolutionParameter, LayerParameter, PoolingParameter
from solver_cli.errors import ConfigError
from solver_cli.text.netspec import LayerSpec

Map = list[tuple[Fraction, Fraction]]  # for height and width
IDENTITY: Map = [(Fraction(1), Fraction(0))] * 2
KEEP_PLACES = {
    *("AbsVal", "BNLL", "BatchNorm", "Bias", "Clip", "Concat", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN"),
    *("PReLU", "Power", "ReLU", "Scale", "Sigmoid", "Slice", "Softmax", "Split", "Swish", "TanH", "Threshold"),
}


def misfit(layer: LayerSpec, layers: Sequence[LayerSpec]) -> list[int]:
    """Where a Crop of BVLC's without crop_param, which begins at 0, would have to begin; none if at 0, or nothing tells."""
    try:
        offsets = _offsets(layer, layers) if len(layer.param.bottom) == 2 else []
    except ConfigError:
        return []
    return offsets if any(offsets) else []


def say(misfits: dict[str, list[int]]) -> None:
    """Warn of crops, by their layers' names, that begin elsewhere than they fit."""
    if misfits:
        places = ", ".join(f"'{name}' at {' and '.join(map(str, offsets))}" for name, offsets in list(misfits.items())[:3])
        more = f" (and {len(misfits) - 3} more)" * (len(misfits) > 3)
        log.warning(
            "net.cpp",
            f"Crop without crop_param begins at 0, as in BVLC's Caffe; what it cuts would fit {places}{more}, where FCN's "
            "and HED's forks begin: --dialect hed chooses that, crop_param { offset } says it",
        )


def with_offset(layer: LayerSpec, layers: Sequence[LayerSpec]) -> LayerSpec:
    """The Crop or AutoCrop layer behind `layers` with the crop_param that fits it to its bottom 1. Raises ConfigError."""
    if len(layer.param.bottom) != 2:
        return layer  # refused where bottoms are counted
    if layer.param.HasField("crop_param"):
        layer.fail("finds by itself where it begins; to say it, write a Crop", "crop_param")
    param = LayerParameter()
    param.CopyFrom(layer.param)
    param.crop_param.axis = 2
    param.crop_param.offset[:] = _offsets(layer, layers)
    return replace(layer, param=param)


def _offsets(layer: LayerSpec, layers: Sequence[LayerSpec]) -> list[int]:
    """How many rows and columns of bottom 0 lie before the first of bottom 1."""
    makers: dict[str, LayerSpec] = {}
    for other in layers:
        for top in other.param.top:
            makers.setdefault(top, other)  # a layer that works in place keeps places
    (first, second), paths, ways = layer.param.bottom, list[str](), list[str]()
    for blob, path in ((first, paths), (second, ways)):
        path.append(blob)
        while blob in makers and makers[blob].param.bottom:
            blob = makers[blob].param.bottom[0]
            path.append(blob)
    common = next((blob for blob in ways if blob in paths), None)
    if common is None:
        layer.fail(f"'{first}' and '{second}' do not come from one blob, so nothing tells where to cut", "bottom")
    from_first, from_second = (_along(layer, path[: path.index(common)], makers) for path in (paths, ways))
    offsets = []
    for (scale, shift), (stride, moved) in zip(from_second, from_first, strict=True):
        offset = scale * moved / stride - shift
        if scale != stride or offset < 0 or offset.denominator != 1:
            layer.fail(
                f"'{first}' begins {float(offset):g} places before '{second}', and its places are "
                f"{float(scale / stride):g} apart: a crop needs a whole number of them, 0 or more, and equal strides",
                "bottom",
            )
        offsets.append(int(offset))
    return offsets


def _along(layer: LayerSpec, path: Sequence[str], makers: dict[str, LayerSpec]) -> Map:
    """The map from the first blob that is not on the path any more to the path's first."""
    total = IDENTITY
    for blob in path:
        step = _map(layer, makers[blob].param)
        total = [(a * c, a * d + b) for (a, b), (c, d) in zip(total, step, strict=True)]
    return total


def _map(layer: LayerSpec, param: LayerParameter) -> Map:
    """The map of one layer, from its bottom to its top."""
    if param.type in KEEP_PLACES:
        return IDENTITY
    if param.type in ("Crop", "AutoCrop"):
        offset = list(param.crop_param.offset) or [0]
        return [(Fraction(1), Fraction(-n)) for n in (offset * 2)[:2]]
    if param.type in ("Convolution", "Deconvolution", "Pooling"):
        window = param.pooling_param if param.type == "Pooling" else param.convolution_param
        forth = [(Fraction(stride), Fraction(extent - 1, 2) - pad) for extent, stride, pad in _windows(window)]
        return forth if param.type == "Deconvolution" else [(1 / scale, -shift / scale) for scale, shift in forth]
    layer.fail(
        f"places do not correspond through layer '{param.name}' ({param.type}): write a Crop with crop_param {{ offset }}",
        "bottom",
    )


def _windows(param: ConvolutionParameter | PoolingParameter) -> list[tuple[int, int, int]]:
    """Extent, stride and pad along height and width."""
    found = []
    for i, side in enumerate("hw"):
        kernel, stride, pad = (_along_side(param, name, side, i) for name in ("kernel", "stride", "pad"))
        dilations = list(getattr(param, "dilation", ())) or [1]
        found.append(((kernel - 1) * dilations[min(i, len(dilations) - 1)] + 1, stride, pad))
    return found


def _along_side(param: ConvolutionParameter | PoolingParameter, name: str, side: str, i: int) -> int:
    one = getattr(param, f"{name}_{side}")
    if param.HasField(f"{name}_{side}"):  # type: ignore[arg-type]
        return int(one)
    value = getattr(param, "kernel_size" if name == "kernel" else name)
    if not isinstance(value, int):
        value = value[min(i, len(value) - 1)] if len(value) else 0
    return int(value) or (1 if name == "stride" else 0)
