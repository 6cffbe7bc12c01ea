"""What `solver-tools test` does, as one function: a net with learned weights, scored batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.commands.devices import one_device
from solver_cli.commands.single import single
from solver_cli.errors import ConfigError
from solver_cli.net.net import Net
from solver_cli.passes.passes import forward
from solver_cli.solver.loglines import in_loss
from solver_cli.solver.options import RunOptions


def score(path: str, weights: str, iterations: int, run: RunOptions, phase: str = "TEST") -> None:
    """Log the outputs of `iterations` batches of the net file `path`, and their means, as `caffe test` does. Raises Error.

    `weights`: one file or several, separated by commas.
    """
    device = one_device(run.gpu, "caffe.cpp:266", "caffe.cpp:275")
    with single(path, phase, run, device) as (net, _):
        for file in weights.split(","):
            if not file.strip():
                raise ConfigError(f"--weights '{weights}' has an empty file name beside a comma")
            net.load(file.strip())
        log.info("caffe.cpp:281", f"Running for {iterations} iterations.")
        loss, totals = _batches(net, iterations)
    log.info("caffe.cpp:309", f"Loss: {log.number(float(loss) / iterations)}")
    weights_of = net.loss_weights
    for name, total in totals.items():
        for mean in (total / iterations).flatten().tolist():
            part = in_loss(weights_of.get(name, 0.0), mean)
            log.info("caffe.cpp:321", f"{name} = {log.number(mean)}{part}")


def _batches(net: Net, count: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The sums of the loss and of each output over `count` batches, each of which is logged."""
    loss_total = torch.zeros((), device=net.device)
    totals: dict[str, Tensor] = {}
    for index in range(count):
        loss, outputs = forward(net, net.next_batch())
        loss_total += loss
        for name, blob in outputs.items():
            if name in totals and totals[name].shape != blob.shape:
                raise ConfigError(f"output '{name}' has another shape in batch {index}: there is no mean of it")
            totals[name] = totals[name] + blob if name in totals else blob
            for value in blob.flatten().tolist():
                log.info("caffe.cpp:304", f"Batch {index}, {name} = {log.number(value)}")
    return loss_total, totals
