"""Nets with learned weights, in the phase TEST, to be looked at and asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from solver_cli import log
from solver_cli.errors import DeviceError, SnapshotError, Where
from solver_cli.formats import caffemodel
from solver_cli.net.net import Net
from solver_cli.registry import find
from solver_cli.text.netspec import NetSpec, read_net, state
from solver_cli.text.user_code import look_in


def read(path: str, level: int = 0, stages: Sequence[str] = (), dialect: str | None = None) -> NetSpec:
    """The net file `path` in the phase TEST, at this level and with these stages. Raises ConfigError."""
    return replace(read_net(path).with_state(state("TEST", level, tuple(stages))), dialect=dialect)


def load(net: Net, weights: str) -> None:
    """Copy the weights file `weights` into the net; learned layers that it leaves at random are named in the log.

    Raises SnapshotError, also where it has none of the net's layers.
    """
    found = {layer.name for layer in caffemodel.read(weights).layers if layer.blobs}
    missing = [node.name for node in net.nodes if node.learned and node.name not in found]
    if missing and len(missing) == len({node.name for node in net.nodes if node.learned}):
        raise SnapshotError(f"has none of the net's layers ({', '.join(missing[:3])} ...): of another net?", Where(weights))
    net.load(weights)
    if missing:
        log.warning("net.cpp", f"{weights} has no weights for {', '.join(missing)}: their numbers are the fillers'")


def device(gpu: int | None) -> torch.device:
    """The GPU of this number, the CPU without one. Raises DeviceError."""
    if gpu is None:
        return torch.device("cpu")
    if gpu >= torch.cuda.device_count():
        raise DeviceError(f"--gpu {gpu}: there is no such GPU, this machine has {torch.cuda.device_count()}")
    return torch.device("cuda", gpu)


def build(spec: NetSpec, device: torch.device, python_layers: bool) -> Net:
    """The net of `spec` in its state; the modules of its Python layers are looked for beside its file too. Raises Error."""
    if any((kind := find(layer.type)) and kind.user_code for layer in spec.param.layer):
        look_in(Path(spec.file).parent)
    return Net(spec, device=device, python_layers=python_layers)
