"""What a plan advises: settings that are accepted and hardly ever meant, each with its place. Nothing is trained for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from solver_cli.data.absent import AbsentData
from solver_cli.errors import ConfigError, DataError, Where
from solver_cli.net.labels import checked
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.memory import batch_of
from solver_cli.snapshots.snapshot import Names
from solver_cli.solver.doubts import doubts
from solver_cli.solver.solverspec import SolverSpec

SAMPLE = 256  # records whose labels are looked at
PUBLISHED = 0.004  # the most lr / (1 - momentum) for each record of an update in configs/, ResNet-50's
HOT = 5 * PUBLISHED
Advice = tuple[Where, str]


def advice(spec: SolverSpec, train: Net, tests: Sequence[Net], batch: int) -> Iterator[Advice]:
    """Lines of advice for a solver and its nets, whose ranks train on `batch` records a pass together. Raises DataError."""
    yield from doubts(spec, train, list(tests), spec.param.iter_size > 1)
    yield from _of_momentum(spec)
    if not _dense(train):
        yield from _of_rate(spec, batch)
    yield from _of_intervals(spec)
    yield from _of_snapshots(spec)
    for index, net in enumerate(tests):
        yield from _of_coverage(spec, index, net)
    yield from _of_statistics(spec, train, tests)
    for net in (train, *tests):
        yield from _of_labels(net)


def records_of(net: Net) -> int | None:
    """How many records the net's first data layer goes through, None where there is no such number. Raises DataError."""
    node = next((node for node in net.nodes if node.source is not None), None)
    try:
        return getattr(node.source, "records", None) if node else None
    except DataError as error:
        assert node is not None
        raise node.spec.locate(error) from None


def _at(spec: SolverSpec, field: str) -> Where:
    return spec.place.where(spec.file, field)


def _of_momentum(spec: SolverSpec) -> Iterator[Advice]:
    if (value := spec.param.momentum) >= 1:
        yield _at(spec, "momentum"), f"momentum {value:g} is 1 or more: nothing that was ever added fades"


def _of_rate(spec: SolverSpec, batch: int) -> Iterator[Advice]:
    """A rate that is far above what published configs have for as many records."""
    param, records = spec.param, batch * spec.param.iter_size
    if param.type not in ("SGD", "Nesterov") or param.momentum >= 1:
        return
    share = 1 - param.momentum
    if (heat := param.base_lr / share / records) > HOT:
        yield (
            _at(spec, "base_lr"),
            f"base_lr / (1 - momentum) / effective batch is {param.base_lr:g} / {share:.3g} / {records} = {heat:.2g}, in "
            f"published configs up to {PUBLISHED}: it may diverge (base_lr {PUBLISHED * share * records:.1g} is alike)",
        )


def _dense(net: Net) -> bool:
    """Whether a record has many labels, as in segmentation: then a batch of one is a large one."""
    losses = [node for node in net.nodes if any(node.loss_weights) and node.kind.loss and node.kind.labels]
    return any(prod(net.blob_shapes[node.bottoms[1]]) > batch_of(net) for node in losses)


def _of_intervals(spec: SolverSpec) -> Iterator[Advice]:
    """Moments that never come."""
    param = spec.param
    effects = {"display": "nothing is shown but iteration 0"}
    if param.test_iter:
        effects["test_interval"] = "there is no test after iteration 0"
    effects["snapshot"] = "only the end is saved" if param.snapshot_after_train else "nothing is ever saved"
    if param.lr_policy == "step":
        effects["stepsize"] = "the rate never drops"
    for name, effect in effects.items():
        if getattr(param, name) > max(param.max_iter, 0):
            yield _at(spec, name), f"{name} {getattr(param, name)} is past max_iter {param.max_iter}: {effect}"
    for index, value in enumerate(param.stepvalue if param.lr_policy == "multistep" else ()):
        if value >= param.max_iter:
            yield _at(spec, f"stepvalue[{index}]"), f"stepvalue {value} is past max_iter {param.max_iter}: the rate stays"


def _of_snapshots(spec: SolverSpec) -> Iterator[Advice]:
    param = spec.param
    if param.snapshot or param.snapshot_after_train:
        try:
            Names(param.snapshot_prefix, hdf5=False).check_writable()
        except ConfigError as error:
            yield _at(spec, "snapshot_prefix"), error.message


def _of_coverage(spec: SolverSpec, index: int, net: Net) -> Iterator[Advice]:
    """Tests that see too few records, or some of them twice."""
    count, batch, records = spec.param.test_iter[index], batch_of(net), records_of(net)
    if not records or not count or records <= count * batch < records + batch:
        return
    effect = "a test sees a part of them only" if count * batch < records else "some count twice"
    yield (
        _at(spec, f"test_iter[{index}]"),
        f"test_iter {count} x batch_size {batch} = {count * batch:,}, but there are {records:,} test records: {effect} "
        f"(test_iter {-(-records // batch)} covers them)",
    )


def _of_statistics(spec: SolverSpec, train: Net, tests: Sequence[Net]) -> Iterator[Advice]:
    """BatchNorm: statistics of the wrong phase."""
    for node in _norms(train):
        if node.module.use_stored and not spec.param.weights:  # type: ignore[union-attr]
            yield _global(node), f"layer '{node.name}': use_global_stats: true in training, but no weights are loaded"
    for node in (node for net in tests for node in _norms(net)):
        if node.module.use_stored is False:  # type: ignore[union-attr]
            yield _global(node), f"layer '{node.name}': use_global_stats: false in a test: results hang on the batch"


def _norms(net: Net) -> list[Node]:
    return [node for node in net.nodes if hasattr(node.module, "use_stored")]


def _global(node: Node) -> Where:
    return node.spec.where(f"{node.kind.param}.use_global_stats")


def _of_labels(net: Net) -> Iterator[Advice]:
    """Labels among the first records that are no class of the layers that read them, and records that cannot be read."""
    for node in net.nodes:
        if node.source is None or isinstance(node.source, AbsentData) or not node.kind.ahead:
            continue
        source = checked(node, net.nodes, net.blob_shapes)
        try:
            for _ in range(max(1, SAMPLE // max(node.shapes[0][0], 1))):
                source.next_batch()
        except DataError as error:
            yield error.where or node.spec.where(error.field), error.message
