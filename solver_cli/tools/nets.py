"""Nets with learned weights, in the phase TEST, to be looked at and asked."""

from __future__ import annotations

import torch

from solver_cli import log
from solver_cli.errors import DeviceError, SnapshotError, Where
from solver_cli.formats import caffemodel
from solver_cli.net.net import Net
from solver_cli.solver.building import find_modules
from solver_cli.text.netspec import NetSpec


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
    find_modules(spec.file, spec)
    return Net(spec, device=device, python_layers=python_layers)
