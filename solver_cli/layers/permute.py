"""Permute: axes in another order."""

from __future__ import annotations

from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import shape_of
from solver_cli.registry import Shapes, layer


def _apart(param: LayerParameter, bottoms: Shapes) -> bool:
    return param.permute_param.order[:1] in ([], [0])


@layer("Permute", origin="SSD", in_place=False, apart=_apart, half=True, view=True)
def permute(x: Tensor, *, order: tuple[int, ...]) -> Tensor:
    """top = bottom with its axes in the given order; those that are not listed follow as they were"""
    rest = [axis for axis in range(x.dim()) if axis not in order]
    if len(order) + len(rest) > x.dim():
        _refuse(x, order)
    return x.permute(*order, *rest)


def _refuse(x: Tensor, order: tuple[int, ...]) -> None:
    """Raise ConfigError for the first axis that is none of x's, or stands there twice."""
    for i, axis in enumerate(order):
        if axis >= x.dim():
            raise ConfigError(
                f"axis {axis} is out of range for a bottom of shape {shape_of(x)}", field="permute_param.order"
            )
        if axis in order[:i]:
            raise ConfigError(f"axis {axis} is given twice in order {list(order)}", field="permute_param.order")
