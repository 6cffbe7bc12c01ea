"""Texts that are wrong in ordinary ways: what the line says, the near name it gives, and how --set reads a value."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import pytest

from solver_cli.caffe_pb2 import LayerParameter, NetParameter, SolverParameter
from solver_cli.errors import ConfigError, nearest
from solver_cli.registry import layer_types
from solver_cli.text import prototxt
from solver_cli.text.netspec import filter_layers, parse_net
from solver_cli.text.number_types import check_types
from solver_cli.text.remedies import how_made

LAYER, SOLVER = ([f.name for f in of.DESCRIPTOR.fields if f.number < 3000] for of in (LayerParameter, SolverParameter))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "params_pair { solver_params { max_iter: 3 } batch_size: 8 }",
            "1:1: SolverParameter has no field 'params_pair' (of Intel's fork): solver-train trains such a schedule of "
            "solvers; here one of them is wanted, in a file of its own",
        ),
        ("device_id: 0,1", "1:1: field 'device_id' takes one value; several GPUs: device_id: [0, 1], or --gpu 0,1"),
        ("max_iter: 3\ndevice_id: [0, 1.5]", "2:1: field 'device_id' takes one value; several GPUs: device_id: [0, 1], or --gpu 0,1"),
        ("max_iter: 10,000", "1:1: field 'max_iter' takes one value"),
        ("max_iter: 100 000", "1:1: field 'max_iter' takes one value"),
        ("base_lr: 0,01", "1:1: field 'base_lr' takes one value"),
        ("base_lr: -0,01", "1:1: field 'base_lr' takes one value"),
        ('net: ["a", "b"]', "1:1: field 'net' takes one value"),
        ("test_iter: 10, 20, 30", "1:1: field 'test_iter' takes several values in brackets: test_iter: [1, 2]"),
        ("update_interval: 2", "1:1: SolverParameter has no field 'update_interval' (of yjxiong's fork): iter_size takes so many passes an update"),
        ("12: 3", "1:1: SolverParameter has no field '12'"),
        ("max_iter: 1\n{", "2:1: expected a field's name, not '{'"),
        ("max_iter: O", "1:11: expected a whole number, not 'O'"),
    ],
)
def test_several_values_for_one(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        prototxt.parse(text, SolverParameter, "s")
    assert str(error.value) == f"s:{expected}"


def test_several_values_inside_a_layer() -> None:
    with pytest.raises(ConfigError, match="n:2:16: field 'num_output' takes one value"):
        prototxt.parse("layer { inner_product_param {\n  bias_term: 1 num_output: 1,2 } }", NetParameter, "n")


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("lstm_param", LAYER, ""),
        ("bn_param", LAYER, ""),
        ("roi_pooling_param", LAYER, ""),
        ("center_loss_param", LAYER, ""),
        ("annotated_data_param", LAYER, ""),
        ("prior_box_param", LAYER, ""),
        ("permute_param", LAYER, ""),
        ("normalize_param", LAYER, ""),
        ("correlation_param", LAYER, ""),
        ("pool_param", LAYER, "pooling_param"),
        ("conv_param", LAYER, "convolution_param"),
        ("innerproduct_param", LAYER, "inner_product_param"),
        ("lrn_parm", LAYER, "lrn_param"),
        ("transform_params", LAYER, "transform_param"),
        ("dropout", LAYER, "dropout_param"),
        ("buttom", LAYER, "bottom"),
        ("loss_wieght", LAYER, "loss_weight"),
        ("batch_size", SOLVER, ""),
        ("snapshot_iter", SOLVER, ""),
        ("baselr", SOLVER, "base_lr"),
        ("step_size", SOLVER, "stepsize"),
        ("max_iters", SOLVER, "max_iter"),
        ("policy", SOLVER, "lr_policy"),
        ("momentun", SOLVER, "momentum"),
        ("ROIPooling", [name for name in layer_types() if "ROI" not in name], ""),
        ("LeakyReLU", list(layer_types()), ""),
        ("Slcie", list(layer_types()), "Slice"),
        ("Conv", list(layer_types()), "Convolution"),
        ("SoftmaxLoss", list(layer_types()), "SoftmaxWithLoss"),
        ("RELU", list(layer_types()), "ReLU"),
        ("Adma", ["Adam", "SGD"], "Adam"),
        ("onw", ["own", "other"], "own"),
    ],
)
def test_nearest(name: str, known: list[str], near: str) -> None:
    assert nearest(name, known) == (f" (did you mean '{near}'?)" if near else "")


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("snapshot_prefix", '"x"', "x"),
        ("snapshot_prefix", "'x y'", "x y"),
        ("snapshot_prefix", 'a "b"', 'a "b"'),
        ("snapshot_prefix", "[a]", "[a]"),
        ("snapshot_prefix", r"a\d", r"a\d"),
        ("test_net", '"a","b"', ["a", "b"]),
        ("test_net", "a,b", ["a", "b"]),
        ("test_iter", "[1, 2]", [1, 2]),
        ("test_iter", "1,2", [1, 2]),
    ],
)
def test_set_field(field: str, text: str, value: object) -> None:
    param = SolverParameter(test_iter=[7], test_net=["old"])
    prototxt.set_field(param, field, text)
    assert getattr(param, field) == value


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("device_id", "0,1", "field 'device_id' takes one value; several GPUs: device_id: .0, 1., or --gpu 0,1"),
        ("snapshot_prefix", r'"a\d"', "begins no escape"),
        ("snapshot_prefix", "caf\udce9", "the value is not in UTF-8"),
        ("caf\udce9", "1", "the field's name is not in UTF-8"),
        ("base_lr", '"0.1"', "expected a number, not"),
    ],
)
def test_set_field_refuses(field: str, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        prototxt.set_field(SolverParameter(), field, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer { name: 'a' type: 'Power' power_param { scale: nan } }", "n:1:47: layer 'a' (Power): scale is not a number"),
        ("layer { name: 'a' type: 'Scale' scale_param { filler { value: -inf } } }", "n:1:56: layer 'a' (Scale): value is -inf: expected a number of at most 3.4e38"),
        ("layer { name: 'a' type: 'Eltwise' eltwise_param { coeff: [1, 1e39] } }", "n:1:62: layer 'a' (Eltwise): coeff is inf"),
        ("layer { name: 'a' type: 'ReLU' param { lr_mult: nan } }", "n:1:40: layer 'a' (ReLU): lr_mult is not a number"),
        ("layer { name: 'a' type: 'Clip' clip_param { min: 0 max: inf } }", ""),
        ("layer { name: 'a' type: 'Clip' clip_param { min: nan max: inf } }", "n:1:45: layer 'a' (Clip): min is not a number"),
        ("layer { name: 'a' type: 'ReLU' include { phase: TRAIN } loss_weight: nan }", ""),
    ],
)
def test_numbers_of_layers(text: str, expected: str) -> None:
    if not expected:
        filter_layers(parse_net(text, "n"))
        return
    with pytest.raises(ConfigError) as error:
        filter_layers(parse_net(text, "n"))
    assert str(error.value).startswith(expected)


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf"])
def test_a_scale_of_the_loss_is_above_0(scale: str) -> None:
    net = parse_net(f"name: 'x'\nglobal_grad_scale: {scale}", "n")
    with pytest.raises(ConfigError, match=rf"n:2:1: global_grad_scale must be above 0, not {scale}"):
        check_types(net, [])


def test_how_missing_data_are_made() -> None:
    assert how_made("configs/mnist/mnist_train_lmdb") == ": solver-tools data mnist makes it"
    assert how_made("examples/mnist/mnist_test_lmdb") == ": solver-tools data mnist --to examples/mnist makes it"
    assert how_made("configs/unet/cells_train.txt") == ": python configs/unet/make_cells.py makes it"
    assert how_made("configs/cifar10/cifar10_train_lmdb") == ": solver-tools data cifar10 makes it"
    assert how_made("configs/siamese/mnist_siamese_test_lmdb") == ": solver-tools data siamese makes it"
    assert how_made("my/own_lmdb") == ""


@pytest.mark.parametrize(
    ("text", "first", "all_of_them"),
    [
        ("device_id: [2, 0,\n1]", 2, [2, 0, 1]),
        ("device_id: 1\n# device_id: 5\ndevice_id: 3", 1, [1, 3]),
        ("device_id: [4]", 4, []),
        ("device_id: 4", 4, []),
        ('snapshot_prefix: "device_id: [7, 8]"', 0, []),
    ],
)
def test_several_gpus_of_a_solver(text: str, first: int, all_of_them: list[int]) -> None:
    param, place = prototxt.parse(f"base_lr: 1\n{text}\nmax_iter: 3", SolverParameter)
    assert (param.device_id, list(param.device_ids), param.max_iter) == (first, all_of_them, 3)
    assert place.find("max_iter").line == 3 + text.count("\n")
    with pytest.raises(ConfigError, match=f"{4 + text.count(chr(10))}:1: SolverParameter has no field 'mx'"):
        prototxt.parse(f"base_lr: 1\n{text}\nmax_iter: 3\nmx: 2", SolverParameter)


def test_transform_param_within_a_data_param_belongs_to_the_layer() -> None:
    text = 'layer { type: "ImageData" image_data_param { batch_size: 1 transform_param { scale: 2 } } }'
    with pytest.raises(ConfigError) as error:
        prototxt.parse(text, NetParameter, "n")
    assert str(error.value) == (
        "n:1:60: ImageDataParameter has no field 'transform_param': it stands in the layer: move it out of these braces"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layers { type: CONVOLUTION3D }", "n:1:16: layer type 'CONVOLUTION3D' (of C3D's fork) is not there: --layers brings types of your own"),
        ("layer { convolution_param { kernel_shape { dim: 3 } } }", "(of video-caffe's fork): kernel_size: [3, 3, 3] says it to a convolution; pooling over three axes is not there"),
    ],
)  # fmt: skip
def test_names_of_other_caffes_say_whose_they_are(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        prototxt.parse(text, NetParameter, "n")
    assert words in str(error.value)
