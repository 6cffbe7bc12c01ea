"""SIGINT, SIGHUP and SIGTERM as requests to the training loop."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from enum import Enum
from types import FrameType, TracebackType


class Action(Enum):
    """What somebody outside, such as a signal, asks of the loop."""

    NONE = "none"
    SNAPSHOT = "snapshot"
    STOP = "stop"
    TERMINATE = "terminate"  # a snapshot, then the end

    @property
    def saves(self) -> bool:
        """Whether a snapshot is asked for."""
        return self in (Action.SNAPSHOT, Action.TERMINATE)

    @property
    def ends(self) -> bool:
        """Whether the end is asked for."""
        return self in (Action.STOP, Action.TERMINATE)


class SignalHandler:
    """Collects signals while it is entered; called, it tells the action that one of them stands for, once.

    The loop asks after every iteration and between test batches. SIGTERM asks for a snapshot and the end, after which the
    process ends with `exit_code` 143. Where SIGINT means stop, a second one ends the process at once, with exit code 130.
    """

    def __init__(self, sigint: Action, sighup: Action):
        self.effects = {signal.SIGINT: sigint, signal.SIGTERM: Action.TERMINATE}
        if hasattr(signal, "SIGHUP"):
            self.effects[signal.SIGHUP] = sighup
        self.received: list[int] = []
        self.interrupted = False  # whether a SIGINT has asked for the end
        self.before: dict[signal.Signals, object] = {}
        self.exit_code = 0

    def __enter__(self) -> SignalHandler:
        self.before = {number: signal.signal(number, self._receive) for number in self.effects}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        action = self.effects[signal.Signals(number)]
        if number == signal.SIGINT and action.ends:
            if self.interrupted:
                _end_at_once()
            self.interrupted = True
        if action is Action.TERMINATE:
            self.exit_code = 128 + number
        if action is not Action.NONE:
            self.received.append(number)

    def __call__(self) -> Action:
        return self.effects[signal.Signals(self.received.pop(0))] if self.received else Action.NONE

    def ending(self) -> bool:
        """Whether a signal that has come and was not asked for yet is to end the run."""
        return any(self.effects[signal.Signals(number)].ends for number in self.received)


def _end_at_once() -> None:
    """Leave without waiting for anything: a disk or a reader that hangs may be why somebody interrupts twice."""
    with suppress(OSError):
        os.write(2, b"\ninterrupted twice: stopped at once, without another snapshot\n")
    os._exit(128 + signal.SIGINT)
