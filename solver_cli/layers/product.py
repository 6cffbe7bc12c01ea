"""Products of large weights by oneDNN, on processors for which MKL, torch's usual way, has slower kernels."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 1 << 20  # weights; of fewer it makes no difference
ROWS = 8  # of fewer the way back is slower


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (..., K) times weight (M, K)^T, plus bias (M)."""
    if not (weight.numel() >= LARGE and _served(x, weight)):
        return F.linear(x, weight, bias)
    y: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return y


def _served(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN is the faster: by a sixth with 256 rows, a third with 16."""
    if not x.is_cpu or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    if x.numel() < ROWS * x.shape[-1] or not x.dtype == weight.dtype == torch.float32 or not weight.is_contiguous():
        return False
    return torch.backends.mkldnn.is_available() and _made_by_amd()  # type: ignore[no-untyped-call]


@cache
def _made_by_amd() -> bool:
    with suppress(OSError):
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text()
    return False


class _Linear(torch.autograd.Function):
    """The product, both gradients of which are products as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), wanted = ctx.saved_tensors, ctx.needs_input_grad
        above = grads[0].flatten(0, -2)
        dx = _product(above, weight.t()).view_as(x) if wanted[0] else None
        d_weight = _product(above.t(), x.flatten(0, -2).t()) if wanted[1] else None
        return dx, d_weight, above.sum(0) if wanted[2] else None


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return y
