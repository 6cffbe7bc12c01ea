"""Forks' texts: all are read; what their fields ask for is done, or needs nothing done, or is refused at its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import running
import torch
from google.protobuf.descriptor import FieldDescriptor

import solver_cli
from solver_cli import Net, Solver, caffe_pb2
from solver_cli.caffe_pb2 import LayerParameter, SolverParameter
from solver_cli.commands import catalogue
from solver_cli.commands.train import train
from solver_cli.errors import ConfigError
from solver_cli.solver import solverspec
from solver_cli.text import forks, netspec, prototxt

GOLDEN = Path(__file__).parents[1] / "golden"
TEXTS = json.loads((GOLDEN / "forks" / "texts.json").read_text())
BVLC = [name for name in json.loads((GOLDEN / "schema.json").read_text()) if "." not in name]
MESSAGES = caffe_pb2.DESCRIPTOR.message_types_by_name
FILES = Path(solver_cli.__file__).parent.rglob("*.py")
SOURCE = "".join(path.read_text() for path in FILES if path.name not in ("forks.py", "caffe_pb2.py"))


@pytest.mark.parametrize("name", TEXTS)
def test_every_fork_text_is_read(name: str) -> None:
    kind, text = TEXTS[name]
    message, places = prototxt.parse(text, getattr(caffe_pb2, kind))
    assert places.children
    assert prototxt.parse(prototxt.to_text(message), type(message))[0] == message


def added() -> Iterator[tuple[str, FieldDescriptor]]:
    """The fields that forks have added to messages of BVLC's, but for the settings of layer types of their own."""
    for name in BVLC:
        if name in MESSAGES and name not in ("V1LayerParameter", "V0LayerParameter"):
            for field in MESSAGES[name].fields:
                if field.number >= 150001 and not (name == "LayerParameter" and field.name.endswith("_param")):
                    yield name, field


@pytest.mark.parametrize(("message", "field"), [(m, f.name) for m, f in added()])
def test_no_field_of_a_fork_is_forgotten(message: str, field: str) -> None:
    known = any((message, field) in fields for fields in (forks.ENGINE_FIELDS, forks.UNREAD_FIELDS, forks.NOT_YET_FIELDS))
    assert known or field in SOURCE, "honour it, or say in text/forks.py that it is refused or needs nothing done"


def test_the_tables_are_about_fields_that_there_are() -> None:
    for message, field in [*forks.ENGINE_FIELDS, *forks.UNREAD_FIELDS, *forks.NOT_YET_FIELDS]:
        assert field in MESSAGES[message].fields_by_name
    assert len({*forks.ENGINE_FIELDS, *forks.UNREAD_FIELDS, *forks.NOT_YET_FIELDS}) == sum(
        map(len, (forks.ENGINE_FIELDS, forks.UNREAD_FIELDS, forks.NOT_YET_FIELDS))
    )
    values = {field for messages in forks.NOT_YET_VALUES.values() for field in messages}
    assert {*forks.KNOWN_TO, *forks.WHY} <= {".".join(pair) for pair in forks.NOT_YET_FIELDS} | values


@pytest.mark.parametrize("field", [f for m, f in added() if m == "SolverParameter"], ids=lambda field: field.name)
def test_a_solvers_field_is_refused_at_its_place(field: FieldDescriptor, tmp_path: Path) -> None:
    if ("SolverParameter", field.name) not in forks.NOT_YET_FIELDS:
        pytest.skip("honoured, or nothing to do")
    value: object = field.default_value
    if catalogue.is_repeated(field):
        value = 1
    elif field.cpp_type == field.CPPTYPE_STRING:
        value = '"other"'
    else:
        value = str(not value).lower() if isinstance(value, bool) else field.default_value + 1
    running.write(tmp_path, solver=f"{running.SOLVER}{field.name}: {value}\n")
    with pytest.raises(
        ConfigError, match=rf"solver.prototxt:8:1: field '{field.name}' \(of .*'s fork\) is not supported( yet|: .+)$"
    ):
        solverspec.check(solverspec.read_solver(str(tmp_path / "solver.prototxt")))


def test_training_a_net_that_asks_for_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asks = ('top: "loss"\n', 'top: "loss"\n  softmax_param { hard_ratio: 0.5 }\n')
    running.write(tmp_path, net=running.changed(running.NET, asks))
    ended = running.call(train, "solver.prototxt")
    assert ended.code == 1
    (line,) = ended.complaints
    where = "net.prototxt:47:19: layer 'loss' (SoftmaxWithLoss):"
    assert line == f"{where} field 'hard_ratio' (of NormFace's fork) is not supported yet"


def refusal(layer: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Net.from_text(f'{running.NET}layer {{ name: "x" bottom: "ip" top: "x" {layer} }}')
    return str(caught.value)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            'type: "Dropout" dropout_param { random_seed: 3 }',
            "field 'random_seed' (of NVCaffe's fork) is not supported: it seeds cuDNN's own draws: the solver's random_seed",
        ),
        (
            'type: "Pooling" pooling_param { pool: LOWRES kernel_size: 1 }',
            "pool: LOWRES (of NormFace's fork) is not supported",
        ),
        ('type: "FlowWarp"', "unknown layer type 'FlowWarp'"),
        (
            'type: "InnerProduct" inner_product_param { num_output: 1 weight_filler { diag_val: 2 } }',
            "field 'diag_val' (of FlowNet2's fork) is not supported yet",
        ),
        (
            'type: "SoftmaxWithLoss" softmaxloss_param { ignore_label: [1, 2] }',
            "field 'softmaxloss_param' (of DeepLab's fork) is not supported: in SoftmaxWithLoss one ignore_label is taken",
        ),
    ],
)
def test_what_is_not_honoured_is_refused(layer: str, words: str) -> None:
    assert words in refusal(layer)


def test_a_field_may_be_known_to_some_types_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(forks.KNOWN_TO, "DropoutParameter.random_seed", {"Dropout"})
    layer = LayerParameter(type="Dropout", dropout_param={"random_seed": 3})
    assert not list(forks.refused(layer, "Dropout"))
    assert list(forks.refused(layer, "Other"))


def test_a_net_of_a_fork_that_states_bvlcs_defaults_is_a_net_of_bvlcs() -> None:
    layer = 'layer { name: "x" type: "Dropout" bottom: "ip" top: "x" dropout_param { scale_train: true } }'
    assert Net.from_text(running.NET + layer).nodes


ENGINES = 'engine: "MKLDNN" mem_param { optimize_train: true } default_conv_algos_override: "0,0,0"'


def test_what_chooses_an_engine_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    text = running.changed(running.NET, ("num_output: 4", 'num_output: 4 engine: MKL2017 conv_algos_override: "1,1,1"'))
    with caplog.at_level("INFO"):
        Net.from_text(f"{ENGINES} {text}")
    (line,) = [r.getMessage() for r in caplog.records if "old engine" in r.getMessage()]
    names = "conv_algos_override, default_conv_algos_override, engine, mem_param"
    assert line == f"Of Intel/NVCaffe/yjxiong: fields {names} choose how an old engine works; nothing to do here"


def test_such_a_solver_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engines = 'engine: "MKLDNN" richness: 100 group_id: [0, 1] store_blobs_in_old_format: true eval_type: "classification"\n'
    running.write(tmp_path, solver=running.SOLVER + engines)
    ended = running.call(train, "solver.prototxt")
    assert (ended.code, ended.complaints) == (0, [])
    names = "engine, group_id, richness, store_blobs_in_old_format"
    assert f"Of Intel/NVCaffe/yjxiong: fields {names} choose how an old engine works; nothing to do here" in ended.log


def test_what_not_even_the_fork_reads_is_said(caplog: pytest.LogCaptureFixture) -> None:
    layer = 'layer { name: "x" type: "Pooling" bottom: "x" top: "y" pooling_param { torch_pooling: true kernel_size: 1 } }'
    Net.from_text('layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 1, 2, 2] } } }' + layer)
    assert "Of NVCaffe: field torch_pooling has no effect, as in the fork, whose code never looks there" in caplog.text


def test_intels_solver_that_does_not_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    running.write(tmp_path, solver=running.SOLVER + "disabled_update: true\n")
    with closing(Solver("solver.prototxt", device="cpu")) as solver:
        before = [blob.clone() for blobs in solver.net.params.values() for blob in blobs]
        solver.step(2)
        after = [blob for blobs in solver.net.params.values() for blob in blobs]
        assert solver.iter == 2 and all(map(torch.equal, before, after))


def test_old_layers_of_forks_have_todays_names() -> None:
    text = 'layers { name: "a" type: INTERP interp_param { zoom_factor: 2 } blobs_lr: 1 } layers { type: DENSE_CRF }'
    net = netspec.parse_net(text).param
    assert [layer.type for layer in net.layer] == ["Interp", "DenseCRF"]
    assert net.layer[0].interp_param.zoom_factor == 2


def test_a_solver_type_of_a_fork_is_told(tmp_path: Path) -> None:
    solver = running.SOLVER + "solver_type: SAG\n"
    running.write(tmp_path, solver=solver)
    with pytest.raises(ConfigError, match="unknown solver type 'SAG'"):
        solverspec.check(solverspec.read_solver(str(tmp_path / "solver.prototxt")))
    assert SolverParameter.SAG > 1000
