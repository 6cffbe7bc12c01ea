"""Solver: Caffe's training loop, one update rule, one learning rate policy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.net.carried import Carried
from solver_cli.net.debug_info import debug_info
from solver_cli.net.layout import lay_out
from solver_cli.parallel.ranks import ALONE, Ranks
from solver_cli.passes.compiled import compile_nets
from solver_cli.passes.fit import Fit, Splitting
from solver_cli.passes.noise import NoiseScale
from solver_cli.passes.passes import Passes
from solver_cli.passes.precision import Precision
from solver_cli.snapshots.parts import Each, Parts
from solver_cli.snapshots.snapshot import Checkpoints
from solver_cli.solver import testing
from solver_cli.solver.alarm import Alarm
from solver_cli.solver.building import Device, bring, build_nets, check_all, default_device
from solver_cli.solver.loglines import LogLines
from solver_cli.solver.losses import Losses
from solver_cli.solver.options import Options
from solver_cli.solver.outside import Outside
from solver_cli.solver.recorders import recorders
from solver_cli.solver.saving import Saving
from solver_cli.solver.schedule import Schedule
from solver_cli.solver.solverspec import SolverSpec, read_solver
from solver_cli.solver.watchers import Best, Displayed, Tested, Watcher, Watchers
from solver_cli.text import prototxt
from solver_cli.updates.update import Update


class Solver:
    """Trains the nets that a solver file names.

    `net`        the train net; `test_nets` share its weights
    `history`    one tensor for each slot of the update rule and distinct learned blob, slot by slot
    `param`      the SolverParameter
    `schedule`   passes, rate and place in the solver file of every iteration
    `watchers`   what hears of the run: see `watchers.Watcher`
    `parts`      what has a memory, by its name in a snapshot: see `snapshots.parts`
    `outside`    what is asked from outside, such as by signals
    """

    prepare = staticmethod(lay_out)  # what is done to each net before its weights are loaded

    def __init__(
        self,
        solver: str | SolverSpec,
        options: Options | None = None,
        *,
        device: Device = None,
        ranks: Ranks = ALONE,
        **settings: Any,
    ):
        """Read the solver file (or take its spec) and build its nets. Raises Error.

        `device`: None takes a GPU if the file asks for one and there is one. `ranks`: what this process and others train
        together. `settings`: single fields of `options.Options`, such as micro_batch=8, keep=3, precision="bf16"; `options`:
        all of them.
        """
        self.options = options = replace(options or Options(), **settings)
        bring(options.schema, options.layers, options.python_layers)
        spec = solver if isinstance(solver, SolverSpec) else read_solver(solver)
        self.spec = replace(spec, accept=tuple(options.accept))
        self.param = self.spec.param
        self.device = torch.device(device) if device is not None else default_device(self.param)
        self.ranks = replace(ranks, divided=options.split_batch)
        self.outside, self._resumed = Outside(self.ranks), False
        log.info("solver.cpp:45", f"Initializing solver from parameters: \n{prototxt.to_text(self.param).rstrip()}")
        check_all(self.spec, options.keep_best)
        with self.spec.placing():
            self.snapshots = Checkpoints(self.param, options.keep or 0, self.spec.file, bool(options.keep_best), ranks.first)
            self.schedule = Schedule(self.param, options.grow_batch)
        self._build_nets(Splitting.of(options.micro_batch, options.recompute, options.batch_norm_window, options.offload))
        log.info("solver.cpp:57", "Solver scaffolding done.")

    def _build_nets(self, splitting: Splitting) -> None:
        """The nets, and how they run, are updated, watched and saved."""
        options, param = self.options, self.param
        several = (param.iter_size > 1 or self.schedule.cap is not None) and not splitting.window
        self.net, self.test_nets = build_nets(
            self.spec, self.device, options.python_layers, several, self.snapshots, self.prepare, self.outside, self.ranks
        )
        self.precision = Precision(options.precision, self.net, self.test_nets)
        if options.compile:
            compile_nets((self.net, *self.test_nets))
        self.update = Update(self.net, param, self.precision.scale)
        self.history = self.update.history
        self.passes = Passes(self.net, self.ranks, options.cuda_graphs and not options.compile)
        self.noise = NoiseScale(self.net, ranks=self.ranks)
        self.alarm = Alarm(self.passes, self.schedule, self.snapshots, options.allow_nan)
        self.passes.noise = self.noise if param.display and not self.precision.scale else None
        self.fit = Fit(self.passes, self.test_nets, param, splitting, options.fit, options.memory)
        self.losses = Losses(self.net, param, self.alarm.loss)
        self.schedule.loss = lambda: self.losses.settle(self.iter)
        tests = Each([Carried(net) for net in self.test_nets])
        self.parts = Parts(schedule=self.schedule, fit=self.fit, precision=self.precision, train=Carried(self.net))
        self.parts |= {"tests": tests, "smoothed": self.losses.smoothed, "noise": self.noise, "pending": self.losses}
        names = self.snapshots.names
        lines = LogLines(self.schedule, self.net, self.test_nets, self.noise, self.precision, names, self.ranks)
        self.watchers = Watchers([lines, *(recorders(options, lines) if self.ranks.first else ())])
        if options.keep_best:
            self.parts["best"] = best = Best(options.keep_best, self.test_nets, lambda: self.saving.save_best())
            self.watchers.append(best)
        self.saving = Saving(self.update, self.schedule, self.parts, self.snapshots, self.alarm, self.watchers, self.ranks)

    @property
    def iter(self) -> int:
        """How often the weights have been updated."""
        return self.schedule.iter

    def due(self, interval: int, offset: int = 0) -> bool:
        """Whether something that happens every `interval` iterations of the file (0: never) happens now."""
        return self.schedule.due(interval, self.iter, offset)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def solve(self) -> None:
        """Train up to max_iter, then snapshot, display and test as the solver file says."""
        log.info("solver.cpp:289", f"Solving {self.net.name}")
        log.info("solver.cpp:290", f"Learning Rate Policy: {self.param.lr_policy}")
        self.outside.stopping = False
        self.step(self.schedule.last - self.iter)
        self.watchers.tell(Watcher.ended, self.iter)
        if self.param.snapshot_after_train and not self.due(self.param.snapshot):
            self.saving.save(self.outside.stopping)
        if self.outside.stopping:
            log.info("solver.cpp:311", "Optimization stopped early.")
        else:
            with self.outside.heard(self.saving):
                self._show_end()
        self.snapshots.writer.wait()
        self.outside.poll(self.saving)  # a signal may have come meanwhile; nobody leaves before the snapshot is written
        self.snapshots.writer.check()

    def step(self, iterations: int) -> None:
        """Make `iterations` updates: test, forward and backward iter_size times, display, update, snapshot."""
        stop = self.iter + iterations
        if not self._resumed:
            self.losses.restart()
        self._resumed = False
        self.saving.mark()
        self.watchers.tell(Watcher.begun, self.iter)
        while self.iter < stop and not self.outside.stopping:
            with self.outside.heard(self.saving):
                self._iterate()
            self.outside.poll(self.saving)
        self.snapshots.copied()

    def _iterate(self) -> None:
        """One iteration, in Caffe's order, up to its snapshot if one is due."""
        if self.due(self.param.test_interval, self.param.test_offset) and (self.iter > 0 or self.param.test_initialization):
            self.test_all()
            if self.outside.stopping:
                return
        self._clear_gradients()
        self.watchers.tell(Watcher.on_start, self.iter)
        loss, outputs = self._forward_backward()
        self.losses.add(loss)
        if self.due(self.param.display):
            self.update.log_clipping()
            shown = Displayed(self.iter, self.losses.settle(self.iter), self.ranks.means(outputs))
            self.watchers.tell(Watcher.displayed, shown)
        self.watchers.tell(Watcher.on_gradients_ready, self.iter)
        self.apply_update()
        if self.due(self.param.snapshot):
            self.snapshot(wait=False)

    def _clear_gradients(self) -> None:
        for learned in self.net.learned:
            learned.blob.grad = None

    def _forward_backward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """iter_size passes whose gradients add up: the mean of their losses, and the outputs of the last pass.

        Raises Interrupted, DataError and OutOfMemory with the learned blobs as they were.
        """
        count, debug = self.schedule.passes(self.iter), self.param.debug_info and self.due(self.param.display)
        with debug_info(self.net, debug) as after, self.ranks.together(), self.passes.sending:
            loss, outputs = self.fit.run(self.net, self.saving.boundary["train"], lambda: self.passes(count, after))
        self.passes.arrive(loss)
        return loss, outputs

    def apply_update(self) -> None:
        """Update the weights by the gradients at the iteration's rate; then one iteration more is done."""
        rate = self.schedule.advance()
        self.watchers.tell(Watcher.updating, self.iter, rate)
        self.snapshots.copied()
        if not self.param.disabled_update:
            self.update(rate, self.iter, self.schedule.passes(self.iter))
        self.schedule.iter += 1
        self.saving.mark()
        self.watchers.tell(Watcher.updated, self.iter)

    def _show_end(self) -> None:
        """One more forward pass for the last display, and the last test, where they are due."""
        if self.due(self.param.display):
            debug = self.param.debug_info and self.schedule.due(self.param.display, self.iter - 1)  # still on in Caffe
            with self.ranks.together(), self.passes.sending, debug_info(self.net, debug):
                loss = self.fit.look(self.net)[0]
            self.ranks.average([loss])
            self.losses.add(loss)
            self.update.log_clipping()
            log.info("solver.cpp:327", f"Iteration {self.iter}, loss = {log.number(self.losses.settle(self.iter))}")
        if self.due(self.param.test_interval, self.param.test_offset):
            self.test_all()
        log.info("solver.cpp:332", "Optimization Done.")

    def test_all(self) -> None:
        """Test every test net, unless somebody asks to stop."""
        for index in range(len(self.test_nets)):
            if not self.outside.stopping:
                self.test(index)

    def test(self, index: int = 0) -> dict[str, list[float]]:
        """Run test net `index` for its test_iter batches; log and return the means of its outputs."""
        net, batches = self.test_nets[index], self.param.test_iter[index]
        goes_on = partial(self.outside.test_goes_on, self.saving)
        self.watchers.tell(Watcher.testing, index, self.iter)
        found = testing.test(net, batches, self.fit, goes_on, self.watchers, self.param, self.ranks)
        self.outside.poll(self.saving)
        means = None if self.outside.stopping else found.means
        tested = Tested(self.iter, index, batches, found.loss, means, found.precisions)
        self.watchers.tell(Watcher.tested, tested)
        return {name: mean.flatten().tolist() for name, mean in (tested.means or {}).items()}

    # -- snapshots --------------------------------------------------------------------------------------------------

    def snapshot(self, wait: bool = True) -> str:
        """Write weights and state of this iteration, in the background without `wait`; the state's path: see `Saving`."""
        return self.saving.snapshot(wait, self.outside.stopping)

    def restore(self, path: str) -> None:
        """Go on from the state `path`, exactly if it is ours. Raises SnapshotError, DataError: see `Saving.restore`."""
        self._resumed = self.saving.restore(path)

    def close(self) -> None:
        """Finish writing, and give back the files and threads of the data layers."""
        self.snapshots.writer.wait()
        self.watchers.tell(Watcher.closed)
        for net in (self.net, *self.test_nets):
            net.close()
