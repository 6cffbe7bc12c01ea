"""SIGINT and SIGHUP as requests to the training loop."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from solver_cli.solver import Action


class SignalHandler:
    """Collects signals while it is entered; called, it tells the action that one of them stands for, once.

    The loop asks after every iteration and between test batches. A second SIGINT before it has asked interrupts at once.
    """

    def __init__(self, sigint: Action, sighup: Action):
        self.effects = {signal.SIGINT: sigint}
        if hasattr(signal, "SIGHUP"):
            self.effects[signal.SIGHUP] = sighup
        self.received: list[int] = []
        self.before: dict[signal.Signals, object] = {}

    def __enter__(self) -> SignalHandler:
        self.before = {number: signal.signal(number, self._receive) for number in self.effects}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in self.received:
            raise KeyboardInterrupt
        self.received.append(number)

    def __call__(self) -> Action:
        return self.effects[signal.Signals(self.received.pop(0))] if self.received else Action.NONE
