"""Layers that run as one, or in their bottom's memory, where nobody looks at the blob between them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from solver_cli.net.plan import Node


def fuse(nodes: list[Node]) -> None:
    """Let each layer that can do the work of the one that works in place right behind it do both.

    Let each layer that works in place, and can, overwrite its bottom, where the layer that made that needs it no more.
    Only `Node.quick` changes. Layers, blobs and their names stay, so weights files, logs and observers see what they did.
    """
    for first, second in pairwise(nodes):
        if first.quick is None and (both := _both(first, second)):
            first.quick, second.quick, second.fused = passed_on, both, first
    makers: dict[str, Node] = {}
    for node in nodes:
        overwrite = node.kind.overwrite if node.quick is None and node.tops == node.bottoms else None
        if overwrite and all(_lets_go(makers[blob]) for blob in node.bottoms):
            node.quick = overwrite(node.param)
        makers.update(dict.fromkeys(node.tops, node))


def _lets_go(maker: Node) -> bool:
    """Whether autograd keeps no top of the layer."""
    works = maker.fused or maker
    return works.holds(works.kind.lets_go)


def passed_on(x: Tensor) -> Tensor:
    """What is left of a layer whose work is done by the one behind."""
    return x


def _both(first: Node, second: Node) -> Callable[[Tensor], Tensor] | None:
    """What does the work of both layers on the bottom of the first, if anything does and they follow each other."""
    one, two = first.module, second.module
    absorbs = getattr(one, "absorbs", None)
    if (
        one is None
        or two is None
        or absorbs is None
        or not first.tops == second.bottoms == second.tops
        or any(first.loss_weights)
    ):
        return None
    both: Callable[[Tensor], Tensor] | None = absorbs(two)
    if both is None:
        return None

    def run(x: Tensor) -> Tensor:
        if one._forward_pre_hooks or two._forward_pre_hooks:  # these make blobs that are shared in another shape
            y: Tensor = two(one(x))
        else:
            y = both(x)
        return y

    return run
