"""A run that is killed and resumed is the run that was not: weights, history and figures bit for bit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from solver_cli import Solver
from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.formats import caffemodel, solverstate

IMAGES = """
layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }}
  transform_param {{ scale: 0.0039 mirror: true crop_size: 10 }}
  data_param {{ source: "train_lmdb" batch_size: 7 backend: LMDB }} }}
layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TEST }}
  transform_param {{ scale: 0.0039 mirror: true crop_size: 10 }}
  data_param {{ source: "train_lmdb" batch_size: 5 backend: LMDB }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "xavier" }} }} }}
{norm}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "drop" type: "Dropout" bottom: "conv" top: "drop" }}
layer {{ name: "fc" type: "InnerProduct" bottom: "drop" top: "fc"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
"""
BATCH_NORM = """layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }"""
SEQUENCES = """
layer { name: "data" type: "HDF5Data" top: "x" top: "cont" top: "y"
  hdf5_data_param { source: "list.txt" batch_size: 6 shuffle: SHUFFLE } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "lstm"
  recurrent_param { num_output: 4 weight_filler { type: "uniform" min: -0.3 max: 0.3 } } }
layer { name: "noise" type: "DummyData" top: "noise" dummy_data_param { shape { dim: 6 dim: 2 dim: 4 }
  data_filler { type: "gaussian" std: 0.1 } } }
layer { name: "sum" type: "Eltwise" bottom: "lstm" bottom: "noise" top: "sum" }
layer { name: "fc" type: "InnerProduct" bottom: "sum" top: "fc"
  inner_product_param { num_output: 1 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "fc" bottom: "y" top: "loss" }
"""
SOLVER = """net: "net.prototxt" base_lr: 0.05 lr_policy: "multistep" gamma: 0.5 stepvalue: 9 stepvalue: 15 max_iter: 20
display: 1 snapshot_prefix: "run" solver_mode: CPU random_seed: 7 """
TESTS = "test_iter: 3 test_interval: 4 "
RUNS = {
    "sgd_average": (IMAGES.format(norm=""), TESTS + "momentum: 0.9 average_loss: 5 snapshot: 6"),
    "adam_iter_size": (IMAGES.format(norm=""), TESTS + 'type: "Adam" momentum: 0.9 base_lr: 0.01 iter_size: 3 snapshot: 6'),
    "adadelta_hdf5": (
        IMAGES.format(norm=""),
        TESTS + 'type: "AdaDelta" momentum: 0.9 delta: 1e-6 base_lr: 1 snapshot: 8 snapshot_format: HDF5',
    ),
    "batch_norm_two_tests": (
        IMAGES.format(norm=BATCH_NORM),
        "test_iter: 2 test_iter: 3 test_interval: 4 momentum: 0.9 snapshot: 4 debug_info: true",
    ),
    "lstm": (SEQUENCES.replace("SHUFFLE", "false"), "momentum: 0.9 snapshot: 7 clip_gradients: 0.5"),
    "plateau": (
        SEQUENCES.replace("SHUFFLE", "true"),
        'lr_policy: "plateau" plateau_winsize: [2, 3, 3, 1] average_loss: 3 momentum: 0.9 snapshot: 6 display: 2',
    ),
    "plateau_warm_hdf5": (
        SEQUENCES.replace("SHUFFLE", "false"),
        'lr_policy: "plateau" plateau_winsize: [1, 1] warmup_iter: 9 warmup_start_lr: 0.01 momentum: 0.9 snapshot: 6 '
        "display: 3 snapshot_format: HDF5",
    ),
    "sgdr_adamw_lookahead": (
        IMAGES.format(norm=""),
        'lr_policy: "sgdr" period: 3 p_mult: 1.5 type: "Adam" momentum: 0.9 weight_decay: 0.01 '
        'regularization_type: "decoupled" decoupled_wd_t0: 4 lookahead: true lookahead_steps: 4 snapshot: 6 '
        "clip_gradients: 1",
    ),
    "larc_poly": (
        IMAGES.format(norm=""),
        'larc: true larc_policy: "clip" larc_eta: 0.1 momentum_policy: "poly" momentum: 0.5 weight_decay: 0.01 iter_size: 2 '
        'weight_decay_policy: "poly" max_weight_decay: 0.1 rampup_interval: 8 min_lr: 0.02 snapshot: 6 clip_weights: 1.5',
    ),
    "shuffled_rmsprop": (SEQUENCES.replace("SHUFFLE", "true"), 'type: "RMSProp" base_lr: 0.01 snapshot: 7'),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with 37 pictures in an LMDB and sequences in two HDF5 files."""
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 256, (37, 288), np.uint8)
    data = [Datum(channels=2, height=12, width=12, label=i % 3, data=x.tobytes()) for i, x in enumerate(pictures)]
    write_lmdb(tmp_path / "train_lmdb", ((f"{i:08d}".encode(), d.SerializeToString()) for i, d in enumerate(data)))
    for name, rows in (("a.h5", 25), ("b.h5", 17)):
        with h5py.File(tmp_path / name, "w") as file:
            file["x"] = rng.standard_normal((rows, 2, 3), np.float32)
            file["cont"] = (rng.random((rows, 2)) > 0.2).astype(np.float32)
            file["y"] = rng.standard_normal((rows, 2, 1), np.float32)
    (tmp_path / "list.txt").write_text("a.h5\nb.h5\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The figures of the log, without speeds and without what the start of a run says."""
    lines = [re.sub(r" \(.* iter/s, .* iters\)", "", record.message) for record in caplog.records]
    wanted = re.compile(r"Iteration \d+|    (Train|Test) net output|(Gradient|Weight) clipping|MultiStep|Plateau|    \[")
    return [line for line in lines if wanted.match(line)]


def files(extension: str = "") -> tuple[list[np.ndarray], solverstate.State]:
    weights = caffemodel.read(f"run_iter_20.caffemodel{extension}")
    return [b for layer in weights.layers for b in layer.blobs if b is not None], solverstate.read(
        f"run_iter_20.solverstate{extension}"
    )


@pytest.mark.parametrize("name", RUNS)
def test_resumed_is_never_stopped(name: str, folder: Path, caplog: pytest.LogCaptureFixture):
    net, settings = RUNS[name]
    Path("net.prototxt").write_text(net)
    own = [name for name in ("base_lr", "lr_policy", "display") if re.search(rf"\b{name}:", settings)]
    Path("solver.prototxt").write_text(re.sub(rf"\b({'|'.join(own)}): \S+" if own else "$^", "", SOLVER) + settings)
    caplog.set_level("INFO", "solver_cli")
    straight = Solver("solver.prototxt")
    straight.solve()
    straight.close()
    extension = ".h5" if "HDF5" in settings else ""
    weights, state = files(extension)
    figures = shown(caplog)
    snapshots = sorted(folder.glob("run_iter_*.solverstate*"), key=lambda p: int(re.findall(r"\d+", p.name)[0]))
    assert len(snapshots) >= 3
    for snapshot in snapshots[:-1]:
        start = int(re.findall(r"\d+", snapshot.name)[0])
        shutil.copytree(folder, folder / "again", ignore=shutil.ignore_patterns("again", "run_iter_20*"), dirs_exist_ok=True)
        caplog.clear()
        resumed = Solver("solver.prototxt")
        resumed.restore(snapshot.name)
        resumed.solve()
        resumed.close()
        again, state_again = files(extension)
        for one, other in zip(weights + state.history, again + state_again.history, strict=True):
            assert np.array_equal(one, other), f"{name}: resumed at {start}"
        at = next(i for i, line in enumerate(figures) if re.match(rf"(MultiStep Status: )?Iteration {start}\b", line))
        assert shown(caplog) == figures[at:], f"{name}: resumed at {start}"
