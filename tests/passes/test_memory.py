"""The forecast of a run's memory against what the same tracker sees in the real run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from running import NET, SOLVER
from torch import Tensor

from solver_cli import Net, Solver
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError
from solver_cli.passes import memory
from solver_cli.passes.passes import forward_backward
from solver_cli.updates.rules import RULES

INPUT = """
layer { name: "data" type: "Input" top: "data" top: "label"
        input_param { shape { dim: 8 dim: 1 dim: 28 dim: 28 } shape { dim: 8 } } }
"""
LENET = (
    INPUT
    + """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 8 kernel_size: 5 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" }
layer { name: "ip1" type: "InnerProduct" bottom: "norm1" top: "ip1" inner_product_param { num_output: 50 } }
layer { name: "drop1" type: "Dropout" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 10 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""
)
RECURRENT = """
layer { name: "data" type: "Input" top: "x" top: "cont"
        input_param { shape { dim: 12 dim: 4 dim: 6 } shape { dim: 12 dim: 4 } } }
layer { name: "rnn" type: "%s" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "h" top: "ip" inner_product_param { num_output: 3 axis: 2 } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
layer { name: "loss" type: "Reduction" bottom: "ip" top: "loss" loss_weight: 1 }
"""
DROPOUT = (
    INPUT
    + """
layer { name: "drop" type: "Dropout" bottom: "data" top: "dropped" dropout_param { dropout_ratio: 0.3 } }
layer { name: "ip" type: "InnerProduct" bottom: "dropped" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
)


def settings(**fields: Any) -> SolverParameter:
    return SolverParameter(**{"type": "SGD", "momentum": 0.9, "weight_decay": 0.001, **fields})


def real(net: Net, param: SolverParameter, batch: int | None = None) -> int:
    """The peak of one real iteration."""
    inputs = {name: torch.zeros(x.shape) for name, x in memory.meta_batch(net, batch).items()}
    return memory.iterate(net, param, inputs, forward_backward)[2]


def own(forecast: memory.Forecast) -> int:
    """The total without what is read ahead."""
    return forecast.total - forecast.ahead


# -- the tracker ----------------------------------------------------------------------------------------------------


def test_measure_counts_what_lives_at_once() -> None:
    def run() -> Tensor:
        a = torch.zeros(100)
        b = a.view(10, 10) + 1  # the view shares a's bytes
        del a
        return torch.cat([b.flatten(), b.flatten()])

    assert memory.measure(run) == 4 * (100 + 200)
    assert memory.measure(run, before=[torch.zeros(5), torch.zeros(3)]) == 4 * (8 + 300)


def test_measure_knows_lists_and_works_in_place_for_free() -> None:
    def run() -> None:
        parts = torch._foreach_add([torch.zeros(4), torch.zeros(6)], 1.0)
        torch._foreach_mul_(parts, 2.0)
        parts[0].add_(1)

    assert memory.measure(run) == 4 * (10 + 10)


def test_measure_of_meta_tensors_is_that_of_real_ones() -> None:
    def run(device: str) -> None:
        x = torch.zeros(32, 3, 8, 8, device=device)
        w = torch.zeros(4, 3, 3, 3, device=device, requires_grad=True)
        torch.nn.functional.conv2d(x, w).relu().sum().backward()

    assert memory.measure(lambda: run("meta")) == memory.measure(lambda: run("cpu")) > 4 * 32 * 3 * 64


def test_blocks_are_rounded_up() -> None:
    tracker = memory.Tracker(block=512)
    small, larger = torch.zeros(1), torch.zeros(129)
    tracker.count([small, larger])
    assert tracker.live == 512 + 1024


# -- the forecast ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 8, 33])
@pytest.mark.parametrize("text", [LENET, DROPOUT], ids=["lenet", "dropout"])
def test_forecast_is_the_real_peak(text: str, batch: int) -> None:
    net = Net.from_text(text, seed=1)
    forecast = memory.forecast(net, settings(), batch)
    assert forecast.batch == batch
    assert own(forecast) == pytest.approx(real(net, settings(), batch), rel=0.02)


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_forecast_of_recurrent_layers(kind: str) -> None:
    net = Net.from_text(RECURRENT % kind, seed=1)
    assert own(memory.forecast(net, settings())) == pytest.approx(real(net, settings()), rel=0.02)


@pytest.mark.parametrize("kind", RULES)
def test_forecast_of_every_solver_type(kind: str) -> None:
    param = settings(type=kind, momentum=0.0 if kind in ("AdaGrad", "RMSProp") else 0.9)
    net = Net.from_text(LENET, seed=1)
    forecast = memory.forecast(net, param)
    assert forecast.history == RULES[kind].slots * forecast.weights
    assert own(forecast) == pytest.approx(real(net, param), rel=0.02)


BESIDES: list[dict[str, Any]] = [
    {"iter_size": 3}, {"clip_gradients": 1.0}, {"regularization_type": "L1"}, {"larc": True}, {"lookahead": True},
    {"type": "Adam", "amsgrad": True}, {"type": "Adam", "rectified": False, "regularization_type": "decoupled"},
]  # fmt: skip


@pytest.mark.parametrize("fields", BESIDES)
def test_forecast_of_what_an_update_does_besides(fields: dict[str, Any]) -> None:
    net = Net.from_text(LENET, seed=1)
    assert own(memory.forecast(net, settings(**fields))) == pytest.approx(real(net, settings(**fields)), rel=0.02)


def test_parts_of_a_forecast() -> None:
    net = Net.from_text(LENET, seed=1)
    forecast = memory.forecast(net, settings(), 16)
    statistics = 2 * 8 + 1
    learned = sum(x.blob.numel() for x in net.learned)
    assert (forecast.weights, forecast.gradients) == (4 * learned, 4 * (learned - statistics))
    assert (forecast.data, forecast.ahead, forecast.workspace) == (16 * 4 * (28 * 28 + 1), 0, 0)
    assert forecast.activations > 16 * 4 * 8 * 24 * 24


def test_forecast_leaves_the_net_as_it_is() -> None:
    net = Net.from_text(LENET, seed=1)
    net({"data": torch.ones(8, 1, 28, 28), "label": torch.zeros(8)})[0].backward()
    blobs, values = [x.blob for x in net.learned], [x.blob.clone() for x in net.learned]
    assert net.draws is not None
    draws, chance, gradients = net.draws.get_state(), torch.get_rng_state(), [x.grad for x in blobs]
    memory.forecast(net, settings(), 3)
    memory.forecast_test(net, net, memory.forecast(net, settings()))
    assert all(x.blob is blob and x.blob.grad is grad for x, blob, grad in zip(net.learned, blobs, gradients, strict=True))
    assert all(torch.equal(x.blob, value) for x, value in zip(net.learned, values, strict=True))
    assert all(p.device.type == "cpu" for p in net.parameters()) and net.device.type == "cpu"
    assert torch.equal(net.draws.get_state(), draws) and torch.equal(torch.get_rng_state(), chance)


def test_forecast_leaves_recurrent_states_as_they_are() -> None:
    net = Net.from_text(RECURRENT % "LSTM", seed=1)
    net({"x": torch.ones(12, 4, 6), "cont": torch.ones(12, 4)})
    module: Any = net.nodes[1].module
    before = module.state
    memory.forecast(net, settings())
    assert module.state is before


def test_a_failed_forecast_leaves_the_net_as_it_is() -> None:
    reshape = 'layer { name: "r" type: "Reshape" bottom: "data" top: "r" reshape_param { shape { dim: 8 dim: 784 } } }'
    net = Net.from_text(INPUT + reshape + 'layer { name: "s" type: "Silence" bottom: "r" bottom: "label" }')
    with pytest.raises(ConfigError, match=r"layer 'r' \(Reshape\)"):
        memory.forecast(net, settings(), 9)
    assert net.device.type == "cpu"


def test_forecast_of_a_solver_and_its_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text(SOLVER + "test_iter: 1 test_interval: 2 momentum: 0.9")
    solver = Solver("solver.prototxt", device="cpu")
    solver.step(1)
    weights = [x.blob.clone() for x in solver.net.learned]
    training = memory.forecast(solver.net, solver.param)
    test = memory.forecast_test(solver.test_nets[0], solver.net, training)
    assert (test.weights, test.gradients, test.history) == (training.weights, training.gradients, training.history)
    assert 0 < test.activations < training.activations
    assert all(torch.equal(x.blob, before) for x, before in zip(solver.net.learned, weights, strict=True))
    shared = zip(solver.net.learned, solver.test_nets[0].learned, strict=True)
    assert all(mine.blob is theirs.blob for mine, theirs in shared)
    solver.step(1)
    solver.close()


def test_forecast_of_a_net_without_values_is_the_same() -> None:
    real_net, empty = Net.from_text(LENET, seed=1), Net.from_text(LENET, device="meta")
    assert memory.forecast(real_net, settings(), 5) == memory.forecast(empty, settings(), 5, device="cpu")
    assert all(x.blob.is_meta for x in empty.learned)


def test_forecast_for_a_gpu_rounds_up_and_adds_scratch() -> None:
    net = Net.from_text(LENET, device="meta")
    cpu, gpu = memory.forecast(net, settings(), device="cpu"), memory.forecast(net, settings(), device="cuda")
    assert gpu.workspace > cpu.workspace == 0
    assert gpu.activations > cpu.activations


def test_forecast_of_blobs_that_are_shared_in_another_shape() -> None:
    text = (
        INPUT
        + """
    layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "w" }
            inner_product_param { num_output: 784 bias_term: false } }
    layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" share_mode: PERMISSIVE }
            inner_product_param { num_output: 784 bias_term: false transpose: true } }
    layer { name: "l" type: "Reduction" bottom: "b" top: "l" loss_weight: 1 }
    layer { name: "s" type: "Silence" bottom: "label" }
    """
    )
    net = Net.from_text(text, seed=1)
    assert own(memory.forecast(net, settings())) == pytest.approx(real(net, settings()), rel=0.02)


def test_forecast_of_another_way_to_run() -> None:
    """Pieces of half a batch, one after the other, as a run that is given."""

    def halves(net: Net, batches: list[Mapping[str, Tensor]]) -> None:
        (batch,) = batches
        for part in zip(*(x.chunk(2) for x in batch.values()), strict=True):
            forward_backward(net, [dict(zip(batch, part, strict=True))])

    net = Net.from_text(DROPOUT, seed=1)
    whole, half = memory.forecast(net, settings(), 64), memory.forecast(net, settings(), 64, run=halves)
    assert half.activations < 0.6 * whole.activations
    assert half.data == whole.data


def test_a_python_layer_is_forecast_at_its_own_batch_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("twice_layer.py").write_text(
        "import caffe\n\n\nclass Twice(caffe.Layer):\n    def setup(self, bottom, top):\n        pass\n\n"
        "    def reshape(self, bottom, top):\n        top[0].reshape(*bottom[0].data.shape)\n\n"
        "    def forward(self, bottom, top):\n        top[0].data[...] = 2 * bottom[0].data\n\n"
        "    def backward(self, top, propagate_down, bottom):\n        bottom[0].diff[...] = 2 * top[0].diff\n"
    )
    text = (
        INPUT
        + """
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 50 } }
    layer { name: "twice" type: "Python" bottom: "ip" top: "twice" python_param { module: "twice_layer" layer: "Twice" } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "twice" bottom: "label" top: "loss" }
    """
    )
    net = Net.from_text(text, seed=1)
    forecast = memory.forecast(net, settings())
    assert forecast.gradients == forecast.weights
    assert own(forecast) == pytest.approx(real(net, settings()), rel=0.1)
    with pytest.raises(ConfigError, match="cannot be foreseen"):
        memory.forecast(net, settings(), 9)


# -- the largest batch ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [2_000_000, 5_000_000, 123_456_789])
def test_largest_batch_is_the_last_that_fits(budget: int) -> None:
    net = Net.from_text(LENET, device="meta")
    most = memory.largest_batch(net, settings(), budget, device="cpu")
    totals = [memory.forecast(net, settings(), batch, device="cpu").total for batch in (most, most + 1)]
    assert most > 0 and totals[0] <= budget < totals[1]


def test_no_batch_fits() -> None:
    assert memory.largest_batch(Net.from_text(LENET, device="meta"), settings(), 1000) == 0


def test_the_largest_batch_keeps_to_what_a_blob_may_hold() -> None:
    net = Net.from_text(LENET, device="meta")
    most = memory.largest_batch(net, settings(), 1 << 60)
    assert most * max(x.numel() // 8 for x in net(memory.meta_batch(net))[1].values()) <= 2**31 - 1
