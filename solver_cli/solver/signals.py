"""SIGINT, SIGHUP and SIGTERM as requests to the training loop."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import FrameType, TracebackType

from solver_cli.solver.workers import Workers, kill

TWICE = 0.3  # seconds from which on two signals are two wishes: timeout, srun and others send the same one more than once


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
    process ends with `exit_code` 143. Where the end has been asked for, by SIGTERM or by a SIGINT that means stop, another
    SIGINT ends the process at once, with exit code 130, and a second SIGTERM with 143: a Python layer may wait for ever.

    Worker processes that are forked meanwhile die of SIGTERM and stay deaf to the others, as those of Caffe do: Ctrl-C and
    a terminal that hangs up reach them too, and the iteration that is to be finished needs them. What is left of them when
    the program ends is ended: see Workers.
    """

    def __init__(self, sigint: Action, sighup: Action, last: bool = False):
        """`last`: the process ends when this is left, and signals do nothing any more."""
        self.last = last
        self.effects = {signal.SIGINT: sigint, signal.SIGTERM: Action.TERMINATE}
        if hasattr(signal, "SIGHUP"):
            self.effects[signal.SIGHUP] = sighup
        self.received: list[int] = []
        self.asked: dict[int, float] = {}  # {SIGINT or SIGTERM that has asked for the end: when}
        self.before: dict[signal.Signals, Handler] = {}
        self.exit_code = 0

    def __enter__(self) -> SignalHandler:
        self.workers = Workers()
        self.before = {number: signal.signal(number, self._receive) for number in self.effects}
        _entered.add(self)
        if hasattr(signal, "pthread_sigmask"):  # those that came while this process was being started have waited
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.effects)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _entered.discard(self)
        for number, handler in self.before.items():
            signal.signal(number, signal.SIG_IGN if self.last else handler)
        self.workers.end_with_the_program(1 if kind else self.exit_code)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        action = self.effects[signal.Signals(number)]
        if number in (signal.SIGINT, signal.SIGTERM) and action.ends:
            since = [at for first, at in self.asked.items() if number in (first, signal.SIGINT)]
            if since and time.monotonic() - min(since) >= TWICE:
                self._end_at_once(number)
            self.asked.setdefault(number, time.monotonic())
        if action is Action.TERMINATE:
            self.exit_code = 128 + number
        if action is not Action.NONE:
            self.received.append(number)

    def __call__(self) -> Action:
        return self.effects[signal.Signals(self.received.pop(0))] if self.received else Action.NONE

    def ending(self) -> bool:
        """Whether a signal that has come and was not asked for yet is to end the run."""
        return any(self.effects[signal.Signals(number)].ends for number in self.received)

    def _end_at_once(self, number: int) -> None:
        """Leave without waiting for anything: a disk, a reader or a layer that hangs may be why it is asked for twice."""
        with suppress(OSError, ValueError):
            if select.select([], [2], [], 0)[1]:  # nobody may read it any more
                os.write(2, b"\ninterrupted twice: stopped at once, without another snapshot\n")
        kill(self.workers.processes())
        os._exit(128 + number)

    def leave_alone(self) -> None:
        """In a forked process: collect no signals."""
        for number, handler in self.before.items():
            signal.signal(number, handler if number == signal.SIGTERM else _deaf)


Handler = Callable[[int, FrameType | None], object] | int | None
_entered: set[SignalHandler] = set()
_masks = threading.local()


def _deaf(number: int, frame: FrameType | None) -> None:
    """Note nothing; unlike SIG_IGN it is not handed on to programs that the process starts."""


def _before_fork() -> None:
    """Hold signals back: one that came before the child has its handlers would be lost."""
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {number for handler in _entered for number in handler.effects})


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _in_child() -> None:
    for handler in list(_entered):
        handler.leave_alone()
    _entered.clear()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
