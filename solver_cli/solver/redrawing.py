"""The picture of `--plot`: a process of its own draws it again and again, when nobody else wants the processor."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import solver_cli
from solver_cli.errors import DataError, Where
from solver_cli.pictures import plot
from solver_cli.pictures.rows import Row
from solver_cli.solver.recording import Recorder, Watched, check_writable

PATIENCE = 30.0  # seconds for the last picture
ROOT = str(Path(solver_cli.__file__).parents[1])
# the working folder is not where modules come from: it may hold anything
PROGRAM = f"import sys; sys.path = [*filter(None, sys.path), {ROOT!r}]; from solver_cli.pictures import redraw; redraw.run()"


class Picture(Recorder):
    """Sends rows to the process, which draws."""

    def __init__(self, run: Watched, path: str, kept: Mapping[int, list[Row]]):
        """`kept`: rows of the run before it was resumed, as soon as it begins. Raises ConfigError."""
        super().__init__(run)
        self.path, self.kept = path, kept
        plot.kind_of(path)
        plot.check()
        check_writable("--plot", Path(path))
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self, iteration: int) -> None:
        self._end()  # of a run that has gone back
        command = [sys.executable, "-c", PROGRAM, self.path, self.run.train.name or "run"]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        # a session of its own: Ctrl-C is for the run, whose last picture comes after it
        self.process = subprocess.Popen(command, stdin=pipe, stdout=nothing, stderr=pipe, start_new_session=True)
        for net, rows in self.kept.items():
            for row in rows:
                self.take(net, row)
                self.seconds = max(self.seconds, row.seconds)

    def take(self, net: int, row: Row) -> None:
        assert self.process and self.process.stdin
        try:
            self.process.stdin.write(json.dumps([net, asdict(row)]).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            self._end()
            raise

    def closed(self) -> None:
        super().closed()
        self._end()

    def _end(self) -> None:
        """Have the last picture drawn. Raises DataError where it cannot be."""
        process, self.process = self.process, None
        if process is None:
            return
        try:
            _, complaint = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            complaint = f"it took more than {PATIENCE:g} s".encode()
        if process.returncode:
            words = complaint.decode(errors="replace").strip().splitlines() or ["the process that draws has died"]
            raise DataError(f"--plot: {words[-1]}", Where(self.path))
