"""What Caffe accepts but hardly anybody means: one warning line each, before training starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import pairwise

from solver_cli import log
from solver_cli.caffe_pb2 import EltwiseParameter, LRNParameter, SolverParameter
from solver_cli.errors import Where
from solver_cli.net.needs import backward_needs
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.records import statistics
from solver_cli.solver.solverspec import SolverSpec

KEEP_SIGNS = ("Dropout", "ReLU")  # types that leave the signs alone, all that the backward pass of ReLU looks at


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
    yield from _of_overwritten(train)
    yield from _of_weights(train)
    if passes:
        yield from _of_statistics(train)
    for index, net in enumerate(tests):
        if not net.nodes:
            yield _file(net, solver), f"test net #{index} has no layers: nothing is tested"


def _of_solver(solver: SolverSpec) -> Iterator[tuple[Where, str]]:
    param = solver.param
    for name, doubt in (*_of_rate(param), *_of_counts(param)):
        yield solver.place.where(solver.file, name), doubt


def _of_rate(param: SolverParameter) -> Iterator[tuple[str, str]]:
    """(field, doubt) of what makes the weights move."""
    policy = param.lr_policy
    if policy == "multifixed":
        pass  # has rates of its own
    elif not param.HasField("base_lr"):
        yield "base_lr", "base_lr is missing, so 0: the weights do not change"
    elif param.base_lr < 0:
        yield "base_lr", f"base_lr is {param.base_lr:g}: the weights go where the loss rises"
    if policy in ("step", "exp", "multistep", "plateau") and not param.HasField("gamma"):
        yield "lr_policy", f"lr_policy '{policy}' without gamma, which is 0 then: so is the rate from the first drop on"
    if policy in ("inv", "poly") and not param.HasField("power"):
        yield "lr_policy", f"lr_policy '{policy}' without power, which is 0 then: the rate stays base_lr"
    if policy == "multistep" and not param.stepvalue:
        yield "lr_policy", "lr_policy 'multistep' without a stepvalue: the rate stays base_lr"
    if policy == "plateau" and not param.plateau_winsize:
        yield "lr_policy", "lr_policy 'plateau' without a plateau_winsize: the rate stays base_lr"
    for index, (before, value) in enumerate(pairwise(param.stepvalue), 1):
        if policy == "multistep" and value <= before:
            doubt = f"stepvalue {value} stands behind {before}: as with Caffe, one step at most is taken in an iteration"
            yield f"stepvalue[{index}]", doubt
            break
    if param.clip_gradients == 0:
        yield "clip_gradients", "clip_gradients is 0: every gradient becomes 0 (without it, none is clipped)"
    if param.weight_decay < 0:
        yield "weight_decay", f"weight_decay is {param.weight_decay:g}: it makes the weights grow"
    if param.delta == 0 and param.type not in ("SGD", "Nesterov"):
        yield "delta", f"delta is 0: {param.type} divides by 0 where a gradient has always been 0"


def _of_counts(param: SolverParameter) -> Iterator[tuple[str, str]]:
    """(field, doubt) of what is counted in iterations."""
    if not param.HasField("max_iter") or param.max_iter < 0:
        found = param.max_iter if param.HasField("max_iter") else "missing, so 0"
        yield "max_iter", f"max_iter is {found}: there are no iterations"
    if param.test_interval and not param.test_iter:
        yield "test_interval", "test_interval without test_iter: there is no test net, and nothing is tested"


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
        *kind.reads,
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


def _of_overwritten(net: Net) -> Iterator[tuple[Where, str]]:
    """Sums in place, and the first layer whose gradient Caffe computes from what a layer in place has overwritten."""
    for node in net.nodes:
        sums = node.param.type == "Eltwise" and node.param.eltwise_param.operation == EltwiseParameter.SUM
        if sums and node.bottoms[0] == node.tops[0]:
            words = "works in place: Caffe's sum loses its bottom 0 then, the one here does not, see docs/differences.md"
            yield node.spec.where("top"), f"layer '{node.name}' (Eltwise) {words}"
    found = list(_overwritten(net))
    if found:
        node, what = found[0]
        more = f" ({len(found)} layers of this net are like that)" if len(found) > 1 else ""
        yield (
            node.spec.where("top"),
            f"layer '{node.name}' ({node.param.type}) {what}: its gradient goes wrong there, the one here is the "
            f"derivative, see docs/differences.md{more}",
        )


def _overwritten(net: Net) -> Iterator[tuple[Node, str]]:
    """The layers in place that spoil a gradient of Caffe's, and how."""
    makers: dict[str, list[Node]] = {}  # that have written a blob which gets a gradient, and need what they wrote
    for node, (needs, _) in zip(net.nodes, backward_needs(net.nodes, net.param.force_backward), strict=True):
        in_place = node.tops and node.bottoms[:1] == node.tops[:1]
        below = makers.pop(node.tops[0], []) if in_place else []
        kept = [other for other in below if other.param.type == "ReLU" and node.param.type in KEEP_SIGNS]
        if needs and in_place and _reads_bottom(node):
            yield node, "works in place, and Caffe's backward pass reads what is overwritten"
        elif spoilt := [other for other in below if other not in kept]:
            what = f"overwrites in place the top of layer '{spoilt[0].name}' ({spoilt[0].param.type})"
            yield node, f"{what}, which Caffe's backward pass reads"
        own = [node] if needs and _reads_top(node) else []
        makers.update((top, kept + own) for top in node.tops)


def _reads_top(node: Node) -> bool:
    """Whether Caffe's backward pass of the layer reads its top."""
    kind, param = node.param.type, node.param
    if kind == "LRN":
        return bool(param.lrn_param.norm_region == LRNParameter.ACROSS_CHANNELS)
    if kind == "MVN":
        return bool(param.mvn_param.normalize_variance)
    if kind == "Power":
        return param.power_param.power not in (0, 1, 2)
    if kind == "ReLU":
        return node.bottoms == node.tops
    return kind in ("ELU", "Exp", "Sigmoid", "Softmax", "Swish", "TanH")


def _reads_bottom(node: Node) -> bool:
    """Whether Caffe's backward pass in place lacks the layer's bottom, or the gradient from above."""
    return node.param.type in ("BNLL", "Clip", "Log", "MVN", "Power") or node.param.relu_param.negative_slope < 0


def _of_weights(net: Net) -> Iterator[tuple[Where, str]]:
    """The losses that do not count, because their fork of Caffe gives them no weight and the text does not."""
    for node in net.nodes:
        if node.kind.unweighted and not node.param.loss_weight:
            yield (
                node.spec.where(),
                f"layer '{node.name}' ({node.param.type}) has no loss_weight, and as in {node.kind.origin}'s Caffe nothing "
                "is learnt from it: write loss_weight: 1",
            )


def _of_statistics(net: Net) -> Iterator[tuple[Where, str]]:
    """The first layer (BatchNorm) that takes its statistics from the batch: those of one pass, however many there are."""
    for node in net.nodes:
        if statistics(node) is not None:
            yield (
                node.spec.where(),
                f"layer '{node.name}' ({node.param.type}) takes its statistics from the {node.shapes[0][0]} records of one "
                "pass, not from those of an update: --batch-norm-window iter_size makes it do so",
            )
            return


def _file(net: Net, solver: SolverSpec) -> Where:
    return Where(net.nodes[0].spec.file) if net.nodes else Where(solver.file)
