"""Two layers of one name, where weights are found by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from running import NET, SOLVER, Ended, call, changed, write

from solver_cli import Net
from solver_cli.commands.train import train
from solver_cli.formats import caffemodel

RELU = changed(NET, ('name: "relu"', 'name: "conv"'))
BEFORE = changed(NET, ('name: "data"', 'name: "conv"'))  # the one without blobs comes first
NORM = 'layer { name: "twin" type: "BatchNorm" bottom: "conv" top: "conv" }\n'
SCALE = 'layer { name: "twin" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }\n'
BOTH = changed(NET, ('layer {\n  name: "relu"', NORM + SCALE + 'layer {\n  name: "relu"'))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(*options: str, code: int = 0) -> Ended:
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == code, ended.stderr[-500:]
    return ended


@pytest.mark.parametrize(
    ("net", "form"),
    [(RELU, "BINARYPROTO"), (RELU, "HDF5"), (BEFORE, "BINARYPROTO"), (BEFORE, "HDF5"), (BOTH, "BINARYPROTO")],
)
def test_a_run_with_twins_resumes_as_if_it_had_never_stopped(folder: Path, net: str, form: str) -> None:
    write(folder, net, SOLVER + f"snapshot_format: {form} momentum: 0.9")
    trained("--set", "max_iter=4")
    whole = {path.name: path.read_bytes() for path in folder.glob("snap_iter_4.*")}
    trained()
    state = "snap_iter_2.solverstate" + ".h5" * (form == "HDF5")
    ended = trained("--snapshot", state, "--set", "max_iter=4")
    assert len(whole) == 2 and whole == {name: Path(name).read_bytes() for name in whole}
    assert any("another layer is called" in line for line in ended.log)


def test_data_layers_of_one_name_go_on_each_where_it_was(folder: Path) -> None:
    data = 'layer { name: "data" type: "DummyData" top: "%s" dummy_data_param { shape { dim: 4 dim: 3 } %s } }\n'
    draws = 'data_filler { type: "gaussian" }'
    net = data % ("x", draws) + data % ("y", draws) + """
        layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
    """
    write(folder, net)
    trained("--set", "max_iter=4", "--set", "snapshot=2")
    whole = Path("snap_iter_4.caffemodel").read_bytes()
    trained("--snapshot", "snap_iter_2.solverstate", "--set", "max_iter=4")
    assert Path("snap_iter_4.caffemodel").read_bytes() == whole


@pytest.mark.parametrize("net", [RELU, BEFORE])
def test_test_nets_share_the_twin_with_blobs(folder: Path, net: str) -> None:
    write(folder, net, SOLVER + "test_iter: 1 test_interval: 1")
    assert any("Test net output" in line for line in trained().log)


def test_both_places_are_named_before_training(folder: Path) -> None:
    write(folder, BOTH)
    said = "another layer is called 'twin' too (net.prototxt:25:9): weights are found by name, so rename one"
    assert f"net.prototxt:26:9: {said}" in trained().log
    write(folder, RELU)
    said = "another layer is called 'conv' too (net.prototxt:15:3): Caffe cannot read the weights of such nets"
    assert f"net.prototxt:26:3: {said}, so rename one" in trained().log


def test_hdf5_refuses_two_with_blobs_before_training(folder: Path) -> None:
    write(folder, BOTH, SOLVER + "snapshot_format: HDF5\n")
    ended = trained(code=1)
    assert ended.complaints == [
        "solver.prototxt:8:1: layer 'twin' cannot be stored in HDF5: its name is that of two layers with learned blobs; use "
        "snapshot_format: BINARYPROTO (net.prototxt:25:9, net.prototxt:26:9)"
    ]
    assert not any("Solving" in line for line in ended.log)


def test_a_file_with_twins_gives_each_layer_what_fits_it(folder: Path) -> None:
    write(folder, BOTH)
    trained()
    whole = caffemodel.read("snap_iter_2.caffemodel").layers
    for kept, blobs in ((NORM, 3), (SCALE, 2)):
        net = Net.from_text(BOTH.replace(SCALE if kept == NORM else NORM, ""))
        net.load("snap_iter_2.caffemodel")
        (wanted,) = (layer for layer in whole if layer.name == "twin" and len(layer.blobs) == blobs)
        assert all(np.array_equal(a.detach(), b) for a, b in zip(net.params["twin"], wanted.blobs, strict=True))
        net.close()
