"""What reaches a run from outside: wishes for a snapshot or the end, data and memory that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from solver_cli.data.prefetch import Interrupted
from solver_cli.errors import DataError, OutOfMemory
from solver_cli.parallel.ranks import Ranks
from solver_cli.solver.saving import Saving
from solver_cli.solver.signals import Action

ACTIONS = list(Action)  # the stronger ones later


class Outside:
    """Does what is asked of any of the ranks.

    `action`     called once an iteration: what is asked (a signal)
    `ending`     called while data are long in coming: whether the end has been asked for
    `stopping`   whether the run ends before its time
    """

    def __init__(self, ranks: Ranks):
        self.ranks = ranks
        self.action: Callable[[], Action] = lambda: Action.NONE
        self.ending: Callable[[], bool] = lambda: False
        self.stopping = False

    def asked_to_end(self) -> bool:
        """Whether the end has been asked for, for those who wait for data."""
        return self.ending()

    def poll(self, saving: Saving) -> bool:
        """Do what is asked; whether the run goes on."""
        while (action := ACTIONS[self.ranks.most(ACTIONS.index(self.action()))]) is not Action.NONE:
            self.stopping = self.stopping or action.ends
            if action.saves:
                saving.save(self.stopping)
        return not self.stopping

    def test_goes_on(self, saving: Saving) -> bool:
        """Whether a test does, asked between its batches: ranks, which have not all as many, agree on it at its end."""
        return self.poll(saving) if self.ranks.size == 1 else not self.ending()

    @contextmanager
    def heard(self, saving: Saving) -> Iterator[None]:
        """Give up waiting for data when the end is asked for; save the last whole iteration before an error ends the run."""
        try:
            yield
        except Interrupted:
            self.poll(saving)
        except (DataError, OutOfMemory) as error:
            self.stopping = True
            saving.rescue(error)
            raise
