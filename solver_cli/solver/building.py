"""The nets of a solver, on its device, with the weights that its file names and their data read ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from solver_cli import log, schema
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.data.dealing import Dealing
from solver_cli.net.carried import log_forgetful
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import Ranks
from solver_cli.registry import find, load_packages
from solver_cli.snapshots.snapshot import Checkpoints
from solver_cli.solver import detection, doubts
from solver_cli.solver.outside import Outside
from solver_cli.solver.solverspec import SolverSpec, check, test_nets, train_net
from solver_cli.solver.watchers import check_output
from solver_cli.text.netspec import NetSpec, filter_layers
from solver_cli.text.user_code import load_layers, look_in

Prepare = Callable[[Net], None]
Device = torch.device | str | None


def default_device(param: SolverParameter) -> torch.device:
    """The GPU `device_id` if solver_mode is GPU and there is one, else the CPU."""
    if param.solver_mode == SolverParameter.SolverMode.Value("GPU") and torch.cuda.is_available():
        return torch.device("cuda", param.device_id)
    return torch.device("cpu")


def bring(schemas: Sequence[str], layers: Sequence[str], python_layers: bool = True) -> None:
    """Add the user's schemas, layer types and those of installed packages, before a text is read. Raises Error."""
    for path in schemas:
        schema.add(path)
    if python_layers:
        load_packages()
    for path in layers:
        load_layers(path)


def build_nets(
    spec: SolverSpec,
    device: torch.device,
    python_layers: bool,
    several: bool,
    snapshots: Checkpoints,
    prepare: Prepare,
    outside: Outside,
    ranks: Ranks,
) -> tuple[Net, list[Net]]:
    """The train net of a solver, and the test nets, which share its weights; what is doubtful is logged. Raises Error.

    `several`: whether an update is made of several passes, each with BatchNorm statistics of its own. `prepare` sees each
    net before its weights are loaded; `outside` tells, while data are long in coming, whether to give up waiting; the
    records are dealt among `ranks`.
    """

    def build(net_spec: NetSpec, index: int) -> Net:
        if python_layers:
            find_modules(spec.file, net_spec)
        seed = None if first_seed is None else first_seed + index
        parts = 1 if index else ranks.parts
        net = Net(net_spec, device=device, seed=seed, python_layers=python_layers, parts=parts)
        deal(net, ranks, spec.param.test_iter[index - 1] if index else 0)
        prepare(net)
        net.read_ahead(outside.asked_to_end)
        load(spec, net)
        return net

    first_seed = spec.param.random_seed if spec.param.random_seed >= 0 else ranks.seed
    train = build(train_net(spec), 0)
    tests = []
    for index, (what, net_spec) in enumerate(test_nets(spec)):
        log.info("solver.cpp:190", f"Creating test net (#{index}) specified by {what}")
        tests.append(build(net_spec, index + 1))
    doubts.warn(spec, train, tests, several)
    with spec.placing():
        snapshots.check_layers(train)
        if spec.param.eval_type == "detection":
            for net in tests:
                detection.check(net)
    for net in tests:
        net.share_with(train)
    log_forgetful(train)
    return train, tests


def deal(net: Net, ranks: Ranks, batches: int) -> None:
    """Leave this rank's records to the net: by the record, or of each test of so many `batches` whole ones; and what its
    layers draw for them. Raises ConfigError."""
    if ranks.size == 1:
        return
    for node in net.nodes:
        if node.source is not None and not hasattr(node.source, "dealing"):
            node.spec.fail(f"{node.param.type} cannot be shared among ranks: every rank would see the same records", "type")
        if node.source is not None:
            node.source.dealing = Dealing(ranks.rank, ranks.size, batches)
    drawing: list[Any] = [module for module in net.layers.modules() if hasattr(module, "generator")]
    if not batches and all(hasattr(module, "dealt") for module in drawing):
        for module in drawing:
            module.dealt = ranks.rank, ranks.size
    elif net.draws is not None:  # layers of the user's draw for themselves
        net.draws.manual_seed((net.draws.initial_seed() + ranks.rank) % 2**63)


def check_all(spec: SolverSpec, best: str) -> None:
    """Refuse what a run would stumble over, before any net is built. Raises ConfigError.

    `best`: the test output whose best snapshot is kept, if one is: looked for in the nets' texts.
    """
    check(spec)
    if best:
        check_output(best, _test_outputs(spec))


def _test_outputs(spec: SolverSpec) -> list[list[str]]:
    """The outputs of each test net: blobs that are made and not read."""
    found = []
    with log.silent():
        for _, net in test_nets(spec):
            made: dict[str, None] = {}
            for layer in filter_layers(net):
                for blob in layer.param.bottom:
                    made.pop(blob, None)
                made.update(dict.fromkeys(layer.param.top))
            found.append(list(made))
    return found


def find_modules(file: str, net: NetSpec) -> None:
    """Look for the modules of the net's Python layers beside the solver's `file` as well."""
    if any((kind := find(layer.type)) and kind.user_code for layer in net.param.layer):
        look_in(Path(file).parent)


def load(spec: SolverSpec, net: Net) -> None:
    """Load the weights that the solver file names into the layers of the same names."""
    for entry in spec.param.weights:
        for path in entry.split(","):
            if not path.strip():
                spec.fail(f"weights '{entry}' has an empty file name beside a comma", "weights")
            log.info("solver.cpp:72", f"Finetuning from {path.strip()}")
            net.load(path.strip())
