"""The flags of glog, which every tool of Caffe's takes: where its log goes."""

from __future__ import annotations

import getpass
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from solver_cli.commands.gflags import Flag, Given, Value
from solver_cli.errors import ConfigError, Error, Where

HONOURED = (
    Flag("alsologtostderr", True, "print the log to stderr, and write the files of -log_dir"),
    Flag("log_dir", "", "write the log into files of this folder, to which PROGRAM.INFO, .WARNING and .ERROR are links"),
    Flag("log_prefix", True, "begin each line with its level, time, thread and place"),
    Flag("logtostderr", False, "print the log to stderr instead of writing files"),
    Flag("minloglevel", 0, "leave lines below this level out: 0 info, 1 warnings, 2 errors, 3 all"),
    Flag("stderrthreshold", 2, "without -alsologtostderr, print lines from this level on to stderr"),
)
WITHOUT_EFFECT: dict[str, Value] = {
    "alsologtoemail": "", "colorlogtostderr": False, "drop_log_memory": True, "log_backtrace_at": "", "log_link": "",
    "logbuflevel": 0, "logbufsecs": 30, "logemaillevel": 999, "logfile_mode": 436, "logmailer": "/bin/mail",
    "max_log_size": 1800, "stop_logging_if_full_disk": False, "symbolize_stacktrace": True, "v": 0, "vmodule": "",
}  # fmt: skip
FLAGS = (*HONOURED, *(Flag(name, default, "has no effect here") for name, default in WITHOUT_EFFECT.items()))
LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
NOTHING = logging.CRITICAL
HEAD = """Log file created at: {}
Running on machine: {}
Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg
"""


def flags() -> list[Flag]:
    """The flags with what the environment says of them, GLOG_minloglevel and so on. Raises Wrong."""
    told = {flag.name: os.environ.get(f"GLOG_{flag.name}") for flag in FLAGS}
    return [Flag(f.name, f.read(value) if (value := told[f.name]) else f.default, f.help) for f in FLAGS]


@contextmanager
def set_up(program: str, given: Given) -> Iterator[None]:
    """Let the log go where the flags say, inside. Raises ConfigError where -log_dir cannot be written to."""
    from solver_cli import log

    least = _level(given.number("minloglevel"))
    everything = given.yes("alsologtostderr") or given.yes("logtostderr")
    log.logger.handlers[0].setLevel(least if everything else max(least, _level(given.number("stderrthreshold"))))
    folder = "" if given.yes("logtostderr") else given.text("log_dir")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    files = [LogFile(Path(folder), program, name, stamp) for name, level in LEVELS.items() if folder and level >= least]
    log.logger.handlers += files
    for handler in log.logger.handlers:
        handler.setFormatter(log.GlogFormatter() if given.yes("log_prefix") else logging.Formatter("%(message)s"))
    if idle := [f"-{name}" for name in dict.fromkeys(given.named) if name in WITHOUT_EFFECT]:
        log.warning("caffe.cpp", f"{', '.join(idle)}: without effect here")
    try:
        yield
    except Error as error:
        line = logging.LogRecord(log.logger.name, logging.ERROR, "caffe.cpp", 0, str(error), (), None)
        for file in files:  # stderr gets it as it is
            file.emit(line)
        raise
    finally:
        for file in files:
            log.logger.removeHandler(file)
            file.close()


def _level(number: int) -> int:
    return min(logging.INFO + 10 * max(number, 0), NOTHING)


class LogFile(logging.Handler):
    """A file of one level and those above, as glog names it, made at its first line, with a link PROGRAM.LEVEL to it."""

    def __init__(self, folder: Path, program: str, level: str, stamp: str):
        super().__init__(LEVELS[level])
        host, user = platform.node() or "(unknown)", _user()
        self.path = folder / f"{program}.{host}.{user}.log.{level}.{stamp}.{os.getpid()}"
        self.link = folder / f"{program}.{level}"
        self.lines: TextIO | None = None
        self.failed = False
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ConfigError("-log_dir: it is no folder that can be written to: create it", Where(str(folder)))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; a disk that refuses is told once, and what is logged goes on without the file."""
        if self.failed:
            return
        try:
            self.lines = self.lines or self._begin()
            self.lines.write(self.format(record) + "\n")
            self.lines.flush()
        except OSError as error:
            self.failed = True
            print(f"{self.path}: cannot be written: {error.strerror}; the run goes on without", file=sys.stderr)

    def _begin(self) -> TextIO:
        lines = self.path.open("w", encoding="utf-8")
        lines.write(HEAD.format(time.strftime("%Y/%m/%d %H:%M:%S"), platform.node()))
        with suppress(OSError):
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(self.path.name)
        return lines

    def close(self) -> None:
        if self.lines is not None:
            with suppress(OSError):
                self.lines.close()
        super().close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "invalid-user"

