"""Processes and threads that Python layers start: they end with the command, whatever the layer does or forgets."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from running import ENVIRONMENT, program, run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

FEEDER = """
import atexit, multiprocessing, queue, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
import caffe

def feed(queue, number=5):
    for signals in (signal.SIGINT, signal.SIGHUP):
        print("deaf" if signal.getsignal(signals).__name__ == "_deaf" else "hears", file=sys.stderr, flush=True)
    while True:
        queue.put(number)

def write(queue):
    while True:
        queue.put(5)

def die(queue):
    sys.exit(3)

def same(number):
    return number

class Feeder(caffe.Layer):
    def setup(self, bottom, top):
        self.method, kind = self.param_str.split()
        workers = multiprocessing.get_context(self.method if self.method != "thread" else None)
        self.queue = queue.Queue(2) if self.method == "thread" else workers.Queue(2)
        if kind == "pool":
            self.pool = workers.Pool(1)
        elif kind == "executor":
            self.pool = None
            ThreadPoolExecutor(1).submit(write, self.queue)
        elif self.method == "thread":
            threading.Thread(target=write, args=(self.queue,)).start()
        else:
            target = die if kind == "dying" else feed if self.method == "fork" else write
            self.worker = workers.Process(target=target, args=(self.queue,), daemon=kind != "plain")
            self.worker.start()
            print("worker", self.worker.pid, file=sys.stderr, flush=True)
        if kind == "atexit":
            atexit.register(self.end)

    def end(self):
        self.worker.terminate()
        self.worker.join()
        print("ended by", -self.worker.exitcode, file=sys.stderr)

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        pool = getattr(self, "pool", None)
        top[0].data[...] = pool.apply_async(same, (5,)).get() if pool else self.queue.get()
"""
NET = """
layer {{ name: "feed" type: "Python" top: "x" python_param {{ module: "feeder" layer: "Feeder" param_str: "{}" }} }}
layer {{ name: "w" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ axis: 0 num_output: 1 }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "x" top: "loss" }}
"""
SOLVER = 'net: "net.prototxt" base_lr: 0 lr_policy: "fixed" max_iter: {} snapshot_prefix: "s" solver_mode: CPU'


def start(folder: Path, kind: str, iterations: int = 3) -> subprocess.Popen[str]:
    """The command in a session of its own, so that what it leaves behind can be found and ended."""
    (folder / "feeder.py").write_text(FEEDER)
    (folder / "net.prototxt").write_text(NET.format(kind))
    (folder / "solver.prototxt").write_text(SOLVER.format(iterations))
    return subprocess.Popen(
        [program("solver-train"), "solver.prototxt"],
        cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and stderr; nothing of it runs any more soon afterwards."""
    try:
        _, text = process.communicate(timeout=60)
        for _ in range(50):
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return process.returncode, text
            time.sleep(0.1)  # the resource tracker and the fork server end when they see that the command is gone
        raise AssertionError("a worker is still there")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def until(process: subprocess.Popen[str], word: str) -> str:
    """Read the log on to the first line with `word`."""
    assert process.stderr
    return next(line for line in process.stderr if word in line)


@pytest.mark.parametrize("kind", ["fork daemon", "fork atexit", "fork pool", "forkserver daemon", "spawn pool"])
def test_workers_end_with_the_command(kind: str, tmp_path: Path) -> None:
    code, text = ended(start(tmp_path, kind))
    assert code == 0 and "Optimization Done." in text.splitlines()[-2 if kind == "fork atexit" else -1]
    assert "Traceback" not in text and ("ended by 15" in text) == (kind == "fork atexit")


SCRIPT = """
import multiprocessing
import caffe

def work(number):
    return caffe.TEST + number, caffe.io.Transformer.__module__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.apply(work, (1,)))
"""


def test_a_spawned_worker_of_a_script_imports_what_the_script_does(tmp_path: Path) -> None:
    """Also where a caffe that cannot be imported stands beside the script, as in a Caffe that was not built."""
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe/__init__.py").write_text("from caffe._caffe import Net")
    (tmp_path / "script.py").write_text(SCRIPT)
    ended = run("solver-tools", "python", "script.py", folder=tmp_path)
    assert (ended.code, ended.stdout, ended.complaints) == (0, "2 solver_cli.pycaffe.io\n", [])


@pytest.mark.parametrize(
    ("kind", "what"), [("fork plain", "process "), ("thread plain", "thread Thread-"), ("thread executor", "")]
)
def test_what_python_would_wait_for_is_ended_with_a_line(kind: str, what: str, tmp_path: Path) -> None:
    code, text = ended(start(tmp_path, kind))
    assert code == 0 and f"after the end there is still {what}" in text.splitlines()[-1]


def test_ctrl_c_reaches_the_workers_and_the_iteration_is_finished(tmp_path: Path) -> None:
    command = start(tmp_path, "fork daemon", 10**6)
    until(command, "deaf")
    until(command, "Starting Optimization")
    time.sleep(0.5)
    os.killpg(command.pid, signal.SIGINT)
    code, text = ended(command)
    assert code == 0 and "Optimization stopped early." in text and list(tmp_path.glob("s_iter_*.solverstate"))


@pytest.mark.parametrize(("second", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_layer_that_waits_for_ever_is_left_at_the_second_signal(second: signal.Signals, code: int, tmp_path: Path) -> None:
    command = start(tmp_path, "fork dying")
    until(command, "Starting Optimization")
    time.sleep(0.5)
    command.send_signal(signal.SIGTERM)
    command.send_signal(signal.SIGTERM)  # as `timeout` does: one wish
    time.sleep(0.6)
    assert command.poll() is None
    command.send_signal(second)
    found, text = ended(command)
    assert found == code and text.splitlines()[-1] == "interrupted twice: stopped at once, without another snapshot"
