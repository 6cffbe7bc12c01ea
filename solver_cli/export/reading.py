"""What the writers of ONNX and of PyTorch read off a layer, and how they refuse one."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.errors import ConfigError
from solver_cli.net.plan import Node


def settings(node: Node) -> dict[str, Any]:
    """The settings of a layer that is a function."""
    found: dict[str, Any] = getattr(node.run, "keywords", {})
    return found


UNSAID = {  # what forks ask of layers beyond BVLC's, for which the writers have no words
    *("ConvolutionParameter.relu", "DropoutParameter.sample_weights_test", "DropoutParameter.sqrt_scale"),
    *("ELUParameter.lambda", "InnerProductParameter.relu", "InterpParameter.use_blob_size", "LossParameter.label_smoothing"),
    *("ScaleParameter.max_value", "ScaleParameter.min_value", "SoftmaxParameter.scaling_temperature"),
}


def check_said(param: LayerParameter) -> None:
    """Refuse a layer of which a setting would get lost."""
    for field, settings in param.ListFields():
        for inner, value in settings.ListFields() if hasattr(settings, "ListFields") else ():
            if f"{settings.DESCRIPTOR.name}.{inner.name}" in UNSAID and value != inner.default_value:
                refuse(f"{inner.name} {value} cannot be written: take it out", f"{field.name}.{inner.name}")


def inferred(node: Node) -> bool:
    """Whether a Reshape says all sizes of its top but the first, which follows."""
    told = node.param.reshape_param
    dims = list(told.shape.dim)
    return dims[:1] == [-1] and min(dims[1:], default=1) > 0 and (told.axis, told.num_axes) == (0, -1)


def statistics(node: Node) -> tuple[Tensor, Tensor]:
    """Mean and variance, which a BatchNorm layer has as sums and the factor that divides them."""
    mean, variance, factor = (blob.detach() for blob in node.blobs()[:3])
    share = torch.where(factor == 0, 0, 1 / factor)
    return mean * share, variance * share


def refuse(what: str, field: str = "type") -> NoReturn:
    """Raise that a layer cannot be written; whoever catches it adds the layer's place."""
    raise ConfigError(what, field=field)
