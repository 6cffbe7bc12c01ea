"""A solver's text, read, upgraded and checked; and the nets that it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from solver_cli import log
from solver_cli.caffe_pb2 import NetState, Phase, SolverParameter
from solver_cli.errors import ConfigError, nearest
from solver_cli.solver import lr_policy
from solver_cli.solver.detection import AP_VERSIONS
from solver_cli.solver.lr_policy import POLICIES
from solver_cli.text import forks, prototxt, theirs
from solver_cli.text.netspec import NetSpec, read_net, upgraded
from solver_cli.text.prototxt import Place
from solver_cli.text.upgrade import upgrade_solver
from solver_cli.updates import settings
from solver_cli.updates.rules import RULES

TRAIN_NETS = ("net", "net_param", "train_net", "train_net_param")


@dataclass(frozen=True)
class SolverSpec:
    """A SolverParameter with its file and the places of its fields."""

    param: SolverParameter
    file: str = "<text>"
    place: Place = field(default_factory=Place)
    dialect: str | None = None  # of its nets, where they do not tell: see text/dialects.py
    accept: tuple[str, ...] = ()  # fields that only an added schema has and that may go unused: see text/theirs.py
    batch: int | None = None  # batch_size of the net's first Data layer, for this phase of a run: see phases.py

    def fail(self, message: str, path: str | None = None) -> NoReturn:
        """Raise a ConfigError at the field `path`."""
        raise ConfigError(message, self.place.where(self.file, path))

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Give errors that come without a place that of their field in this file."""
        try:
            yield
        except ConfigError as error:
            error.where = error.where or self.place.where(self.file, error.field)
            raise


def read_solver(path: str) -> SolverSpec:
    """Read the solver file `path`, its old solver_type upgraded, its snapshot_prefix filled in as Caffe does."""
    param, place = prototxt.read(path, SolverParameter, "solver")
    return upgraded_solver(SolverSpec(param, path, place))


def upgraded_solver(spec: SolverSpec) -> SolverSpec:
    """The solver, its old solver_type upgraded, its snapshot_prefix filled in as Caffe does. Raises ConfigError."""
    with spec.placing():
        upgrade_solver(spec.param, spec.file)
    fill_in_prefix(spec.param, spec.file)
    return spec


def fill_in_prefix(param: SolverParameter, path: str) -> None:
    """Name the snapshots after the solver file `path` where no snapshot_prefix does, or only a folder, as Caffe does."""
    if not param.HasField("snapshot_prefix"):
        what = "the solver file's name, which snapshots would have (say snapshot_prefix in it),"
        param.snapshot_prefix = prototxt.check_utf8(str(Path(path).with_suffix("")), what)
        log.info("upgrade_proto.cpp:1108", f"snapshot_prefix was not specified and is set to {param.snapshot_prefix}")
    elif os.path.isdir(param.snapshot_prefix):  # noqa: PTH112 - no error for names that no system takes
        param.snapshot_prefix = str(Path(param.snapshot_prefix) / Path(path).stem)
        log.info("upgrade_proto.cpp:1113", f"snapshot_prefix was a directory and is replaced to {param.snapshot_prefix}")


def check(spec: SolverSpec) -> None:
    """Refuse settings that Caffe refuses, some before training instead of at the first update. Raises ConfigError."""
    param = spec.param
    for path, words in forks.refused(param):
        spec.fail(words, path)
    forks.tell(param)
    theirs.tell_solver(param, spec.place, spec.file, spec.accept)
    if spec.accept:
        _check_accept(spec)
    if param.type not in RULES:
        known = ", ".join(sorted(RULES))
        spec.fail(f"unknown solver type '{param.type}' (known types: {known}){nearest(param.type, RULES)}", "type")
    with spec.placing():
        prototxt.check_numbers(param)
    for name in ("average_loss", "iter_size"):
        if getattr(param, name) < 1:
            spec.fail(f"{name} must be 1 or more, not {getattr(param, name)}", name)
    if param.solver_mode == SolverParameter.GPU and param.device_id < 0:
        spec.fail(f"device_id must be 0 or more, not {param.device_id}", "device_id")
    if param.weight_decay and param.regularization_type not in ("L1", "L2", "decoupled"):
        found = f"unknown regularization_type '{param.regularization_type}'"
        spec.fail(f"{found}: expected L1, L2 or decoupled", "regularization_type")
    if trouble := RULES[param.type].trouble(param) or settings.trouble(param) or lr_policy.trouble(param):
        field, found = trouble
        spec.fail(found, field)
    if settings.rectified(param) and not param.HasField("rectified"):
        log.info("adam_solver.cpp", "Adam is rectified, as jolibrain's is unless a solver says rectified: false")
    for name, paths in (("snapshot_prefix", [param.snapshot_prefix]), ("weights", param.weights)):
        for path in paths:
            if words := prototxt.unnameable(path):
                spec.fail(f"{name} '{path}': {words}", name)
    for name, values in (("eval_type", ("classification", "detection")), ("ap_version", tuple(AP_VERSIONS))):
        if (value := getattr(param, name)) not in values:
            spec.fail(f"unknown {name} '{value}': expected {' or '.join(values)}{nearest(value, values)}", name)
    _check_policy(spec)
    _check_tests(spec)


def _check_accept(spec: SolverSpec) -> None:
    with log.silent():
        nets = [train_net(spec), *(net for _, net in test_nets(spec))]
    theirs.check_accept(spec.accept, [spec.place, *(net.place for net in nets)])


def _check_policy(spec: SolverSpec) -> None:
    param, policy = spec.param, spec.param.lr_policy
    if not policy:
        spec.fail(f"lr_policy is missing: expected one of {', '.join(POLICIES)}")
    if policy not in POLICIES:
        known = f"expected one of {', '.join(POLICIES)}"
        spec.fail(f"unknown lr_policy '{policy}': {known}{nearest(policy, POLICIES)}", "lr_policy")
    if policy in ("step", "sigmoid") and param.stepsize <= 0:
        field = "stepsize" if param.HasField("stepsize") else "lr_policy"
        spec.fail(f"lr_policy '{policy}' needs a stepsize above 0, not {param.stepsize}", field)
    if policy in ("step", "exp", "inv", "multistep", "sigmoid", "plateau") and param.gamma < 0:
        spec.fail(f"lr_policy '{policy}' needs a gamma of 0 or more, not {param.gamma:g}", "gamma")


def _check_tests(spec: SolverSpec) -> None:
    param = spec.param
    named = [name for name in TRAIN_NETS if param.HasField(name)]
    if len(named) != 1:
        found = f"more than one train net: {', '.join(named)}" if named else "no train net"
        spec.fail(f"{found}; give exactly one of {', '.join(TRAIN_NETS)}", named[1] if named else None)
    own, tests = len(param.test_net) + len(param.test_net_param), len(param.test_iter)
    generic = param.HasField("net") or param.HasField("net_param")
    if tests < own or (tests > own and not generic):
        spec.fail(f"test_iter is given {tests} times for {own} test nets: give it once for each", "test_iter")
    if any(count < 0 for count in param.test_iter):
        spec.fail("test_iter must be 0 or more", "test_iter")
    if tests and param.test_interval <= 0:
        spec.fail(f"test_iter asks for tests, but test_interval is {param.test_interval}: say how often", "test_iter")
    if param.test_state and len(param.test_state) != tests:
        spec.fail(f"test_state is given {len(param.test_state)} times for {tests} test nets: once for each, or not at all",
                  "test_state")  # fmt: skip


def train_net(spec: SolverSpec) -> NetSpec:
    """The train net. Its state: TRAIN, then the net's own, then train_state. Raises ConfigError."""
    param = spec.param
    if param.HasField("train_net_param"):
        log.info("solver.cpp:88", "Creating training net specified in train_net_param.")
        net = _inside(spec, "train_net_param")
    elif param.HasField("train_net"):
        log.info("solver.cpp:92", f"Creating training net from train_net file: {param.train_net}")
        net = _file(spec, param.train_net, "train_net")
    elif param.HasField("net_param"):
        log.info("solver.cpp:97", "Creating training net specified in net_param.")
        net = _inside(spec, "net_param")
    else:
        log.info("solver.cpp:102", f"Creating training net from net file: {param.net}")
        net = _file(spec, param.net, "net")
    net = _told(spec, net)
    return net.with_state(NetState(phase=Phase.Value("TRAIN")), param.train_state)


def test_nets(spec: SolverSpec) -> list[tuple[str, NetSpec]]:
    """(what specified it, the net) for every test net: test_net_param, then test_net, then copies of net or net_param."""
    param = spec.param
    nets = [("test_net_param", _inside(spec, "test_net_param", i)) for i in range(len(param.test_net_param))]
    for i, path in enumerate(param.test_net):
        nets.append((f"test_net file: {path}", _file(spec, path, f"test_net[{i}]")))
    for _ in range(len(param.test_iter) - len(nets)):
        if param.HasField("net_param"):
            nets.append(("net_param", _inside(spec, "net_param")))
        else:
            nets.append((f"net file: {param.net}", _file(spec, param.net, "net")))
    phase = NetState(phase=Phase.Value("TEST"))
    states = param.test_state or [NetState()] * len(nets)
    pairs = zip(nets, states, strict=True)
    return [(what, _told(spec, net).with_state(phase, state)) for (what, net), state in pairs]


def _told(spec: SolverSpec, net: NetSpec) -> NetSpec:
    """The net with what the run says of it: whose words it uses, and the batch size of a phase."""
    if spec.batch is not None:
        layer = next((layer for layer in net.param.layer if layer.type == "Data"), None)
        if layer is None:
            spec.fail("params_pair has a batch_size, but its net has no Data layer, the first of which it is for", "net")
        layer.data_param.batch_size = spec.batch
    return replace(net, dialect=spec.dialect, accept=spec.accept)


def _inside(spec: SolverSpec, name: str, index: int | None = None) -> NetSpec:
    """A net that stands in the solver file itself."""
    value = getattr(spec.param, name)
    message = value if index is None else value[index]
    place = spec.place.find(name if index is None else f"{name}[{index}]")
    return upgraded(message, spec.file, place)


def _file(spec: SolverSpec, path: str, name: str) -> NetSpec:
    """The net of a file that the solver's field `name` names; its path counts from the working folder."""
    if not os.path.isfile(path):  # noqa: PTH113
        beside = Path(spec.file).parent / path
        hint = f"; there is {beside}: paths count from the working folder" if os.path.isfile(beside) else ""  # noqa: PTH113
        what = " is a folder" if os.path.isdir(path) else " does not exist"  # noqa: PTH112
        words = prototxt.unnameable(path)
        spec.fail(f"net file '{path}'{f': {words}' if words else what}{hint}", name)
    return read_net(path)
