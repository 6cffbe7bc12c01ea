"""Whole runs on two ranks: the same test figures as one, exact resume, signals, a rank that dies, torchrun."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rank_runs import RANKS, alike, begun, children, ended, free_port, train, write_records, write_run
from running import ENVIRONMENT, Ended, program, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path)
    return tmp_path


def test_a_run_resumes_exactly(folder: Path) -> None:
    whole = train(folder, *RANKS)
    assert whole.complaints == []
    assert "An update takes 7 x 2 x 2 = 28 records (batch_size x iter_size x ranks); the rate is the file's" in whole.log
    (folder / "run_iter_30.caffemodel").rename(folder / "whole.caffemodel")
    again = train(folder, *RANKS, "--snapshot", "run_iter_10.solverstate")
    assert alike(folder / "run_iter_30.caffemodel", folder / "whole.caffemodel")

    def shown(of: Ended) -> list[str]:
        lines = [re.sub(r"\(.*\)", "", line) for line in of.log]
        return [line for line in lines if re.search(r"Iteration [23]\d.*loss|net output", line)]

    assert shown(again)[-8:] == shown(whole)[-8:]


def test_another_number_of_ranks_goes_on_with_a_line_that_says_so(folder: Path) -> None:
    train(folder, *RANKS)
    alone = train(folder, "--cpu", "--snapshot", "run_iter_10.solverstate")
    assert [line for line in alone.log if "the snapshot's run had 2 rank(s), this one has 1" in line]
    several = train(folder, *RANKS, "--snapshot", "run_iter_20.solverstate")
    assert [line for line in several.log if "the snapshot's run had 1 rank(s), this one has 2" in line]


def test_tests_are_divided_and_give_the_figures_of_one_rank(folder: Path) -> None:
    only = ["--set", "max_iter=0", "--set", "snapshot_after_train=false", "--set", "display=0"]

    def outputs(*args: str) -> list[str]:
        return [line for line in train(folder, *only, *args).log if "Test net output" in line]

    assert len(outputs("--cpu")) == 2
    assert outputs(*RANKS) == outputs("--cpu")


def test_sigterm_saves_once_and_the_run_goes_on_from_there(folder: Path) -> None:
    process = begun(folder, "--set", "snapshot=0")
    process.send_signal(signal.SIGTERM)
    end = ended(process)
    assert (end.code, end.complaints) == (143, []), end.stderr[-3000:]
    (state,) = folder.glob("run_iter_*.solverstate")
    at = int(re.findall(r"\d+", state.name)[0])
    train(folder, *RANKS, "--snapshot", "auto", "--set", f"max_iter={at + 2}", "--set", "snapshot=0")
    train(folder, *RANKS, "--set", f"max_iter={at + 2}", "--set", "snapshot=0", "--set", 'snapshot_prefix="whole"')
    assert alike(folder / f"run_iter_{at + 2}.caffemodel", folder / f"whole_iter_{at + 2}.caffemodel")


def test_ctrl_c_again_and_again_until_the_end(folder: Path) -> None:
    process = begun(folder, "--set", "snapshot=0")
    ranks = children(process)

    def again_and_again() -> None:
        with suppress(ProcessLookupError):
            while process.returncode is None:
                for rank in ranks:
                    os.kill(rank, signal.SIGINT)
                time.sleep(0.01)

    sender = threading.Thread(target=again_and_again, daemon=True)
    sender.start()
    end = ended(process)
    assert end.code in (0, 130)  # 130: the end took longer than it takes two signals to be two wishes
    assert not re.search("Traceback|KeyboardInterrupt|was killed", end.stderr), end.stderr


def test_ctrl_c_while_the_ranks_are_starting(folder: Path) -> None:
    command = [program("solver-train"), "solver.prototxt", *RANKS, "--set", "max_iter=3000"]
    process = subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(children(process)) < 2:
        assert process.poll() is None
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.3)
    end = ended(process)
    assert end.code in (0, 130)  # 130: they were ready before the last of the signals
    assert not re.search("Traceback|KeyboardInterrupt|was killed", end.stderr), end.stderr


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_ends_the_run_with_one_line(folder: Path, rank: int) -> None:
    process = begun(folder)
    os.kill(children(process)[rank], signal.SIGKILL)
    killed = time.monotonic()
    end = ended(process)
    assert time.monotonic() - killed < 30
    assert end.code == 1
    assert end.complaints == []
    assert [line for line in end.log if "was killed" in line] == [
        f"rank {rank} was killed by SIGKILL: training ends; --snapshot auto goes on"
    ]
    train(folder, *RANKS, "--snapshot", "auto", "--set", "max_iter=40")


def test_data_that_fail_on_one_rank_are_told_once_and_the_last_whole_iteration_is_saved(folder: Path) -> None:
    write_records(folder, [(bytes(432 if i != 285 else 5), 0) for i in range(300)])
    end = run("solver-train", "solver.prototxt", *RANKS, "--set", "snapshot=1000", folder=folder)
    assert end.code == 1
    (complaint,) = end.complaints
    assert complaint.startswith("rank 1: net.prototxt:3:") and "record '0285' of db" in complaint
    assert [line for line in end.log if line.startswith("The data have failed; resume from run_iter_10.solverstate")]
    assert (folder / "run_iter_10.caffemodel").exists()  # 28 records an update: the 285th is of the eleventh


def test_torchrun_on_two_machines(folder: Path) -> None:
    """Two launchers on this machine, which stand for two machines."""
    common = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    common += ["--rdzv-backend", "static", "--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    env = {**ENVIRONMENT, "GLOO_SOCKET_IFNAME": "lo"}
    command = ["-m", "solver_cli", "solver.prototxt", "--cpu"]
    machines = [
        subprocess.Popen([*common, "--node-rank", str(i), *command], cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
        for i in (0, 1)
    ]
    assert [ended(machine).code for machine in machines] == [0, 0]
    (folder / "run_iter_30.caffemodel").rename(folder / "torchrun.caffemodel")
    train(folder, *RANKS)
    assert alike(folder / "run_iter_30.caffemodel", folder / "torchrun.caffemodel")
