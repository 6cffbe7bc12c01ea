"""Parts of few channels of a blob with its channels last: some of torch's kernels go through them value by value."""

from __future__ import annotations

import torch
from torch import Tensor

LANES = 16  # float numbers that a CPU works on at once


def dense_back(x: Tensor, axis: int) -> Tensor:
    """x, about to become a part of a blob along `axis`; its gradient will be a copy, where a view takes twenty times as
    long to go through."""
    if axis != 1 or not x.is_cpu or torch.compiler.is_compiling() or not _is_narrow(x):
        return x
    y: Tensor = torch.ops.aten.alias(x)
    y.register_hook(lambda grad: grad.contiguous(memory_format=torch.channels_last))  # type: ignore[no-untyped-call]
    return y


def _is_narrow(x: Tensor) -> bool:
    return x.requires_grad and x.dim() == 4 and x.shape[1] < LANES and x.is_contiguous(memory_format=torch.channels_last)
