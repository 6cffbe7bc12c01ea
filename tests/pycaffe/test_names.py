"""Every public name of BVLC's Python package is here under its own name: `bvlc_names.toml` lists them."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import run

import solver_cli.pycaffe as caffe
from solver_cli.formats import caffemodel

if sys.version_info < (3, 11):
    pytest.skip("tomllib came with Python 3.11", allow_module_level=True)
import tomllib

NAMES = tomllib.loads(Path(__file__).with_name("bvlc_names.toml").read_text())
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 3 }
"""
SOLVER = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 layer_wise_reduce: false'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("module", NAMES["modules"])
def test_a_module_has_all_its_names(module: str) -> None:
    ours = importlib.import_module(module.replace("caffe", "solver_cli.pycaffe", 1))
    assert [name for name in NAMES["modules"][module].split() if not hasattr(ours, name)] == []


def test_objects_have_all_their_names(folder: Path) -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.save("w.caffemodel")
    top = caffe.layers.ReLU(caffe.layers.Input())
    objects: dict[str, Any] = {
        "Net": solver.net,
        "Blob": solver.net.blobs["fc"],
        "BlobVec": solver.net.params["fc"],
        "Layer": caffe.Layer(None),
        "SGDSolver": solver,
        "SolverParameter": solver.param,
        "Timer": caffe.Timer(),
        "Transformer": caffe.io.Transformer({}),
        "Top": top,
        "Function": top.fn,
        "Classifier": caffe.Classifier("net.prototxt", "w.caffemodel"),
        "Detector": caffe.Detector("net.prototxt", "w.caffemodel"),
    }
    missing = {
        (kind, name)
        for kind, names in NAMES["objects"].items()
        for name in names.split()
        if not hasattr(objects[kind], name)
    }
    assert missing == set() and set(objects) == set(NAMES["objects"])
    assert solver.net._blob_loss_weights == [0, 0, 0, 3] and len(caffemodel.read("w.caffemodel").layers) == 4


def test_all_solvers_are_sgd_solvers_as_in_caffe(folder: Path) -> None:
    (folder / "solver.prototxt").write_text(f'{SOLVER} type: "Adam"')
    solver = caffe.get_solver("solver.prototxt")
    assert type(solver) is caffe.AdamSolver and isinstance(solver, caffe.SGDSolver)


IMPORTS = """
import json
import caffe
early = [caffe.pycaffe.Net is caffe.Net, caffe.io.caffe_pb2.BlobProto, caffe.net_spec.OrderedDict().popitem]
from caffe.pycaffe import *
OrderedDict(np.zeros((1, 2)).tolist()), Net, SGDSolver
import caffe._caffe as C, caffe.pycaffe as P, caffe.test, caffe.draw, caffe.proto.caffe_pb2 as pb
from caffe.io import caffe_pb2, resize, skimage, zoom
from caffe._caffe import RawBlobVec, Solver
from caffe.pycaffe import izip_longest, caffe as again
print(json.dumps([bool(all(early)), C.Net is P.Net, pb is caffe_pb2, again is caffe, issubclass(caffe.AdamSolver, Solver)]))
"""


def test_scripts_import_them_in_every_way(folder: Path) -> None:
    ended = run("solver-tools", "python", "-c", IMPORTS, folder=folder)
    assert ended.complaints == [] and json.loads(ended.stdout) == [True] * 5


def test_what_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("skimage", "skimage.io", "skimage.transform"):
        monkeypatch.setitem(sys.modules, name, None)
    remedy = r"caffe.io.\w+ needs skimage: pip install scikit-image"
    with pytest.raises(ImportError, match=remedy):
        caffe.io.skimage.io.imread("cat.jpg")
    with pytest.raises(ImportError, match=remedy):
        caffe.io.resize(np.zeros((2, 2, 3)), (4, 4))
    with pytest.raises(AttributeError, match=r"module 'solver_cli.pycaffe.io' has no attribute 'imread'"):
        caffe.io.imread  # noqa: B018
