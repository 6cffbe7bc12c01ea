"""Half precision: what is learnt in it, what stays float32, the scale of the loss, and NVCaffe's fields for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import NET, SOLVER, call

from solver_cli import Net, Solver
from solver_cli.commands import datasets
from solver_cli.commands.train import train
from solver_cli.errors import ConfigError, DeviceError
from solver_cli.formats import caffemodel
from solver_cli.passes.precision import Mixed
from solver_cli.updates.loss_scale import LossScale

CONFIGS = Path(__file__).parents[2] / "configs" / "mnist"
BLOBS = """
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param { shape { dim: 6 dim: 2 dim: 9 dim: 9 }
  shape { dim: 6 } data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
"""
DEEP = (
    BLOBS
    + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3
  weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" }
layer { name: "sum" type: "Eltwise" bottom: "norm" bottom: "conv" top: "sum" }
layer { name: "pool" type: "Pooling" bottom: "sum" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "drop" }
layer { name: "ip" type: "InnerProduct" bottom: "drop" top: "ip" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "seen" type: "Split" bottom: "ip" top: "seen" }
"""
)


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configs" / "mnist"
    folder.mkdir(parents=True)
    for path in CONFIGS.glob("*.prototxt"):
        (folder / path.name).write_text(path.read_text())
    datasets.mnist(folder, False)
    return folder / "lenet_solver.prototxt"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write(tmp_path, monkeypatch, NET)


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, net: str, more: str = "momentum: 0.9 display: 1 ") -> Path:
    monkeypatch.chdir(folder)
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(SOLVER.replace("max_iter: 2", "max_iter: 8") + more)
    return folder / "solver.prototxt"


def weights(solver: Solver) -> list[torch.Tensor]:
    return [x.blob.detach().clone() for x in solver.net.learned] + [x.clone() for x in solver.history]


def same(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> bool:
    return all(a.equal(b) for a, b in zip(found, wanted, strict=True))


def test_lenet_learns_as_well_in_bf16(mnist):
    accuracy = {}
    for precision in ("fp32", "bf16"):
        solver = Solver(str(mnist), device="cpu", precision=precision)
        solver.param.test_initialization = False
        solver.param.random_seed = 1
        solver.step(60)
        accuracy[precision] = solver.test(0)["accuracy"][0]
        solver.close()
    assert accuracy["fp32"] > 0.8
    assert accuracy["bf16"] == pytest.approx(accuracy["fp32"], abs=0.03)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_weights_gradients_and_what_is_shown_are_float32(precision, tmp_path, monkeypatch):
    solver = Solver(str(write(tmp_path, monkeypatch, DEEP)), device="cpu", precision=precision)
    kinds: dict[str, Any] = {}
    solver.net.observer = lambda node, bottoms, tops: kinds.update({node.name: tops[0].dtype}) if tops else None
    _, blobs = solver.net()
    solver.net.observer = None
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert {name for name, kind in kinds.items() if kind == half} >= {"conv", "bn", "scale", "relu", "ip"}
    assert kinds["norm"] == kinds["loss"] == torch.float32
    assert {blob.dtype for blob in solver.net.outputs_of(blobs).values()} == {torch.float32}
    solver.step(2)
    assert {x.dtype for x in weights(solver)} == {torch.float32}
    assert {x.blob.grad.dtype for x in solver.net.learned if x.blob.grad is not None} == {torch.float32}
    stored = caffemodel.read(solver.snapshot().replace("solverstate", "caffemodel"))
    assert all(np.asarray(blob).dtype == np.float32 for layer in stored.layers for blob in layer.blobs)
    solver.close()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_pieces_and_recomputation_learn_the_same(precision, tmp_path, monkeypatch):
    path = str(write(tmp_path, monkeypatch, DEEP, "momentum: 0.9 "))
    found = []
    for options in ({}, {"micro_batch": 2}, {"recompute": True}):
        solver = Solver(path, device="cpu", precision=precision, **options)
        if solver.precision.scale:
            solver.precision.scale.factor.fill_(256)  # which nothing overflows
        solver.step(3)
        found.append(weights(solver))
        solver.close()
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=0.05, atol=0.02)


# -- the scale of the loss ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ['type: "SGD"', 'type: "Adam"', 'type: "SGD" clip_gradients: 1 regularization_type: "L1"'])
def test_an_overflow_skips_the_update_and_halves_the_scale(rule, tmp_path, monkeypatch, caplog):
    net = NET.replace('type: "SoftmaxWithLoss"', 'type: "SoftmaxWithLoss" loss_weight: 1e4')
    solver = Solver(str(write(tmp_path, monkeypatch, net, f"momentum: 0.9 display: 1 {rule} ")), precision="fp16")
    solver.param.base_lr = 1e-6
    before = weights(solver)
    solver.step(1)
    assert same(weights(solver), before)
    assert (solver.iter, float(solver.precision.scale.factor)) == (1, 32768.0)
    solver.step(1)
    assert "fp16: 1 updates skipped so far, for gradients overflowed; loss scale 32768" in caplog.text
    for _ in range(30):
        solver.step(1)
    assert not same(weights(solver), before)
    assert all(x.isfinite().all() for x in weights(solver))
    solver.close()


def test_the_scale_leaves_no_mark_on_the_update(small):
    found = []
    for first in (2.0**8, 2.0**12):
        solver = Solver(str(small), precision="fp16")
        solver.precision.scale.factor.fill_(first)
        solver.step(3)
        found.append(weights(solver))
        solver.close()
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_the_scale_doubles_after_many_good_updates():
    scale = LossScale(torch.device("cpu"), 4.0)
    for _ in range(2000):
        gradients = [torch.full((2,), 8.0)]
        assert not scale.unscale(gradients)
    assert gradients[0].tolist() == [2.0, 2.0]
    assert float(scale.factor) == 8.0


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_resuming_is_exact(precision, tmp_path, monkeypatch):
    path = str(write(tmp_path, monkeypatch, NET.replace('bottom: "label"\n', 'bottom: "label"\n  loss_weight: 2e3\n')))
    whole = Solver(path, precision=precision)
    whole.step(4)
    state = whole.snapshot()
    whole.step(4)
    resumed = Solver(path, precision=precision)
    resumed.restore(state)
    if precision == "fp16":
        assert float(resumed.precision.scale.factor) < 65536
    resumed.step(4)
    assert same(weights(resumed), weights(whole))
    for solver in (whole, resumed):
        solver.close()


def test_resuming_in_another_precision_is_said(small, caplog):
    first = Solver(str(small), precision="fp16")
    first.step(1)
    state = first.snapshot()
    second = Solver(str(small))
    second.restore(state)
    assert "The snapshot's run had --precision fp16; this one goes on with fp32" in caplog.text
    second.step(1)
    for solver in (first, second):
        solver.close()


# -- what is asked for ----------------------------------------------------------------------------------------------


def test_by_default_a_cpu_works_in_fp32(small):
    solver = Solver(str(small), device="cpu")
    assert (solver.precision.name, isinstance(solver.net.run, Mixed)) == ("fp32", False)
    solver.close()


def test_what_there_is_not(small):
    with pytest.raises(DeviceError, match="--precision tf32: the CPU has none"):
        Solver(str(small), device="cpu", precision="tf32")
    with pytest.raises(ConfigError, match="--precision fp8: expected one of fp32, tf32, bf16, fp16"):
        Solver(str(small), device="cpu", precision="fp8")
    assert call(train, str(small), "--precision", "fp8").code == 2


def test_the_command(small):
    ended = call(train, str(small), "--precision", "bf16", "--cpu")
    assert ended.code == 0
    assert "--precision bf16: layers work in bfloat16" in ended.stderr


NVCAFFE = """default_forward_type: FLOAT16
default_backward_type: FLOAT16
default_forward_math: FLOAT
default_backward_math: FLOAT16
global_grad_scale: 1000
"""


def test_a_net_of_nvcaffes_asks_for_fp16(tmp_path, monkeypatch, caplog):
    kept = NET.replace('name: "conv"', 'name: "conv" forward_type: FLOAT backward_type: FLOAT cudnn_math_override: 0')
    path = str(write(tmp_path, monkeypatch, NVCAFFE + kept))
    solver = Solver(path, device="cpu")
    assert (solver.precision.name, float(solver.precision.scale.factor)) == ("fp16", 1000.0)
    assert "default_forward_type: FLOAT16 of the net means --precision fp16" in caplog.text
    assert "sums are made in float32, not in FLOAT16; cudnn_math_override chooses" in caplog.text
    kinds: dict[str, Any] = {}
    solver.net.observer = lambda node, bottoms, tops: kinds.update({node.name: tops[0].dtype})
    solver.net()
    assert (kinds["conv"], kinds["ip"]) == (torch.float32, torch.float16)
    solver.close()
    other = Solver(path, device="cpu", precision="fp32")
    assert other.precision.name == "fp32"
    other.close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("default_forward_type: DOUBLE " + NET, "<text>:1:1: DOUBLE is not supported: FLOAT or FLOAT16"),
        ("default_backward_type: FLOAT16 " + NET, "<text>:1:1: gradients are of their blobs' type"),
        (NET.replace('name: "conv"', 'name: "conv" forward_math: INT'), "layer 'conv' (Convolution): INT is not supported"),
        (NET.replace('name: "ip"', 'name: "ip" forward_type: FLOAT16'), "half precision for one layer is not supported"),
    ],
)
def test_refused(text, complaint):
    with pytest.raises(ConfigError, match=rf"<text>:\d+:\d+: .*{re.escape(complaint.partition(': ')[2] or complaint)}"):
        Net.from_text(text)
