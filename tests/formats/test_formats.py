"""Weights and solver states: real files, our own, old ones, and everything that is neither."""

import errno
import io
import os
import random
import resource
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from fuzz.readers import older_state

from solver_cli import caffe_pb2
from solver_cli.commands import upgrading
from solver_cli.errors import SnapshotError
from solver_cli.formats import caffemodel, identify, solverstate, wire
from solver_cli.formats.atomic import atomic_write, check_place, leftovers

GOLDEN = Path(__file__).parents[1] / "golden" / "formats"
BINARY = ["v1", "v1_upgraded", "shared", "batchnorm", "diff"]


def message(name):
    return caffe_pb2.NetParameter.FromString((GOLDEN / f"{name}.caffemodel").read_bytes())


def put(path, content):
    path.write_bytes(content)
    return path


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def complaint(read, path):
    with pytest.raises(SnapshotError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def net_of(*layers):
    net = caffe_pb2.NetParameter(name="net")
    for name in layers:
        net.layer.add(name=name, type="InnerProduct")
    return net


# --- real files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BINARY)
def test_real_weights_read_as_the_message_says(name):
    net = message(name)
    weights = caffemodel.read(GOLDEN / f"{name}.caffemodel")
    assert not weights.hdf5
    for layer, ours in zip(net.layer or net.layers, weights.layers, strict=True):
        assert ours.name == layer.name
        for blob, array, legacy in zip(layer.blobs, ours.blobs, ours.legacy, strict=True):
            assert array.dtype == np.float32
            assert array.ravel().tolist() == list(blob.data)
            old = (blob.num, blob.channels, blob.height, blob.width)
            assert array.shape == (old if legacy else tuple(blob.shape.dim))
            assert legacy == blob.HasField("num")


def test_v1_types_have_todays_names():
    ours = caffemodel.read(GOLDEN / "v1.caffemodel").layers
    upgraded = caffemodel.read(GOLDEN / "v1_upgraded.caffemodel").layers
    assert [(layer.name, layer.type) for layer in ours] == [(layer.name, layer.type) for layer in upgraded]
    for name, number in caffe_pb2.V1LayerParameter.LayerType.items():
        if 0 < number < 1001:  # not the forks', whose numbers clash
            plain = name.replace("_", "").lower().replace("softmaxloss", "softmaxwithloss")
            assert caffemodel._V1_TYPES[number].lower() == plain


def test_a_forks_message_under_a_number_of_bvlcs_does_no_harm(tmp_path):
    def field(number, payload):
        return varint(number << 3 | 2) + varint(len(payload)) + payload

    blob = field(5, np.float32([0.5, -0.25]).tobytes()) + field(7, field(1, b"\x02\x01"))
    boxes = b"\x0d\x00\x00\xf0\x41" + b"\x15\x00\x00\x70\x42" + b"\x20\x01"  # SSD's prior_box_param: min, max, flip
    layer = field(1, b"box") + field(2, b"PriorBox") + field(7, blob)
    layer += b"".join(field(number, boxes) for number in range(130, 250))  # numbers of BVLC's messages, and beyond
    layer += b"\xf8\x0b\x05" + field(191, b"MKLDNN")  # a number and a text under numbers that are nobody's here
    path = put(tmp_path / "ssd.caffemodel", field(1, b"ssd") + field(100, b"") + field(100, layer))
    weights = caffemodel.read(path).layers[1]
    assert (weights.name, weights.type, weights.blobs[0].tolist()) == ("box", "PriorBox", [[0.5], [-0.25]])
    net = caffe_pb2.NetParameter.FromString(path.read_bytes())
    assert list(net.layer[1].blobs[0].data) == [0.5, -0.25]
    assert upgrading.upgrade_file(str(path), str(tmp_path / "new.caffemodel"))
    assert caffemodel.read(tmp_path / "new.caffemodel").layers[1].blobs[0].tolist() == [[0.5], [-0.25]]


def varint(number):
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


@pytest.mark.parametrize("name", ["shared", "batchnorm", "diff"])
def test_a_real_file_is_written_again_byte_by_byte(name):
    net = message(name)
    blobs = [layer.blobs for layer in caffemodel.read(GOLDEN / f"{name}.caffemodel").layers]
    diffs = [
        [np.array(b.diff, np.float32).reshape(tuple(b.shape.dim)) for b in layer.blobs if b.diff] for layer in net.layer
    ]
    for layer in net.layer:
        layer.ClearField("blobs")
    out = io.BytesIO()
    caffemodel.write(out, net, blobs, diffs if name == "diff" else None)
    assert out.getvalue() == (GOLDEN / f"{name}.caffemodel").read_bytes()


def test_legacy_shapes_fit_when_leading_ones_are_dropped():
    layer = next(layer for layer in caffemodel.read(GOLDEN / "v1.caffemodel").layers if layer.type == "InnerProduct")
    assert layer.blobs[0].shape[:2] == (1, 1)
    assert layer.fits(0, layer.blobs[0].shape[2:]) and layer.fits(0, layer.blobs[0].shape)
    assert layer.fits(1, layer.blobs[1].shape[3:])
    assert not layer.fits(0, layer.blobs[0].shape[3:])
    today = caffemodel.LayerWeights("x", None, (np.zeros((1, 1, 2, 3), np.float32),), (False,))
    assert today.fits(0, (1, 1, 2, 3)) and not today.fits(0, (2, 3))


def test_real_hdf5_weights_hold_shared_blobs_once():
    weights = caffemodel.read(GOLDEN / "shared.caffemodel.h5")
    binary = {layer.name: layer for layer in caffemodel.read(GOLDEN / "shared.caffemodel").layers}
    assert weights.hdf5 and {layer.name for layer in weights.layers} == set(binary)
    for layer in weights.layers:
        assert layer.type is None
        assert [a.shape for a in layer.blobs] == (
            [] if layer.name.endswith("_p") else [a.shape for a in binary[layer.name].blobs]
        )


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_real_states_are_read_and_written_again_byte_by_byte(name):
    content = (GOLDEN / f"{name}.solverstate").read_bytes()
    expected = caffe_pb2.SolverState.FromString(content)
    state = solverstate.read(GOLDEN / f"{name}.solverstate")
    assert (state.iter, state.learned_net) == (expected.iter, expected.learned_net)
    assert state.current_step == expected.current_step
    for blob, array in zip(expected.history, state.history, strict=True):
        assert array.shape == tuple(blob.shape.dim) and array.ravel().tolist() == list(blob.data)
    out = io.BytesIO()
    solverstate.write(out, state)
    assert out.getvalue() == content


def test_a_real_hdf5_state_is_written_again_alike(tmp_path):
    state = solverstate.read(GOLDEN / "shared.solverstate.h5")
    assert (state.iter, state.learned_net, state.current_step) == (15, "snapshot_iter_15.caffemodel.h5", 0)
    solverstate.write_hdf5(tmp_path / "again", state)
    alike(GOLDEN / "shared.solverstate.h5", tmp_path / "again")


def test_real_hdf5_weights_are_written_again_alike(tmp_path):
    layers = {layer.name: layer for layer in caffemodel.read(GOLDEN / "shared.caffemodel").layers}
    real = caffemodel.read(GOLDEN / "shared.caffemodel.h5")
    net = net_of(*layers)
    own = {layer.name: layer.blobs for layer in real.layers}
    blobs = [own[name] or own.get(name.removesuffix("_p"), ()) for name in layers]
    shared = {(i, j) for i, name in enumerate(layers) if name.endswith("_p") for j in range(len(blobs[i]))}
    caffemodel.write_hdf5(tmp_path / "again", net, blobs, shared=shared)
    alike(GOLDEN / "shared.caffemodel.h5", tmp_path / "again")


def alike(left, right):
    """The same groups and datasets, of the same types in the file, string padding included."""
    with h5py.File(left) as a, h5py.File(right) as b:
        names = []
        a.visit(names.append)
        others = []
        b.visit(others.append)
        assert names == others
        for name in names:
            if isinstance(a[name], h5py.Dataset):
                assert a[name].id.get_type().equal(b[name].id.get_type())
                assert a[name].shape == b[name].shape and np.array_equal(a[name][()], b[name][()])


# --- what we write ---------------------------------------------------------------------------------------------------


def test_written_weights_parse_as_messages_and_come_back(tmp_path):
    net = net_of("a", "twice", "twice", "empty")
    net.layer[0].param.add(lr_mult=2)
    net.layer[0].include.add(phase=caffe_pb2.TRAIN)
    net.layer[0].inner_product_param.num_output = 3
    rng = np.random.default_rng(0)
    blobs = [
        [rng.random((3, 2), np.float32), rng.random(3, np.float32)],
        [np.float32(7) * np.ones(())],
        [np.ones((0, 4))],
        [],
    ]
    caffemodel.write(tmp_path / "w", net, blobs)
    parsed = caffe_pb2.NetParameter.FromString((tmp_path / "w").read_bytes())
    weights = caffemodel.read(tmp_path / "w")
    assert [layer.name for layer in weights.layers] == ["a", "twice", "twice", "empty"]
    for arrays, layer, ours in zip(blobs, parsed.layer, weights.layers, strict=True):
        assert [tuple(b.shape.dim) for b in layer.blobs] == [a.shape for a in arrays] == [a.shape for a in ours.blobs]
        assert [list(b.data) for b in layer.blobs] == [a.ravel().tolist() for a in arrays]
        assert all(np.array_equal(a, b) for a, b in zip(arrays, ours.blobs, strict=True))
        layer.ClearField("blobs")
    assert parsed == net


def test_arrays_of_any_layout_and_type_are_written_as_float32(tmp_path):
    array = np.arange(12.0).reshape(3, 4).T[::2]
    caffemodel.write(tmp_path / "w", net_of("a"), [[array]])
    (layer,) = caffemodel.read(tmp_path / "w").layers
    assert np.array_equal(layer.blobs[0], array) and layer.blobs[0].dtype == np.float32


def test_hdf5_weights_come_back_with_diffs_beside(tmp_path):
    net = net_of("inception/1x1", "inception/3x3", "inception", "none")
    blobs = [[np.full((2, i + 1), i, np.float32)] for i in range(3)] + [[]]
    diffs = [[array + 10 for array in arrays] for arrays in blobs]
    caffemodel.write_hdf5(tmp_path / "w", net, blobs, diffs, shared={(1, 0)})
    read = {layer.name: layer.blobs for layer in caffemodel.read(tmp_path / "w").layers}
    assert set(read) == {"inception/1x1", "inception/3x3", "inception", "none"}
    assert np.array_equal(read["inception/1x1"][0], blobs[0][0]) and np.array_equal(read["inception"][0], blobs[2][0])
    assert read["inception/3x3"] == read["none"] == ()
    with h5py.File(tmp_path / "w") as file:
        assert np.array_equal(file["diff/inception/3x3/0"], diffs[1][0])


def test_a_blob_that_another_layer_owns_leaves_a_gap(tmp_path):
    caffemodel.write_hdf5(tmp_path / "w", net_of("a"), [[np.zeros(1), np.ones(2)]], shared={(0, 0)})
    (layer,) = caffemodel.read(tmp_path / "w").layers
    assert layer.blobs[0] is None and layer.blobs[1].tolist() == [1, 1]
    assert not layer.fits(0, (1,)) and layer.fits(1, (2,))


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/0"), ("/a",), ("",), ("a//b",), (".",), ("/".join("a" * 52),)])
def test_names_that_hdf5_cannot_hold_are_refused_before_writing(names, tmp_path):
    with pytest.raises(SnapshotError, match=r"cannot be stored in HDF5.*BINARYPROTO"):
        caffemodel.write_hdf5(tmp_path / "w", net_of(*names), [[np.zeros(1)] for _ in names])
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["a/b", "..", "../../a", "/".join("a" * 51), "日", "a\nb"])
def test_odd_names_that_hdf5_can_hold_come_back(name, tmp_path):
    caffemodel.write_hdf5(tmp_path / "w", net_of(name), [[np.ones(2)]])
    assert [layer.name for layer in caffemodel.read(tmp_path / "w").layers if layer.blobs] == [name]
    assert names_in(tmp_path) == ["w"]


def test_of_two_layers_of_one_name_in_hdf5_one_may_have_blobs(tmp_path):
    caffemodel.write_hdf5(tmp_path / "w", net_of("a", "a"), [[], [np.ones(2)]])
    (layer,) = caffemodel.read(tmp_path / "w").layers
    assert layer.name == "a" and [blob.tolist() for blob in layer.blobs] == [[1, 1]]


@pytest.mark.parametrize("write", [solverstate.write, solverstate.write_hdf5])
def test_states_come_back(write, tmp_path):
    history = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(11, np.float32)] * 6
    with atomic_write(tmp_path / "s") as out:
        write(out, solverstate.State(123, "größe_iter_123.caffemodel", 4, history))
    state = solverstate.read(tmp_path / "s")
    assert (state.iter, state.learned_net, state.current_step) == (123, "größe_iter_123.caffemodel", 4)
    assert all(np.array_equal(a, b) for a, b in zip(history, state.history, strict=True))


def test_states_with_more_in_them_are_read(tmp_path):
    state = solverstate.State(5, "w", 0, [np.ones(2, np.float32)])
    out = io.BytesIO()
    solverstate.write(out, state)
    extra = b"".join(wire.message(2000, [b"more"])) + wire.number_field(2001, 3)
    assert len(solverstate.read(put(tmp_path / "s", out.getvalue() + extra)).history) == 1
    solverstate.write_hdf5(tmp_path / "h", state)
    with h5py.File(tmp_path / "h", "a") as file:
        file["data_position"] = [1, 2]
    assert len(solverstate.read(tmp_path / "h").history) == 1


# --- forms that other programs write ---------------------------------------------------------------------------------


def one_blob(blob):
    net = caffe_pb2.NetParameter()
    net.layer.add(name="fc").blobs.append(blob)
    return net.SerializeToString()


def read_one(tmp_path, content):
    (layer,) = caffemodel.read(put(tmp_path / "w", content)).layers
    return layer.blobs[0]


def test_doubles_become_float32(tmp_path):
    blob = caffe_pb2.BlobProto(double_data=[0.1, 1e-3, -7], shape=caffe_pb2.BlobShape(dim=[3]))
    assert read_one(tmp_path, one_blob(blob)).tolist() == np.float32([0.1, 1e-3, -7]).tolist()


def test_v0_layers_inside_v1_layers(tmp_path):
    blob = wire.blob(50, np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2))
    oldest = [b"".join(wire.message(1, [b"ip"])), b"".join(wire.message(2, [b"innerproduct"])), *blob]
    content = wire.message(2, wire.message(1, oldest))
    content = b"".join(piece if isinstance(piece, bytes) else piece.tobytes() for piece in content)
    (layer,) = caffemodel.read(put(tmp_path / "w", content)).layers
    assert (layer.name, layer.type, layer.blobs[0].tolist()) == ("ip", "InnerProduct", [[[[0, 1], [2, 3]]]])


def raw_blob(data, *fields):
    shape = b"".join(wire.message(7, wire.message(1, [b"\x03"])))
    blob = b"".join([*fields, *wire.message(12, [data]), shape])
    return b"".join(wire.message(100, wire.message(1, [b"fc"]) + wire.message(7, [blob])))


@pytest.mark.parametrize(("kind", "dtype"), [(0, "<f8"), (1, "<f4"), (2, "<f2")])
def test_raw_data_of_nvcaffe(kind, dtype, tmp_path):
    content = raw_blob(np.array([1.5, -2, 0.25], dtype).tobytes(), wire.number_field(10, kind))
    assert read_one(tmp_path, content).tolist() == [1.5, -2, 0.25]


def test_numbers_that_are_not_packed(tmp_path):
    loose = b"".join(wire.varint(5 << 3 | wire.FIXED32) + np.float32(value).tobytes() for value in (1, 2))
    shape = b"".join(wire.message(7, [wire.number_field(1, 2), wire.number_field(1, 1)]))
    content = b"".join(wire.message(100, wire.message(1, [b"fc"]) + wire.message(7, [loose + shape])))
    assert read_one(tmp_path, content).tolist() == [[1], [2]]


def test_hdf5_of_doubles_whole_numbers_and_packed_chunks(tmp_path):
    with h5py.File(tmp_path / "w", "w") as file:
        file["data/a/0"] = np.array([0.1, 2])
        file["data/a/1"] = np.array([3, 4], np.int32)
        file.create_dataset("data/a/2", data=np.zeros((1000, 100)), compression="gzip")
    (layer,) = caffemodel.read(tmp_path / "w").layers
    assert [a.dtype for a in layer.blobs] == [np.float32] * 3
    assert layer.blobs[0].tolist() == np.float32([0.1, 2]).tolist() and layer.blobs[1].tolist() == [3, 4]


def test_hdf5_links_out_of_the_file_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "w", "w") as file:
        file["data/a/0"] = np.ones(2)
        file["data/outside"] = h5py.ExternalLink("other.h5", "/data")
        file["data/a/round"] = file["data"]
    assert [layer.name for layer in caffemodel.read(tmp_path / "w").layers] == ["a"]


# --- what is wrong with a file ---------------------------------------------------------------------------------------

READERS = [caffemodel.read, solverstate.read]


@pytest.mark.parametrize("read", READERS)
def test_missing_empty_and_folders(read, tmp_path):
    assert "no such file" in complaint(read, tmp_path / "nothing")
    put(tmp_path / "lenet_iter_100", b"x")
    assert "did you mean 'lenet_iter_100'?" in complaint(read, tmp_path / "lenet_iter_10")
    assert "there is no folder" in complaint(read, tmp_path / "no" / "where")
    assert "empty" in complaint(read, put(tmp_path / "empty", b""))
    assert "directory" in complaint(read, tmp_path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG picture"),
        (b"PK\x03\x04" + bytes(100), "PyTorch"),
        (b'name: "LeNet"\nlayer { name: "data" type: "Data" }\n' * 60, "text"),
        ("größe ".encode() * 400, "text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "web page"),
        (bytes(16) + b"\xde\xc0\xef\xbe" + bytes(4096), "LMDB"),
        (bytes(1000), "unknown kind"),
        (random.Random(1).randbytes(5000), "unknown kind"),
        (caffe_pb2.BlobProto(num=1, channels=3, height=2, width=2, data=[0] * 12).SerializeToString(), "mean"),
    ],
)
@pytest.mark.parametrize("read", READERS)
def test_other_files_are_named(read, content, what, tmp_path):
    assert what in complaint(read, put(tmp_path / "file", content))


def test_text_of_free_length_in_states_of_earlier_versions_is_read_and_its_damage_is_told(tmp_path):
    """libhdf5 itself goes round for ever where the sizes in its heap are damaged."""
    content = older_state()
    state = solverstate.read(put(tmp_path / "state", content))
    assert (state.iter, state.run) == (7, '{"train":{}}')
    heap = content.index(b"GCOL")
    for at in range(heap, heap + 48):
        for value in {0, 1, 255, content[at] ^ 64} - {content[at]}:
            damaged = content[:at] + bytes([value]) + content[at + 1 :]
            try:
                assert solverstate.read(put(tmp_path / "damaged", damaged)).run == state.run
            except SnapshotError as error:
                assert "damaged" in str(error)


def test_weights_for_a_state_and_the_reverse():
    for name in ("adam.solverstate", "shared.solverstate.h5"):
        assert "holds a solver state (a .solverstate), not weights" in complaint(caffemodel.read, GOLDEN / name)
        assert "--snapshot" in complaint(caffemodel.read, GOLDEN / name)
    for name in ("diff.caffemodel", "v1.caffemodel", "shared.caffemodel.h5"):
        assert "holds weights (a .caffemodel), not a solver state" in complaint(solverstate.read, GOLDEN / name)
        assert "--weights" in complaint(solverstate.read, GOLDEN / name)


def test_hdf5_of_something_else(tmp_path):
    with h5py.File(tmp_path / "h", "w") as file:
        file["data"], file["label"] = np.zeros((4, 2)), np.zeros(4)
    for read in READERS:
        assert "an HDF5 file of something else" in complaint(read, tmp_path / "h")


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (caffemodel.read, "shared.caffemodel"),
        (caffemodel.read, "shared.caffemodel.h5"),
        (solverstate.read, "adam.solverstate"),
        (solverstate.read, "shared.solverstate.h5"),
    ],
)
def test_cut_files_are_refused_or_hold_less_and_never_crash(read, name, tmp_path):
    content = (GOLDEN / name).read_bytes()
    for size in range(1, len(content), 501):
        try:
            read(put(tmp_path / "cut", content[:size]))
        except SnapshotError as error:
            assert "\n" not in str(error)
    assert "cut short" in complaint(read, put(tmp_path / "cut", content[:-100]))


@pytest.mark.parametrize("name", ["v1.caffemodel", "sgd.solverstate"])
def test_damaged_bytes_never_crash(name, tmp_path):
    content = (GOLDEN / name).read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        for read in READERS:
            try:
                read(put(tmp_path / "damaged", bytes(damaged)))
            except SnapshotError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        ({"shape": {"dim": [1 << 40, 1 << 40]}, "data": [1, 2]}, "layer 'fc', blob 0: .* but it holds 2"),
        ({"shape": {"dim": [-2]}, "data": [1, 2]}, "its shape is -2, .* but it holds 2"),
        ({"shape": {"dim": [1] * 33}, "data": [1]}, "more than 32 axes"),
        ({"shape": {"dim": [3]}}, "its shape is 3, which is 3 numbers, but it holds 0"),
        (
            {"num": 2, "channels": 1, "height": 1, "width": 2, "data": [1]},
            "2 x 1 x 1 x 2, which is 4 numbers, but it holds 1",
        ),
        ({"data": [1, 2]}, "of one number, which is 1 numbers, but it holds 2"),
    ],
)
def test_shapes_that_lie(blob, message, tmp_path):
    path = put(tmp_path / "w", one_blob(caffe_pb2.BlobProto(**blob)))
    with pytest.raises(SnapshotError, match=message):
        caffemodel.read(path)
    state = caffe_pb2.SolverState(iter=1, history=[caffe_pb2.BlobProto(), caffe_pb2.BlobProto(**blob)])
    state.history[0].data.append(1)
    with pytest.raises(SnapshotError, match=message.replace("layer 'fc', blob 0", "history blob 1")):
        solverstate.read(put(tmp_path / "s", state.SerializeToString()))


def test_lengths_that_lie(tmp_path):
    inner = b"".join(wire.message(1, [b"fc"])) + wire.varint(7 << 3 | 2) + wire.varint(1 << 50)
    assert "damaged" in complaint(caffemodel.read, put(tmp_path / "w", b"".join(wire.message(100, [inner]))))
    outer = b"".join(wire.message(1, [b"net"])) + wire.varint(100 << 3 | 2) + wire.varint(1 << 50)
    assert "cut short" in complaint(caffemodel.read, put(tmp_path / "w", outer))


def test_both_generations_in_one_file(tmp_path):
    net = caffe_pb2.NetParameter()
    net.layer.add(name="new")
    net.layers.add(name="old")
    assert "both 'layer' and 'layers'" in complaint(caffemodel.read, put(tmp_path / "w", net.SerializeToString()))


def test_hdf5_shapes_that_lie(tmp_path):
    with h5py.File(tmp_path / "w", "w") as file:
        file.create_dataset("data/fc/0", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
    assert "layer 'fc', blob 0: its shape is 1048576 x 1048576" in complaint(caffemodel.read, tmp_path / "w")
    with h5py.File(tmp_path / "w", "w") as file:
        file["data/fc/0"] = "words"
    assert "layer 'fc', blob 0: it holds object, not numbers" in complaint(caffemodel.read, tmp_path / "w")


def test_an_hdf5_state_with_a_hole(tmp_path):
    solverstate.write_hdf5(tmp_path / "s", solverstate.State(1, "w", 0, [np.ones(1)] * 3))
    with h5py.File(tmp_path / "s", "a") as file:
        del file["history/1"]
    assert "history blob 1 is missing" in complaint(solverstate.read, tmp_path / "s")
    with h5py.File(tmp_path / "s", "a") as file:
        del file["history/2"], file["iter"]
    assert "damaged" in complaint(solverstate.read, tmp_path / "s")


def test_hdf5_behind_a_user_block_is_hdf5(tmp_path):
    with h5py.File(tmp_path / "w", "w", userblock_size=1024) as file:
        file["data/a/0"] = np.ones(2)
    assert h5py.is_hdf5(tmp_path / "w") and identify.is_hdf5((tmp_path / "w").read_bytes())
    assert caffemodel.read(tmp_path / "w").layers[0].name == "a"


# --- whole or not there ----------------------------------------------------------------------------------------------


def test_atomic_write_replaces_whole_files_only(tmp_path):
    path = put(tmp_path / "w", b"before")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before" and names_in(tmp_path) == ["w"]
    with atomic_write(path) as out:
        out.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after" and names_in(tmp_path) == ["w"]


def test_atomic_write_has_the_rights_of_any_new_file_and_follows_links(tmp_path):
    with atomic_write(tmp_path / "w"):
        pass
    assert (tmp_path / "w").stat().st_mode == put(tmp_path / "plain", b"").stat().st_mode
    (tmp_path / "link").symlink_to("w")
    with atomic_write(tmp_path / "link") as out:
        out.write(b"through")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "w").read_bytes() == b"through"


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(SnapshotError, match=r"does not exist: create it"),
        atomic_write(tmp_path / "no" / "w"),
    ):
        pass


@pytest.mark.parametrize("write", [caffemodel.write, caffemodel.write_hdf5])
def test_a_full_disk_leaves_nothing_behind(write, tmp_path):
    path = put(tmp_path / "w", b"before")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(SnapshotError, match="cannot be written: File too large"), atomic_write(path) as out:
            write(out, net_of("a"), [[np.zeros(1 << 16, np.float32)]])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"before" and names_in(tmp_path) == ["w"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize(("owner", "call"), [(os, "open"), (os, "fsync"), (Path, "replace")])
def test_whatever_the_system_refuses_is_one_line_and_leaves_nothing_behind(owner, call, code, tmp_path, monkeypatch):
    def refuses(*args):
        raise OSError(code, os.strerror(code))

    path = put(tmp_path / "w", b"before")
    monkeypatch.setattr(owner, call, refuses)
    with pytest.raises(SnapshotError, match=f"w: cannot be written: {os.strerror(code)}$"), atomic_write(path) as out:
        out.write(b"after")
    assert path.read_bytes() == b"before" and names_in(tmp_path) == ["w"]


def test_a_name_of_any_length_that_fits_is_written(tmp_path):
    for name in ("n" * 255, "日" * 85):
        check_place(tmp_path / name)
        assert not names_in(tmp_path)
        with atomic_write(tmp_path / name) as out:
            out.write(b"x")
        (tmp_path / name).unlink()
    for name in ("n" * 256, "a\0b", "a\ud800b"):
        with pytest.raises(SnapshotError, match="cannot be written: "):
            check_place(tmp_path / name)
    assert not names_in(tmp_path)


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder"):
        with pytest.raises(SnapshotError, match=r"a device or a pipe|Is a directory"), atomic_write(tmp_path / name):
            pass
    assert sorted(names_in(tmp_path)) == ["folder", "link", "pipe"] and Path("/dev/null").is_char_device()


def test_a_file_belongs_to_its_writer_until_it_has_its_name(tmp_path, monkeypatch):
    """A process that clears up meanwhile leaves it alone, up to the last moment."""
    real, seen = Path.replace, []

    def renamed(path, target):
        seen.append((path.exists(), list(leftovers(tmp_path, "w"))))
        return real(path, target)

    monkeypatch.setattr(Path, "replace", renamed)
    with atomic_write(tmp_path / "w") as out:
        out.write(b"x")
    assert seen == [(True, [])] and names_in(tmp_path) == ["w"]
