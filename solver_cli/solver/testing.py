"""Tests: the means of a test net's outputs over some batches, or the precision of what it detects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import NamedTuple

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.carried import Carried
from solver_cli.net.debug_info import debug_info
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import ALONE, Ranks
from solver_cli.passes.fit import Fit
from solver_cli.solver import detection
from solver_cli.solver.watchers import Watcher, Watchers


class Result(NamedTuple):
    """The sum of the losses of a test, and the means of its outputs by name: of judged detections the mean precision."""

    loss: Tensor
    means: dict[str, Tensor]
    precisions: Mapping[str, detection.Precisions]  # of detections, by output


GoesOn = Callable[[], bool]
Gathered = dict[str, list[Tensor]]  # outputs of the batches of a test, or their sum


def test(
    net: Net, batches: int, fit: Fit, goes_on: GoesOn, watchers: Watchers, param: SolverParameter, ranks: Ranks = ALONE
) -> Result:
    """Run `batches` batches of a test net, divided among the ranks, as the memory allows and as long as it `goes_on`, which
    is asked before each."""
    judged = param.eval_type == "detection"

    def run() -> tuple[Tensor, Gathered]:
        own = range(ranks.rank, batches, ranks.size)
        return _run(net, own, fit, goes_on, watchers, judged)

    statistics = [learned.blob.detach() for learned in net.learned if learned.statistic]
    with debug_info(net, param.debug_info), ranks.as_first(statistics), ranks.together():
        loss, gathered = fit.run(net, Carried(net).state(), run)
    if ranks.size > 1:
        loss, gathered = _joined(loss, gathered, judged, ranks)
    if not judged:
        return Result(loss, {name: total / batches for name, (total,) in gathered.items()}, {})
    found = {name: detection.precisions(rows, param.ap_version) for name, rows in gathered.items()}
    return Result(loss, {name: torch.tensor(detection.mean(each)) for name, each in found.items()}, found)


def _run(
    net: Net, numbers: range, fit: Fit, goes_on: GoesOn, watchers: Watchers, judged: bool
) -> tuple[Tensor, Gathered]:
    """The sum of the losses of the batches of these numbers, and of each output the sum; of judged ones each by itself."""
    gathered: Gathered = {}
    loss_total = torch.zeros((), device=net.device)
    for number in numbers:
        watchers.tell(Watcher.looked, number)
        if not goes_on():
            break
        loss, outputs = fit.look(net)
        loss_total += loss
        for name, blob in outputs.items():
            if judged or name not in gathered:
                gathered.setdefault(name, []).append(blob)
            else:
                gathered[name][0] = gathered[name][0] + blob
    return loss_total, gathered


def _joined(loss: Tensor, gathered: Gathered, judged: bool, ranks: Ranks) -> tuple[Tensor, Gathered]:
    """What all ranks have, as one rank would have it: the batches of judged outputs in their order, else the sums."""
    host = {name: [blob.cpu() for blob in blobs] for name, blobs in gathered.items()}
    found = ranks.everybody((loss.cpu(), host))
    joined: Gathered = {}
    for name in found[0][1]:
        lists = [outputs.get(name, []) for _, outputs in found]
        joined[name] = [blob for turn in zip_longest(*lists) for blob in turn if blob is not None]
        if not judged:
            joined[name] = [torch.stack(joined[name]).sum(0)]
    return torch.stack([loss for loss, _ in found]).sum(), joined
