"""Solvers: pycaffe's interface to `solver_cli.Solver`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.net import Net as CoreNet
from solver_cli.pycaffe import mode
from solver_cli.pycaffe.net import Net, clear_gradients, unwrapped
from solver_cli.solver import solver as core
from solver_cli.solver.solverspec import read_solver
from solver_cli.text.netspec import NetSpec


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
            self.core = _Solver(spec, device=mode.device(), allow_nan=True)
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
        step = self.core.schedule.step(self.core.iter, self.core.current_step)
        return self.core.schedule.rate(self.core.iter, step)

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
        self._run(self.core.update_weights)

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

    def add_callback(self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object]) -> None:
        """Call `on_start()` before each iteration's first pass, `on_gradients_ready()` before its update."""
        self.core.callbacks.append((on_start, on_gradients_ready))

    def share_weights(self, net: Net) -> None:
        """Let `net` use the weights of this solver's net."""
        net.share_with(self.net)


class _Solver(core.Solver):
    """The core's solver with pycaffe's callbacks, and with diffs whose arrays last."""

    shown: Net | None = None

    def __init__(self, *args: Any, **options: Any):
        self.callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []
        super().__init__(*args, **options)

    def _build(self, spec: NetSpec, index: int) -> CoreNet:
        """With blobs whose arrays are C-contiguous, as pycaffe's are."""
        net = super()._build(spec, index)
        for learned in net.learned:
            learned.blob.data = learned.blob.data.contiguous()
        return net

    def _clear_gradients(self) -> None:
        assert self.shown is not None
        clear_gradients(self.shown)

    def _accumulate(self) -> tuple[Tensor, dict[str, Tensor]]:
        for on_start, _ in self.callbacks:
            on_start()
        return super()._accumulate()

    def apply_update(self) -> None:
        for _, on_gradients_ready in self.callbacks:
            on_gradients_ready()
        self._flush()
        super().apply_update()

    def update_weights(self) -> None:
        """One update without callbacks."""
        super().apply_update()

    def _write(self, *args: Any, **options: Any) -> None:
        """At once: callbacks may write into the weights before the next update."""
        super()._write(*args, **options)
        self.snapshots.copied()

    def _flush(self) -> None:
        """Bring to the GPU what callbacks wrote into diffs."""
        assert self.shown is not None
        if self.device.type != "cpu":
            for blobs in self.shown.params.values():
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
