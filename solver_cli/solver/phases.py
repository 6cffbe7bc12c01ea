"""Intel's MultiPhaseSolverParameter: solvers that train one net one after the other, each with a batch size of its own.

Each phase begins with the weights of the one before, and with nothing else of it: its iterations count from 0, its history
is empty, and its data begin anew. The net is the first one's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from solver_cli import files
from solver_cli.caffe_pb2 import MultiPhaseSolverParameter, SolverParameter
from solver_cli.errors import ConfigError
from solver_cli.net.net import Net
from solver_cli.snapshots.archive import newest_whole
from solver_cli.solver.solverspec import TRAIN_NETS, SolverSpec, read_solver, upgraded_solver
from solver_cli.text import prototxt

Weights = dict[str, list[Tensor]]  # by the layer's name


def read_phases(path: str) -> list[SolverSpec]:
    """The solver of the file `path`, or those of its params_pair, one after the other. Raises ConfigError."""
    if not _several(path):
        return [read_solver(path)]
    found, place = prototxt.read(path, MultiPhaseSolverParameter, "solver")
    specs: list[SolverSpec] = []
    batch = None  # of phases that say none, too
    for i, pair in enumerate(found.params_pair):
        if pair.HasField("batch_size"):
            batch = pair.batch_size
        if not (specs or pair.HasField("solver_params")):
            raise ConfigError("the first params_pair has no solver_params", place.where(path, "params_pair[0]"))
        spec, param = specs[-1] if specs else None, SolverParameter()
        at = spec.place if spec else place
        if pair.HasField("solver_params"):
            param.CopyFrom(pair.solver_params)
            at = place.find(f"params_pair[{i}].solver_params")
        elif spec:
            param.CopyFrom(spec.param)
        specs.append(_of_one_net(SolverSpec(param, path, at, batch=batch), specs))
    return specs


def _several(path: str) -> bool:
    """Whether the file is such a schedule; False where it cannot be read, which reading it says."""
    try:
        return re.search(rb"^\s*params_pair\b", files.read(path), re.MULTILINE) is not None
    except (OSError, ValueError):
        return False


def _of_one_net(spec: SolverSpec, before: Sequence[SolverSpec]) -> SolverSpec:
    """The solver of a phase with the net of the first one."""
    others = [name for name in TRAIN_NETS if name != "net" and spec.param.HasField(name)]  # type: ignore[arg-type]
    if others or not (before or spec.param.HasField("net")):
        spec.fail("the first phase of params_pair names the net of all in `net`", (others or ["net"])[0])
    if before and spec.param.HasField("net") and spec.param.net != before[0].param.net:
        spec.fail(f"all phases of params_pair train the first one's net, '{before[0].param.net}'", "net")
    if before:
        spec.param.net = before[0].param.net
        spec.param.snapshot_prefix = before[0].param.snapshot_prefix
    return upgraded_solver(spec)


def name_snapshots(specs: Sequence[SolverSpec]) -> None:
    """Let each of several phases have snapshots of its own: PREFIX_phase_0 and so on, by the first one's snapshot_prefix."""
    if len(specs) > 1:
        prefix = specs[0].param.snapshot_prefix
        for number, spec in enumerate(specs):
            spec.param.snapshot_prefix = f"{prefix}_phase_{number}"


def phase_of(snapshot: str, specs: Sequence[SolverSpec]) -> int:
    """The number of the phase that has written the snapshot. Raises ConfigError."""
    if len(specs) == 1:
        return 0
    for number, spec in enumerate(specs):
        if Path(snapshot).name.startswith(f"{Path(spec.param.snapshot_prefix).name}_iter_"):
            return number
    first = Path(specs[0].param.snapshot_prefix).name
    raise ConfigError(f"--snapshot {snapshot}: it is of none of the phases; those of the first are {first}_iter_*")


def newest(specs: Sequence[SolverSpec]) -> tuple[int, str | None]:
    """The last phase that has a whole snapshot, with its newest one; 0 and None where there is none. Raises ConfigError."""
    for number, spec in reversed(list(enumerate(specs))):
        with spec.placing():
            if found := newest_whole(spec.param.snapshot_prefix):
                return number, found
    return 0, None


def weights_of(net: Net) -> Weights:
    """The net's learned blobs, as the next phase begins with them."""
    return {name: [blob.detach().clone() for blob in blobs] for name, blobs in net.params.items()}


@torch.no_grad()
def carry(weights: Weights, net: Net) -> None:
    """Give the net's layers the learned blobs of the layers of the same names. Raises ConfigError where they differ."""
    for name, blobs in net.params.items():
        theirs = weights.get(name, blobs)
        if [blob.shape for blob in blobs] != [blob.shape for blob in theirs]:
            net.by_name[name].spec.fail("has other learned blobs than in the phase before")
        for mine, blob in zip(blobs, theirs, strict=True):
            mine.copy_(blob)
