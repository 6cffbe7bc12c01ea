"""`python -m solver_cli.pictures.redraw FILE NAME`: draws a run whose rows come in, as lines of JSON.

A line is [number of the test net or -1, fields of a Row]. A test has the picture drawn, as often as a hundredth of the time
allows; the last picture is always drawn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from threading import Event, Thread

from solver_cli.errors import Error
from solver_cli.pictures import curves, plot
from solver_cli.pictures.rows import Row
from solver_cli.pictures.runlog import Run

SHARE = 0.01  # of the time, at most


def main(path: str, name: str) -> None:
    """Read rows from the standard input and draw `path`, at the lowest priority. Raises Error."""
    if hasattr(os, "nice"):
        os.nice(19)
    run, tested, ended = Run(name), Event(), Event()
    Thread(target=_read, args=(sys.stdin, run, tested, ended), daemon=True).start()  # so that nobody waits to be read
    while not ended.is_set():
        tested.wait()
        tested.clear()
        if not ended.is_set():
            before = time.process_time()
            _draw(run, path)
            ended.wait((time.process_time() - before) / SHARE)
    _draw(run, path)


def _read(lines: Iterable[str], run: Run, tested: Event, ended: Event) -> None:
    """Take rows into `run` as they come."""
    for line in lines:
        net, fields = json.loads(line)
        row = Row(**fields)
        if net < 0:
            run.displays.append(row)
        else:
            run.tests.setdefault(net, []).append(row)
            tested.set()
    ended.set()
    tested.set()


def _draw(run: Run, path: str) -> None:
    now = Run(run.name, list(run.displays), {net: list(rows) for net, rows in list(run.tests.items())})
    if panels := curves.panels([now]):
        plot.write(path, panels, [run.name])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Error as error:
        sys.exit(str(error))
