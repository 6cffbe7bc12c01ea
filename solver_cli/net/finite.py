"""NaN and infinity: which number went wrong first, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from solver_cli.errors import NumericalError
from solver_cli.net.net import Net
from solver_cli.net.plan import Node


def explain(
    net: Net, batch: Mapping[str, Tensor], iteration: int, rate: float, snapshot: str, updated: bool
) -> NumericalError:
    """Run the pass of `batch` again with checks; the error that names the first number that is not finite.

    `rate`: the learning rate; `snapshot`: the last good one, "" for none; `updated`: whether this run has changed weights.
    """
    back = f", or go back to {snapshot} with --snapshot" if snapshot else ""
    remedy = f"lower base_lr (the rate is {rate:g}) or set clip_gradients{back}"
    found = _first_blob(net, batch)
    node, what = found or (net.nodes[-1], "the loss is not finite, though every blob is: it is too large for float32")
    if bad := bad_blobs(node):
        index, kind = bad[0]
        what = f"its learned blob {index} holds {kind}{_since(net, node) if updated else ', as it was loaded or filled'}"
        if not updated:
            remedy = "look into the weights that were loaded, and into the layer's fillers"
    elif node.source is not None:
        remedy = "look into its data"
    elif not updated:
        remedy = "look into the settings of this layer and of those before it, and into the data and weights that it got"
    message = f"iteration {iteration}, layer '{node.name}' ({node.param.type}): {what}: {remedy}"
    return NumericalError(message, node.spec.where())


def _since(net: Net, first: Node) -> str:
    """How far a gradient that was not finite has reached: from where it arose down to the data, so the last one tells."""
    last = next(node for node in reversed(net.nodes) if bad_blobs(node))
    also = f" (so do layers up to '{last.name}', where the gradient went wrong or above)" if last is not first else ""
    return f" since an update{also}"


def bad_blobs(node: Node) -> list[tuple[int, str]]:
    """(index, `NaN` or `infinity`) of the layer's learned blobs that are not finite."""
    return [(index, kind) for index, blob in enumerate(node.blobs()) if (kind := _kind(blob))]


def all_finite(blobs: Sequence[Tensor]) -> bool:
    """Whether every number is finite; waits for the device once."""
    if not blobs:
        return True
    sums = torch.stack([blob.detach().sum() for blob in blobs])  # many times as fast as a look at every number
    return bool(torch.isfinite(sums).all()) or not any(map(_kind, blobs))


def _first_blob(net: Net, batch: Mapping[str, Tensor]) -> tuple[Node, str] | None:
    """The first top that is not finite, with the largest of the bottoms that it was made of."""
    found: list[tuple[Node, str]] = []

    def look(node: Node, bottoms: list[Tensor], tops: tuple[Tensor, ...]) -> None:
        for name, top in zip(node.tops, tops, strict=True):
            if not found and (bad := _kind(top)):
                largest = max((float(b.detach().abs().max()) for b in bottoms if b.numel()), default=0.0)
                inputs = f"; the largest magnitude among its bottoms is {largest:g}" if bottoms else ""
                found.append((node, f"its top '{name}' is the first blob that holds {bad}{inputs}"))

    observer, net.observer = net.observer, look
    try:
        with torch.no_grad():
            net(batch)
    finally:
        net.observer = observer
    return found[0] if found else None


def _kind(blob: Tensor) -> str:
    """`NaN` or `infinity` where a blob holds it, else nothing."""
    if bool(torch.isfinite(blob).all()):
        return ""
    return "NaN" if bool(torch.isnan(blob).any()) else "infinity"


def saturated(net: Net, outputs: Mapping[str, Tensor]) -> str:
    """A remark for a loss layer whose shown loss says that its scores have overflowed; else nothing."""
    for node in net.nodes:
        overflow, top = node.kind.overflow, outputs.get(node.tops[0]) if node.tops else None
        if overflow is not None and top is not None and abs(float(top) - overflow) < 1e-3:
            return (
                f"loss {overflow:g} of layer '{node.name}' ({node.spec.where()}) is -ln of the smallest float: the softmax "
                "gives the right class the probability 0 for every record. The scores have overflowed: lower base_lr, set "
                "clip_gradients, scale the data, or begin from other weights"
            )
    return ""
