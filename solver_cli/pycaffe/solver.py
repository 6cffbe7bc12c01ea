"""Solvers: pycaffe's interface to `solver_cli.Solver`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.pycaffe import mode, several
from solver_cli.pycaffe.net import Net, clear_gradients, unwrapped
from solver_cli.solver import solver as core
from solver_cli.solver.solverspec import read_solver
from solver_cli.solver.watchers import Watcher


class Solver:
    """Trains the nets of a solver file: `net` and `test_nets`, whose weights are those of `net`."""

    type: ClassVar[str] = ""  # "": as the file says

    def __init__(self, file: str):
        """Read the solver file and build its nets, on the device of the mode. Raises RuntimeError, errors.Error."""
        if not Path(file).is_file():
            raise RuntimeError(f"Could not open file {file}")
        spec = read_solver(str(file))
        if self.type:
            spec.param.type = self.type
        seed = mode.next_seed()
        if seed is not None and spec.param.random_seed < 0:
            spec.param.random_seed = seed
        with unwrapped():
            self.core = _Solver(spec, device=mode.device(), ranks=several.ranks(), allow_nan=True)
        self._callbacks = _Callbacks(self.core)
        self.core.watchers.append(self._callbacks)
        self.net = self.core.shown = Net.of(self.core.net)
        self.test_nets = [Net.of(net) for net in self.core.test_nets]

    @property
    def iter(self) -> int:
        """How often the weights have been updated."""
        return self.core.iter

    @property
    def param(self) -> SolverParameter:
        """The settings; a new base_lr counts from the next step on."""
        return self.core.param

    @property
    def lr(self) -> float:
        """The learning rate of this iteration."""
        schedule = self.core.schedule
        return schedule.rate(schedule.iter, schedule.step(schedule.iter, schedule.current_step))

    def step(self, iterations: int) -> None:
        """Make `iterations` updates, with the tests, displays and snapshots that are due."""
        self._run(self.core.step, iterations)

    def solve(self, resume_file: str | None = None) -> None:
        """Train up to max_iter, on from the state `resume_file` if one is given."""
        if resume_file is not None:
            self.restore(resume_file)
        self._run(self.core.solve)

    def restore(self, file: str) -> None:
        """Go on from a solver state. Raises SnapshotError."""
        self._run(self.core.restore, str(file))
        for net in (self.net, *self.test_nets):
            net._pass.forget()

    def snapshot(self) -> None:
        """Write weights and state. Raises SnapshotError."""
        self._run(self.core.snapshot)

    def apply_update(self) -> None:
        """Update the weights by the diffs of the learned blobs as they are."""
        self._run(self.core.apply_update)

    def _run(self, function: Callable[..., Any], *args: Any) -> None:
        self._follow_mode()
        nets = (self.net, *self.test_nets)
        for net in nets:
            net._prepare()
        with unwrapped():
            function(*args)
        for net in nets:
            net._captured.finish()

    def _follow_mode(self) -> None:
        """Move to the device that set_mode_cpu, set_mode_gpu and set_device have chosen meanwhile."""
        device = mode.device()
        if self.core.device != device:
            self.core.device = device
            for net in (self.core.net, *self.core.test_nets):
                net.to(device)
            for slot in self.core.history:
                slot.data = slot.data.to(device)

    def add_callback(
        self, on_start: Callable[[], object] | several.NCCL, on_gradients_ready: Callable[[], object] = lambda: None
    ) -> None:
        """Call `on_start()` before each iteration's first pass, `on_gradients_ready()` before its update. An NCCL has
        nothing to do there."""
        if not isinstance(on_start, several.NCCL):
            self._callbacks.pairs.append((on_start, on_gradients_ready))

    def share_weights(self, net: Net) -> None:
        """Let `net` use the weights of this solver's net."""
        net.share_with(self.net)


class _Solver(core.Solver):
    """The core's solver with blobs whose arrays are C-contiguous, as pycaffe's are, and with diffs whose arrays last."""

    shown: Net | None = None
    prepare = staticmethod(lambda net: None)

    def _clear_gradients(self) -> None:
        assert self.shown is not None
        clear_gradients(self.shown)


class _Callbacks(Watcher):
    """The functions of add_callback, which may write into weights and diffs."""

    def __init__(self, solver: _Solver):
        self.solver = solver
        self.pairs: list[tuple[Callable[[], object], Callable[[], object]]] = []

    def on_start(self, iteration: int) -> None:
        self.solver.snapshots.copied()  # one that is being written is of the weights as they were
        for on_start, _ in self.pairs:
            on_start()

    def on_gradients_ready(self, iteration: int) -> None:
        for _, on_gradients_ready in self.pairs:
            on_gradients_ready()
        if self.solver.device.type != "cpu" and self.solver.shown is not None:
            for blobs in self.solver.shown.params.values():
                for blob in blobs:
                    blob.flush()


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum."""

    type = "SGD"


class NesterovSolver(SGDSolver):
    """Nesterov's accelerated gradient."""

    type = "Nesterov"


class AdaGradSolver(SGDSolver):
    """AdaGrad."""

    type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    """RMSProp."""

    type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    """AdaDelta."""

    type = "AdaDelta"


class AdamSolver(SGDSolver):
    """Adam."""

    type = "Adam"


def get_solver(file: str) -> Solver:
    """The solver of the type that the file names."""
    kind = read_solver(str(file)).param.type if Path(file).is_file() else ""
    classes: list[type[Solver]] = [SGDSolver, *SGDSolver.__subclasses__()]
    found = next((solver for solver in classes if solver.type == kind), Solver)
    return found(file)
