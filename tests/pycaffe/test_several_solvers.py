"""Several solvers that train one net, each in a process of its own, as Caffe's `python/train.py` starts them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from running import run, write

from solver_cli.caffe_pb2 import NetParameter

SCRIPT = """
import sys
from multiprocessing import Process
import caffe

def one(file, rank, count, uid):
    caffe.set_device(rank)
    caffe.set_mode_gpu()
    caffe.set_solver_count(count)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    solver = caffe.SGDSolver(file)
    if rank:
        solver.net.params["ip"][0].data[...] = 7  # the first one's count
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    assert abs(solver.net.params["ip"][0].data).max() < 2
    seen = []
    solver.add_callback(lambda: seen.append("start"), lambda: seen.append("ready"))
    solver.add_callback(nccl)
    solver.net.after_backward(nccl)
    solver.step(solver.param.max_iter)
    assert seen == ["start", "ready"] * solver.param.max_iter
    solver.snapshot()

if __name__ == "__main__":
    uid = caffe.NCCL.new_uid()
    caffe.init_log()
    started = [Process(target=one, args=("solver.prototxt", rank, 2, uid), daemon=True) for rank in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    sys.exit(max(abs(process.exitcode) for process in started))
"""
NET = """
layer { name: "data" type: "HDF5Data" top: "x" top: "y" hdf5_data_param { source: "list" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.02 momentum: 0.9 lr_policy: "fixed" max_iter: 8 display: 1 random_seed: 7
snapshot_prefix: "snap" snapshot_after_train: false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw = np.random.default_rng(1)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = draw.normal(size=(48, 5)), draw.normal(size=(48, 2))
    (tmp_path / "list").write_text("data.h5\n")
    (tmp_path / "train.py").write_text(SCRIPT)
    write(tmp_path, NET, SOLVER)
    return tmp_path


def weights(path: Path) -> list[np.ndarray]:
    net = NetParameter.FromString(path.read_bytes())
    return [np.array(blob.data) for layer in net.layer if layer.name == "ip" for blob in layer.blobs]


def test_two_solvers_train_as_two_ranks_do(folder: Path) -> None:
    ended = run("solver-tools", "python", "train.py", folder=folder)
    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("Iteration 7") == 2  # its loss and its rate: the first solver alone tells
    found = weights(folder / "snap_iter_8.caffemodel")
    (folder / "snap_iter_8.caffemodel").unlink()
    command = ["solver-train", "solver.prototxt", "--cpu", "--ranks", "2", "--set", "snapshot_after_train=true"]
    assert run(*command, folder=folder).code == 0
    for mine, theirs in zip(found, weights(folder / "snap_iter_8.caffemodel"), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    command[2:5] = ["--cpu"]
    assert run(*command, folder=folder).code == 0
    assert not np.allclose(found[0], weights(folder / "snap_iter_8.caffemodel")[0], rtol=1e-3)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("    caffe.set_multiprocess(True)", "", "each solver is a process of its own here: set_multiprocess(True)"),
        ("caffe.NCCL.new_uid()", 'b""', "call it before their processes start"),
    ],
)
def test_what_cannot_be_is_an_error(folder: Path, before: str, after: str, words: str) -> None:
    (folder / "train.py").write_text(SCRIPT.replace(before, after))
    ended = run("solver-tools", "python", "train.py", folder=folder)
    assert ended.code and words in ended.stderr
