"""The scale of the loss in fp16, whose gradients would else be too small for half precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from solver_cli import log

FIRST = 65536.0
GROWTH, BACKOFF, GOOD = 2.0, 0.5, 2000  # as torch.amp.GradScaler's


class LossScale:
    """A factor that gradients carry until they are used; all of it stays on the device.

    It is halved by an iteration with a gradient that is not finite, and doubled after 2000 without.
    """

    def __init__(self, device: torch.device, first: float = FIRST):
        self.factor = torch.full((), first, device=device)
        self._good = torch.zeros((), dtype=torch.int32, device=device)
        self._skipped = torch.zeros((), dtype=torch.int64, device=device)
        self._told = 0

    def apply(self, loss: Tensor) -> Tensor:
        """The loss itself, whose gradients are the factor times as large."""
        scaled: Tensor = _Scaled.apply(loss, self.factor)  # type: ignore[no-untyped-call]
        return scaled

    @torch.no_grad()
    def unscale(self, gradients: list[Tensor]) -> Tensor:
        """Divide the gradients by the factor and adapt it; 1.0 where one of them is not finite, else 0.0."""
        found = torch.zeros_like(self.factor)
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, found, 1 / self.factor)
        torch._amp_update_scale_(self.factor, self._good, found, GROWTH, BACKOFF, GOOD)
        self._skipped += found.long()
        return found

    def log(self) -> None:
        """One line if updates have been skipped since the last one."""
        skipped = int(self._skipped)
        if skipped > self._told:
            factor = log.number(float(self.factor))
            log.info("solver.cpp", f"fp16: {skipped} updates skipped so far, for gradients overflowed; loss scale {factor}")
        self._told = skipped

    def state(self) -> dict[str, Any]:
        """Copies, for the next update changes the tensors."""
        return {"factor": self.factor.clone(), "good": self._good.clone(), "skipped": self._skipped.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        for own, name in ((self.factor, "factor"), (self._good, "good"), (self._skipped, "skipped")):
            own.copy_(state[name])
        self._told = int(self._skipped)


class _Scaled(torch.autograd.Function):
    """x, with gradients `scale` times as large."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(scale)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (scale,) = ctx.saved_tensors
        return grads[0] * scale, None
