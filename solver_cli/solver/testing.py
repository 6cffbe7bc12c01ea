"""Tests: the means of a test net's outputs over some batches, or of a detector's average precisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.carried import Carried
from solver_cli.net.debug_info import debug_info
from solver_cli.net.net import Net
from solver_cli.passes.fit import Fit
from solver_cli.solver import detection
from solver_cli.solver.detection import Precisions
from solver_cli.solver.watchers import Watcher, Watchers


class Result(NamedTuple):
    """The sum of the losses of a test, the means of its outputs by name, and of detectors the average precisions."""

    loss: Tensor
    means: dict[str, Tensor]
    precisions: dict[str, Precisions]


GoesOn = Callable[[], bool]


def test(net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers, param: SolverParameter) -> Result:
    """Run `batches` batches of a test net as the memory allows, as long as it `goes_on`, which is asked before each."""
    rows = param.eval_type == "detection"
    with debug_info(net, param.debug_info):
        loss, found = fit.run(net, Carried(net).state(), lambda: _gathered(net, batches, fit, goes_on, watchers, rows))
    if not rows:
        return Result(loss, found, {})
    precisions = {name: detection.precisions(blob, param.ap_version) for name, blob in found.items()}
    return Result(loss, {name: torch.tensor(detection.mean(own)) for name, own in precisions.items()}, precisions)


def _gathered(
    net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers, rows: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of the losses, and of each output the mean, or with `rows` all its rows."""
    totals: dict[str, Tensor] = {}
    parts: dict[str, list[Tensor]] = {}
    loss_total = torch.zeros((), device=net.device)
    for done in range(batches):
        watchers.tell(Watcher.looked, done)
        if not goes_on():
            break
        loss, outputs = fit.look(net)
        loss_total += loss
        for name, blob in outputs.items():
            if rows:
                parts.setdefault(name, []).append(blob.reshape(-1, 5))
                continue
            totals[name] = totals[name] + blob if name in totals else blob
    means = {name: total / batches for name, total in totals.items()}
    return loss_total, means or {name: torch.cat(own) for name, own in parts.items()}
