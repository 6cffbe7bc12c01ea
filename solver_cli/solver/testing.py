"""Tests: the means of a test net's outputs over some batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from solver_cli.net.carried import Carried
from solver_cli.net.debug_info import debug_info
from solver_cli.net.net import Net
from solver_cli.passes.fit import Fit


class Result(NamedTuple):
    """The sum of the losses of a test, and the means of its outputs by name."""

    loss: Tensor
    means: dict[str, Tensor]


def test(net: Net, batches: int, fit: Fit, going_on: Callable[[], bool], debug: bool = False) -> Result:
    """Run `batches` batches of a test net as the memory allows, as long as `going_on()`, which is asked before each."""
    with debug_info(net, debug):
        return Result(*fit.run(net, Carried(net).state(), lambda: _means(net, batches, fit, going_on)))


def _means(net: Net, batches: int, fit: Fit, going_on: Callable[[], bool]) -> tuple[Tensor, dict[str, Tensor]]:
    totals: dict[str, Tensor] = {}
    loss_total = torch.zeros((), device=net.device)
    for _ in range(batches):
        if not going_on():
            break
        loss, outputs = fit.look(net)
        loss_total += loss
        for name, blob in outputs.items():
            totals[name] = totals[name] + blob if name in totals else blob
    return loss_total, {name: total / batches for name, total in totals.items()}
