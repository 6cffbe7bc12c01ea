"""Processes and threads that a config's own code starts: none of them outlives the run, and none makes it last for ever."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess

from solver_cli import log

PATIENCE = 3.0  # seconds that they have for an end of their own once the program is at its end
SITE = "caffe.cpp"


class Workers:
    """What has been started since this was made.

    Caffe's tool leaves without asking anybody. Python waits, for threads and for processes that are no daemons, perhaps for
    ever; it runs what layers have registered with `atexit` as well, for which there is `PATIENCE`.
    """

    def __init__(self) -> None:
        self.before = {*threading.enumerate(), *multiprocessing.active_children()}

    def processes(self) -> list[BaseProcess]:
        """The worker processes that still run."""
        return [process for process in multiprocessing.active_children() if process not in self.before]

    def end_with_the_program(self, code: int) -> None:
        """See to it that the program ends, with exit code `code` where Python's own end would last for ever."""
        if self.processes() or not self.before.issuperset(threading.enumerate()):
            end = threading.Event()
            _when_python_ends(end.set)
            _when_python_ends(gc.collect)  # an unclosed Pool complains when it goes after the pipes that it uses
            threading.Thread(target=self._see_to_the_end, args=(end, code), name="the end", daemon=True).start()

    def _see_to_the_end(self, end: threading.Event, code: int) -> None:
        end.wait()
        time.sleep(PATIENCE)
        left = [f"process {process.pid} ({process.name})" for process in self.processes()]
        left += [f"thread {thread.name}" for thread in threading.enumerate() if self._holds_up(thread)]
        log.warning(SITE, f"after the end there is still {', '.join(left) or 'somebody to wait for'}: ended")
        kill(self.processes())
        time.sleep(PATIENCE / 3)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)

    def _holds_up(self, thread: threading.Thread) -> bool:
        return not thread.daemon and thread not in self.before and thread.is_alive()


@contextmanager
def none_outlives() -> Iterator[None]:
    """See to the end of what is started inside, as soon as the program ends."""
    workers = Workers()
    try:
        yield
    except BaseException:
        workers.end_with_the_program(1)
        raise
    workers.end_with_the_program(0)


def kill(processes: Iterable[BaseProcess]) -> None:
    """End worker processes at once, some of which may have ended meanwhile."""
    for process in processes:
        with suppress(OSError, ValueError):
            process.kill()


def _when_python_ends(function: Callable[[], object]) -> None:
    """Before it waits for threads and the executors of concurrent.futures, which use the same door; `atexit` is later."""
    getattr(threading, "_register_atexit", atexit.register)(function)
