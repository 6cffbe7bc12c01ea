"""NVCaffe's fields that say which kind of numbers a net works with: what is honoured, what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, Type
from solver_cli.errors import ConfigError, Where
from solver_cli.text.netspec import LayerSpec, NetSpec

FLOAT, FLOAT16 = Type.Value("FLOAT"), Type.Value("FLOAT16")


def half(net: NetParameter) -> bool:
    """Whether the net's file asks for half precision."""
    return net.default_forward_type == FLOAT16


def kept(layer: LayerParameter) -> bool:
    """Whether the layer stays in float32 in a net of half precision."""
    return layer.HasField("forward_type") and layer.forward_type == FLOAT


def check_types(net: NetSpec, layers: Sequence[LayerSpec]) -> None:
    """Refuse, at their field's place, types that there are not here; say what is done otherwise. Raises ConfigError."""
    try:
        if not 0 < (scale := net.param.global_grad_scale) < math.inf:
            raise ConfigError(f"global_grad_scale must be above 0, not {scale:g}", field="global_grad_scale")
        _check(net.param, "default_")
    except ConfigError as error:
        error.where = net.place.where(net.file, error.field) if net.place.line or net.place.children else Where(net.file)
        raise
    for layer in layers:
        try:
            _check(layer.param, "")
        except ConfigError as error:
            raise layer.locate(error) from None
        if layer.param.forward_type == FLOAT16 and not half(net.param):
            layer.fail(
                "half precision for one layer is not supported: write default_forward_type: FLOAT16 in the net, and "
                "forward_type: FLOAT in layers that are to stay in float32",
                "forward_type",
            )
    told = _remarks(net.param) + [line for layer in layers for line in _remarks(layer.param)]
    if told:
        log.info("net.cpp", f"Of NVCaffe's types of numbers: {'; '.join(dict.fromkeys(told))}")


def _check(param: NetParameter | LayerParameter, prefix: str) -> None:
    for name in ("forward_type", "backward_type", "forward_math", "backward_math"):
        value = getattr(param, prefix + name)
        if value not in (FLOAT, FLOAT16):
            raise ConfigError(f"{Type.Name(value)} is not supported: FLOAT or FLOAT16", field=prefix + name)
    forward, backward = getattr(param, f"{prefix}forward_type"), getattr(param, f"{prefix}backward_type")
    if backward == FLOAT16 and forward == FLOAT:
        name = f"{prefix}forward_type"
        raise ConfigError(f"gradients are of their blobs' type: write {name}: FLOAT16 too", field=f"{prefix}backward_type")


def _remarks(param: NetParameter | LayerParameter) -> list[str]:
    """What of the message's fields is done in another way here."""
    told = []
    gradients = isinstance(param, NetParameter) and half(param) and param.default_backward_type == FLOAT
    for field, value in param.ListFields():
        if field.name.endswith("ward_math") and value == FLOAT16:
            told.append("sums are made in float32, not in FLOAT16")
        elif field.name == "default_backward_type" and gradients:
            told.append("gradients of FLOAT16 blobs are FLOAT16")
        elif field.name.endswith("cudnn_math_override"):
            told.append(f"{field.name} chooses one of cuDNN's ways, which --precision does here")
        elif field.name == "global_grad_scale_adaptive":
            told.append("the scale of the loss always follows the gradients")
    return told
