"""Which layers keep the records of a batch apart, so that a batch can run in pieces, and what a piece counts for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import LossParameter
from solver_cli.net.fusion import passed_on
from solver_cli.net.plan import Node
from solver_cli.registry import Shape


def apart(node: Node, bottoms: list[Shape], records: int) -> bool:
    """Whether the layer keeps `records` records apart, from bottoms of these shapes to its tops."""
    rows = [*bottoms, *(node.shapes if not is_loss(node) else node.shapes[1:])]
    if not bottoms or any(shape[:1] != (records,) for shape in rows):
        return False
    if node.quick is passed_on:
        return True
    working = [node] if node.fused is None else [node.fused, node]
    return statistics(node) is None and all(each.holds(each.kind.apart) for each in working)


def is_loss(node: Node) -> bool:
    """Whether the layer's first top is a loss over its records."""
    return node.kind.loss


def statistics(node: Node) -> nn.Module | None:
    """The module that the layer runs, its own or the one before as well, if that takes its statistics from the batch."""
    module = node.fused.module if node.fused is not None else node.module
    return module if getattr(module, "from_batch", False) else None


def label_counts(node: Node) -> bool:
    """Whether the labels decide what the loss is divided by."""
    mean = _mean(node)
    return mean is not None and mean.mode == LossParameter.VALID and mean.ignored is not None


def adds_up(node: Node) -> bool:
    """Whether the loss of a batch is the sum of those of its parts, and not their mean."""
    mean = _mean(node)
    return mean is not None and mean.mode in (LossParameter.NONE, LossParameter.PRE_FIXED)


def counted(node: Node, labels: Tensor) -> Tensor:
    """How many of the labels of a loss whose `label_counts` decide what it is divided by."""
    valid: Tensor = labels.trunc() != _mean(node).ignored
    return valid.sum()


def share(node: Node, labels: Tensor | None, piece: range, batch: range) -> Tensor | float:
    """What the loss of the records `piece` counts for in the loss of the records `batch`.

    The sum of the shares times the pieces' losses is the loss of the batch, by the layer's own normalisation. `labels`: of
    all records, for a loss whose `label_counts`.
    """
    mean = _mean(node)
    if len(piece) == len(batch) or adds_up(node):
        return 1.0
    if mean is None or labels is None:
        return len(piece) / len(batch)
    own, whole = (counted(node, labels[rows.start : rows.stop]).clamp(min=1) for rows in (piece, batch))
    part: Tensor = own.to(torch.promote_types(labels.dtype, torch.float32)) / whole
    return part


def _mean(node: Node) -> Any:
    """What a loss layer's `loss_param` says, where it takes one."""
    return getattr(node.module, "mean", None) if is_loss(node) else None
