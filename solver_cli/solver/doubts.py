"""What Caffe accepts but hardly anybody means: one warning line each, before training starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from solver_cli import log
from solver_cli.errors import Where
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.records import batch_norm
from solver_cli.solver.solverspec import SolverSpec


def warn(solver: SolverSpec, train: Net, tests: list[Net], passes: bool) -> None:
    """Log the doubts about a solver and its nets."""
    for where, doubt in doubts(solver, train, tests, passes):
        log.warning("solver.cpp:57", f"{where}: {doubt}")


def doubts(solver: SolverSpec, train: Net, tests: list[Net], passes: bool) -> Iterator[tuple[Where, str]]:
    """The doubts about a solver and its nets, and where they arise.

    `passes`: whether an update is made of several passes, each with BatchNorm statistics of its own.
    """
    yield from _of_solver(solver)
    yield from _of_train_net(solver, train)
    yield from _of_names(train)
    if passes:
        yield from _of_statistics(train)
    for index, net in enumerate(tests):
        if not net.nodes:
            yield _file(net, solver), f"test net #{index} has no layers: nothing is tested"


def _of_solver(solver: SolverSpec) -> Iterator[tuple[Where, str]]:
    for name, effect in (("max_iter", "there are no iterations"), ("base_lr", "the weights do not change")):
        if not solver.param.HasField(name) or getattr(solver.param, name) < 0:
            found = f"{getattr(solver.param, name):g}" if solver.param.HasField(name) else "missing, so 0"
            yield solver.place.where(solver.file, name), f"{name} is {found}: {effect}"


def _of_train_net(solver: SolverSpec, net: Net) -> Iterator[tuple[Where, str]]:
    where = _file(net, solver)
    if not net.nodes:
        yield where, "the train net has no layers: nothing is trained"
    elif not net.loss_weights and not any(any(node.loss_weights) for node in net.nodes):
        yield (
            where,
            "no layer of the train net gives a loss: nothing is learned (a loss layer, or a loss_weight, is missing)",
        )
    elif not any(learned.blob.requires_grad for learned in net.learned):
        yield where, "no layer of the train net has weights to learn"
    for node in net.nodes:
        for name in _idle(node):
            yield node.spec.where(name), f"layer '{node.name}' ({node.param.type}): {name} has no effect on this type"


def _idle(node: Node) -> list[str]:
    """The layer's settings that are meant for other types."""
    kind = node.kind
    known = {
        kind.param,
        *inspect.signature(kind.build).parameters,
        *("transform_param",) * kind.source,
    }
    return [field.name for field, _ in node.param.ListFields() if field.name.endswith("_param") and field.name not in known]


def _of_names(net: Net) -> Iterator[tuple[Where, str]]:
    """Layers of one name: weights files and test nets tell them apart by nothing else."""
    first: dict[str, Node] = {}
    for node in net.nodes:
        other, meant = first.setdefault(node.name, node), net.by_name[node.name]
        if other is node or not meant.learned:
            continue
        twice = node.learned and meant is not node
        effect = "weights are found by name" if twice else "Caffe cannot read the weights of such nets"
        yield (
            node.spec.where("name"),
            f"another layer is called '{node.name}' too ({other.spec.where('name')}): {effect}, so rename one",
        )


def _of_statistics(net: Net) -> Iterator[tuple[Where, str]]:
    """The first BatchNorm that takes its statistics from the batch: those of one pass, however many there are."""
    for node in net.nodes:
        if batch_norm(node) is not None:
            yield (
                node.spec.where(),
                f"layer '{node.name}' (BatchNorm) takes its statistics from the {node.shapes[0][0]} records of one pass, "
                "not from those of an update: --batch-norm-window iter_size makes it do so",
            )
            return


def _file(net: Net, solver: SolverSpec) -> Where:
    return Where(net.nodes[0].spec.file) if net.nodes else Where(solver.file)
