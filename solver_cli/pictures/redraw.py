"""Draws a run whose rows come in by the standard input: the work of the process behind `--plot`.

A line is the JSON of [number of the test net or -1, fields of a Row]. Whatever comes has the picture drawn, as often as a
hundredth of the time allows; the last picture is always drawn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Thread

from solver_cli.errors import Error
from solver_cli.pictures import curves, plot
from solver_cli.pictures.rows import Row
from solver_cli.pictures.runlog import Run

SHARE = 0.01  # of the time, at most


def run() -> None:
    """Draw what the command line names: a file, and the run's name. An error is one line, and exit code 1."""
    try:
        redraw(*sys.argv[1:])
    except Error as error:
        sys.exit(str(error))


def redraw(path: str, name: str) -> None:
    """Read rows from the standard input and draw `path`, at the lowest priority. Raises Error."""
    if hasattr(os, "nice"):
        os.nice(19)
    shown, come, ended = Run(name), Event(), Event()
    Thread(target=_read, args=(sys.stdin, shown, come, ended), daemon=True).start()  # so that nobody waits to be read
    while not ended.is_set():
        come.wait()
        come.clear()
        if not ended.is_set():
            before = time.process_time()
            _draw(shown, path)
            ended.wait((time.process_time() - before) / SHARE)
    _draw(shown, path)


def _read(lines: Iterable[str], run: Run, come: Event, ended: Event) -> None:
    """Take rows into `run` as they come; the last line of a killed run may be cut off."""
    with suppress(ValueError):
        for line in lines:
            net, fields = json.loads(line)
            rows = run.displays if net < 0 else run.tests.setdefault(net, [])
            rows.append(Row(**fields))
            come.set()
    ended.set()
    come.set()


def _draw(run: Run, path: str) -> None:
    now = Run(run.name, list(run.displays), {net: list(rows) for net, rows in list(run.tests.items())})
    if panels := curves.panels([now]):
        plot.write(path, panels, [run.name])
