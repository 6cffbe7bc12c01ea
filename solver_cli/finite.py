"""NaN and infinity: which number went wrong first, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from solver_cli.errors import NumericalError
from solver_cli.net import Net
from solver_cli.plan import Node

SATURATED = 87.3365  # -ln(smallest normal float32): what SoftmaxWithLoss gives where the label's probability is 0


def explain(net: Net, batch: Mapping[str, Tensor], iteration: int, rate: float, snapshot: str) -> NumericalError:
    """Run the pass of `batch` again with checks; the error that names the first number that is not finite.

    `rate`: the learning rate; `snapshot`: the last one written, "" for none.
    """
    found = _first_learned(net) or _first_blob(net, batch)
    node, what = found or (net.nodes[-1], "the loss is not finite, though every blob is: it is too large for float32")
    back = f", or go back to {snapshot} with --snapshot" if snapshot else ""
    remedy = f"lower base_lr (the rate is {rate:g}) or set clip_gradients{back}"
    if node.source is not None:
        remedy = "look into its data"
    message = f"iteration {iteration}, layer '{node.name}' ({node.param.type}): {what}: {remedy}"
    return NumericalError(message, node.spec.where())


def _first_learned(net: Net) -> tuple[Node, str] | None:
    """The first learned blob that is not finite: an update has spoilt it."""
    for learned in net.learned:
        if bad := _kind(learned.blob):
            return learned.node, f"its learned blob {learned.index} holds {bad} since an update"
    return None


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
    """A remark for a SoftmaxWithLoss whose shown loss says that its scores have overflowed; else nothing."""
    for node in net.nodes:
        top = outputs.get(node.tops[0]) if node.param.type == "SoftmaxWithLoss" and node.tops else None
        if top is not None and abs(float(top) - SATURATED) < 1e-3:
            return (
                f"loss {SATURATED} of layer '{node.name}' ({node.spec.where()}) is -ln of the smallest float: the softmax "
                "gives the right class the probability 0 for every record. The scores have overflowed: lower base_lr, set "
                "clip_gradients, scale the data, or begin from other weights"
            )
    return ""
