"""Caffe's log lines: `I0210 13:39:22.381027 25210 solver.cpp:204] message`, to stderr.

Everything logs through `logging.getLogger("solver_cli")`; `extra={"site": ...}` carries the place in Caffe's source that log
parsers know the line by. Nothing is printed unless a program installs a handler, as the commands do with `to_stderr`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

logger = logging.getLogger("solver_cli")
logger.setLevel(logging.INFO)


def info(site: str, message: str) -> None:
    """One INFO line; `site` is Caffe's file:line."""
    logger.info(message, extra={"site": site})


def warning(site: str, message: str) -> None:
    """One WARNING line."""
    logger.warning(message, extra={"site": site})


def error(site: str, message: str) -> None:
    """One ERROR line."""
    logger.error(message, extra={"site": site})


def number(value: float) -> str:
    """A float32 as C++ streams print it: six significant digits, trailing zeros dropped."""
    value = float(np.float32(value))
    return f"{value:g}"


class GlogFormatter(logging.Formatter):
    """Level letter, month and day (no year: the scripts that parse these logs predate it), time, thread, site."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.localtime(record.created)
        stamp = time.strftime("%m%d %H:%M:%S", moment)
        micro = int(record.created % 1 * 1e6)
        site = getattr(record, "site", f"{record.filename}:{record.lineno}")
        if ":" not in site:  # a line that Caffe does not have; parsers want a number all the same
            site += ":0"
        return f"{record.levelname[0]}{stamp}.{micro:06d} {threading.get_native_id():5d} {site}] {record.getMessage()}"


class StderrHandler(logging.Handler):
    """Writes to whatever sys.stderr is now; the progress bar, if one is drawn, steps aside (see `progress`)."""

    def emit(self, record: logging.LogRecord) -> None:
        with stderr_may_go():
            sys.stderr.write(self.format(record) + "\n")


@contextmanager
def stderr_may_go() -> Iterator[None]:
    """Write to stderr inside. If nobody reads it any more (Ctrl-C ends `| tee` too, a terminal hangs up, the log's disk is
    full), training goes on without: from then on it leads nowhere."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


@contextmanager
def silent() -> Iterator[None]:
    """Log nothing inside."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


RESULTS = (  # of a run, as `--quiet` leaves them: displays, tests, snapshots, rates, the end
    "solver.cpp:239", "solver.cpp:258", "solver.cpp:327", "solver.cpp:347", "solver.cpp:401", "solver.cpp:414",
    "solver.cpp:464", "solver.cpp:474", "sgd_solver.cpp:112", "sgd_solver.cpp:284", "sgd_solver.cpp:296",
    "solver.cpp:311", "solver.cpp:332",
    "solver.cpp:540", "solver.cpp:546",  # SSD's fork
)  # fmt: skip


def is_result(record: logging.LogRecord) -> bool:
    """Whether a line tells of a run's results, or warns."""
    return record.levelno > logging.INFO or getattr(record, "site", "") in RESULTS


def to_stderr(handler: logging.Handler | None = None, level: int | None = None, quiet: bool | None = None) -> None:
    """Print the log to stderr from now on, through `handler` if one is given; `level` and `quiet` stay unless given.

    From `level` on, but not below what glog's environment variable GLOG_minloglevel says; `quiet` leaves `is_result` only.
    """
    before = logger.handlers[0] if logger.handlers else None
    handler = handler or StderrHandler()
    handler.setLevel(max(level, _least()) if level is not None else before.level if before else _least())
    handler.setFormatter(GlogFormatter())
    handler.filters[:] = (before.filters if before else []) if quiet is None else [is_result] if quiet else []
    logger.handlers[:] = [handler, *logger.handlers[1:]]
    logger.propagate = False


def _least() -> int:
    """The level of GLOG_minloglevel: 0 info, 1 warnings, 2 errors, 3 nothing."""
    found = os.environ.get("GLOG_minloglevel", "0")  # noqa: SIM112 - glog spells it so
    return logging.INFO + 10 * min(int(found), 3) if found.isdecimal() else logging.INFO
