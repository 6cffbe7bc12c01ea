"""Old formats become what Caffe makes of them, with its log lines; every layer keeps its place in the file."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli.caffe_pb2 import LayerParameter, NetParameter, SolverParameter, V0LayerParameter, V1LayerParameter
from solver_cli.errors import ConfigError
from solver_cli.text import prototxt
from solver_cli.text.prototxt import Place
from solver_cli.text.upgrade import net_needs_upgrade, solver_needs_upgrade, upgrade_net, upgrade_solver

GOLDEN = Path(__file__).parents[1] / "golden" / "upgrade"
ROWS = {row["name"]: row for row in json.loads((GOLDEN / "index.json").read_text())["rows"]}
OF_THE_TOOL = ("Wrote upgraded", "File already in latest", "Encountered error(s)")
LEVELS = {"INFO": "I", "WARNING": "W", "ERROR": "E"}


def message_type(row):
    return SolverParameter if "_solver_" in row["command"] else NetParameter


def read(row, name):
    if name.endswith(".caffemodel"):
        return NetParameter.FromString((GOLDEN / name).read_bytes()), None
    return prototxt.parse((GOLDEN / name).read_text(), message_type(row), row["input"])


def upgraded(row):
    """(message, its places, whether it was clean)"""
    message, place = read(row, row["input"])
    if isinstance(message, SolverParameter):
        return message, place, upgrade_solver(message, row["input"])
    return message, place, upgrade_net(message, row["input"], place)


def logged(caplog):
    return [[LEVELS[record.levelname], record.getMessage()] for record in caplog.records]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row["output"]])
def test_message_and_log_are_those_of_caffe(name, caplog):
    row = ROWS[name]
    caplog.set_level(logging.INFO, logger="solver_cli")
    message, _, clean = upgraded(row)
    assert message == read(row, row["output"])[0]
    assert logged(caplog) == [line for line in row["messages"] if not line[1].startswith(OF_THE_TOOL)]
    assert clean is (row["exit"] == 0)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row["output"]])
def test_what_caffe_refuses_is_refused_after_the_same_lines(name, caplog):
    row = ROWS[name]
    caplog.set_level(logging.INFO, logger="solver_cli")
    with pytest.raises(ConfigError, match="both"):
        upgraded(row)
    assert logged(caplog) == row["messages"][:-1]


def test_lines_name_the_place_in_caffes_source_that_log_parsers_know(caplog):
    caplog.set_level(logging.INFO, logger="solver_cli")
    upgraded(ROWS["v0_wrong_field"])
    sites = [record.site for record in caplog.records]
    assert sites == [f"upgrade_proto.cpp:{line}" for line in (28, 237, 295, 350, 33, 39, 55, 63, 69, 72, 74)]


def test_what_needs_an_upgrade_is_known_before_and_nothing_does_after():
    for name, row in ROWS.items():
        message, _ = read(row, row["input"])
        needed = solver_needs_upgrade if isinstance(message, SolverParameter) else net_needs_upgrade
        assert needed(message) is not any("already in latest" in text for _, text in row["messages"]), name
        if row["output"]:
            assert not needed(upgraded(row)[0]) or name == "batchnorm_params", name  # there, its three params stay three


# -- places -------------------------------------------------------------------------------------------------------------


def net(text):
    message, place = prototxt.parse(text, NetParameter, "net.prototxt")
    upgrade_net(message, "net.prototxt", place)
    return message, place


def at(place, path):
    found = place.find(path)
    return found.line, found.column


@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if row["output"] and row["input"].endswith(".prototxt")])
def test_each_layer_stands_where_its_name_does(name):
    row = ROWS[name]
    message, place, _ = upgraded(row)
    if isinstance(message, SolverParameter):
        return
    lines = (GOLDEN / row["input"]).read_text().splitlines()
    assert len(place.children.get("layer", [])) == len(message.layer)
    assert not {"layers", "input", "input_dim", "input_shape"} & place.children.keys()
    for layer, layer_place in zip(message.layer, place.children.get("layer", []), strict=True):
        line = lines[layer_place.line - 1][layer_place.column - 1 :]
        assert line.startswith("input" if layer.type == "Input" and layer.name == "input" else "layer")
        if layer_place.children.get("name"):
            start = layer_place.children["name"][0]
            assert re.match(rf'name: *"{layer.name}"', lines[start.line - 1][start.column - 1 :])


V0 = """\
layers {
  layer { name: "d" type: "data" batchsize: 4
          cropsize: 5 }
  top: "data" top: "label" }
layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "pad" }
layers {
  layer { name: "c" type: "conv"
          kernelsize: 3
          blobs_lr: 1
          blobs_lr: 2 weight_decay: 0 }
  bottom: "pad"
  top: "c" }
layers { layer { name: "o" type: "hdf5_output" hdf5_output_param {
  file_name: "f" } } bottom: "c" }
"""


def test_v0_fields_are_found_under_their_new_names():
    message, place = net(V0)
    assert [layer.name for layer in message.layer] == ["d", "c", "o"]
    assert at(place, "layer[1]") == (6, 1)
    assert at(place, "layer[1].name") == (7, 11)
    assert at(place, "layer[1].convolution_param.kernel_size") == (8, 11)
    assert at(place, "layer[1].param[0].lr_mult") == (9, 11)
    assert at(place, "layer[1].param[0].decay_mult") == (10, 23)
    assert at(place, "layer[1].param[1].lr_mult") == (10, 11)
    assert at(place, "layer[1].bottom") == (11, 3)
    assert at(place, "layer[0].data_param.batch_size") == (2, 34)
    assert at(place, "layer[0].transform_param.crop_size") == (3, 11)
    assert at(place, "layer[0].top[1]") == (4, 15)
    assert at(place, "layer[2].hdf5_output_param.file_name") == (14, 3)


def test_v1_lists_and_old_transform_fields_are_found_under_their_new_names():
    text = """\
layers { name: "a" type: DATA top: "x" data_param { source: "s"
  scale: 2 } }
layers { name: "b" type: INNER_PRODUCT bottom: "x" top: "b"
  param: "w" blobs_lr: 1 blobs_lr: 2
  blob_share_mode: STRICT blob_share_mode: PERMISSIVE }
"""
    message, place = net(text)
    assert message.layer[0].transform_param.scale == 2
    assert at(place, "layer[0].transform_param.scale") == (2, 3)
    assert at(place, "layer[0].data_param.source") == (1, 53)
    assert at(place, "layer[1].param[0].name") == (4, 3)
    assert at(place, "layer[1].param[0].lr_mult") == (4, 14)
    assert at(place, "layer[1].param[1].lr_mult") == (4, 26)
    assert at(place, "layer[1].param[1].share_mode") == (5, 27)


def test_the_input_layer_stands_at_the_first_input_field():
    text = 'name: "n"\ninput: "a" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\ninput: "b"\n' + "input_dim: 5 " * 4
    message, place = net(text + '\nlayer { name: "s" type: "Silence" bottom: "a" bottom: "b" }')
    assert [layer.name for layer in message.layer] == ["input", "s"]
    assert at(place, "layer[0]") == (2, 1)
    assert at(place, "layer[0].top[1]") == (3, 1)
    assert at(place, "layer[0].input_param.shape[0]") == (2, 12)
    assert at(place, "layer[0].input_param.shape[1]") == (4, 1)
    assert at(place, "layer[1].bottom[1]") == (5, 47)


def test_a_net_without_places_gets_a_place_for_each_layer():
    message = NetParameter(input=["x"], input_dim=[1, 1, 1, 1])
    message.layers.add(name="a", type="RELU")
    message.layers.add(name="b", type="BNLL")
    place = Place()
    assert upgrade_net(message, "net.caffemodel", place)
    assert [layer.type for layer in message.layer] == ["Input", "ReLU", "BNLL"]
    assert len(place.children["layer"]) == 3


# -- refusals -----------------------------------------------------------------------------------------------------------

REFUSED = {
    "padding below another type": (
        'input: "x" layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" }\n'
        'layers { layer { name: "r" type: "relu" } bottom: "p" top: "r" }',
        "net.prototxt:2:43: layer 'r' (relu): bottom 'p' is the top of a padding layer, which only conv and pool take",
    ),
    "padding with two tops": (
        'input: "x" layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" top: "q" }\n'
        'layers { layer { name: "c" type: "conv" } bottom: "p" top: "c" }',
        "net.prototxt:2:43: layer 'c' (conv): with the padding layer 'p' below, both must take one bottom and give one top",
    ),
    "conv with two bottoms above padding": (
        'input: "x" layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" }\n'
        'layers { layer { name: "c" type: "conv" } bottom: "x" bottom: "p" top: "c" }',
        "net.prototxt:2:55: layer 'c' (conv): with the padding layer 'p' below, both must take one bottom and give one top",
    ),
    "unknown bottom": (
        'input: "data" layers { layer { name: "r" type: "relu" }\n bottom: "dota" top: "r" }',
        "net.prototxt:2:2: layer 'r' (relu): unknown bottom blob 'dota' (did you mean 'data'?)",
    ),
    "unknown V0 type": (
        'input: "x" layers { layer { name: "r"\n type: "reelu" } bottom: "x" top: "r" }',
        "net.prototxt:2:2: layer 'r' (reelu): unknown layer type 'reelu' (did you mean 'relu'?)",
    ),
    "V1 settings in a V0 net": (
        'layers { layer { name: "d" type: "data" } top: "x" }\nlayers { name: "r" type: RELU bottom: "x" top: "r" }',
        "net.prototxt:2:1: layer 'r': its settings must be inside layer { }, as in the other layers of this V0 net",
    ),
    "V0 and today's layers": (
        'layer { name: "a" type: "ReLU" }\nlayers { layer { name: "d" type: "data" } top: "x" }',
        "net.prototxt:2:1: the net has both `layer` and `layers`: "
        'write all as layer { type: "Name" ... }, or all in one old style',
    ),
    "too few input_dim": (
        'input: "x"\ninput_dim: 1 input_dim: 2',
        "net.prototxt:2:1: 1 input needs 4 input_dim, but there are 2",
    ),
    "too few input_shape": (
        'input: "x" input: "y"\ninput_shape { dim: 1 }',
        "net.prototxt:2:1: 2 input needs 2 input_shape, but there are 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_place_and_remedy(case):
    text, line = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        net(text)
    assert str(caught.value) == line


def test_a_solver_with_both_types_is_refused_at_solver_type():
    with pytest.raises(ConfigError, match="keep type") as caught:
        upgrade_solver(SolverParameter(type="Adam", solver_type=SolverParameter.ADAM), "s.prototxt")
    assert caught.value.field == "solver_type"


def test_shapes_beyond_the_inputs_are_named_before_they_are_dropped(caplog):
    message, _ = net('input: "x" input_shape { dim: 1 } input_shape { dim: 2 }')
    assert [list(shape.dim) for shape in message.layer[0].input_param.shape] == [[1]]
    assert "only the first 1 of 2 input_shape are used" in caplog.text


# -- the tables are complete --------------------------------------------------------------------------------------------


def test_every_v1_type_and_field_has_a_home_today():
    for name, number in V1LayerParameter.LayerType.items():
        message = NetParameter()
        message.layers.add(type=number)
        upgrade_net(message, "net")
        assert bool(message.layer[0].type) is (name != "NONE"), name
    moved = {"param", "blob_share_mode", "blobs_lr", "weight_decay", "layer"}
    today = LayerParameter.DESCRIPTOR.fields_by_name
    for field in V1LayerParameter.DESCRIPTOR.fields:
        assert field.name in moved or field.name == "type" or today[field.name].message_type == field.message_type


@pytest.mark.parametrize("field", [f.name for f in V0LayerParameter.DESCRIPTOR.fields if f.name not in ("name", "type")])
def test_every_v0_field_reaches_a_type_or_is_named_in_the_log(field, caplog):
    settings = V0LayerParameter(name="a")
    value = getattr(settings, field)
    if hasattr(value, "SetInParent"):
        value.SetInParent()
    elif hasattr(value, "append"):
        value.add() if hasattr(value, "add") else value.append(2)
    else:
        setattr(settings, field, value)
    took = []
    for kind in ("conv", "pool", "dropout", "lrn", "images", "window_data", "concat", "hdf5_output", "softmax"):
        caplog.clear()
        settings.type = kind
        message = NetParameter()
        message.layers.add().layer.CopyFrom(settings)
        clean = upgrade_net(message, "net")
        assert clean is ("Unknown parameter" not in caplog.text)
        names = {f.name for f, _ in message.layer[0].ListFields()} - {"name", "type"}
        assert bool(names) is clean
        took += [kind] if clean else []
    assert len(took) < 9 or field in ("blobs", "blobs_lr", "weight_decay", "scale", "meanfile", "cropsize", "mirror")
    assert took or field in ("new_num", "new_channels")


def test_blobs_of_old_weights_come_over_unchanged():
    data = np.arange(1000, dtype=np.float32)
    old = NetParameter()
    blob = old.layers.add(name="c", type="CONVOLUTION").blobs.add(num=10, channels=1, height=10, width=10)
    blob.data.extend(data)
    v0 = NetParameter()
    v0.layers.add().layer.CopyFrom(V0LayerParameter(name="c", type="conv", blobs=[blob]))
    for message in (old, v0):
        upgrade_net(message, "net.caffemodel")
        assert message.layer[0].type == "Convolution"
        assert message.layer[0].blobs[0] == blob


def test_parsed_text_of_the_oldest_style_prints_as_todays():
    message, _ = net('layers { layer { name: "d" type: "data" source: "db" scale: 0.5 } top: "x" }')
    expected = 'layer { name: "d" type: "Data" top: "x" transform_param { scale: 0.5 } data_param { source: "db" } }'
    assert message == text_format.Parse(expected, NetParameter())
