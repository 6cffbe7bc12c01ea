"""Nets that run compiled: one graph for each of BVLC's layer types, and the same figures."""

from __future__ import annotations

import pytest
import torch
from golden_layers import GOLDEN, TESTED_ELSEWHERE, TYPES, assert_case, build, cases, feed, named, set_params

from solver_cli import Net
from solver_cli.errors import DeviceError
from solver_cli.passes.compiled import Compiled, compile_nets, plain
from solver_cli.passes.fit import Splitting
from solver_cli.passes.passes import forward_backward
from solver_cli.passes.precision import Precision
from solver_cli.registry import layer_types


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def each_kind():
    """Every layer type's cases, in a few tests; without those of layers that are left out of graphs."""
    kept = {name for name, kind in layer_types().items() if plain(kind)}
    return [kind for kind in TYPES if kind not in kept and any("random" not in case for case in cases(kind).values())]


@pytest.mark.filterwarnings("ignore")  # of torch's own, about what it traces
@pytest.mark.parametrize("kind", [kind for kind in each_kind() if kind != "_graphs"])
def test_one_graph(kind, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    for name in [name for name, case in cases(kind).items() if "random" not in case]:
        torch._dynamo.reset()
        case = named(f"{kind}/{name}")
        net = build(case)
        net.run = Compiled(net, backend="eager", fullgraph=True)
        params = net.params.get("test", [])
        set_params(params, case)
        inputs = feed(case)
        for _ in range(case.get("n_forward", 1)):
            blobs = {**net.next_batch(inputs), **inputs}
            net.run([node for node in net.nodes if not node.name.startswith("sink")], blobs, keep=False)
        assert_case(case, inputs, params, [blobs[top] for top in case["tops"]])


NET = """
layer { name: "data" type: "Input" top: "x" top: "label" input_param { shape { dim: 6 dim: 2 dim: 8 dim: 8 }
  shape { dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param { num_output: 4 kernel_size: 3
  weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "drop" }
layer { name: "ip" type: "InnerProduct" bottom: "drop" top: "ip" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def two_passes(precision, compiled, splitting=None):
    """The losses of two passes, and all gradients and statistics after them."""
    net = Net.from_text(NET, phase="TRAIN", seed=1)
    held = Precision(precision, net)
    if compiled:
        net.run = Compiled(net, backend="eager", fullgraph=True)
    pieces = (splitting or Splitting()).train(net)
    draw = torch.Generator().manual_seed(2)
    batches = [{"x": torch.randn(6, 2, 8, 8, generator=draw), "label": torch.arange(6.0) % 5} for _ in range(2)]
    losses = [forward_backward(net, [batch], pieces)[0] for batch in batches]
    assert held.name == (precision or "fp32")
    return [*losses, *(x.blob.grad if x.blob.requires_grad else x.blob for x in net.learned)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", [None, "bf16", "fp16"])
@pytest.mark.parametrize("splitting", [Splitting(), Splitting(micro_batch=2), Splitting(recompute=True)], ids=repr)
def test_compiled_is_eager(precision, splitting):
    """With Dropout's masks, BatchNorm's statistics, batches in pieces, recomputation and half precision."""
    for a, b in zip(two_passes(precision, True, splitting), two_passes(precision, False, splitting), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_without_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(DeviceError, match=r"--compile: there is no C\+\+ compiler 'no-such-compiler'"):
        compile_nets([Net.from_text(NET, phase="TRAIN")])


@pytest.mark.filterwarnings("ignore")
def test_layers_left_out_run_between_graphs():
    of_bvlc = {*TYPES, *TESTED_ELSEWHERE}
    assert {name for name, kind in layer_types().items() if plain(kind) and name in of_bvlc and not kind.source} == {
        "Filter", "HDF5Output", "Python",
    }  # fmt: skip
    net = Net.from_text(
        NET.replace('bottom: "drop" top: "ip"', 'bottom: "some" top: "ip"')
        .replace(
            'layer { name: "ip"',
            'layer { name: "rows" type: "Filter" bottom: "drop" bottom: "label" top: "some" }\nlayer { name: "ip"',
        )
        .replace('bottom: "ip" bottom: "label" top: "loss"', 'bottom: "ip" bottom: "ip" top: "loss"')
        .replace("SoftmaxWithLoss", "EuclideanLoss"),
        phase="TRAIN",
        seed=1,
    )
    run = net.run = Compiled(net, backend="eager", fullgraph=True)
    blobs = {"x": torch.randn(6, 2, 8, 8), "label": torch.tensor([1.0, 0, 1, 1, 0, 1])}
    loss = run(net.nodes, blobs, keep=False)
    assert float(loss) == 0
    assert [plain for plain, _ in run._of(net.nodes)] == [False, True, False]
