"""`solver-tools deploy`: nets as they are used compute what the TEST net does, with what normalises folded in or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from running import assert_like, call, run

from solver_cli import Net
from solver_cli.commands.tools.deploy import command
from solver_cli.export.folding import folded
from solver_cli.text import netspec, prototxt

CONFIGS = Path(__file__).parents[2] / "configs"
INPUTS = {
    "mnist/lenet_train_test": (1, 1, 28, 28),
    "mnist/mnist_autoencoder": (1, 1, 28, 28),
    "cifar10/cifar10_full_train_test": (1, 3, 32, 32),
    "cifar10/cifar10_full_sigmoid_train_test_bn": (1, 3, 32, 32),
    "siamese/mnist_siamese_train_test": (1, 2, 28, 28),
    "unet/unet_small": (1, 1, 96, 96),
}
STAGES = {"mnist/mnist_autoencoder": "test-on-test"}
SCORES = {  # what the TEST net gives, and the deploy net
    "mnist/lenet_train_test": [("ip2", "prob")],
    "mnist/mnist_autoencoder": [("decode1neuron", "decode1neuron")],
    "siamese/mnist_siamese_train_test": [("feat", "feat"), ("feat_p", "feat_p")],
    "unet/unet_small": [("score", "prob")],
}
BIG = {
    "caffenet/train_val": ((1, 3, 227, 227), ["fc8", "prob"]),
    "alexnet/train_val": ((1, 3, 227, 227), ["fc8", "prob"]),
    "googlenet/train_val": ((1, 3, 224, 224), ["loss3/classifier", "prob"]),
    "vgg16/train_val": ((1, 3, 224, 224), ["fc8", "prob"]),
    "resnet50/train_val": ((1, 3, 224, 224), ["fc1000", "prob"]),
}
FOLDED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 6 kernel_size: 3 group: 2
  bias_term: false weight_filler { type: "gaussian" std: 1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "bn" top: "bn" }
layer { name: "up" type: "Deconvolution" bottom: "bn" top: "up" convolution_param { num_output: 4 kernel_size: 2 group: 2
  weight_filler { type: "gaussian" std: 1 } bias_filler { value: 0.5 } } }
layer { name: "bn_up" type: "BatchNorm" bottom: "up" top: "up" }
layer { name: "both" type: "Convolution" bottom: "up" top: "both" convolution_param { num_output: 3 kernel_size: 1
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "bn_both" type: "BatchNorm" bottom: "both" top: "bn_both" }
layer { name: "sum" type: "Eltwise" bottom: "both" bottom: "bn_both" top: "sum" }
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip" inner_product_param { num_output: 5 transpose: true
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "bn_ip" type: "BatchNorm" bottom: "ip" top: "ip" }
layer { name: "offset" type: "Bias" bottom: "ip" top: "ip" bias_param { filler { type: "gaussian" std: 1 } } }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def deployed(name: str, *options: str) -> None:
    shape = INPUTS.get(name)
    more = ["--shape", ",".join(map(str, shape))] if shape else []
    ended = call(command, str(CONFIGS / f"{name}.prototxt"), "deploy.prototxt", *more, *options)
    assert (ended.code, ended.stderr) == (0, "")


def test_net(name: str) -> Net:
    """The TEST net of a config with random weights and statistics, its data given as tensors."""
    param = netspec.read_net(str(CONFIGS / f"{name}.prototxt")).param
    for layer in param.layer:
        if layer.type in ("Data", "HDF5Data"):
            layer.type = "Input"
            for field in ("data_param", "transform_param", "hdf5_data_param"):
                layer.ClearField(field)
            side = INPUTS[name][2:]
            layer.input_param.shape.add(dim=INPUTS[name])
            if len(layer.top) > 1:
                layer.input_param.shape.add(dim=(1, *side) if "unet" in name else (1,))
    kept = [layer for layer in param.layer if layer.type != "Python"]
    del param.layer[:]
    param.layer.extend(kept)
    net = Net.from_text(prototxt.to_text(param), "TEST", 0, (STAGES.get(name, "plain"),), seed=1)
    randomise(net)
    return net


test_net.__test__ = False  # type: ignore[attr-defined]


def randomise(net: Net) -> None:
    generator = torch.Generator().manual_seed(2)
    for node in net.nodes:
        blobs: list[Any] = node.blobs()
        for blob in blobs:
            if node.param.type == "BatchNorm" or blob.dim() == 1:
                blob.data.uniform_(0.5, 1.5, generator=generator)


@pytest.mark.parametrize("name", INPUTS)
def test_a_deploy_net_computes_what_the_test_net_does(name: str) -> None:
    trained = test_net(name)
    trained.save("w.caffemodel")
    deployed(name, "--weights", "w.caffemodel", *(["--stage", STAGES[name]] if name in STAGES else []))
    net = Net.from_file("deploy.prototxt", "TEST")
    net.load("deploy.caffemodel")
    images = torch.rand(INPUTS[name], generator=torch.Generator().manual_seed(3))
    (data,) = net.inputs
    given, found = trained({data: images})[1], net({data: images})[1]
    types = {layer.type for layer in net.param.layer}
    assert not types & {"Data", "HDF5Data", "Accuracy", "Dropout", "Python", "SoftmaxWithLoss", "EuclideanLoss"}
    for theirs, ours in SCORES.get(name, [("ip1", "prob")]):
        wanted = given[theirs].softmax(1) if ours == "prob" else given[theirs]
        torch.testing.assert_close(found[ours], wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", BIG)
def test_the_large_nets_are_deployed_without_their_data(name: str) -> None:
    shape, (scores, prob) = BIG[name]
    deployed(name)
    net = Net.from_file("deploy.prototxt", "TEST", device="meta")
    assert net.inputs == {"data": shape} and net.outputs == [prob]
    last = net.param.layer[-1]
    assert (last.type, list(last.bottom)) == ("Softmax", [scores])
    assert not any("loss1" in layer.name or "loss2" in layer.name for layer in net.param.layer)
    assert not any(layer.param or layer.include or layer.loss_weight for layer in net.param.layer)


SILENT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b" }
layer { name: "ip" type: "InnerProduct" bottom: "a" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "gone" type: "TanH" bottom: "a" top: "gone" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" top: "own" }
layer { name: "silence" type: "Silence" bottom: "b" bottom: "label" bottom: "gone" }
"""


def test_what_is_silenced_is_no_result_and_the_loss_names_its_probabilities() -> None:
    Path("net.prototxt").write_text(SILENT)
    assert call(command, "net.prototxt", "out.prototxt").code == 0
    net = Net.from_file("out.prototxt", "TEST")
    assert net.outputs == ["own"]
    told = [(layer.type, list(layer.bottom)) for layer in net.param.layer]
    assert told[1:] == [("Slice", ["data"]), ("InnerProduct", ["a"]), ("Silence", ["b"]), ("Softmax", ["ip"])]


def test_what_normalises_goes_into_the_weights_before_it() -> None:
    Path("net.prototxt").write_text(FOLDED)
    net = Net.from_text(FOLDED, "TEST", seed=1)
    randomise(net)
    net.save("w.caffemodel")
    done = call(command, "net.prototxt", "out.prototxt", "--weights", "w.caffemodel", "--fold-batch-norm")
    assert (done.code, done.stdout) == (0, "wrote out.prototxt and out.caffemodel\n"), done.stderr
    made = Net.from_file("out.prototxt", "TEST")
    assert [layer.name for layer in made.param.layer] == ["data", "conv", "relu", "up", "both", "bn_both", "sum", "ip"]
    made.load("out.caffemodel")
    images = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(made(images), net(images), rtol=1e-5, atol=1e-5)


def test_the_whole_of_resnet_is_folded() -> None:
    deployed("resnet50/train_val")
    text, blobs = folded(Net.from_file("deploy.prototxt", "TEST", device="meta"))
    assert not {layer.type for layer in text.layer} & {"BatchNorm", "Scale"}
    assert sum(len(own) for own in blobs.values()) == 2 * 54


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("net.prototxt: no layer is left: none computes anything", []),
        ("error: 2 shape(s) for the 1 input(s) (data): give one for each", ["--shape", "1,2", "--shape", "1,2"]),
        ("w.caffemodel: ", ["--weights", "w.caffemodel"]),
    ],
)
def test_refusals_are_one_line_and_nothing_is_written(folder: Path, line: str, options: list[str]) -> None:
    Path("net.prototxt").write_text(FOLDED if options else FOLDED.splitlines()[1])
    ended = run("solver-tools", "deploy", "net.prototxt", "out.prototxt", *options, folder=folder)
    assert ended.code == 1 and len(ended.complaints) == 1
    assert_like(ended.complaints[0], line)
    assert {path.name for path in folder.iterdir()} == {"net.prototxt"}


def test_data_that_are_not_there_ask_for_a_shape() -> None:
    ended = call(command, str(CONFIGS / "mnist/lenet_train_test.prototxt"), "out.prototxt")
    assert ended.code == 1
    assert_like(ended.complaints[0], ".../lenet_train_test.prototxt:10:1: layer 'mnist' (Data): ...give --shape")
    ended = call(command, str(CONFIGS / "mnist/lenet_train_test.prototxt"), "out.prototxt", "--fold-batch-norm")
    assert ended.code == 2 and "give --weights FILE" in ended.stderr
