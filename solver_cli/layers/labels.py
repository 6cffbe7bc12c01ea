"""Labels that must be classes: what layers that read them check, and the net for them before they travel to a GPU."""

from __future__ import annotations

import math
from math import prod

import torch
from torch import Tensor

from solver_cli.errors import ConfigError, DataError
from solver_cli.layers.common import shape_of


def check_labels(labels: Tensor, classes: int, ignored: int | None = None) -> None:
    """Refuse labels (N, ...) on the CPU that name no class. Raises DataError with the first one's place and value."""
    values = labels.detach().numpy()  # a fifth of the time of torch's operations on so few numbers
    if not values.size or (values.min() >= 0 and values.max() < classes):
        return
    wrong = (values < 0) | (values >= classes)
    if ignored is not None:
        wrong &= values != ignored
    if wrong.any():
        first = tuple(int(i[0]) for i in wrong.nonzero())
        raise DataError(
            f"label {values[first]} of item {first[0] if first else 0} of the batch (at {first}) is not in "
            f"0..{classes - 1}: there are {classes} classes"
        )


def labels_of(scores: Tensor, labels: Tensor, axis: int, ignored: int | None = None) -> Tensor:
    """The labels as integers (outer, inner), each a class. Raises ConfigError and DataError."""
    index = integers(scores, labels, axis)
    if readable(index):
        check_labels(index.reshape(labels.shape), scores.shape[axis], ignored)
    return index


def integers(scores: Tensor, labels: Tensor, axis: int) -> Tensor:
    """The labels as integers (outer, inner), the axes around the scores' classes. Raises ConfigError."""
    shape = shape_of(scores)
    outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
    if labels.numel() != outer * inner:
        raise ConfigError(
            f"{labels.numel()} labels, of shape {shape_of(labels)}, for scores of shape {shape} with the classes along axis "
            f"{axis}: one label for each of {outer} x {inner} positions is needed",
            field="bottom[1]",
        )
    return labels.long().reshape(outer, inner)


def readable(index: Tensor) -> bool:
    return index.device.type == "cpu" and not torch.compiler.is_compiling()


def guarded(index: Tensor, classes: int, ignored: int | None = None) -> tuple[Tensor, Tensor | None]:
    """The labels, and which of them name no class where it is not known: there they are 0.

    A GPU would read memory that is not the scores', and waiting for it in every pass to find out would cost more than the
    layer does. So the loss becomes NaN instead, see `poisoned`.
    """
    if index.is_meta or readable(index):
        return index, None
    wrong = (index < 0) | (index >= classes)
    if ignored is not None:
        wrong = wrong & (index != ignored)
    return index.masked_fill(wrong, 0), wrong


def poisoned(loss: Tensor, wrong: Tensor | None) -> Tensor:
    """NaN, without any gradient, if a label is wrong."""
    return loss if wrong is None else loss.masked_fill(wrong.any(), math.nan)
