"""Solver: Caffe's training loop, one update rule, one learning rate policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.data.prefetch import Interrupted
from solver_cli.errors import DataError, Error, OutOfMemory, SnapshotError, Where
from solver_cli.formats import runstate
from solver_cli.formats.solverstate import State
from solver_cli.net import finite
from solver_cli.net import layout as cpu
from solver_cli.net.carried import Carried, log_forgetful
from solver_cli.net.debug_info import DebugInfo
from solver_cli.net.net import Net
from solver_cli.passes.compiled import compile_nets
from solver_cli.passes.fit import Fit, Splitting
from solver_cli.passes.noise import NoiseScale
from solver_cli.passes.passes import Passes
from solver_cli.passes.precision import Precision
from solver_cli.snapshots import resume, snapshot
from solver_cli.solver import doubts
from solver_cli.solver.display import Best, Pace, SmoothedLoss, log_outputs, log_unshared
from solver_cli.solver.schedule import Schedule
from solver_cli.solver.signals import Action
from solver_cli.solver.solverspec import SolverSpec, check, read_solver, test_nets, train_net
from solver_cli.text import prototxt
from solver_cli.text.netspec import NetSpec
from solver_cli.text.user_code import look_in
from solver_cli.updates.update import Update


class Solver:
    """Trains the nets that a solver file names.

    `iter`       how often the weights have been updated
    `net`        the train net; `test_nets` share its weights
    `param`      the SolverParameter
    `schedule`   passes, rate and place in the solver file of every iteration
    `history`    one tensor for each slot of the update rule and distinct learned blob, slot by slot
    `action`     called once an iteration: what is asked from outside (a signal)
    `ending`     called while data are long in coming: whether the end has been asked for
    `on_step`    called after every iteration, for progress displays
    """

    def __init__(
        self,
        solver: str | SolverSpec,
        *,
        device: torch.device | str | None = None,
        keep: int = 0,
        keep_best: str = "",
        allow_nan: bool = False,
        python_layers: bool = True,
        grow_batch: int | None = None,
        splitting: Splitting | None = None,
        fit: bool = False,
        memory: int | None = None,
        precision: str | None = None,
        compile: bool = False,
    ):
        """Read the solver file (or take its spec) and build its nets. Raises Error.

        `device`: None takes a GPU if the file asks for one and there is one. `keep`: how many snapshots stay on the disk
        (0: all). `keep_best`: the test output whose best value gets a snapshot of its own. `allow_nan`: go on with a loss
        that is not finite. `python_layers` false refuses layers of type Python; their modules are looked for beside the
        solver file as well. `grow_batch`: the largest iter_size, with which the batch grows where the rate would drop.
        `splitting`: how batches run (None: whole); `fit`: choose the micro-batch so that it fits into `memory` bytes (None:
        what is free). `precision`: fp32, tf32, bf16, fp16 (None: the file's, else TF32 where a GPU has it).
        `compile`: let torch.compile make the nets faster.
        """
        self.spec = solver if isinstance(solver, SolverSpec) else read_solver(solver)
        self.param: SolverParameter = self.spec.param
        self.device = torch.device(device) if device is not None else default_device(self.param)
        log.info("solver.cpp:45", f"Initializing solver from parameters: \n{prototxt.to_text(self.param).rstrip()}")
        check(self.spec)
        self.snapshots = snapshot.Checkpoints(self.param, keep, self.spec.file)
        with self.spec.placing():
            if self.param.snapshot or self.param.snapshot_after_train or keep_best:
                self.snapshots.names.check_writable(self.param.max_iter)
            self.schedule = Schedule(self.param, grow_batch)
        self.python_layers = python_layers
        splitting = splitting or Splitting()
        self.net = self._build(train_net(self.spec), 0)
        self.test_nets = self._build_tests()
        several = self.param.iter_size > 1 or self.schedule.cap is not None
        doubts.warn(self.spec, self.net, self.test_nets, several and not splitting.window)
        with self.spec.placing():
            self.snapshots.check_layers(self.net)
        for net in self.test_nets:
            net.share_with(self.net)
        log_forgetful(self.net)
        self.precision = Precision(precision, self.net, self.test_nets)
        if compile:
            compile_nets((self.net, *self.test_nets))
        self.update = Update(self.net, self.param, self.precision.scale)
        self.noise = NoiseScale(self.net)
        self.passes = Passes(self.net, lambda loss: self._check(loss, self.iter))
        self.passes.noise = self.noise if self.param.display and not self.precision.scale else None
        self.fit = Fit(self.passes, self.test_nets, self.param, splitting, fit, memory)
        self.iter = 0
        self.current_step = 0
        self.action: Callable[[], Action] = lambda: Action.NONE
        self.ending: Callable[[], bool] = lambda: False
        self.on_step: Callable[[Solver], None] | None = None
        self.stopping = False
        self.allow_nan = allow_nan
        self.best = Best(keep_best, self.test_nets) if keep_best else None
        self.smoothed = SmoothedLoss(self.param.average_loss)
        self._pending: list[Tensor] = []  # losses that are still on the device
        self._resumed = False
        self._begun = 0  # the iteration at which this run began
        self._boundary = self._run_state()  # after the last update, before any test
        self.pace = Pace((self.net, *self.test_nets))
        log.info("solver.cpp:57", "Solver scaffolding done.")

    def _build(self, spec: NetSpec, index: int) -> Net:
        """A net on the solver's device, its data read ahead, with the weights that the solver file names."""
        if any(layer.type == "Python" for layer in spec.param.layer):
            look_in(Path(self.spec.file).parent)
        seed = self.param.random_seed + index if self.param.random_seed >= 0 else None
        net = Net(spec, device=self.device, seed=seed, python_layers=self.python_layers)
        cpu.lay_out(net)
        net.read_ahead(lambda: self.ending())
        for entry in self.param.weights:
            for path in entry.split(","):
                if not path.strip():
                    self.spec.fail(f"weights '{entry}' has an empty file name beside a comma", "weights")
                log.info("solver.cpp:72", f"Finetuning from {path.strip()}")
                snapshot.load_weights(net, path.strip())
        return net

    def _build_tests(self) -> list[Net]:
        """The test nets, which share the train net's weights."""
        nets = []
        for index, (what, spec) in enumerate(test_nets(self.spec)):
            log.info("solver.cpp:190", f"Creating test net (#{index}) specified by {what}")
            nets.append(self._build(spec, index + 1))
        return nets

    # -- the loop ---------------------------------------------------------------------------------------------------

    def solve(self) -> None:
        """Train up to max_iter, then snapshot, display and test as the solver file says."""
        log.info("solver.cpp:289", f"Solving {self.net.name}")
        log.info("solver.cpp:290", f"Learning Rate Policy: {self.param.lr_policy}")
        self.stopping = False
        self.step(self.schedule.last - self.iter)
        self.pace.log_whole()
        if self.param.snapshot_after_train and not self.due(self.param.snapshot):
            self._save()
        if self.stopping:
            log.info("solver.cpp:311", "Optimization stopped early.")
        else:
            try:
                self._show_end()
            except Interrupted:
                self._poll()
        self.snapshots.writer.wait()
        self._poll()  # a signal may have come meanwhile
        self.snapshots.writer.check()

    def _show_end(self) -> None:
        """One more forward pass for the last display, and the last test, where they are due."""
        if self.due(self.param.display):
            loss, _ = self.fit.look(self.net)
            self._record(loss)
            log.info("solver.cpp:327", f"Iteration {self.iter}, loss = {log.number(self._settle())}")
        if self.due(self.param.test_interval):
            self.test_all()
        log.info("solver.cpp:332", "Optimization Done.")

    def step(self, iterations: int) -> None:
        """Make `iterations` updates: test, forward and backward iter_size times, display, update, snapshot."""
        stop = self.iter + iterations
        if not self._resumed:
            self.smoothed = SmoothedLoss(self.param.average_loss)
            self._pending.clear()
        self._resumed = False
        self.pace.start(self.iter)
        self._boundary = self._run_state()
        while self.iter < stop and not self.stopping:
            try:
                self._iterate()
            except (DataError, OutOfMemory) as error:
                self._rescue("The data have failed" if isinstance(error, DataError) else "The memory has run out")
                raise
            except Interrupted:
                pass
            self._poll()
        self.snapshots.copied()

    def _iterate(self) -> None:
        """One iteration, in Caffe's order, up to its snapshot if one is due."""
        if self.due(self.param.test_interval) and (self.iter > 0 or self.param.test_initialization):
            self.test_all()
            if self.stopping:
                return
        self._clear_gradients()
        loss, outputs = self._accumulate()
        self._record(loss)
        if self.due(self.param.display):
            self._display(outputs)
        self.apply_update()
        if self.on_step:
            self.on_step(self)
        if self.due(self.param.snapshot):
            self.snapshot(wait=False)

    def _rescue(self, why: str) -> None:
        """Save the last whole iteration before an error that is not the run's own ends it."""
        if self.iter == self._begun or not (self.param.snapshot or self.param.snapshot_after_train):
            return
        try:
            self.stopping = True
            self._save()
            self.snapshots.writer.check()
        except Error as error:
            log.error("solver.cpp:464", f"{why}, and the snapshot has failed as well: {error}")
        else:
            log.info("solver.cpp:464", f"{why}; resume from {self.snapshots.names.state(self.iter)} when that is mended")

    def _poll(self) -> None:
        """Do what is asked from outside."""
        while (action := self.action()) is not Action.NONE:
            self.stopping = self.stopping or action.ends
            if action.saves:
                self._save()

    def due(self, interval: int) -> bool:
        """Whether something that happens every `interval` iterations of the file (0: never) happens now."""
        return self.schedule.due(interval, self.iter)

    def _clear_gradients(self) -> None:
        for learned in self.net.learned:
            learned.blob.grad = None

    def _accumulate(self) -> tuple[Tensor, dict[str, Tensor]]:
        """iter_size passes whose gradients add up: the mean of their losses, and the outputs of the last pass.

        Raises Interrupted, DataError and OutOfMemory with the learned blobs as they were.
        """
        debug = DebugInfo(self.net) if self.param.debug_info and self.due(self.param.display) else None
        try:
            count, after = self.schedule.passes(self.iter), debug.backward if debug else None
            return self.fit.run(self.net, self._boundary["train"], lambda: self.passes(count, after))
        finally:
            if debug:
                debug.close()

    def apply_update(self) -> None:
        """Update the weights by the gradients at the iteration's rate; then one iteration more is done."""
        self.snapshots.copied()
        self.update(self._rate(), self.iter, self.schedule.passes(self.iter))
        self.iter += 1
        self._boundary = self._run_state()

    def _rate(self) -> float:
        """The iteration's learning rate, logged where it is displayed."""
        step = self.schedule.step(self.iter, self.current_step)
        if self.param.lr_policy == "multistep" and step != self.current_step:
            log.info("sgd_solver.cpp:50", f"MultiStep Status: Iteration {self.iter}, step = {step}")
        self.current_step = step
        rate = self.schedule.rate(self.iter, step)
        self.schedule.announce(self.iter, rate)
        if self.due(self.param.display):
            log.info("sgd_solver.cpp:112", f"Iteration {self.iter}, lr = {log.number(rate)}")
        return rate

    # -- what is shown ----------------------------------------------------------------------------------------------

    def _record(self, loss: Tensor) -> None:
        """Keep the loss for the next display, without waiting for the device."""
        if self.param.display:
            self._pending.append(loss)

    def _settle(self) -> float:
        """The smoothed loss, with all losses recorded so far."""
        self.update.log_clipping()
        losses = torch.stack(self._pending).tolist()
        for iteration, loss in enumerate(losses, self.iter - len(losses) + 1):
            self._check(loss, iteration)
            self.smoothed.add(loss)
        self._pending.clear()
        return float(self.smoothed.value)

    def _check(self, loss: float, iteration: int) -> None:
        """Raise NumericalError for a loss that is not finite."""
        if not (math.isfinite(loss) or self.allow_nan):
            self._explain(iteration)

    def _explain(self, iteration: int) -> NoReturn:
        """Run the last pass again to find the first number that went wrong; raise NumericalError."""
        self.snapshots.writer.wait()
        if self.net.draws is not None and self.passes.draws is not None:
            self.net.draws.set_state(self.passes.draws)
        rate = self.schedule.rate(iteration, self.current_step)
        raise finite.explain(self.net, self.passes.batch, iteration, rate, self.snapshots.good, self.iter > self._begun)

    def _display(self, outputs: Mapping[str, Tensor]) -> None:
        loss = self._settle()
        speed, lapse = self.pace.lap(self.iter)
        log.info(
            "solver.cpp:239",
            f"Iteration {self.iter} ({log.number(speed)} iter/s, {log.number(lapse)}s/{self.param.display} iters), "
            f"loss = {log.number(loss)}",
        )
        log_outputs("Train", "solver.cpp:258", self.net, outputs)
        if remark := finite.saturated(self.net, outputs):
            log.warning("solver.cpp:258", remark)
        self.noise.log()
        self.precision.log()
        self.pace.log_lap()

    def test_all(self) -> None:
        """Test every test net, unless somebody asks to stop."""
        for index in range(len(self.test_nets)):
            if self.stopping:
                break
            means = self.test(index)
            if self.best and self.best.improved(index, means):
                self._write(*self.snapshots.names.best(), "training goes on, the next try is at a better value")

    def test(self, index: int = 0) -> dict[str, list[float]]:
        """Run test net `index` for its test_iter batches; log and return the means of its outputs."""
        log.info("solver.cpp:347", f"Iteration {self.iter}, Testing net (#{index})")
        net, batches = self.test_nets[index], self.param.test_iter[index]
        log_unshared(self.net, net)
        debug = DebugInfo(net) if self.param.debug_info else None
        loss, means = self.fit.run(net, Carried(net).state(), lambda: self._means(net, batches))
        if debug:
            debug.close()
        if self.stopping:
            log.info("solver.cpp:394", "Test interrupted.")
            return {}
        if self.param.test_compute_loss and batches:
            log.info("solver.cpp:401", f"Test loss: {log.number(float(loss) / batches)}")
        log_outputs("Test", "solver.cpp:414", net, means)
        return {name: mean.flatten().tolist() for name, mean in means.items()}

    def _means(self, net: Net, batches: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the losses and the mean outputs over some batches of a test net, unless somebody asks to stop."""
        totals: dict[str, Tensor] = {}
        loss_total = torch.zeros((), device=self.device)
        for _ in range(batches):
            self._poll()
            if self.stopping:
                break
            loss, outputs = self.fit.look(net)
            loss_total += loss
            for name, blob in outputs.items():
                totals[name] = totals[name] + blob if name in totals else blob
        return loss_total, {name: total / batches for name, total in totals.items()}

    # -- snapshots --------------------------------------------------------------------------------------------------

    @property
    def history(self) -> list[Tensor]:
        """One tensor for each slot of the update rule and distinct learned blob, slot by slot."""
        return self.update.history

    def snapshot(self, wait: bool = True) -> str:
        """Write weights and state of this iteration; return the state's path.

        Without `wait` they are written in the background, an error is logged, and the next snapshot is the next try; with
        it, raises SnapshotError.
        """
        path = self.snapshots.saved = self.snapshots.names.state(self.iter)
        self._write(self.snapshots.names.weights(self.iter), path, "" if wait else self._retry(), copy=not wait)
        if wait:
            self.snapshots.writer.check()
        return path

    def _save(self) -> None:
        """Have this iteration's snapshot written, unless it is already."""
        if self.snapshots.saved != self.snapshots.names.state(self.iter):
            self.snapshot(wait=False)

    def _retry(self) -> str:
        """What is said when a snapshot fails; "" where no other one follows, so that the failure ends the run."""
        following = self.schedule.next_snapshot(self.iter)
        goes_on = following and not self.stopping
        return f"training goes on, the next try is at iteration {following}" if goes_on else ""

    def _write(self, weights: str, path: str, retry: str, copy: bool = True) -> None:
        """Collect this iteration's snapshot and have it written. Raises NumericalError for weights that are not finite."""
        if not (self.allow_nan or finite.all_finite([learned.blob for learned in self.net.learned])):
            self._explain(self.iter)
        self.snapshots.announce(weights, path)
        state = State(self.iter, "", self.current_step)
        steps = self.update.steps if self.param.snapshot_diff else None
        pair = snapshot.collect(self.net, (weights, path), state, self.history, self._boundary, steps)
        self.snapshots.write(pair, retry, copy)

    def _run_state(self) -> dict[str, Any]:
        """What Caffe's state leaves out: data positions, random numbers, recurrent states, loss window, best value."""
        return {
            "train": Carried(self.net).state(),
            "tests": [Carried(net).state() for net in self.test_nets],
            "smoothed": self.smoothed.state(),
            "pending": list(self._pending),
            "best": self.best.state() if self.best else None,
            "schedule": self.schedule.state(self.iter),
            "noise": self.noise.state(),
            "fit": self.fit.state(),
            "precision": self.precision.state(),
        }

    def restore(self, path: str) -> None:
        """Go on from the state `path`, exactly if it is one of ours; as Caffe does if it is Caffe's: history, weights and
        iteration, with the data from their beginning. Raises SnapshotError, DataError."""
        self.snapshots.copied()
        state, weights = resume.load_state(path, self.update)
        if weights:
            snapshot.load_weights(self.net, weights)
        log.info("sgd_solver.cpp:336", "SGDSolver: restoring history")
        with torch.no_grad():
            for own, found in zip(self.history, state.history, strict=True):
                own.copy_(torch.from_numpy(found.reshape(own.shape)))
        self.iter, self.current_step = state.iter, state.current_step
        self.snapshots.saved = self.snapshots.good = path
        self._begun = self.iter
        try:
            self._resume(runstate.loads(state.run))
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
            raise SnapshotError(f"what it says of the run cannot be read ({error!r})", Where(path)) from error
        self._boundary = self._run_state()

    def _resume(self, run: dict[str, Any]) -> None:
        """Take up the rest of the run where the snapshot left it."""
        self.schedule.restore(run.get("schedule", {}), self.iter)
        if not run:
            log.info("solver.cpp", "Caffe wrote this snapshot: data, random numbers and loss window begin anew")
            return
        self.fit.restore(run.get("fit", {}))
        self.precision.restore(run.get("precision", {}))
        Carried(self.net).restore(run["train"])
        for net, saved in zip(self.test_nets, run["tests"], strict=False):
            Carried(net).restore(saved)
        self.smoothed.restore(run["smoothed"])
        self._pending = [loss.to(self.device) for loss in run.get("pending", ())] if self.param.display else []
        if self.best:
            self.best.restore(run["best"])
        if "noise" in run:
            self.noise.restore(run["noise"])
        self._resumed = True

    def close(self) -> None:
        """Finish writing, and give back the files and threads of the data layers."""
        self.snapshots.writer.wait()
        for net in (self.net, *self.test_nets):
            net.close()


def default_device(param: SolverParameter) -> torch.device:
    """The GPU `device_id` if solver_mode is GPU and there is one, else the CPU."""
    if param.solver_mode == SolverParameter.SolverMode.Value("GPU") and torch.cuda.is_available():
        return torch.device("cuda", param.device_id)
    return torch.device("cpu")
