"""Layers of forks that weigh or reorder channels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from solver_cli.errors import ConfigError
from solver_cli.layers.common import shape_of
from solver_cli.registry import layer


@layer("Axpy", origin="SENet", param=None, bottoms=3, apart=True, half=True)
def axpy(scale: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """top = bottom 0, one number for each record and channel, times bottom 1 plus bottom 2 (SENet)"""
    if x.dim() < 2 or shape_of(x) != shape_of(y):
        raise ConfigError(
            f"bottoms 1 and 2 must have one shape of at least 2 axes, not {shape_of(x)} and {shape_of(y)}", field="bottom[2]"
        )
    if shape_of(scale) + (1,) * (x.dim() - scale.dim()) != shape_of(x)[:2] + (1,) * (x.dim() - 2):
        raise ConfigError(
            f"bottom 0 of shape {shape_of(scale)} must hold one number for each record and channel of bottom 1, "
            f"{shape_of(x)[:2]}",
            field="bottom[0]",
        )
    return y.addcmul(scale.reshape(x.shape[:2] + (1,) * (x.dim() - 2)), x)


@layer("ShuffleChannel", origin="ShuffleNet", apart=True, half=True)
def shuffle_channel(x: Tensor, *, group: int) -> Tensor:
    """top = bottom with its channels, seen as (group, C / group), transposed"""
    if group == 0 or x.dim() < 2 or x.shape[1] % group:
        raise ConfigError(
            f"group {group} must divide the channels of a bottom of shape {shape_of(x)}", field="shuffle_channel_param.group"
        )
    if x.dim() > 2:
        return F.channel_shuffle(x, group)
    return x.reshape(len(x), group, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)
