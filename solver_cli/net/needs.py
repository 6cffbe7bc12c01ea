"""Which gradients Caffe computes: what logs and debug_info show by, and what a net is refused for."""

from __future__ import annotations

from collections.abc import Iterator

from solver_cli.net.plan import Node


def backward_needs(nodes: list[Node], force: bool) -> list[tuple[bool, list[bool]]]:
    """For each layer, whether Caffe would run its backward pass, and which bottoms would get a gradient.

    Autograd decides by itself what to compute; logs and debug_info show Caffe's figures by this.
    """
    made: dict[str, bool] = {}
    needs = []
    for node in nodes:
        bottoms = [made[blob] for blob in node.bottoms]
        learns = any(asks_gradient(node, i, force) for i in range(len(node.learned)))
        wanted = list(node.param.propagate_down) or bottoms
        need = any(bottoms) or learns
        made.update(zip(node.tops, bottoms if node.kind.each else [need] * len(node.tops), strict=True))
        needs.append((need, wanted))
    found = list(_under_loss(nodes, needs))
    return [_forced(node, wanted) for node, (_, wanted) in zip(nodes, found, strict=True)] if force else found


def let_through(nodes: list[Node]) -> None:
    """Let gradients pass a propagate_down: false that a layer of Caffe's does not look at.

    They arrive where the layer that makes the bottom runs backward for another reader's sake.
    """
    runs: dict[str, bool] = {}  # for each blob whether Caffe runs its maker backward
    for node, (need, _) in zip(nodes, backward_needs(nodes, force=False), strict=True):
        if need and node.propagates and node.holds(node.kind.goes_on):
            node.propagates = tuple(down or runs[blob] for down, blob in zip(node.propagates, node.bottoms, strict=True))
        runs.update(dict.fromkeys(node.tops, need))


def asks_gradient(node: Node, index: int, force: bool) -> bool:
    """Whether Caffe asks the layer for the gradient of this learned blob: as the layer's own text says, which may leave out
    that BatchNorm's statistics are not learned."""
    params = node.spec.param.param
    return force or index >= len(params) or params[index].lr_mult != 0


def _forced(node: Node, wanted: list[bool]) -> tuple[bool, list[bool]]:
    """What force_backward makes of a layer's bottoms that would get a gradient."""
    spared = node.kind.spared
    return True, [want or i not in spared for i, want in enumerate(wanted)]


def refuse_gradients(nodes: list[Node], force: bool) -> None:
    """Refuse a net to train whose backward pass would ask for a gradient that there is not, of labels or indices.

    Caffe stops there in its first iteration; autograd would leave the gradient out without a word.
    """
    for node, (need, wanted) in zip(nodes, backward_needs(nodes, force), strict=True):
        for index in node.kind.no_gradient:
            if need and index < len(wanted) and wanted[index]:
                i = index % len(wanted)
                asked = "force_backward" if force else "propagate_down" if node.param.propagate_down else "a layer below it"
                remedy = "take force_backward out" if force else f"set propagate_down: false for bottom {i}"
                node.spec.fail(
                    f"there is no gradient for bottom {i} ('{node.bottoms[i]}'), but {asked} asks for one: {remedy}",
                    "propagate_down",
                )


def _under_loss(nodes: list[Node], needs: list[tuple[bool, list[bool]]]) -> Iterator[tuple[bool, list[bool]]]:
    """Take back the need where no loss lies behind a layer, or where nothing above asks for its gradient."""
    under: set[str] = set()
    skip: set[str] = set()
    result = []
    for node, (need, bottoms) in zip(reversed(nodes), reversed(needs), strict=True):
        loss = any(weight or blob in under for blob, weight in zip(node.tops, node.loss_weights, strict=True))
        skipped = all(blob in skip for blob in node.tops)
        if (need and skipped) or not loss:
            bottoms = [False] * len(bottoms)
        result.append((need and loss and not skipped, bottoms))
        if loss:
            under.update(node.bottoms)
        skip.update(blob for blob, wanted in zip(node.bottoms, bottoms, strict=True) if not wanted)
    return reversed(result)
