"""`solver-train` on real digits, in a process of its own: it learns, logs, writes snapshots and goes on from them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import ENVIRONMENT, LOG_LINE, TEXT_LINE, Ended, program, run

from solver_cli.commands.datasets import digits, packaged, write_lmdb
from solver_cli.formats import caffemodel, solverstate

SOLVER = """\
net: "net.prototxt"
test_iter: 4
test_interval: 40
base_lr: 0.04
momentum: 0.9
weight_decay: 0.0005
lr_policy: "inv"
gamma: 0.0001
power: 0.75
display: 10
max_iter: 60
snapshot: 30
snapshot_prefix: "lenet"
solver_mode: CPU
random_seed: 1
"""


def data(phase: str, batch: int) -> str:
    return (
        f'layer {{ name: "mnist" type: "Data" top: "data" top: "label" include {{ phase: {phase} }}\n'
        f'  transform_param {{ scale: 0.00390625 }} data_param {{ source: "{phase.lower()}"\n'
        f"  batch_size: {batch} backend: LMDB }} }}\n"
    )


NET = f"""\
name: "LeNet"
{data("TRAIN", 32)}{data("TEST", 50)}\
layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
  convolution_param {{ num_output: 8 kernel_size: 5 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param {{ pool: MAX kernel_size: 4 stride: 4 }} }}
layer {{ name: "ip1" type: "InnerProduct" bottom: "pool1" top: "ip1"
  inner_product_param {{ num_output: 32 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }}
layer {{ name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param {{ num_output: 10 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A folder in which the solver has run through, and what the command said."""
    folder = tmp_path_factory.mktemp("lenet")
    for (_, images, labels), name, count in zip(packaged(), ("train", "test"), (2000, 200), strict=True):
        write_lmdb(folder / name, islice(digits(images, labels), count))
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER)
    return folder, run("solver-train", "solver.prototxt", folder=folder)


def losses(ended: Ended) -> dict[int, float]:
    """{iteration: displayed loss}"""
    found = (re.match(r"Iteration (\d+) \(.*\), loss = (\S+)$", line) for line in ended.log)
    return {int(match[1]): float(match[2]) for match in found if match}


def accuracies(ended: Ended) -> list[float]:
    found = (re.match(r"    Test net output #\d+: accuracy = (\S+)$", line) for line in ended.log)
    return [float(match[1]) for match in found if match]


def weights(path: Path) -> list[np.ndarray]:
    return [blob for layer in caffemodel.read(str(path)).layers for blob in layer.blobs if blob is not None]


def test_it_learns(trained: tuple[Path, Ended]) -> None:
    _, ended = trained
    assert (ended.code, ended.stdout, ended.complaints) == (0, "", [])
    shown = losses(ended)
    assert list(shown) == [0, 10, 20, 30, 40, 50]
    assert shown[0] > 1.8 and shown[50] < 0.8
    first, last = accuracies(ended)
    assert first < 0.35 and last > 0.7
    assert ended.log[-1] == "Optimization Done."


def test_every_line_can_be_parsed(trained: tuple[Path, Ended]) -> None:
    """Log lines, and the texts of solver and nets after the lines that announce them; nothing else, and no bar."""
    _, ended = trained
    announced = False
    for line in ended.stderr.splitlines():
        if LOG_LINE.match(line):
            announced = line.endswith("parameters: ")
        else:
            assert announced and TEXT_LINE.match(line), line
    assert "\r" not in ended.stderr and "\x1b" not in ended.stderr


def test_rates_follow_the_policy(trained: tuple[Path, Ended]) -> None:
    _, ended = trained
    found = dict(match.groups() for line in ended.log if (match := re.match(r"Iteration (\d+), lr = (\S+)$", line)))
    assert found == {str(i): f"{0.04 * (1 + 0.0001 * i) ** -0.75:g}" for i in range(0, 60, 10)}


def test_snapshots_appear(trained: tuple[Path, Ended]) -> None:
    folder, _ = trained
    assert {path.name for path in folder.glob("lenet*")} == {
        f"lenet_iter_{n}.{kind}" for n in (30, 60) for kind in ("caffemodel", "solverstate")
    }
    state = solverstate.read(str(folder / "lenet_iter_30.solverstate"))
    assert (state.iter, state.learned_net, len(state.history)) == (30, "lenet_iter_30.caffemodel", 6)
    assert [blob.shape for blob in weights(folder / "lenet_iter_60.caffemodel")] == [
        (8, 1, 5, 5), (8,), (32, 288), (32,), (10, 32), (10,),
    ]  # fmt: skip


def test_resumed_is_as_never_stopped(trained: tuple[Path, Ended]) -> None:
    folder, uninterrupted = trained
    whole = weights(folder / "lenet_iter_60.caffemodel")
    options = ("--snapshot", "lenet_iter_30.solverstate", "--set", "snapshot_prefix=resumed")
    ended = run("solver-train", "solver.prototxt", *options, folder=folder)
    assert (ended.code, ended.complaints) == (0, [])
    assert losses(ended) == {n: loss for n, loss in losses(uninterrupted).items() if n >= 30}
    assert accuracies(ended) == accuracies(uninterrupted)[1:]
    assert {path.name for path in folder.glob("resumed*.caffemodel")} == {"resumed_iter_60.caffemodel"}
    for found, wanted in zip(weights(folder / "resumed_iter_60.caffemodel"), whole, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_finetuning_starts_with_the_weights_from_iteration_0(trained: tuple[Path, Ended]) -> None:
    folder, before = trained
    options = ("--weights", "lenet_iter_60.caffemodel", "--set", "max_iter=1", "--set", "snapshot_format=HDF5")
    ended = run("solver-train", "solver.prototxt", *options, "--set", "snapshot_prefix=tuned", folder=folder)
    assert (ended.code, ended.complaints) == (0, [])
    assert losses(ended)[0] < 0.8
    assert accuracies(ended)[0] > 0.7 > accuracies(before)[0]
    with h5py.File(folder / "tuned_iter_1.caffemodel.h5") as file:
        tuned = [np.asarray(blob) for layer in ("conv1", "ip1", "ip2") for blob in file["data"][layer].values()]
    with h5py.File(folder / "tuned_iter_1.solverstate.h5") as file:
        assert file["iter"][()] == 1 and file["learned_net"][()].decode() == "tuned_iter_1.caffemodel.h5"
    for found, start in zip(tuned, weights(folder / "lenet_iter_60.caffemodel"), strict=True):
        assert 0 < np.abs(found - start).max() < 0.1


def test_bar_on_a_terminal(trained: tuple[Path, Ended]) -> None:
    folder, _ = trained
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    options = ["--set", "max_iter=20", "--set", "snapshot=0", "--set", "snapshot_after_train=false"]
    command = [program("solver-train"), "solver.prototxt", *options]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
        os.close(ours)
    assert process.returncode == 0
    assert re.search(r"\d+%\|.*\| \d+/20 \[.*iter", shown), "no bar"
    assert re.search(r"loss=\S+, lr=0\.0[34]\d*", shown)
    lines = [re.sub(r"\x1b\[[A-Z]", "", part) for line in shown.split("\n") for part in line.split("\r") if part.strip()]
    bars = [line for line in lines if re.match(r"(Test #0, batch \d+/4: )? *(\d+%\|| *\d+iter)", line)]
    assert bars
    for line in lines:
        assert line in bars or LOG_LINE.match(line) or TEXT_LINE.match(line), line
    assert [line for line in lines if line.endswith("Optimization Done.")]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that the other end is closed
        return b""
