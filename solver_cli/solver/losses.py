"""The losses of a run: those that are still on the device, and the mean of the last ones that Caffe shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.net import Net


class SmoothedLoss:
    """The mean of the last `window` losses, kept in float32 in Caffe's order of operations."""

    def __init__(self, window: int):
        self.window = window
        self.restart()

    def restart(self) -> None:
        """Forget all losses."""
        self.losses: list[np.float32] = []
        self.count = 0
        self.value = np.float32(0)

    def add(self, loss: float) -> None:
        """Take in the loss of the next iteration."""
        new = np.float32(loss)
        if len(self.losses) < self.window:
            self.losses.append(new)
            size = np.float32(len(self.losses))
            self.value = (self.value * (size - np.float32(1)) + new) / size
        else:
            oldest = self.count % self.window
            self.value += (new - self.losses[oldest]) / np.float32(self.window)
            self.losses[oldest] = new
        self.count += 1

    def state(self) -> dict[str, Any]:
        """The window as it is now."""
        return {"losses": list(self.losses), "count": self.count, "value": self.value}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, unless the window has another length now."""
        if len(state["losses"]) == min(self.window, state["count"]):
            with np.errstate(over="ignore"):
                self.losses = [np.float32(x) for x in state["losses"]]
                self.count, self.value = int(state["count"]), np.float32(state["value"])


class Losses:
    """The losses of the iterations: they stay on the device, so that nobody waits for it before a display."""

    def __init__(self, net: Net, param: SolverParameter, check: Callable[[float, int], None]):
        """`param`: says how many losses are smoothed; `check` looks at each (loss, iteration) when it is known."""
        self.net, self.param, self.check = net, param, check
        self.smoothed = SmoothedLoss(param.average_loss)
        self._pending: list[Tensor] = []

    def restart(self) -> None:
        """Forget all losses."""
        self.smoothed.restart()
        self._pending.clear()

    def add(self, loss: Tensor) -> None:
        """Take in the loss of the next iteration, if anything ever asks for it: a display, or policy plateau."""
        if self.param.display or self.param.lr_policy == "plateau":
            self._pending.append(loss)

    def settle(self, iteration: int) -> float:
        """The smoothed loss, with all losses up to that of `iteration`; waits for the device."""
        losses = torch.stack(self._pending).tolist() if self._pending else []
        for at, loss in enumerate(losses, iteration - len(losses) + 1):
            self.check(loss, at)
            self.smoothed.add(loss)
        self._pending.clear()
        return float(self.smoothed.value)

    def state(self) -> list[Tensor]:
        """The losses that are still on the device; nothing changes them."""
        return list(self._pending)

    def restore(self, state: Iterable[Tensor]) -> None:
        """Go on from `state`."""
        self._pending = [loss.to(self.net.device) for loss in state]
