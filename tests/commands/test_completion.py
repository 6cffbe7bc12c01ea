"""Completion of the commands, in a real bash on a terminal of its own."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import ENVIRONMENT, write

pty = pytest.importorskip("pty")
BASH = shutil.which("bash")
SECONDS = 60  # for an answer; it takes one or two
SET_UP = """\
PS1='ready> '; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; bind 'set completion-query-items 0'
eval "$(_SOLVER_TRAIN_COMPLETE=bash_source solver-train)"; eval "$(_SOLVER_TOOLS_COMPLETE=bash_source solver-tools)"
echo "set" "up"
"""


class Terminal:
    """An interactive bash; `seen` is what it has written since the last line was begun."""

    def __init__(self, folder: Path):
        self.end, inner = pty.openpty()
        path = f"{Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"
        environment = {**ENVIRONMENT, "PATH": path, "TERM": "dumb", "COLUMNS": "200", "INPUTRC": "/dev/null"}
        self.shell = subprocess.Popen(
            [str(BASH), "--norc", "--noprofile", "-i"], cwd=folder, env=environment, start_new_session=True,
            stdin=inner, stdout=inner, stderr=inner,
        )  # fmt: skip
        os.close(inner)
        self.seen = ""

    def until(self, pattern: str) -> str:
        """All that is seen up to and including `pattern`."""
        limit = time.monotonic() + SECONDS
        while not (match := re.search(pattern, self.seen, re.S)):
            assert time.monotonic() < limit, f"{pattern!r} did not come: {self.seen!r}"
            if select.select([self.end], [], [], 0.2)[0]:
                self.seen += os.read(self.end, 4096).decode(errors="replace").replace("\a", "")
        return self.seen[: match.end()]

    def write(self, text: str) -> None:
        self.seen = ""
        os.write(self.end, text.encode())

    def close(self) -> None:
        os.close(self.end)
        self.shell.kill()
        self.shell.wait()


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    if BASH is None:
        pytest.skip("there is no bash")
    folder = tmp_path_factory.mktemp("typed")
    write(folder)
    (folder / "results").mkdir()
    terminal = Terminal(folder)
    terminal.write(SET_UP)
    terminal.until("set up")
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("solver-train solv", "solver.prototxt "),
        ("solver-train solver.prototxt --snap", "--snapshot "),
        ("solver-train solver.prototxt --weights ne", "net.prototxt "),
        ("solver-train --sigint-effect sn", "snapshot "),
        ("solver-tools upg", "upgrade "),
        ("solver-tools layers InnerPr", "InnerProduct "),
        ("solver-tools plan so", "solver.prototxt "),
        ("solver-tools test ne", "net.prototxt "),
        ("solver-tools time net.prototxt --phase TR", "TRAIN "),
        ("solver-tools twins re", "results/"),
    ],
)
def test_one_way_to_go_on(typed: str, completed: str, terminal: Terminal) -> None:
    """The word is completed in the line."""
    terminal.write(typed + "\t")
    line = typed.rpartition(" ")[0] + " " + completed
    assert terminal.until(re.escape(line))
    terminal.write("\x15\n")  # no line
    terminal.until("ready> ")


def test_several_ways_to_go_on(terminal: Terminal) -> None:
    """Two tabs list them."""
    terminal.write("solver-tools layers Sigmoid\t\t")
    shown = terminal.until(r"Sigmoid\w*Loss\s")
    assert {"Sigmoid", "SigmoidCrossEntropyLoss"} <= set(shown.split())
    terminal.write("\x15\n")
    terminal.until("ready> ")
