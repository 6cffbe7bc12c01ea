"""SIGINT and SIGHUP sent to the real command, against what Caffe left behind: see golden/README.md."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from golden_cases import files, index
from running import SOLVER as SMALL
from running import write

from solver_cli.formats import caffemodel, solverstate

LOGS = {log["file"]: log for log in index("logs/index.json")["logs"]}
SOLVER = LOGS["train_sigint.txt"]["files"]["solver.prototxt"].replace("display: 100", "display: 20")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
# What ends the command in another way than a test expects is told in a file: its stderr may lead nowhere by then.
TOLD = "told.txt"
PROGRAM = f"""
import faulthandler, sys, traceback
told = open({TOLD!r}, "w", buffering=1)
faulthandler.enable(told, all_threads=True)
sys.excepthook = lambda *error: traceback.print_exception(*error, file=told)
from solver_cli.commands.train import train
train()
"""
COMMAND = [sys.executable, "-c", PROGRAM, "solver.prototxt"]
# A disk that answers no more after some training batches; what it holds up is its reader's thread, or all the rest.
STUCK = """
import sys, threading, time
from solver_cli.commands.train import train
from solver_cli.net import net
from solver_cli.data import database, prefetch
prefetch.PATIENCE = 0.5
real, count = database.Data.next_batch, 0
def stuck(source):
    global count
    count += source._records._path.endswith("train_lmdb")
    if count > 13:
        print("stuck now", file=sys.stderr, flush=True)
        threading.Event().wait()
    return real(source)
def slow(*args, **options):
    print("stuck now", file=sys.stderr, flush=True)
    time.sleep(3600)
if "STUCK" == "reader":
    database.Data.next_batch = stuck
else:
    net.Net.run_plainly = slow
train()
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")


class Running:
    """The command in a process of its own, through a second process that reads its log, as `2>&1 | cat` does."""

    def __init__(self, folder: Path, *flags: str, stuck: str = ""):
        self.folder = folder
        command = [*COMMAND[:2], STUCK.replace("STUCK", stuck), COMMAND[-1]] if stuck else COMMAND
        self.process = subprocess.Popen(
            [*command, *flags], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.reader = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.PIPE, text=True)
        self.process.stderr.close()
        self.lines: list[str] = []

    def until(self, pattern: str) -> str:
        """Read on to the first line that matches."""
        for line in self.reader.stdout:
            self.lines.append(line.rstrip("\n"))
            if re.search(pattern, line):
                return line
        raise AssertionError(f"the log ended without {pattern!r}: {self.lines[-5:]}")

    def ended(self) -> int:
        """Read the rest; the exit code."""
        self.lines += [line.rstrip("\n") for line in self.reader.stdout]
        return self.process.wait()

    def messages(self, pattern: str) -> list[str]:
        return [found[1] for line in self.lines if (found := re.search(rf"\] ({pattern}.*)", line))]

    def stop(self) -> None:
        for process in (self.process, self.reader):
            process.kill()
            process.wait()
        for pipe in (self.process.stdout, self.reader.stdout):
            pipe.close()


def prepare(folder: Path) -> None:
    (folder / "solver.prototxt").write_text(SOLVER)
    for stale in folder.glob("snapshot_iter_*"):
        stale.unlink()


@contextmanager
def running(folder: Path, *flags: str, stuck: str = "") -> Iterator[Running]:
    """Training without an end; killed after two minutes, whatever happens."""
    prepare(folder)
    command = Running(folder, *flags, stuck=stuck)
    guard = threading.Timer(120, command.stop)
    guard.start()
    try:
        yield command
    finally:
        guard.cancel()
        command.stop()


def snapshots(folder: Path) -> list[int]:
    """The iterations of the snapshots, each of which has its two files, whole."""
    names = {name for name in files(folder) if name.startswith("snapshot_iter_")}
    found = sorted(int(re.search(r"_iter_(\d+)\.", name)[1]) for name in names if ".caffemodel" in name)
    assert names == {f"snapshot_iter_{i}.{kind}" for i in found for kind in ("caffemodel", "solverstate")}
    for i in found:
        state = solverstate.read(folder / f"snapshot_iter_{i}.solverstate")
        assert (state.iter, state.learned_net) == (i, f"snapshot_iter_{i}.caffemodel")
        assert any(layer.blobs for layer in caffemodel.read(folder / state.learned_net).layers)
    return found


def wanted_end(log: str, golden: Path) -> list[str]:
    """The last four messages of Caffe's log, their iterations left open."""
    lines = (golden / "logs" / log).read_text().splitlines()[-4:]
    return [re.sub(r"\d+", "#", line.partition("] ")[2]) for line in lines]


Enter = Callable[[str], Path]


def test_sigint_stops_with_a_snapshot(case_folder: Enter, golden: Path):
    folder = case_folder("resume_binaryproto")
    with running(folder) as command:
        command.until(r"Iteration 40, lr = ")
        command.process.send_signal(signal.SIGINT)
        assert command.ended() == 0
    assert [re.sub(r"\d+", "#", line.partition("] ")[2]) for line in command.lines[-4:]] == wanted_end(
        "train_sigint.txt", golden
    )
    (iteration,) = snapshots(folder)
    assert iteration > 40
    last = max(int(at) for line in command.lines for at in re.findall(r"Iteration (\d+) \(", line))
    assert last < iteration <= last + 20
    assert command.messages("Optimization") == ["Optimization stopped early.", "Optimization Done."]


def test_sighup_writes_a_snapshot_and_goes_on(case_folder: Enter):
    folder = case_folder("resume_binaryproto")
    with running(folder) as command:
        command.until(r"Iteration 40, lr = ")
        command.process.send_signal(signal.SIGHUP)
        command.until("Snapshotting solver state to binary proto file")
        command.until(r"Iteration \d+, lr = ")
        command.process.send_signal(signal.SIGINT)
        assert command.ended() == 0
    first, second = snapshots(folder)
    assert 40 < first < second
    assert command.messages("Optimization") == ["Optimization stopped early.", "Optimization Done."]


def test_exchanged_effects(case_folder: Enter):
    folder = case_folder("resume_binaryproto")
    with running(folder, "--sighup-effect=stop", "--sigint-effect=snapshot") as command:
        command.until(r"Iteration 40, lr = ")
        command.process.send_signal(signal.SIGINT)
        command.until("Snapshotting solver state to binary proto file")
        command.until(r"Iteration \d+, lr = ")
        command.process.send_signal(signal.SIGHUP)
        assert command.ended() == 0
    assert len(snapshots(folder)) == 2
    assert command.messages("Optimization") == ["Optimization stopped early.", "Optimization Done."]


def test_ctrl_c_ends_the_reader_of_the_log_first(case_folder: Enter):
    """Ctrl-C goes to `| tee log` too: a log that nobody reads must not cost the snapshot."""
    folder = case_folder("resume_binaryproto")
    with running(folder) as command:
        command.until(r"Iteration 40, lr = ")
        command.reader.send_signal(signal.SIGINT)
        command.reader.wait()
        command.process.send_signal(signal.SIGINT)
        assert (command.process.wait(), (folder / TOLD).read_text()) == (0, "")
    assert len(snapshots(folder)) == 1


def test_a_terminal_that_hangs_up(case_folder: Enter):
    """SIGHUP comes with a terminal that is gone: a snapshot, and training goes on without log and progress bar."""
    folder = case_folder("resume_binaryproto")
    prepare(folder)
    ours, theirs = pty.openpty()
    with subprocess.Popen(COMMAND, cwd=folder, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        guard = threading.Timer(60, process.kill)
        guard.start()
        os.close(theirs)
        shown = b""
        while b"Iteration 40, lr" not in shown:
            shown += os.read(ours, 10000)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        while not list(folder.glob("*.solverstate")) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        guard.cancel()
    first, second = snapshots(folder)
    assert 40 < first < second


def test_sigterm_saves_and_says_143(case_folder: Enter):
    folder = case_folder("resume_binaryproto")
    with running(folder) as command:
        command.until(r"Iteration 40, lr = ")
        command.process.send_signal(signal.SIGTERM)
        assert command.ended() == 143
    (iteration,) = snapshots(folder)
    assert iteration > 40


def test_sigterm_during_a_test_without_a_snapshot_after_training(case_folder: Enter):
    """The snapshot is that of the iteration that is tested, and the test ends at once."""
    folder = case_folder("resume_binaryproto")
    endless = ("test_iter=1000000", "test_interval=10", "snapshot_after_train=false")
    with running(folder, *(word for pair in endless for word in ("--set", pair)), "--keep-best", "loss") as command:
        command.until(r"Iteration 0, Testing net")
        command.process.send_signal(signal.SIGTERM)
        assert command.ended() == 143
    assert snapshots(folder) == [0]
    assert command.messages("Test interrupted") and not command.messages("    Test net output")


def test_a_second_sigint_ends_at_once(case_folder: Enter):
    """Here the loop would not even ask: each of its passes takes an hour."""
    folder = case_folder("resume_binaryproto")
    with running(folder, stuck="main") as command:
        command.until("stuck now")
        command.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert command.process.poll() is None
        command.process.send_signal(signal.SIGINT)
        assert command.ended() == 130
    assert command.lines[-1] == "interrupted twice: stopped at once, without another snapshot"
    assert not any("Traceback" in line for line in command.lines) and not snapshots(folder)


def test_a_second_sigint_ends_it_where_nobody_reads_the_log(tmp_path: Path):
    write(tmp_path, solver=SMALL.replace("max_iter: 2", "max_iter: 1000000 display: 1"))
    command = [sys.executable, "-m", "solver_cli", "solver.prototxt"]
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        held, before = array("i", [0]), -1
        while held[0] < 50_000 or held[0] != before:  # the pipe is full, and stays so
            before = held[0]
            time.sleep(0.3)
            fcntl.ioctl(process.stderr, termios.FIONREAD, held)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        assert process.wait(20) == 130


def test_sigint_that_means_snapshot_never_kills(case_folder: Enter):
    folder = case_folder("resume_binaryproto")
    with running(folder, "--sigint-effect=snapshot", "--sighup-effect=none") as command:
        command.until(r"Iteration 40, lr = ")
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGINT, signal.SIGINT):
            command.process.send_signal(number)
        command.until("Snapshotting solver state to binary proto file")
        command.until(r"Iteration \d+, lr = ")
        command.process.send_signal(signal.SIGTERM)
        assert command.ended() == 143
    assert len(snapshots(folder)) >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reader_that_is_stuck(number: signal.Signals, case_folder: Enter):
    """It holds up the seventh iteration between its two passes: the snapshot is that of the sixth, BatchNorm's sums too."""
    folder = case_folder("resume_binaryproto")
    norm = 'layer { name: "norm" type: "BatchNorm" bottom: "conv1" top: "conv1" }\n'
    text = (folder / "net.prototxt").read_text()
    at = text.index("layer {", text.index('name: "conv1"'))
    (folder / "net.prototxt").write_text(text[:at] + norm + text[at:])
    options = ("--set", "iter_size=2", "--set", "max_iter=9", "--set", "snapshot=6")
    with running(folder, *options) as command:
        assert command.ended() == 0
    straight = {i: (folder / f"snapshot_iter_{i}.caffemodel").read_bytes() for i in (6, 9)}
    with running(folder, *options[:4], stuck="reader") as command:
        command.until("stuck now")
        time.sleep(1)
        command.process.send_signal(number)
        assert command.ended() == (143 if number == signal.SIGTERM else 0)
    assert snapshots(folder) == [6]
    assert (folder / "snapshot_iter_6.caffemodel").read_bytes() == straight[6]
    command = Running(folder, *options[:4], "--snapshot", "auto")
    assert command.ended() == 0
    command.stop()
    assert (folder / "snapshot_iter_9.caffemodel").read_bytes() == straight[9]
