"""The snapshots of a run: collected from its parts, written, and taken up again."""

from __future__ import annotations

from typing import Any

from solver_cli import log
from solver_cli.errors import DataError, Error, SnapshotError, Where
from solver_cli.formats import runstate
from solver_cli.formats.solverstate import State
from solver_cli.parallel.ranks import ALONE, Ranks
from solver_cli.snapshots import resume, snapshot
from solver_cli.snapshots.parts import Parts
from solver_cli.snapshots.ranked import Ranked
from solver_cli.solver.alarm import Alarm
from solver_cli.solver.schedule import Schedule
from solver_cli.solver.watchers import Watcher, Watchers
from solver_cli.updates.update import Update


class Saving:
    """Writes and reads the snapshots of a solver whose memory is in `update`, `schedule` and `parts`.

    `boundary`   the state of the parts after the last update, before any test: what a snapshot holds
    """

    def __init__(
        self,
        update: Update,
        schedule: Schedule,
        parts: Parts,
        files: snapshot.Checkpoints,
        alarm: Alarm,
        watchers: Watchers,
        ranks: Ranks = ALONE,
    ):
        self.update, self.schedule, self.parts, self.files = update, schedule, parts, files
        self.alarm, self.watchers, self.ranks = alarm, watchers, ranks
        self.ranked = Ranked(update.net, ranks)
        self.mark()

    def mark(self) -> None:
        """An update has been made, or training is about to begin: this is what a snapshot holds from now on."""
        self.boundary = self.parts.state()

    def snapshot(self, wait: bool, last: bool) -> str:
        """Have this iteration's weights and state written; return the state's path.

        An error is raised as SnapshotError with `wait`; without, the snapshot is written in the background and an error
        logged, since the next snapshot is the next try, unless this is the `last` one.
        """
        iteration = self.schedule.iter
        path = self.files.saved = self.files.names.state(iteration)
        following = 0 if wait or last else self.schedule.next_snapshot(iteration)
        retry = f"training goes on, the next try is at iteration {following}" if following else ""
        self._write(self.files.names.weights(iteration), path, retry, copy=not wait)
        if wait:
            self.files.writer.check()
        return path

    def save(self, last: bool) -> None:
        """Have this iteration's snapshot written, unless it is already."""
        if self.ranks.most(self.files.saved != self.files.names.state(self.schedule.iter)):
            self.snapshot(wait=False, last=last)

    def save_best(self) -> None:
        """Write this iteration as the best one so far."""
        self._write(*self.files.names.best(), "training goes on, the next try is at a better value", copy=True)

    def rescue(self, error: DataError | Error) -> None:
        """Save the last whole iteration before an error that is not the run's own ends it."""
        param = self.schedule.param
        why = "The data have failed" if isinstance(error, DataError) else "The memory has run out"
        if not self.schedule.has_updated or not (param.snapshot or param.snapshot_after_train):
            return
        try:
            self.save(last=True)
            self.files.writer.wait()
            self.ranks.most(0)  # nobody leaves before it is written
            self.files.writer.check()
        except Error as failure:
            log.error("solver.cpp:464", f"{why}, and the snapshot has failed as well: {failure}")
        else:
            state = self.files.names.state(self.schedule.iter)
            log.info("solver.cpp:464", f"{why}; resume from {state} when that is mended")

    def _write(self, weights: str, path: str, retry: str, copy: bool) -> None:
        """Collect this iteration's snapshot and have it written. Raises NumericalError for weights that are not finite."""
        with self.ranks.together():
            self.alarm.weights()
        self.watchers.tell(Watcher.saving, weights, path)
        self.files.writer.wait()  # so that memory holds one copy only
        state = State(self.schedule.iter, "", self.schedule.current_step, event=self.schedule.event())
        steps = self.update.steps if self.schedule.param.snapshot_diff else None
        run = self.ranked.collected(self.boundary)
        if self.ranks.first:
            pair = snapshot.collect(self.update.net, (weights, path), state, self.update.history, run, steps)
            self.files.write(pair, retry, copy)

    def restore(self, path: str) -> bool:
        """Go on from the state `path`, exactly if it is one of ours; whether it is.

        From real Caffe's the run goes on as Caffe would: history, weights and iteration, with the data from their
        beginning. Raises SnapshotError, DataError.
        """
        net, history = self.update.net, self.update.history
        self.files.copied()
        state, weights = resume.load_state(path, self.update)
        if weights:
            net.load(weights)
        log.info("sgd_solver.cpp:336", "SGDSolver: restoring history")
        resume.copy_history(state, history)
        self.schedule.go_on(state.iter, state.current_step, state.event)
        self.files.saved = self.files.good = path
        try:
            run = runstate.loads(state.run)
            self._restore(run)
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
            raise SnapshotError(f"what it says of the run cannot be read ({error!r})", Where(path)) from error
        self.mark()
        return bool(run)

    def _restore(self, run: dict[str, Any]) -> None:
        if run:
            self.parts.restore({"schedule": {}, **self.ranked.own(run)})
        else:
            self.schedule.restore({})
            log.info("solver.cpp", "Caffe wrote this snapshot: data, random numbers and loss window begin anew")
