"""Clipping: tensors scaled down where their common L2 norm is above a limit."""

from __future__ import annotations

import torch
from torch import Tensor

from solver_cli import log

LOGGED_AT_ONCE = 1000  # clippings whose lines may wait for a display


class Clipping:
    """Clips the tensors of a kind, "Gradient" or "Weight", as the log calls them."""

    def __init__(self, kind: str):
        self.kind = kind
        self._norms: list[tuple[float, Tensor]] = []  # (limit, norm); still on the device

    def __call__(self, tensors: list[Tensor], limit: float) -> None:
        """Scale the tensors down where their common L2 norm is above `limit`, which is none below 0; the device decides."""
        if limit < 0:
            return
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
        scale = torch.where(norm > limit, limit / norm, torch.ones_like(norm))
        torch._foreach_mul_(tensors, scale)
        self._norms.append((limit, norm))
        if norm.device.type == "cpu" or len(self._norms) == LOGGED_AT_ONCE:
            self.log()

    def log(self) -> None:
        """The lines of clippings since the last time; on a GPU they wait for a display, so as not to wait for the GPU."""
        norms = torch.stack([norm for _, norm in self._norms]).tolist() if self._norms else []
        for (limit, _), norm in zip(self._norms, norms, strict=True):
            if norm > limit:
                log.info(
                    "sgd_solver.cpp:99",
                    f"{self.kind} clipping: scaling down {self.kind.lower()}s (L2 norm {log.number(norm)} > "
                    f"{log.number(limit)}) by scale factor {log.number(limit / norm)}",
                )
        self._norms.clear()
