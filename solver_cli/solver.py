"""Solver: Caffe's training loop, one update rule, one learning rate policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from solver_cli import doubts, log, prototxt, snapshot
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.debug_info import DebugInfo
from solver_cli.errors import ConfigError
from solver_cli.formats.solverstate import State
from solver_cli.lr_policy import learning_rate, step_counter
from solver_cli.net import Net
from solver_cli.netspec import NetSpec
from solver_cli.solverspec import SolverSpec, check, read_solver, test_nets, train_net
from solver_cli.update_rules import RULES


class Action(Enum):
    """What somebody outside, such as a signal, asks of the loop."""

    NONE = "none"
    SNAPSHOT = "snapshot"
    STOP = "stop"


class SmoothedLoss:
    """The mean of the last `window` losses, kept in float32 in Caffe's order of operations."""

    def __init__(self, window: int):
        self.window = window
        self.losses: list[np.float32] = []
        self.count = 0
        self.value = np.float32(0)

    def add(self, loss: float) -> None:
        """Take in the loss of the next iteration."""
        new = np.float32(loss)
        if len(self.losses) < self.window:
            self.losses.append(new)
            size = np.float32(len(self.losses))
            self.value = (self.value * (size - np.float32(1)) + new) / size
        else:
            oldest = self.count % self.window
            self.value += (new - self.losses[oldest]) / np.float32(self.window)
            self.losses[oldest] = new
        self.count += 1


class Solver:
    """Trains the nets that a solver file names.

    `iter`       how often the weights have been updated
    `net`        the train net; `test_nets` share its weights
    `param`      the SolverParameter
    `history`    one tensor for each slot of the update rule and distinct learned blob, slot by slot
    `action`     called once an iteration: what is asked from outside (a signal)
    `on_step`    called after every iteration, for progress displays
    """

    def __init__(self, solver: str | SolverSpec, *, device: torch.device | str | None = None):
        """Read the solver file (or take its spec) and build its nets on `device` (None: a GPU if the file asks for one
        and there is one). Raises Error."""
        self.spec = solver if isinstance(solver, SolverSpec) else read_solver(solver)
        self.param: SolverParameter = self.spec.param
        self.device = torch.device(device) if device is not None else default_device(self.param)
        log.info("solver.cpp:45", f"Initializing solver from parameters: \n{prototxt.to_text(self.param).rstrip()}")
        check(self.spec)
        self.names = snapshot.Names(
            self.param.snapshot_prefix, self.param.snapshot_format == SolverParameter.SnapshotFormat.Value("HDF5")
        )
        self._check_snapshots()
        self.net = self._build(train_net(self.spec), 0)
        self.test_nets: list[Net] = []
        for index, (what, spec) in enumerate(test_nets(self.spec)):
            log.info("solver.cpp:190", f"Creating test net (#{index}) specified by {what}")
            self.test_nets.append(self._build(spec, index + 1))
        doubts.warn(self.spec, self.net, self.test_nets)
        for net in self.test_nets:
            net.share_with(self.net)
        self.rule = RULES[self.param.type]
        blobs = [learned.blob for learned in self.net.learned]
        self.history = [torch.zeros_like(blob) for _ in range(self.rule.slots) for blob in blobs]
        self._groups = _groups(self.net, self.history)
        self._steps: dict[int, Tensor] = {}
        self.iter = 0
        self.current_step = 0
        self.action: Callable[[], Action] = lambda: Action.NONE
        self.on_step: Callable[[Solver], None] | None = None
        self.stopping = False
        self.smoothed = SmoothedLoss(self.param.average_loss)
        self._pending: list[Tensor] = []  # losses that are still on the device
        self._norms: list[tuple[int, Tensor]] = []  # likewise, gradient norms to be clipped
        self._timer = time.perf_counter()
        self._displayed = 0
        log.info("solver.cpp:57", "Solver scaffolding done.")

    def _build(self, spec: NetSpec, index: int) -> Net:
        """A net on the solver's device, its data read ahead, with the weights that the solver file names."""
        seed = self.param.random_seed + index if self.param.random_seed >= 0 else None
        net = Net(spec, device=self.device, seed=seed)
        net.read_ahead()
        for entry in self.param.weights:
            for path in entry.split(","):
                if not path.strip():
                    self.spec.fail(f"weights '{entry}' has an empty file name beside a comma", "weights")
                log.info("solver.cpp:72", f"Finetuning from {path.strip()}")
                snapshot.load_weights(net, path.strip())
        return net

    def _check_snapshots(self) -> None:
        if not (self.param.snapshot or self.param.snapshot_after_train):
            return
        try:
            self.names.check_writable()
        except ConfigError as error:
            self.spec.fail(error.message, error.field)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def solve(self) -> None:
        """Train up to max_iter, then snapshot, display and test as the solver file says."""
        log.info("solver.cpp:289", f"Solving {self.net.name}")
        log.info("solver.cpp:290", f"Learning Rate Policy: {self.param.lr_policy}")
        self.stopping = False
        self.step(self.param.max_iter - self.iter)
        if self.param.snapshot_after_train and not self.due(self.param.snapshot):
            self.snapshot()
        if self.stopping:
            log.info("solver.cpp:311", "Optimization stopped early.")
            return
        if self.due(self.param.display):
            with torch.no_grad():
                loss, _ = self.net()
            self._record(loss)
            log.info("solver.cpp:327", f"Iteration {self.iter}, loss = {log.number(self._settle())}")
        if self.due(self.param.test_interval):
            self.test_all()
        log.info("solver.cpp:332", "Optimization Done.")

    def step(self, iterations: int) -> None:
        """Make `iterations` updates: test, forward and backward iter_size times, display, update, snapshot."""
        stop = self.iter + iterations
        self.smoothed = SmoothedLoss(self.param.average_loss)
        self._timer, self._displayed = time.perf_counter(), self.iter
        while self.iter < stop:
            if self.due(self.param.test_interval) and (self.iter > 0 or self.param.test_initialization):
                self.test_all()
                if self.stopping:
                    break
            self._clear_gradients()
            loss, outputs = self._accumulate()
            self._record(loss)
            if self.due(self.param.display):
                self._display(outputs)
            self.apply_update()
            if self.on_step:
                self.on_step(self)
            action = self.action()
            if self.due(self.param.snapshot) or action is Action.SNAPSHOT:
                self.snapshot()
            if action is Action.STOP:
                self.stopping = True
                break

    def due(self, interval: int) -> bool:
        """Whether something that happens every `interval` iterations (0: never) happens now."""
        return bool(interval) and self.iter % interval == 0

    def _clear_gradients(self) -> None:
        for learned in self.net.learned:
            learned.blob.grad = None

    def _accumulate(self) -> tuple[Tensor, dict[str, Tensor]]:
        """iter_size passes whose gradients add up: the mean of their losses, and the outputs of the last pass."""
        debug = DebugInfo(self.net) if self.param.debug_info and self.due(self.param.display) else None
        total = torch.zeros((), device=self.device)
        for _ in range(self.param.iter_size):
            loss, blobs = self.net()
            outputs = {name: blob.detach() for name, blob in self.net.outputs_of(blobs).items()}
            del blobs
            if loss.requires_grad:
                loss.backward()
            total += loss.detach()
            if debug:
                debug.backward()
        if debug:
            debug.close()
        return total / self.param.iter_size, outputs

    def apply_update(self) -> None:
        """Rate, clipping, division by iter_size, decay, update rule, weights; then one iteration more is done."""
        rate = self._rate()
        gradients = [_gradient(learned.blob) for learned in self.net.learned]
        with torch.no_grad():
            self._clip(gradients)
            if self.param.iter_size > 1:
                torch._foreach_mul_(gradients, 1 / self.param.iter_size)
            for group in self._groups:
                self._update(group, [gradients[i] for i in group.indices], rate * group.lr_mult)
        self.iter += 1

    def _rate(self) -> float:
        """The iteration's learning rate, logged where it is displayed."""
        step = step_counter(self.param, self.iter, self.current_step)
        if self.param.lr_policy == "multistep" and step != self.current_step:
            log.info("sgd_solver.cpp:50", f"MultiStep Status: Iteration {self.iter}, step = {step}")
        self.current_step = step
        rate = learning_rate(self.param, self.iter, step)
        if self.due(self.param.display):
            log.info("sgd_solver.cpp:112", f"Iteration {self.iter}, lr = {log.number(rate)}")
        return rate

    def _clip(self, gradients: list[Tensor]) -> None:
        """Scale the summed gradients down where their common L2 norm is above clip_gradients; the device decides."""
        limit = self.param.clip_gradients
        if limit < 0 or not gradients:
            return
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        scale = torch.where(norm > limit, limit / norm, torch.ones_like(norm))
        torch._foreach_mul_(gradients, scale)
        self._norms.append((self.iter, norm))
        if self.device.type == "cpu" or len(self._norms) == 1000:
            self._log_clipping()

    def _log_clipping(self) -> None:
        """The lines of clippings since the last time; on a GPU they wait for a display, so as not to wait for the GPU."""
        limit = self.param.clip_gradients
        norms = torch.stack([norm for _, norm in self._norms]).tolist() if self._norms else []
        for norm in norms:
            if norm > limit:
                log.info(
                    "sgd_solver.cpp:93",
                    f"Gradient clipping: scaling down gradients (L2 norm {log.number(norm)} > {log.number(limit)}) "
                    f"by scale factor {log.number(limit / norm)}",
                )
        self._norms.clear()

    def _update(self, group: Group, gradients: list[Tensor], rate: float) -> None:
        """Decay, update rule and weights for the blobs of one group."""
        decay = self.param.weight_decay * group.decay_mult
        if decay:
            weights = group.weights if self.param.regularization_type == "L2" else torch._foreach_sign(group.weights)
            torch._foreach_add_(gradients, weights, alpha=decay)
        steps = self.rule.step(gradients, group.history, rate, self.param, self.iter)
        torch._foreach_sub_(group.weights, steps)
        if self.param.snapshot_diff:
            self._steps.update((id(w), step) for w, step in zip(group.weights, steps, strict=True))

    # -- what is shown ----------------------------------------------------------------------------------------------

    def _record(self, loss: Tensor) -> None:
        """Keep the loss for the next display, without waiting for the device."""
        if self.param.display:
            self._pending.append(loss)

    def _settle(self) -> float:
        """The smoothed loss, with all losses recorded so far."""
        self._log_clipping()
        for loss in torch.stack(self._pending).tolist():
            self.smoothed.add(loss)
        self._pending.clear()
        return float(self.smoothed.value)

    def _display(self, outputs: Mapping[str, Tensor]) -> None:
        loss = self._settle()
        lapse = time.perf_counter() - self._timer
        speed = (self.iter - self._displayed) / (lapse or 1)
        log.info(
            "solver.cpp:239",
            f"Iteration {self.iter} ({log.number(speed)} iter/s, {log.number(lapse)}s/{self.param.display} iters), "
            f"loss = {log.number(loss)}",
        )
        self._timer, self._displayed = time.perf_counter(), self.iter
        _log_outputs("Train", "solver.cpp:258", self.net, outputs)

    def test_all(self) -> None:
        """Test every test net, unless somebody asks to stop."""
        for index in range(len(self.test_nets)):
            if self.stopping:
                break
            self.test(index)

    def test(self, index: int = 0) -> dict[str, list[float]]:
        """Run test net `index` for its test_iter batches; log and return the means of its outputs."""
        log.info("solver.cpp:347", f"Iteration {self.iter}, Testing net (#{index})")
        net, batches = self.test_nets[index], self.param.test_iter[index]
        _log_unshared(self.net, net)
        debug = DebugInfo(net) if self.param.debug_info else None
        totals: dict[str, Tensor] = {}
        loss_total = torch.zeros((), device=self.device)
        for _ in range(batches):
            while (action := self.action()) is not Action.NONE:
                if action is Action.SNAPSHOT:
                    self.snapshot()
                self.stopping = self.stopping or action is Action.STOP
            if self.stopping:
                log.info("solver.cpp:394", "Test interrupted.")
                return {}
            with torch.no_grad():
                loss, blobs = net()
            loss_total += loss
            for name, blob in net.outputs_of(blobs).items():
                totals[name] = totals[name] + blob if name in totals else blob
        if debug:
            debug.close()
        if self.param.test_compute_loss and batches:
            log.info("solver.cpp:401", f"Test loss: {log.number(float(loss_total) / batches)}")
        means = {name: total / batches for name, total in totals.items()}
        _log_outputs("Test", "solver.cpp:414", net, means)
        return {name: mean.flatten().tolist() for name, mean in means.items()}

    # -- snapshots --------------------------------------------------------------------------------------------------

    def snapshot(self) -> str:
        """Write weights and state of this iteration; return the state's path. Raises SnapshotError."""
        weights, state = self.names.weights(self.iter), self.names.state(self.iter)
        kind = "HDF5" if self.names.hdf5 else "binary proto"
        log.info("solver.cpp:464", f"Snapshotting to {kind} file {weights}")
        snapshot.save_weights(self.net, weights, self._steps if self.param.snapshot_diff else None)
        log.info("sgd_solver.cpp:284", f"Snapshotting solver state to {kind} file {state}")
        history = [snapshot.array(blob) for blob in self.history]
        snapshot.save_state(state, State(self.iter, weights, self.current_step, history))
        return state

    def restore(self, path: str) -> None:
        """Go on from the state `path`: iteration, step counter, history and weights. Raises SnapshotError, with nothing
        changed but perhaps the weights."""
        state, weights = snapshot.load_state(path, self.history, self.param.type)
        if weights:
            snapshot.load_weights(self.net, weights)
        log.info("sgd_solver.cpp:336", "SGDSolver: restoring history")
        with torch.no_grad():
            for own, found in zip(self.history, state.history, strict=True):
                own.copy_(torch.from_numpy(found.reshape(own.shape)))
        self.iter, self.current_step = state.iter, state.current_step

    def close(self) -> None:
        """Give back the files and threads of the data layers."""
        for net in (self.net, *self.test_nets):
            net.close()


class Group:
    """Learned blobs with equal multipliers, which are updated together."""

    def __init__(self, net: Net, history: list[Tensor], indices: list[int]):
        first = net.learned[indices[0]]
        self.indices = indices
        self.lr_mult, self.decay_mult = first.lr_mult, first.decay_mult
        self.weights: list[Tensor] = [net.learned[i].blob for i in indices]
        slots = len(history) // len(net.learned)
        self.history = [[history[slot * len(net.learned) + i] for i in indices] for slot in range(slots)]


def _groups(net: Net, history: list[Tensor]) -> list[Group]:
    by_multipliers: dict[tuple[float, float], list[int]] = {}
    for index, learned in enumerate(net.learned):
        by_multipliers.setdefault((learned.lr_mult, learned.decay_mult), []).append(index)
    return [Group(net, history, indices) for indices in by_multipliers.values()]


def _gradient(blob: Tensor) -> Tensor:
    """A blob's gradient; zeros where the loss does not reach it."""
    return blob.grad if blob.grad is not None else torch.zeros_like(blob)


def _log_outputs(phase: str, site: str, net: Net, outputs: Mapping[str, Tensor]) -> None:
    """One line for each number of each output."""
    weights = net.loss_weights
    index = 0
    for name, blob in outputs.items():
        weight = weights.get(name, 0.0)
        for value in blob.flatten().tolist():
            product = float(np.float32(weight) * np.float32(value))
            part = f" (* {log.number(weight)} = {log.number(product)} loss)" if weight else ""
            log.info(site, f"    {phase} net output #{index}: {name} = {log.number(value)}{part}")
            index += 1


def _log_unshared(train: Net, test: Net) -> None:
    """Name the layers of the train net that the test net lacks, as Caffe does whenever it shares weights for a test."""
    names = {node.name for node in test.nodes}
    for node in train.nodes:
        if node.name not in names:
            log.info("net.cpp:678", f"Ignoring source layer {node.name}")


def default_device(param: SolverParameter) -> torch.device:
    """The GPU `device_id` if solver_mode is GPU and there is one, else the CPU."""
    if param.solver_mode == SolverParameter.SolverMode.Value("GPU") and torch.cuda.is_available():
        return torch.device("cuda", param.device_id)
    return torch.device("cpu")
