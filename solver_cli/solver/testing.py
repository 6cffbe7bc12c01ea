"""Tests: the means of a test net's outputs over some batches, or the precision of what it detects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.carried import Carried
from solver_cli.net.debug_info import debug_info
from solver_cli.net.net import Net
from solver_cli.passes.fit import Fit
from solver_cli.solver import detection
from solver_cli.solver.watchers import Watcher, Watchers


class Result(NamedTuple):
    """The sum of the losses of a test, and the means of its outputs by name: of judged detections the mean precision."""

    loss: Tensor
    means: dict[str, Tensor]
    precisions: Mapping[str, detection.Precisions]  # of detections, by output


GoesOn = Callable[[], bool]


def test(net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers, param: SolverParameter) -> Result:
    """Run `batches` batches of a test net as the memory allows, as long as it `goes_on`, which is asked before each."""
    judged = param.eval_type == "detection"
    gathered: dict[str, list[Tensor]] = {}

    def run() -> tuple[Tensor, dict[str, Tensor]]:
        gathered.clear()
        return _means(net, batches, fit, goes_on, watchers, gathered if judged else None)

    with debug_info(net, param.debug_info):
        loss, means = fit.run(net, Carried(net).state(), run)
    found = {name: detection.precisions(rows, param.ap_version) for name, rows in gathered.items()}
    return Result(loss, means | {name: torch.tensor(detection.mean(each)) for name, each in found.items()}, found)


def _means(
    net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers, gathered: dict[str, list[Tensor]] | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of losses and the means; outputs are `gathered` as they are instead, if there is something to gather in."""
    totals: dict[str, Tensor] = {}
    loss_total = torch.zeros((), device=net.device)
    for done in range(batches):
        watchers.tell(Watcher.looked, done)
        if not goes_on():
            break
        loss, outputs = fit.look(net)
        loss_total += loss
        for name, blob in outputs.items():
            if gathered is not None:
                gathered.setdefault(name, []).append(blob)
            else:
                totals[name] = totals[name] + blob if name in totals else blob
    return loss_total, {name: total / batches for name, total in totals.items()}
