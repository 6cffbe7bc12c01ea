"""Ranks that do not answer, and runs that torchrun starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from rank_runs import RANKS, alike, begun, children, ended, free_port, train, write_run
from running import ENVIRONMENT


def test_a_rank_that_does_not_answer_is_named(tmp_path: Path) -> None:
    write_run(tmp_path)
    process = begun(tmp_path, "--patience", "10")
    silent = children(process)[1]
    os.kill(silent, signal.SIGSTOP)
    named = next(line for line in process.stderr or () if "did not answer" in line)
    os.kill(silent, signal.SIGCONT)
    end = ended(process)
    assert end.code == 1
    assert named == "error: rank 1 did not answer for 10 seconds: --snapshot auto goes on, --patience N waits longer\n"
    assert "Traceback" not in end.stderr


def test_torchrun_goes_on_after_a_rank_was_killed(tmp_path: Path) -> None:
    write_run(tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(free_port()), "-m", "solver_cli", "solver.prototxt"]
    command += ["--cpu", "--snapshot", "auto", "--set", "max_iter=200", "--set", "test_interval=200"]
    env = {**ENVIRONMENT, "GLOO_SOCKET_IFNAME": "lo"}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    for line in process.stderr or ():
        if "Iteration 20 (" in line:
            os.kill(rank_one(process), signal.SIGKILL)
            break
    end = ended(process)
    assert end.code == 0, end.stderr
    assert "Resuming from run_iter_" in end.stderr
    (tmp_path / "run_iter_200.caffemodel").rename(tmp_path / "again.caffemodel")
    train(tmp_path, *RANKS, "--set", "max_iter=200", "--set", "test_interval=200")
    assert alike(tmp_path / "run_iter_200.caffemodel", tmp_path / "again.caffemodel")


def rank_one(torchrun: subprocess.Popen[str]) -> int:
    """The process number of the second rank."""
    command = ["pgrep", "-P", str(torchrun.pid), "-f", "solver_cli"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return sorted(map(int, found.stdout.split()))[1]
