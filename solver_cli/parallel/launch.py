"""Starting ranks on this machine, by torch's own launcher, and waiting for them."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from torch import multiprocessing

from solver_cli import log
from solver_cli.data.pool import processors

GRACE = 30.0  # seconds in which the others end by themselves after one has failed
FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP")


def launch(run: Callable[..., Any], size: int, *arguments: Any) -> int:
    """Call run(rank, meeting, *arguments) in `size` new processes, which meet at `meeting`; the exit code.

    Signals are handed on to all of them. If one fails, or is killed, the others end within GRACE seconds.
    """
    share_processors(size)
    with tempfile.TemporaryDirectory(prefix="solver-train-ranks-") as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        processes: list[BaseProcess] = []
        with _handed_on(processes):
            with _held_back():  # until the processes listen to them
                context = multiprocessing.start_processes(  # type: ignore[attr-defined, no-untyped-call]
                    run, (meeting, *arguments), nprocs=size, join=False, start_method="spawn"
                )
                processes += context.processes
            return _wait(processes)


def share_processors(size: int) -> None:
    """Leave each rank its part of the processors, unless somebody has said how many, and let them meet on this machine."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processors() // size)))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def _wait(processes: list[BaseProcess]) -> int:
    """Wait until all have ended; the exit code of the first that has failed, after one line if nothing else tells of it."""
    left, code, until = dict(enumerate(processes)), 0, float("inf")
    while left:
        wait([process.sentinel for process in left.values()], max(0.0, min(until - time.monotonic(), 1.0)))
        for rank, process in list(left.items()):
            if process.exitcode is None:
                continue
            del left[rank]
            if process.exitcode and not code:
                code, until = _told(rank, process.exitcode), time.monotonic() + GRACE
        if time.monotonic() >= until:
            for process in left.values():
                process.kill()
            until = float("inf")
    return code


def _told(rank: int, code: int) -> int:
    """The exit code that stands for that of a rank; a rank that was killed cannot tell of it."""
    if code > 0:
        return code
    name = signal.Signals(-code).name
    log.error("parallel.cpp", f"rank {rank} was killed by {name}: training ends; --snapshot auto goes on")
    return 1


@contextmanager
def _held_back() -> Iterator[None]:
    """Let signals wait, here and in processes that are started meanwhile, until they let them come (SignalHandler does)."""
    resource_tracker.ensure_running()  # multiprocessing's own process, whose start would let them come
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _numbers() -> list[signal.Signals]:
    return [getattr(signal, name) for name in FORWARDED if hasattr(signal, name)]


@contextmanager
def _handed_on(processes: list[BaseProcess]) -> Iterator[None]:
    """Hand signals on to the processes."""

    def hand_on(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.pid and process.is_alive():
                os.kill(process.pid, number)

    before = {number: signal.signal(number, hand_on) for number in _numbers()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
