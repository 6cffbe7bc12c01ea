"""BatchNorm and Scale as one: nobody can tell from the figures, the blobs or the statistics."""

from __future__ import annotations

import pytest
import torch

from solver_cli import Net

NET = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {shape} }} }} }}
layer {{ name: "norm" type: "BatchNorm" bottom: "x" top: "{between}" }}
layer {{ name: "scale" type: "Scale" bottom: "{between}" top: "y" {settings} }}
layer {{ name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 reduction_param {{ operation: SUMSQ }} }}
"""
PICTURES = "dim: 4 dim: 3 dim: 5 dim: 5"
LEARNED = 'scale_param { bias_term: true filler { type: "gaussian" } bias_filler { type: "gaussian" } }'
NO_BIAS = 'scale_param { filler { type: "gaussian" } }'
ONE_FOR_ALL = "scale_param { axis: 0 num_axes: 0 bias_term: true }"
EACH_PIXEL = "scale_param { num_axes: 2 }"


def net(phase: str = "TRAIN", shape: str = PICTURES, between: str = "y", settings: str = LEARNED) -> Net:
    return Net.from_text(NET.format(shape=shape, between=between, settings=settings), phase=phase, seed=1).double()


def fused(net: Net) -> list[str]:
    return [node.name for node in net.nodes if node.quick]


def figures(net: Net) -> list[torch.Tensor]:
    """Loss, top, gradients and learned blobs after two passes."""
    x = torch.randn(net.inputs["x"], generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    net({"x": x * 3 + 1})
    loss, blobs = net({"x": x})
    learned = [entry.blob for entry in net.learned if entry.blob.requires_grad]
    gradients = torch.autograd.grad(loss, [x, *learned])
    return [loss, blobs["y"], *gradients, *(entry.blob for entry in net.learned)]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("settings", [LEARNED, NO_BIAS])
@pytest.mark.parametrize("shape", [PICTURES, "dim: 6 dim: 3", "dim: 1 dim: 3", "dim: 2 dim: 3 dim: 2 dim: 2 dim: 2"])
def test_figures_do_not_change(phase, settings, shape):
    quick, observed = net(phase, shape, settings=settings), net(phase, shape, settings=settings)
    assert fused(quick) == ["norm", "scale"]
    observed.observer = lambda *_: None  # runs layer by layer
    torch.testing.assert_close(figures(quick), figures(observed), rtol=1e-9, atol=1e-9)


def test_an_observer_sees_the_blob_between():
    seen = {}
    observed = net()
    observed.observer = lambda node, bottoms, tops: seen.update({node.name: [top.detach() for top in tops]})
    figures(observed)
    (between,) = seen["norm"]
    torch.testing.assert_close(between.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64))
    assert not seen["scale"][0].equal(between)


@pytest.mark.parametrize(
    "other",
    [{"between": "z"}, {"settings": ONE_FOR_ALL}, {"settings": EACH_PIXEL}, {"settings": LEARNED}],
    ids=["blob that can be seen", "one value for all", "a value for each row", "the usual"],
)
def test_only_where_it_is_the_same(other):
    built = net(**other)
    assert bool(fused(built)) == (other == {"settings": LEARNED})
    _, blobs = built({"x": torch.randn(4, 3, 5, 5, dtype=torch.float64)})
    if "between" in other:
        torch.testing.assert_close(blobs["z"].mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64))


def test_a_scale_shared_in_another_shape():
    text = """
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 6 } } }
    layer { name: "owner" type: "InnerProduct" bottom: "x" top: "w" param { name: "s" }
            inner_product_param { num_output: 1 bias_term: false weight_filler { type: "gaussian" } } }
    layer { name: "norm" type: "BatchNorm" bottom: "x" top: "y" }
    layer { name: "scale" type: "Scale" bottom: "y" top: "y" param { name: "s" share_mode: PERMISSIVE } }"""
    built, x = Net.from_text(text, seed=1), torch.randn(4, 6)
    quick = built({"x": x})[1]["y"]
    built.observer = lambda *_: None
    torch.testing.assert_close(quick, built({"x": x})[1]["y"])
    assert not quick.allclose((x - x.mean(0)) / x.std(0, correction=0), atol=0.1)
