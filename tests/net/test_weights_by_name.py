"""A net's weights as Python programs know them: state dicts by layer and blob, files, tensors in and out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from solver_cli import Net
from solver_cli.errors import ConfigError

DEPLOY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv/1" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "fc.1" type: "InnerProduct" bottom: "c" top: "fc"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
KEYS = ["conv/1.weight", "conv/1.bias", "bn1.mean", "bn1.variance", "bn1.factor", "fc.1.weight", "fc.1.bias"]
TWICE = """
layer { name: "data" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "a" top: "x" inner_product_param { num_output: 4 } param { name: "w" } }
layer { name: "ip" type: "InnerProduct" bottom: "b" top: "y" inner_product_param { num_output: 4 } param { name: "w" } }
"""


def deploy(seed: int) -> Net:
    net = Net.from_text(DEPLOY, "TEST", seed=seed)
    for blob, number in zip(net.params["bn1"], (0.5, 2.0, 1.0), strict=True):
        blob.data.fill_(number * seed)
    return net


def test_a_state_dict_is_by_layer_and_blob() -> None:
    one, other = deploy(1), deploy(2)
    assert list(one.state_dict()) == KEYS
    assert torch.equal(one.state_dict()["conv/1.weight"], one.params["conv/1"][0])
    images = torch.randn(2, 3, 8, 8)
    assert not torch.equal(one(images), other(images))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(images), other(images))


def test_a_state_dict_by_numbers_is_taken_as_well() -> None:
    one, other = deploy(1), deploy(2)
    numbered = {f"layers.{i}.{k}": v for i, layer in enumerate(one.layers) for k, v in layer.state_dict().items()}
    assert "layers.0.weight" in numbered
    other.load_state_dict(numbered)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_what_does_not_fit_a_state_dict_is_named_as_it_is_written() -> None:
    net, state = deploy(1), deploy(2).state_dict()
    before = net.state_dict()["bn1.mean"].clone()
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "fc\.1\.bias"'):
        net.load_state_dict({key: value for key, value in state.items() if key != "fc.1.bias"})
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "fc\.2\.bias"'):
        net.load_state_dict({**state, "fc.2.bias": torch.zeros(4)})
    with pytest.raises(RuntimeError, match=r"bn1\.mean: its shape is \(3,\), \(2,\) is wanted"):
        net.load_state_dict({**state, "bn1.mean": torch.zeros(3)})
    assert torch.equal(net.state_dict()["bn1.mean"], before * 2)  # torch takes what fits, as ever
    assert net.load_state_dict({}, strict=False).missing_keys == KEYS


def test_a_net_inside_another_module_keeps_its_names() -> None:
    class Pair(nn.Module):
        def __init__(self, seed: int):
            super().__init__()
            self.body, self.head = deploy(seed), nn.Linear(4, 2)

    one, other = Pair(1), Pair(2)
    assert [key for key in one.state_dict() if key.startswith("body.")] == [f"body.{key}" for key in KEYS]
    assert other.load_state_dict(one.state_dict()).missing_keys == []
    assert torch.equal(other.body.params["fc.1"][0], one.body.params["fc.1"][0])


def test_layers_of_one_name_and_shared_blobs_have_keys_of_their_own() -> None:
    net = Net.from_text(TWICE)
    assert list(net.state_dict()) == ["ip.weight", "ip.bias", "ip#2.weight", "ip#2.bias"]
    assert net.state_dict()["ip.weight"].data_ptr() == net.state_dict()["ip#2.weight"].data_ptr()


@pytest.mark.parametrize("name", ["w.caffemodel", "w.caffemodel.h5"])
def test_weights_are_saved_and_loaded(tmp_path: Path, name: str) -> None:
    one, other = deploy(1), deploy(2)
    one.save(str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(b"\x89HDF") == name.endswith(".h5")
    other.load(str(tmp_path / name))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_tensors_go_through_a_deploy_net() -> None:
    net = deploy(1)
    images = torch.randn(5, 3, 8, 8)  # not the 2 of the text
    probabilities = net(images)
    assert probabilities.shape == (5, 4)
    assert torch.equal(probabilities, net({"data": images})[1]["prob"])
    pair = Net.from_text(TWICE)
    found = pair(torch.zeros(2, 3), torch.ones(2, 3))
    assert list(found) == ["x", "y"]
    with pytest.raises(ConfigError, match=r"1 tensor\(s\) for 2 tops of Input layers \(a, b\)"):
        pair(torch.zeros(2, 3))
