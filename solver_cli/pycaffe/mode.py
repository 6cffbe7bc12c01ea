"""What pycaffe sets for a whole process: device, seed, log; and its timer."""

from __future__ import annotations

import logging
import os
import time

import torch

from solver_cli import log
from solver_cli.net import plan as _plan  # noqa: F401 - registers every layer type
from solver_cli.registry import layer_types


class _Mode:
    """The device that nets compute on, and the generator that seeds them if a seed was set."""

    gpu = False
    index = 0
    seeds: torch.Generator | None = None
    solvers = 1
    rank = 0
    multiprocess = False


def set_mode_cpu() -> None:
    """Compute on the CPU from now on."""
    _Mode.gpu = False


def set_mode_gpu() -> None:
    """Compute on the GPU of `set_device` from now on; on the CPU, with a warning, where there is none."""
    _Mode.gpu = torch.cuda.is_available()
    if not _Mode.gpu:
        log.warning("common.cpp", "set_mode_gpu: there is no GPU here, so nets compute on the CPU")


def set_device(index: int) -> None:
    """Choose the GPU number `index` for the GPU mode."""
    _Mode.index = index


def device() -> torch.device:
    """Where nets compute now."""
    return torch.device("cuda", _Mode.index) if _Mode.gpu else torch.device("cpu")


def set_random_seed(seed: int) -> None:
    """Make the nets built from now on repeatable: their fillers, dropout and data."""
    _Mode.seeds = torch.Generator()
    _Mode.seeds.manual_seed(seed)


def next_seed() -> int | None:
    """The seed of the next net or solver; None if no seed was set."""
    return None if _Mode.seeds is None else int(torch.randint(2**31, (), generator=_Mode.seeds))


def layer_type_list() -> list[str]:
    """The names of all layer types; one that several Caffes have in meanings of their own (BN/segnet) counts once."""
    return list(dict.fromkeys(name.partition("/")[0] for name in layer_types()))


# -- several processes ------------------------------------------------------------------------------------------------


def solver_count() -> int:
    """How many solvers train together."""
    return _Mode.solvers


def set_solver_count(count: int) -> None:
    """Let the next solver train with others, `count` in all: see `several`."""
    if count < 1:
        raise RuntimeError(f"set_solver_count({count}): at least one solver trains")
    _Mode.solvers = count


def solver_rank() -> int:
    """This solver's number among those that train together."""
    return _Mode.rank


def set_solver_rank(rank: int) -> None:
    """Note this solver's number."""
    _Mode.rank = rank


def set_multiprocess(on: bool) -> None:
    """Note whether the solvers that train together are processes of their own."""
    _Mode.multiprocess = on


def multiprocess() -> bool:
    """Whether solvers that train together are processes of their own."""
    return _Mode.multiprocess


def has_nccl() -> bool:
    """Whether several solvers can train together."""
    return True


# -- log --------------------------------------------------------------------------------------------------------------


class _Handler(log.StderrHandler):
    """Prints from the level on that the program or GLOG_minloglevel names (0 info, 1 warning, 2 error, 3 nothing)."""

    least = 0

    def emit(self, record: logging.LogRecord) -> None:
        least = max(self.least, int(os.environ.get("GLOG_minloglevel") or 0))  # noqa: SIM112 - glog's spelling
        if record.levelno >= logging.INFO + 10 * least:
            super().emit(record)


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Print the log to stderr, from `level` on: 0 info, 1 warnings, 2 errors."""
    handler = _Handler()
    handler.least = level
    log.to_stderr(handler)


def set_logging_disabled(disabled: bool = True) -> None:
    """Stop printing the log, or print it again."""
    log.logger.disabled = disabled


def write_log(message: str) -> None:
    """Log a line: `caffe.log`."""
    log.info("_caffe.cpp:51", message)


class Timer:
    """A stopwatch that waits for the GPU."""

    def __init__(self) -> None:
        self._start = self._seconds = 0.0

    def start(self) -> None:
        """Start anew."""
        self._start = self._now()

    def stop(self) -> None:
        """Hold the time since `start`."""
        self._seconds = self._now() - self._start

    @property
    def ms(self) -> float:
        """Milliseconds from `start` to `stop`."""
        return self._seconds * 1e3

    @staticmethod
    def _now() -> float:
        if _Mode.gpu:
            torch.cuda.synchronize(_Mode.index)
        return time.perf_counter()
