"""Batches run as the memory allows, through the real command, and what is learnt stays what it was."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import ENVIRONMENT, NET, SOLVER, Ended, call, changed, write

from solver_cli.commands.train import train
from solver_cli.formats import caffemodel

DROPOUT = 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }\nlayer {\n  name: "ip"'
NORM = """layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer {\n  name: "relu\""""
BLOCK = """layer {{ name: "norm{0}" type: "BatchNorm" bottom: "c{0}" top: "n{0}" }}
layer {{ name: "conv{0}" type: "Convolution" bottom: "n{0}" top: "c{1}"
  convolution_param {{ num_output: 32 kernel_size: 1 }} }}
"""
TEST = 'test_iter: 2 test_interval: 2 test_state: { stage: "test" } display: 1\n'
ACCURACY = 'layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" include { phase: TEST } }\n'
WIDE = changed(NET, ("dim: 4 dim: 3 dim: 8 dim: 8", "dim: 64 dim: 3 dim: 48 dim: 48"), ("dim: 4 }", "dim: 64 }"),
               ("num_output: 4", "num_output: 32"))  # fmt: skip


def weights(name: str = "snap_iter_2.caffemodel") -> list[np.ndarray]:
    return [blob for layer in caffemodel.read(name).layers for blob in layer.blobs]


def train_with(*options: str) -> tuple[Ended, list[np.ndarray]]:
    done = call(train, "solver.prototxt", *options)
    assert done.code == 0, done.stderr
    return done, weights()


def assert_equal(found: list[np.ndarray], wanted: list[np.ndarray], tolerance: float) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-2)  # a bias below BatchNorm is noise


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("size", ["1", "3", "4", "9"])
def test_micro_batch(folder: Path, size: str) -> None:
    """With BatchNorm, dropout, iter_size and a test net: as without."""
    net = changed(NET, ('layer {\n  name: "relu"', NORM), ('layer {\n  name: "ip"', DROPOUT)) + ACCURACY
    write(folder, net, SOLVER + TEST + "iter_size: 2 momentum: 0.9")
    plain, wanted = train_with()
    done, found = train_with("--micro-batch", size)
    assert_equal(found, wanted, 2e-5)
    for a, b in zip(done.log, plain.log, strict=False):
        if "net output" in a:
            figures = [float(line.partition(" = ")[2].split()[0]) for line in (a, b)]
            assert figures[0] == pytest.approx(figures[1], rel=1e-4)


def test_recompute_is_the_same_bit_by_bit(folder: Path) -> None:
    net = changed(NET, ('layer {\n  name: "relu"', NORM), ('layer {\n  name: "ip"', DROPOUT))
    write(folder, net, SOLVER + "iter_size: 2 momentum: 0.9")
    _, wanted = train_with()
    _, found = train_with("--recompute")
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
    _, pieces = train_with("--micro-batch", "2")
    _, both = train_with("--micro-batch", "2", "--recompute")
    assert all(np.array_equal(a, b) for a, b in zip(both, pieces, strict=True))


def test_batch_norm_over_the_window_is_that_of_one_large_batch(folder: Path) -> None:
    """2 passes of 4 records with the statistics of all 8: one pass of 8."""
    net = changed(NET, ('layer {\n  name: "relu"', NORM))
    batch = np.random.default_rng(1).normal(size=(8, 3, 8, 8)).astype(np.float32)
    for records in (4, 8):
        with h5py.File(f"data{records}.h5", "w") as file:
            file["data"], file["label"] = batch, np.arange(8) % 5
        (folder / f"list{records}.txt").write_text(f"data{records}.h5\n")
    blobs = 'layer {{ name: "data" type: "HDF5Data" top: "data" top: "label" '
    data = blobs + 'hdf5_data_param {{ source: "list{n}.txt" batch_size: {n} }} }}'
    _, _, rest = net.partition('layer {\n  name: "conv"')
    rest = 'layer {\n  name: "conv"' + rest
    write(folder, data.format(n=8) + rest, SOLVER + "momentum: 0.9")
    _, wanted = train_with()
    write(folder, data.format(n=4) + rest, SOLVER + "momentum: 0.9 iter_size: 2")
    _, found = train_with("--batch-norm-window", "iter_size")
    assert_equal(found[:2], wanted[:2], 2e-5)
    assert_equal(found[5:], wanted[5:], 2e-5)
    again = "--snapshot", "snap_iter_1.solverstate"
    train_with("--batch-norm-window", "iter_size", "--set", "max_iter=1")
    done, resumed = train_with(*again, "--recompute")
    assert all(np.array_equal(a, b) for a, b in zip(resumed, found, strict=True))
    assert any("as in the snapshot's run" in line.lower() and "from all passes of an iteration" in line for line in done.log)
    done, other = train_with(*again, "--batch-norm-window", "pass")
    assert not any("s run, batches" in line for line in done.log)
    done, other = train_with()
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(other[5:], wanted[5:], strict=True))
    assert any("BatchNorm" in line and "--batch-norm-window iter_size" in line for line in done.log)


def test_fit_chooses_by_forecast(folder: Path) -> None:
    write(folder, WIDE, SOLVER)
    _, wanted = train_with()
    done, found = train_with("--fit", "--memory", "32M")
    (line,) = [line for line in done.log if line.startswith("--fit: ")]
    size = int(re.search(r"micro-batches of (\d+)", line)[1])  # type: ignore[index]
    assert 1 < size < 64 and "margin" in line and "32.0 MiB" in line
    assert_equal(found, wanted, 2e-5)
    done, _ = train_with("--fit", "--memory", "4G")
    assert any("run whole" in line for line in done.log)


def test_fit_recomputes_before_it_splits_a_net_with_batch_norm(folder: Path) -> None:
    blocks = "".join(BLOCK.format(i, i + 1) for i in range(4)) + 'layer {\n  name: "relu"\n  type: "ReLU"\n  bottom: "c4"'
    first = 'top: "conv"\n  convolution'
    relu = 'layer {\n  name: "relu"\n  type: "ReLU"\n  bottom: "conv"'
    write(folder, changed(WIDE, (first, first.replace("conv", "c0", 1)), (relu, blocks)), SOLVER)
    _, wanted = train_with()
    done, found = train_with("--fit", "--memory", "160M")
    assert any("run whole with --recompute" in line for line in done.log)
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_a_snapshot_remembers_how_batches_ran(folder: Path) -> None:
    write(folder, WIDE, SOLVER)
    train_with("--fit", "--memory", "32M")
    done, _ = train_with("--snapshot", "snap_iter_2.solverstate", "--set", "max_iter=4")
    assert any("As in the snapshot's run, batches run in" in line for line in done.log)
    done, _ = train_with("--snapshot", "snap_iter_2.solverstate", "--set", "max_iter=4", "--micro-batch", "8")
    assert not any("As in the snapshot's run" in line for line in done.log)


def test_what_nothing_can_make_fit(folder: Path) -> None:
    write(folder, WIDE, SOLVER)
    done = call(train, "solver.prototxt", "--fit", "--memory", "1M")
    assert done.code == 1
    (line,) = done.complaints
    assert "by forecast" in line and "1.0 MiB are free" in line


@pytest.mark.parametrize(
    ("fold", "tops"),
    [
        ("Reshape", 'top: "f" reshape_param { shape { dim: 2 dim: -1 } }'),
        ("Slice", 'top: "f" top: "g" slice_param { axis: 0 }'),
    ],
)
def test_a_net_that_cannot_be_split_names_the_layer(folder: Path, fold: str, tops: str) -> None:
    layer = f'layer {{ name: "fold" type: "{fold}" bottom: "conv" {tops} }}\n'
    ip = 'layer {\n  name: "ip"\n  type: "InnerProduct"\n  bottom: '
    write(folder, changed(NET, (ip + '"conv"', layer + ip + '"f"'), ("dim: 4 }", "dim: 2 }")), SOLVER)
    done = call(train, "solver.prototxt", "--micro-batch", "2")
    assert done.code == 1
    (line,) = done.complaints
    assert "layer 'ip' (InnerProduct)" in line and "cannot be split into micro-batches" in line
    assert "reads what layer 'fold'" in line


LIMITED = """
import resource, sys
from solver_cli.commands import training
from solver_cli.commands.train import train  # what the limit is not about
from solver_cli.passes import fit  # what the limit is not about
from solver_cli.solver import solver  # what the limit is not about
import torch
torch.zeros(1).sum()
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + {room} * 2**20,) * 2)
sys.argv[1:] = {options}
train()
"""


def limited(room: int, *options: str) -> Ended:
    """Run the command in a process whose address space may grow by `room` MiB."""
    command = [sys.executable, "-c", LIMITED.format(room=room, options=["solver.prototxt", *options])]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


BIG = changed(WIDE, ("num_output: 32", "num_output: 256"))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_out_of_memory_says_what_would_fit(folder: Path) -> None:
    write(folder, BIG, SOLVER)
    done = limited(300)
    assert done.code == 1
    (line,) = done.complaints
    assert re.search(r"out of memory: whole it takes [\d.]+ MiB by forecast, .* try --micro-batch \d+", line)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_fit_halves_when_the_memory_runs_out(folder: Path) -> None:
    """The forecast believes that all is well; the try that fails leaves no trace."""
    write(folder, changed(BIG, ('layer {\n  name: "ip"', DROPOUT)), SOLVER)
    _, wanted = train_with()
    done = limited(330, "--fit", "--memory", "8G")
    assert done.code == 0, done.stderr[-2000:]
    assert any("run whole" in line for line in done.log)
    assert any("the memory ran out" in line for line in done.log)
    assert_equal(weights(), wanted, 2e-5)
