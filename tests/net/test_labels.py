"""Labels that name no class: refused on the CPU, NaN and harmless where nobody can look."""

from __future__ import annotations

import pytest
import torch

from solver_cli import Net
from solver_cli.errors import DataError
from solver_cli.layers import labels
from solver_cli.net.labels import Checked, checked

LOSSES = ["SoftmaxWithLoss", "InfogainLoss", "MultinomialLogisticLoss", "HingeLoss", "Accuracy"]
INPUT = 'layer {{ name: "in{0}" type: "Input" top: "{0}" input_param {{ shape {{ {1} }} }} }}\n'


def net_of(kind: str, settings: str = "") -> Net:
    matrix = kind == "InfogainLoss"
    text = INPUT.format("x", "dim: 4 dim: 3") + INPUT.format("label", "dim: 4")
    text += INPUT.format("h", "dim: 3 dim: 3") if matrix else ""
    bottoms = 'bottom: "x" bottom: "label"' + ' bottom: "h"' * matrix
    return Net.from_text(text + f'layer {{ name: "test" type: "{kind}" {bottoms} top: "y" {settings} }}')


def run(net: Net, labels: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """The top and the gradient of the scores."""
    x = (torch.rand(4, 3, generator=torch.Generator().manual_seed(1)) + 0.1).requires_grad_()
    feed = {"x": x, "label": torch.tensor(labels), "h": torch.eye(3)}
    _, blobs = net({name: feed[name] for name in net.inputs})
    top = blobs["y"]
    return top, torch.autograd.grad(top, x)[0] if top.requires_grad else torch.zeros(())


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("wrong", [3.0, -1.0, 1e9, float("nan")])
def test_refused_on_the_cpu(kind, wrong):
    with pytest.raises(
        DataError, match=rf"\({kind}\): label -?\d+ of item 2 of the batch .* is not in 0\.\.2: there are 3 cl"
    ):
        run(net_of(kind), [0, 1, wrong, 2])


@pytest.mark.parametrize("kind", LOSSES)
def test_nan_where_nobody_can_look(kind, monkeypatch):
    """As on a GPU: no memory is read that is not the scores', and right labels give what they always did."""
    net, right = net_of(kind), [0, 1, 2, 2]
    looked = run(net, right)
    monkeypatch.setattr(labels, "readable", lambda index: False)
    torch.testing.assert_close(run(net, right), looked)
    top, gradient = run(net, [0, 1, 3, -2])
    assert top.isnan()
    assert not gradient.any()


def test_an_ignored_label_is_not_wrong(monkeypatch):
    net = net_of("SoftmaxWithLoss", "loss_param { ignore_label: 255 }")
    looked = run(net, [0, 1, 255, 2])
    monkeypatch.setattr(labels, "readable", lambda index: False)
    torch.testing.assert_close(run(net, [0, 1, 255, 2]), looked)
    assert run(net, [0, 1, 254, 2])[0].isnan()


NET = """
layer {{ name: "data" type: "DummyData" top: "x" top: "label"
  dummy_data_param {{ shape {{ dim: 4 dim: 3 }} shape {{ dim: 4 }} data_filler {{ }} data_filler {{ value: {label} }} }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "fc" inner_product_param {{ num_output: {classes} }} }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" {ignore} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }}
"""


def source_of(label: int = 4, classes: int = 5, ignore: str = "") -> Checked:
    net = Net.from_text(NET.format(label=label, classes=classes, ignore=ignore))
    return checked(net.nodes[0], net.nodes, net.blob_shapes)


def test_a_source_checks_before_the_labels_travel():
    source = source_of()
    assert isinstance(source, Checked)
    assert source.next_batch()[1].tolist() == [4] * 4
    assert source.state_dict()["batches"] == 1
    with pytest.raises(DataError, match=r"^<text>:\d+:\d+: layer 'accuracy' .*label 5 of item 0 .* there are 5 classes"):
        source_of(label=5).next_batch()
    with pytest.raises(DataError, match=r"layer 'loss' .*label 5 of item 0"):
        source_of(label=5, ignore="accuracy_param { ignore_label: 5 }").next_batch()


def test_other_sources_stay_what_they_are():
    net = Net.from_text('layer { name: "data" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 } } }')
    assert checked(net.nodes[0], net.nodes, net.blob_shapes) is net.nodes[0].source
