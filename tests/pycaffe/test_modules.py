"""The parts of pycaffe that need no engine: io, NetSpec, coord_map, draw, Classifier, Detector."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli import caffe_pb2
from solver_cli.errors import ConfigError
from solver_cli.net.net import Net as CoreNet
from solver_cli.pycaffe import coord_map, draw, io
from solver_cli.pycaffe.net_spec import NetSpec, Top, assign_proto, param_name_dict, to_proto
from solver_cli.pycaffe.net_spec import layers as L
from solver_cli.pycaffe.net_spec import params as P
from solver_cli.pycaffe.proto import caffe_pb2 as pycaffe_pb2


def ramp(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


# -- messages and arrays --------------------------------------------------------------------------------------------------


def test_the_messages_are_the_core_s_own():
    assert pycaffe_pb2 is caffe_pb2
    assert pycaffe_pb2.TEST == 1 and pycaffe_pb2.PoolingParameter.AVE == 1


def test_a_blob_comes_back_in_its_shape_with_its_gradient():
    values = ramp(2, 3, 4)
    blob = caffe_pb2.BlobProto.FromString(io.array_to_blobproto(values, -values).SerializeToString())
    assert np.array_equal(io.blobproto_to_array(blob), values)
    assert np.array_equal(io.blobproto_to_array(blob, return_diff=True), -values)
    with pytest.raises(ValueError, match="diff has 23 elements, the array 24"):
        io.array_to_blobproto(values, ramp(23))


def test_a_blob_of_old_style_has_four_axes():
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert np.array_equal(io.blobproto_to_array(blob), ramp(1, 2, 1, 3))
    assert io.blobproto_to_array(caffe_pb2.BlobProto(double_data=[0.1])) == 0.1


def test_a_list_of_blobs_comes_back_from_its_bytes():
    arrays = [ramp(3), ramp(2, 2)]
    back = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str(arrays))
    assert [a.tolist() for a in back] == [a.tolist() for a in arrays]


@pytest.mark.parametrize("values", [ramp(3, 2, 4).astype(np.uint8), ramp(1, 2, 2) - 0.5])
def test_a_datum_comes_back_from_its_bytes(values):
    datum = caffe_pb2.Datum.FromString(io.array_to_datum(values, 7).SerializeToString())
    back = io.datum_to_array(datum)
    assert datum.label == 7 and bool(datum.data) == (values.dtype == np.uint8)
    assert np.array_equal(back, values)
    back[0, 0, 0] = 1  # an array of one's own, not a view of the message


def test_what_is_no_raw_picture_is_refused():
    with pytest.raises(ValueError, match=r"channels, height, width.*\(2, 2\)"):
        io.array_to_datum(ramp(2, 2))
    with pytest.raises(ValueError, match="encoded"):
        io.datum_to_array(caffe_pb2.Datum(encoded=True, data=b"x"))


# -- Transformer ----------------------------------------------------------------------------------------------------------


def test_preprocess_takes_its_steps_in_caffe_s_order():
    transformer = io.Transformer({"data": (5, 3, 2, 2)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 10)
    transformer.set_mean("data", np.array([1.0, 2.0, 3.0]))
    transformer.set_input_scale("data", 0.5)
    picture = ramp(2, 2, 3)
    before = picture.copy()
    values = transformer.preprocess("data", picture)
    # channel 0 is the picture's last: pixels 2, 5, 8, 11; times 10, less 1, times 0.5
    assert values.dtype == np.float32
    assert values[0].tolist() == [[9.5, 24.5], [39.5, 54.5]]
    assert values[2].tolist() == [[-1.5, 13.5], [28.5, 43.5]]
    assert np.array_equal(picture, before)
    assert np.allclose(transformer.deprocess("data", values[np.newaxis]), picture)


def test_preprocess_resizes_to_the_input():
    transformer = io.Transformer({"data": (1, 1, 2, 2)})
    transformer.set_transpose("data", (2, 0, 1))
    values = transformer.preprocess("data", ramp(4, 4, 1))
    assert values.tolist() == [[[2.5, 4.5], [10.5, 12.5]]]
    assert transformer.deprocess("data", values[np.newaxis]).shape == (2, 2, 1)


@pytest.mark.parametrize("mean", [np.full((2, 2), 3.0), np.full((4, 4), 3.0), np.full((3, 4, 4), 3.0), np.full(3, 3.0)])
def test_a_mean_of_any_shape_is_brought_to_the_input_s(mean):
    transformer = io.Transformer({"data": (1, 3, 2, 2)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", mean)
    assert np.array_equal(transformer.preprocess("data", np.full((2, 2, 3), 5.0)), np.full((3, 2, 2), 2.0))


def test_settings_that_do_not_fit_the_input_are_refused():
    transformer = io.Transformer({"data": (1, 3, 2, 2)})
    for refused, words in [
        (lambda: transformer.preprocess("image", ramp(2, 2, 3)), "image is not one of the net inputs"),
        (lambda: transformer.set_transpose("data", (1, 0)), "needs 3 axes"),
        (lambda: transformer.set_channel_swap("data", (1, 0)), "needs 3 channels"),
        (lambda: transformer.set_mean("data", ramp(2)), "Mean channels incompatible"),
        (lambda: transformer.set_mean("data", ramp(2, 2, 2)), "Mean channels incompatible"),
        (lambda: transformer.set_mean("data", ramp(1, 3, 2, 2)), "Mean shape invalid"),
    ]:
        with pytest.raises(ValueError, match=words):
            refused()


# -- pictures -------------------------------------------------------------------------------------------------------------


def test_one_or_three_channels_are_resized_as_areas():
    # Twice as wide: a pixel's halves lie a quarter towards the neighbours; beyond the edge is the least value, 0.
    assert io.resize_image(np.array([[[0.0], [4.0]]]), (1, 4)).ravel().tolist() == [0, 1, 3, 3]
    assert io.resize_image(ramp(1, 4, 3), (1, 2))[0, :, 0].tolist() == [1.5, 7.5]
    assert io.resize_image(ramp(1, 4, 1), (1, 2), interp_order=0).ravel().tolist() == [1, 3]


def test_other_numbers_of_channels_are_resized_as_points():
    assert io.resize_image(ramp(1, 2, 2), (1, 5))[0, :, 0].tolist() == [0, 0.5, 1, 1.5, 2]


def test_a_picture_of_one_value_keeps_it():
    resized = io.resize_image(np.full((3, 3, 3), 0.25), (7, 5))
    assert resized.shape == (7, 5, 3) and resized.dtype == np.float32 and (resized == 0.25).all()


def test_what_cannot_be_resized_is_refused():
    with pytest.raises(ValueError, match="interp_order 3 is not supported"):
        io.resize_image(ramp(2, 2, 3), (4, 4), interp_order=3)
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        io.resize_image(ramp(2, 2), (4, 4))


def test_oversample_takes_corners_middle_and_mirrors():
    picture = ramp(4, 6, 1)
    crops = io.oversample([picture, picture + 100], (2, 2))
    assert crops.shape == (20, 2, 2, 1)
    assert crops[:5, 0, 0, 0].tolist() == [0, 4, 12, 16, 8]
    assert np.array_equal(crops[5:10], crops[:5, :, ::-1])
    assert np.array_equal(crops[10:], crops[:10] + 100)
    with pytest.raises(ValueError, match="5 x 2 does not fit into a picture of 4 x 6"):
        io.oversample([picture], (5, 2))


def test_pictures_are_read_as_rgb_from_0_to_1(tmp_path):
    cv2 = pytest.importorskip("cv2")
    bgr = np.array([[[255, 0, 0], [0, 255, 0], [51, 102, 0]]], np.uint8)
    colour, grey, alpha, deep = (str(tmp_path / f"{name}.png") for name in ("colour", "grey", "alpha", "deep"))
    cv2.imwrite(colour, bgr)
    cv2.imwrite(grey, bgr[..., 1])
    cv2.imwrite(alpha, np.concatenate([bgr, bgr[..., :1]], 2))
    cv2.imwrite(deep, bgr[..., 1].astype(np.uint16) * 257)
    rgb = np.array([[[0, 0, 1], [0, 1, 0], [0, 0.4, 0.2]]], np.float32)
    assert np.array_equal(io.load_image(colour), rgb) and io.load_image(colour).dtype == np.float32
    assert np.array_equal(io.load_image(alpha), rgb)
    assert io.load_image(grey).tolist() == np.repeat(rgb[..., 1:2], 3, 2).tolist()
    assert np.array_equal(io.load_image(deep, color=False), rgb[..., 1:2])
    # Grey of colour: 0.2125 red + 0.7154 green + 0.0721 blue.
    assert np.allclose(io.load_image(colour, color=False)[0, :, 0], [0.0721, 0.7154, 0.4 * 0.7154 + 0.2 * 0.0721])


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "notes.png"
    for content in (b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(OSError, match="not a picture"):
            io.load_image(path)
    with pytest.raises(FileNotFoundError):
        io.load_image(tmp_path / "absent.png")


# -- NetSpec --------------------------------------------------------------------------------------------------------------

LENET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 1 dim: 28 dim: 28 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool1" top: "ip1"
        inner_product_param { num_output: 50 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 10 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" loss_weight: 0.5 }
"""


def lenet() -> NetSpec:
    n = NetSpec()
    n.data = L.Input(shape={"dim": [2, 1, 28, 28]})
    n["label"] = L.Input(shape=[{"dim": 2}])
    n.conv1 = L.Convolution(
        n.data, kernel_size=5, num_output=20, weight_filler={"type": "xavier"}, param=[{"lr_mult": 1}, {"lr_mult": 2}]
    )
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.ip1 = L.InnerProduct(n.pool1, inner_product_param={"num_output": 50, "weight_filler": {"type": "xavier"}})
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.ip2 = L.InnerProduct(n.relu1, num_output=10)
    n.accuracy = L.Accuracy(n.ip2, n.label, include={"phase": caffe_pb2.TEST})
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label, loss_weight=0.5)
    return n


def test_a_spec_gives_the_text_that_one_would_write_and_the_net_builds():
    net = lenet().to_proto()
    assert net == text_format.Parse(LENET, caffe_pb2.NetParameter())
    built = CoreNet.from_text(str(net), "TRAIN")
    assert [tuple(b.shape) for b in built.params["ip1"]] == [(50, 2880), (50,)]


def test_tops_without_a_name_are_numbered_by_type():
    data, label = L.DummyData(shape=[{"dim": [1, 4]}, {"dim": [1]}], ntop=2)
    first = L.InnerProduct(data, num_output=2)
    net = to_proto(L.SoftmaxWithLoss(L.InnerProduct(L.ReLU(first, in_place=True), num_output=3), label))
    names = ["DummyData1", "InnerProduct1", "ReLU1", "InnerProduct2", "SoftmaxWithLoss1"]
    assert [layer.name for layer in net.layer] == names
    assert list(net.layer[0].top) == ["DummyData1", "DummyData2"]
    assert list(net.layer[2].top) == ["InnerProduct1"] == list(net.layer[3].bottom)
    assert len(first.to_proto().layer) == 2


def test_several_tops_and_none():
    n = NetSpec()
    n.data = L.Input(shape={"dim": [1, 2, 3]})
    n.left, n.right = L.Slice(n.data, ntop=2, slice_point=1)
    n.quiet = L.Silence(n.right, ntop=0)
    layers = {layer.name: layer for layer in n.to_proto().layer}
    assert list(layers) == ["data", "left", "quiet"]
    assert list(layers["left"].top) == ["left", "right"] and list(layers["left"].slice_param.slice_point) == [1]
    assert list(layers["quiet"].bottom) == ["right"] and not layers["quiet"].top
    CoreNet.from_text(str(n.to_proto()), "TEST")


def test_a_deep_net_of_nameless_layers_needs_no_recursion():
    top = L.Input(shape={"dim": 1})
    for _ in range(3 * sys.getrecursionlimit()):
        top = L.ReLU(top)
    assert len(top.to_proto().layer) == 3 * sys.getrecursionlimit() + 1


def test_what_is_no_setting_and_no_top_is_refused_by_name():
    data = L.Input(shape={"dim": 1})
    with pytest.raises(AttributeError, match=r"layer 'InnerProduct1' \(InnerProduct\): cannot set num_outputs = 3"):
        L.InnerProduct(data, num_outputs=3).to_proto()
    with pytest.raises(TypeError, match=r"ReLU input 0 is not a Top \(type is <class 'str'>\)"):
        L.ReLU("data")
    n = NetSpec()
    assert not hasattr(n, "conv")
    with pytest.raises(KeyError):
        n["conv"]
    assert isinstance(data, Top) and not hasattr(L, "__wrapped__")


def test_settings_are_found_by_the_layer_s_type():
    names = param_name_dict()
    assert (names["Convolution"], names["ReLU"], names["LRN"]) == ("convolution", "relu", "lrn")
    message = caffe_pb2.LayerParameter()
    assign_proto(message, "param", {"lr_mult": 3})
    assign_proto(message, "loss_weight", (1, 2))
    assign_proto(message, "convolution_param", {"kernel_size": 3, "weight_filler": {"std": 0.5}})
    assert message.param[0].lr_mult == 3 and list(message.loss_weight) == [1, 2]
    assert list(message.convolution_param.kernel_size) == [3] and message.convolution_param.weight_filler.std == 0.5


# -- coordinate maps ------------------------------------------------------------------------------------------------------


def upsampled(padding: int) -> tuple[Top, Top]:
    """A picture, and what an FCN makes of it: padded, convolved, pooled by 4, upsampled by 4."""
    data = L.Input(shape={"dim": [1, 3, 64, 64]})
    conv = L.Convolution(data, kernel_size=3, pad=padding, num_output=2)
    pool = L.Pooling(L.ReLU(conv, in_place=True), pooling_param={"kernel_size": 4, "stride": 4})
    return data, L.Deconvolution(pool, convolution_param={"kernel_size": 8, "stride": 4, "num_output": 2})


def test_an_upsampled_map_is_cropped_where_the_picture_begins():
    # Position 0 of the picture is `padding` - 1 in the convolution, (that - 1.5) / 4 in the pooling, 4 * that + 3.5 at last.
    for padding in (1, 10, 30):
        data, score = upsampled(padding)
        axis, scale, shift = coord_map.coord_map_from_to(score, data)
        assert (axis, scale, shift) == (1, 1, -(padding - 1 - 1.5 + 3.5))
        layer = coord_map.crop(score, data).to_proto().layer[-1]
        assert layer.type == "Crop" and layer.crop_param.axis == 2 and list(layer.crop_param.offset) == [padding + 1]


def test_the_axes_may_differ():
    data = L.Input(shape={"dim": [1, 1, 9, 9]})
    conv = L.Convolution(data, kernel_size=[3, 5], stride=[1, 2], pad=[0, 1], dilation=[2, 1], num_output=1)
    axis, scale, shift = coord_map.coord_map(conv.fn)
    assert axis == 1 and scale.tolist() == [1, 0.5] and shift.tolist() == [-2, -0.5]


def test_a_map_leads_through_many_branches_quickly():
    data = top = L.Input(shape={"dim": [1, 1, 9, 9]})
    for _ in range(60):  # 2^60 ways from end to end
        top = L.Eltwise(L.ReLU(top), L.Sigmoid(top))
    assert coord_map.coord_map_from_to(top, data) == (None, 1, 0)
    assert coord_map.crop(top, data).to_proto().layer[-1].crop_param.offset == [0]


def test_what_cannot_be_mapped_or_cropped_is_refused():
    data, score = upsampled(0)
    flat = L.InnerProduct(score, num_output=1)
    with pytest.raises(RuntimeError, match="not connected"):
        coord_map.coord_map_from_to(flat, data)
    with pytest.raises(RuntimeError, match="not connected"):
        coord_map.crop(L.Pooling(data, global_pooling=True), data)
    with pytest.raises(AssertionError, match="negative offset"):
        coord_map.crop(L.Convolution(data, kernel_size=3, num_output=1), data)
    with pytest.raises(AssertionError, match="scale mismatch"):
        coord_map.crop(L.Pooling(data, kernel_size=2, stride=2), data)
    with pytest.raises(AssertionError, match="noninteger"):
        coord_map.crop(L.Deconvolution(data, kernel_size=2), data)
    with pytest.raises(AssertionError, match="kernel_h"):
        coord_map.crop(L.Convolution(data, kernel_h=2, kernel_w=2), data)
    with pytest.raises(coord_map.AxisMismatchException, match="1 and 2"):
        coord_map.compose((1, 1, 0), (2, 1, 0))


# -- drawing --------------------------------------------------------------------------------------------------------------


def test_drawing_without_pydot_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    monkeypatch.setitem(sys.modules, "pydotplus", None)
    with pytest.raises(ConfigError, match=r"solver-train\[draw\]"):
        draw.draw_net(lenet().to_proto(), "LR")


def test_labels_say_what_the_layers_do():
    conv, pool = (lenet().to_proto().layer[i] for i in (2, 3))
    assert draw.get_layer_label(conv, "TB") == '"conv1 (Convolution) kernel size: 5 stride: 1 pad: 0"'
    assert draw.get_layer_label(conv, "LR", True).endswith(r'pad: 0\nlr mult: 1.0, 2.0"')
    assert draw.get_layer_label(pool, "TB") == '"pool1 (Pooling MAX) kernel size: 2 stride: 2 pad: 0"'
    sides = L.Convolution(num_output=1, kernel_h=3, kernel_w=1).to_proto().layer[0]
    assert "kernel size: 3 x 1 " in draw.get_layer_label(sides, "TB")
    assert draw.get_edge_label(conv) == "20" and draw.get_edge_label(pool) == '""'
    with pytest.raises(ValueError, match="Pooling layers do not have"):
        draw.get_layer_lr_mult(pool)


def test_a_graph_has_the_phase_s_layers_and_their_blobs(tmp_path):
    pytest.importorskip("pydot")
    net = lenet().to_proto()
    graphs = {phase: draw.get_pydot_graph(net, "LR", phase=phase) for phase in (None, 0, 1)}
    names = {phase: {node.get_name() for node in graph.get_nodes()} for phase, graph in graphs.items()}
    assert names[None] == names[1] == names[0] | {'"accuracy_Accuracy"', '"accuracy_blob"'}
    edges = {(e.get_source(), e.get_destination()): e.get_label() for e in graphs[None].get_edges()}
    assert edges['"conv1_Convolution"', '"conv1_blob"'] == "20"
    draw.draw_net_to_file(net, tmp_path / "net.raw", "TB")
    assert (tmp_path / "net.raw").read_text().startswith("digraph")


def test_a_net_of_an_old_format_is_drawn_as_today_s():
    pytest.importorskip("pydot")
    old = text_format.Parse('layers { name: "r" type: RELU bottom: "a:b" top: "c" }', caffe_pb2.NetParameter())
    graph = draw.get_pydot_graph(old, "LR")
    assert {node.get_name() for node in graph.get_nodes()} == {'"r_ReLU"', '"a:b_blob"', '"c_blob"'}
    assert old.layers and not old.layer


# -- Classifier and Detector ----------------------------------------------------------------------------------------------


def saved_net(folder: Path, weights: np.ndarray) -> tuple[str, str]:
    """A net of one InnerProduct without bias over pictures of one channel, and its weights file."""
    outputs, height, width = weights.shape
    n = NetSpec()
    n.data = L.Input(shape={"dim": [2, 1, height, width]})
    n.score = L.InnerProduct(n.data, num_output=outputs, bias_term=False)
    net = n.to_proto()
    (folder / "net.prototxt").write_text(str(net))
    net.layer[1].blobs.append(io.array_to_blobproto(weights.reshape(outputs, -1)))
    (folder / "net.caffemodel").write_bytes(net.SerializeToString())
    return os.fspath(folder / "net.prototxt"), os.fspath(folder / "net.caffemodel")


def test_a_classifier_averages_over_crops(tmp_path):
    from solver_cli.pycaffe.classifier import Classifier

    weights = np.zeros((2, 2, 2))
    weights[0, 0, 0] = weights[1, 1, 1] = 1  # class 0 is a crop's first pixel, class 1 its last
    classifier = Classifier(*saved_net(tmp_path, weights), image_dims=(4, 4), raw_scale=2, mean=np.ones(1))
    picture = ramp(4, 4, 1)
    crops = [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]
    first = [picture[y, x + mirrored, 0] for y, x in crops for mirrored in (0, 1)]
    last = [picture[y + 1, x + 1 - mirrored, 0] for y, x in crops for mirrored in (0, 1)]
    expected = np.array([np.mean(first), np.mean(last)]) * 2 - 1
    predictions = classifier.predict([picture, picture + 1, picture])
    assert predictions.shape == (3, 2)
    assert np.allclose(predictions, [expected, expected + 2, expected])
    assert np.allclose(classifier.predict([picture], oversample=False), [[5 * 2 - 1, 10 * 2 - 1]])


def test_a_classifier_resizes_to_its_input_without_image_dims(tmp_path):
    from solver_cli.pycaffe.classifier import Classifier

    classifier = Classifier(*saved_net(tmp_path, np.ones((1, 2, 2))))
    assert list(classifier.image_dims) == [2, 2]
    assert np.allclose(classifier.predict([ramp(4, 4, 1)], oversample=False), ramp(4, 4, 1).sum() / 4)


def test_a_detector_scores_windows(tmp_path):
    cv2 = pytest.importorskip("cv2")
    from solver_cli.pycaffe.detector import Detector

    picture = str(tmp_path / "picture.png")
    cv2.imwrite(picture, np.arange(48, dtype=np.uint8).reshape(6, 8))
    detector = Detector(*saved_net(tmp_path, np.ones((1, 2, 2))), raw_scale=255)
    detector.transformer.channel_swap["data"] = (0,)  # load_image gives three channels, the net has one
    windows = [(0, 0, 2, 2), (2, 4, 4, 6), np.array([4, 6, 6, 8])]
    found = detector.detect_windows([(picture, windows[:2]), (picture, windows[2:])])
    assert [entry["filename"] for entry in found] == [picture] * 3
    assert all(entry["window"] is window for entry, window in zip(found, windows, strict=True))
    grey = ramp(6, 8)
    assert np.allclose([entry["prediction"] for entry in found], [[grey[a:c, b:d].sum()] for a, b, c, d in windows])
    assert detector.detect_windows([]) == []
    with pytest.raises(ConfigError, match=r"MATLAB.*detect_windows"):
        detector.detect_selective_search([picture])


def test_a_window_comes_with_its_surroundings(tmp_path):
    from solver_cli.pycaffe.detector import Detector

    detector = Detector(
        *saved_net(tmp_path, np.ones((1, 6, 6))), context_pad=1, raw_scale=2, mean=np.array([14.0]), channel_swap=(0,)
    )
    picture = ramp(9, 9, 1)
    # Edges 2 to 5, the last one counted: 4 wide, grown by 6 / (6 - 2) to 7 from 1 on; warped to 6.
    assert np.array_equal(detector.crop(picture, [2, 2, 5, 5]), picture[1:7, 1:7])
    # From -1 on: one row and column outside, filled with the mean in the picture's terms, 14 / 2.
    corner = detector.crop(picture, [0, 0, 3, 3])
    assert (corner[0] == 7).all() and (corner[:, 0] == 7).all()
    assert np.array_equal(corner[1:, 1:], picture[:5, :5])
    with pytest.raises(ValueError, match="outside the picture of 9 x 9"):
        detector.crop(picture, [20, 20, 23, 23])
    detector.configure_crop(None)
    assert detector.crop(picture, [0, 1, 3, 9]).shape == (3, 8, 1)
