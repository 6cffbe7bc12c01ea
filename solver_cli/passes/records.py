"""Which layers keep the records of a batch apart, so that a batch can run in pieces, and what a piece counts for.

A layer keeps them apart if row n of each top depends on row n of each bottom alone. Types that are not named here are taken
to join them, which is always right: they then run on the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import LossParameter
from solver_cli.layers.normalization import BatchNorm
from solver_cli.net.plan import Node, Shape


def _always(node: Node, bottoms: list[Shape]) -> bool:
    return True


def _by_axis(field: str) -> Callable[[Node, list[Shape]], bool]:
    """Apart unless the axis that the layer's settings name is the first."""
    message, _, name = field.partition(".")

    def apart(node: Node, bottoms: list[Shape]) -> bool:
        return bool(getattr(getattr(node.param, message), name) % len(bottoms[0]))

    return apart


def _argmax(node: Node, bottoms: list[Shape]) -> bool:
    return not node.param.argmax_param.HasField("axis") or _by_axis("argmax_param.axis")(node, bottoms)


def _batch_norm(node: Node, bottoms: list[Shape]) -> bool:
    return node.quick is not None or batch_norm(node) is None


def _infogain(node: Node, bottoms: list[Shape]) -> bool:
    """Apart unless the matrix is a blob, which is no row of records."""
    return len(bottoms) == 2 and _by_axis("infogain_loss_param.axis")(node, bottoms)


def _reshape(node: Node, bottoms: list[Shape]) -> bool:
    """Apart if the size of the batch is not written out."""
    param = node.param.reshape_param
    start = param.axis if param.axis >= 0 else len(bottoms[0]) + 1 + param.axis
    return start > 0 or (len(param.shape.dim) > 0 and param.shape.dim[0] in (0, -1))


def _scale(node: Node, bottoms: list[Shape]) -> bool:
    """Apart if the factors are not those of single records, or come record by record themselves."""
    if node.fused is not None:
        return batch_norm(node.fused) is None
    param = node.param.scale_param if node.param.type == "Scale" else node.param.bias_param
    first = param.axis % len(bottoms[0]) == 0
    return first if len(bottoms) > 1 else not first or param.num_axes == 0


_KEEPING = [
    "AbsVal", "BNLL", "Clip", "Concat", "ContrastiveLoss", "Crop", "Dropout", "ELU", "Eltwise", "Embed", "EuclideanLoss",
    "Exp", "Flatten", "HingeLoss", "LRN", "Log", "MVN", "MultinomialLogisticLoss", "PReLU", "Pooling", "Power", "ReLU",
    "Reduction", "SPP", "Sigmoid", "SigmoidCrossEntropyLoss", "Silence", "Slice", "Split", "Swish", "TanH", "Threshold",
    "Tile",
]  # fmt: skip
_APART: dict[str, Callable[[Node, list[Shape]], bool]] = {
    **dict.fromkeys(_KEEPING, _always),
    "ArgMax": _argmax,
    "BatchNorm": _batch_norm,
    "Bias": _scale,
    "Convolution": _by_axis("convolution_param.axis"),
    "Deconvolution": _by_axis("convolution_param.axis"),
    "Im2col": _by_axis("convolution_param.axis"),
    "InfogainLoss": _infogain,
    "InnerProduct": _by_axis("inner_product_param.axis"),
    "Reshape": _reshape,
    "Scale": _scale,
    "Softmax": _by_axis("softmax_param.axis"),
    "SoftmaxWithLoss": _by_axis("softmax_param.axis"),
}


def apart(node: Node, bottoms: list[Shape], records: int) -> bool:
    """Whether the layer keeps `records` records apart, from bottoms of these shapes to its tops."""
    rule = _APART.get(node.param.type)
    rows = [*bottoms, *(node.shapes if not is_loss(node) else node.shapes[1:])]
    return bool(rule and bottoms) and all(shape[:1] == (records,) for shape in rows) and rule(node, bottoms)  # type: ignore[misc]


def is_loss(node: Node) -> bool:
    """Whether the layer's first top is a loss over its records."""
    return node.kind.loss


def batch_norm(node: Node) -> BatchNorm | None:
    """The BatchNorm that the layer runs, alone or for the Scale behind it, if it takes its statistics from the batch."""
    module = node.fused.module if node.fused is not None else node.module
    if not isinstance(module, BatchNorm):
        return None
    stored = not module.training if module.use_stored is None else module.use_stored
    return None if stored else module


def label_counts(node: Node) -> bool:
    """Whether the labels decide what the loss is divided by."""
    mean = _mean(node)
    return mean is not None and mean.mode == LossParameter.VALID and mean.ignored is not None


def share(node: Node, labels: Tensor | None, piece: range, batch: range) -> Tensor | float:
    """What the loss of the records `piece` counts for in the loss of the records `batch`.

    The sum of the shares times the pieces' losses is the loss of the batch, by the layer's own normalisation. `labels`: of
    all records, for a loss whose `label_counts`.
    """
    mean = _mean(node)
    if len(piece) == len(batch) or (mean is not None and mean.mode == LossParameter.NONE):
        return 1.0
    if mean is None or labels is None:
        return len(piece) / len(batch)
    own, whole = ((labels[rows.start : rows.stop].trunc() != mean.ignored).sum().clamp(min=1) for rows in (piece, batch))
    part: Tensor = own.to(torch.promote_types(labels.dtype, torch.float32)) / whole
    return part


def _mean(node: Node) -> Any:
    """What a loss layer's `loss_param` says, where it takes one."""
    return getattr(node.module, "mean", None) if is_loss(node) else None
