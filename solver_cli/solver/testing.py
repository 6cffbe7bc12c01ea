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
from solver_cli.solver.watchers import Watcher, Watchers


class Result(NamedTuple):
    """The sum of the losses of a test, and the means of its outputs by name."""

    loss: Tensor
    means: dict[str, Tensor]


GoesOn = Callable[[], bool]


def test(net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers, debug: bool = False) -> Result:
    """Run `batches` batches of a test net as the memory allows, as long as it `goes_on`, which is asked before each."""
    with debug_info(net, debug):
        return Result(*fit.run(net, Carried(net).state(), lambda: _means(net, batches, fit, goes_on, watchers)))


def _means(
    net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers
) -> tuple[Tensor, dict[str, Tensor]]:
    totals: dict[str, Tensor] = {}
    loss_total = torch.zeros((), device=net.device)
    for done in range(batches):
        watchers.tell(Watcher.looked, done)
        if not goes_on():
            break
        loss, outputs = fit.look(net)
        loss_total += loss
        for name, blob in outputs.items():
            totals[name] = totals[name] + blob if name in totals else blob
    return loss_total, {name: total / batches for name, total in totals.items()}
