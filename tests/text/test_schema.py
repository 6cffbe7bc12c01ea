"""The schema: every fact of Caffe 1.0's messages, and a committed module that is what generate.py makes of caffe.proto."""

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import EncodeError

from solver_cli import caffe_pb2
from solver_cli.caffe_pb2 import (
    TEST,
    ClipParameter,
    ConvolutionParameter,
    LayerParameter,
    NetParameter,
    NetState,
    Phase,
    PoolingParameter,
    SolverParameter,
    V1LayerParameter,
)

ROOT = Path(__file__).parents[2]
OURS = [range(3001, 4000), range(150001, 160000)]  # field numbers of our own, for what other Caffes than BVLC's have
FORKS_VALUES_FROM = 1001  # the same for values of BVLC's enums
RECORDS = {"BlobProto": [10, 11, 12, 13], "Datum": [8], "SolverState": [5, 6]}  # fields of forks under the forks' numbers
FACTS = json.loads((Path(__file__).parents[1] / "golden" / "schema.json").read_text())


def schema():
    file = FileDescriptorProto()
    caffe_pb2.DESCRIPTOR.CopyToProto(file)
    return file


def field_facts(field):
    """[number, label, type, default as text, "packed" if it is]: as the data file has it."""
    kind = field.type_name or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    label = FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()
    default = comparable(field.default_value, kind) if field.HasField("default_value") else None
    return [field.number, label, kind, default, *(["packed"] if field.options.packed else [])]


def comparable(default, kind):
    """Some protobufs write a float's default with all the digits that float32 has."""
    return float(np.float32(default)) if kind == "float" else default


def expected(facts):
    return {
        name: fact if isinstance(fact, int) or fact[3] is None else [*fact[:3], comparable(fact[3], fact[2]), *fact[4:]]
        for name, fact in facts.items()
    }


def schema_facts():
    file = schema()
    facts = {
        message.name: {field.name: field_facts(field) for field in message.field if not is_forks(message, field)}
        for message in file.message_type
    }
    enums = [(enum.name, enum) for enum in file.enum_type]
    enums += [(f"{message.name}.{enum.name}", enum) for message in file.message_type for enum in message.enum_type]
    return facts | {
        name: {value.name: value.number for value in enum.value if value.number < FORKS_VALUES_FROM} for name, enum in enums
    }


def is_forks(message, field):
    """Whether a fork of Caffe brought this field to a message of BVLC's."""
    return field.number in RECORDS.get(message.name, []) or any(field.number in ours for ours in OURS)


def test_there_are_all_messages_and_enums_of_caffe():
    assert set(FACTS) <= set(schema_facts())


@pytest.mark.parametrize("name", FACTS)
def test_fields_have_caffes_number_type_label_packing_and_default(name):
    assert schema_facts()[name] == expected(FACTS[name])


def test_committed_module_and_stub_are_up_to_date(tmp_path):
    pytest.importorskip("grpc_tools")
    subprocess.run([sys.executable, ROOT / "protos" / "generate.py", tmp_path], check=True)
    stub = "caffe_pb2.pyi"
    assert (tmp_path / stub).read_text() == (ROOT / "solver_cli" / stub).read_text(), "run protos/generate.py"
    show = "import caffe_pb2, sys; sys.stdout.buffer.write(caffe_pb2.DESCRIPTOR.serialized_pb)"
    made = subprocess.run([sys.executable, "-c", show], cwd=tmp_path, check=True, capture_output=True).stdout
    assert FileDescriptorProto.FromString(made) == schema(), "run protos/generate.py"


def weights():
    net = NetParameter(name="n")
    layer = net.layer.add(name="c", type="Convolution", phase=TEST)
    layer.convolution_param.kernel_size.append(3)
    blob = layer.blobs.add()
    blob.shape.dim.extend([2, 1])
    blob.data.extend([0.5, -0.25])
    return net


def test_binary_round_trip():
    net = weights()
    assert NetParameter.FromString(net.SerializeToString()) == net
    assert copy.deepcopy(net) == net
    assert pickle.loads(pickle.dumps(net)) == net


def test_bytes_are_those_of_the_wire_format():
    # written by hand: 1: name, then 100: layer { 1: name, 2: type, 7: blobs { 5: packed data, 7: shape { 1: packed dim } },
    # 10: phase, 106: convolution_param { 4: kernel_size, not packed } }
    blob = b"\x2a\x08" + b"\x00\x00\x00\x3f" + b"\x00\x00\x80\xbe" + b"\x3a\x04\x0a\x02\x02\x01"
    layer = b"\x0a\x01c" + b"\x12\x0bConvolution" + b"\x3a\x10" + blob + b"\x50\x01" + b"\xd2\x06\x02\x20\x03"
    assert weights().SerializeToString(deterministic=True) == b"\x0a\x01n" + b"\xa2\x06" + bytes([len(layer)]) + layer


def test_unpacked_numbers_are_read_too():
    assert list(NetParameter.FromString(b"\x22\x02\x03\x04\x20\x05").input_dim) == [3, 4, 5]


def test_enum_values_are_ints_at_hand_under_their_message():
    assert (Phase.Name(1), Phase.TEST, TEST) == ("TEST", 1, 1)
    assert PoolingParameter.AVE == PoolingParameter.PoolMethod.Value("AVE") == 1
    assert V1LayerParameter.LayerType.Name(V1LayerParameter.DECONVOLUTION) == "DECONVOLUTION"
    assert NetState(phase="TRAIN").phase == 0


def test_defaults_that_are_not_zero():
    solver = SolverParameter()
    assert (solver.type, solver.clip_gradients, solver.random_seed, solver.iter_size) == ("SGD", -1, -1, 1)
    assert solver.delta == pytest.approx(1e-8)
    assert solver.snapshot_format == SolverParameter.BINARYPROTO
    assert solver.solver_mode == SolverParameter.GPU
    assert not solver.HasField("base_lr")
    assert ConvolutionParameter().group == 1


def test_clip_wants_both_of_its_bounds():
    with pytest.raises(EncodeError, match="max"):
        ClipParameter(min=1).SerializeToString()
    assert not LayerParameter().HasField("clip_param")
