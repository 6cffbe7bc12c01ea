"""Schemas of forks (--schema): read, merged by name, and nothing that they have goes unused without a word."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
import torch
from running import assert_like, call, changed, write

from solver_cli import Net, Solver, registry, schema
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train

FORK = """
syntax = "proto2";
package caffe_of_theirs;

message BlobShape { repeated int64 dim = 1; }
message FillerParameter { optional string type = 1; optional string seed_name = 9; }
message PoolingParameter {
  enum PoolMethod { MAX = 0; MEDIAN = 4; }
  optional PoolMethod pool = 1;
}
message ConvolutionParameter {
  optional bool lazy = 40;
  optional uint32 num_output = 1;
  optional string bias_term = 2;
  repeated uint32 group = 5;
  optional bool force_nd_im2col = 17 [default = true];
  optional int32 axis = 16 [default = 1];
}
message TheirsParameter {
  enum Mode { FULL = 0; VALID = 7; }
  optional float strength = 1 [default = 2.5];
  optional Mode mode = 2 [default = VALID];
  optional FillerParameter filler = 3;
  repeated BlobShape shape = 4;
}
message LossParameter { enum Kind { VALID = 0; NONE = 1; } optional Kind kind = 150001; }
message SolverParameter { optional int32 heat = 5; optional float rms_decay = 38 [default = 0.9]; }
message NetParameter { optional string author = 3001; }
message LayerParameter { optional TheirsParameter theirs_param = 150; optional LossParameter loss_param = 101; }
"""
THEIRS = ('type: "ReLU"', 'type: "Theirs" theirs_param { strength: 3 filler { type: "constant" value: 2 } }')
OWN = '''
from torch import nn
from solver_cli.fillers import filled
from solver_cli.registry import layer

@layer("Theirs")
class Theirs(nn.Module):
    """top = strength * w * bottom"""

    def __init__(self, message, shapes):
        super().__init__()
        assert message.Mode.Name(message.mode) == "VALID"
        self.strength, self.weight = message.strength, filled(message.filler, shapes[0][1])

    def forward(self, x):
        return self.strength * self.weight[:, None, None] * x
'''


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder with the fork's schema; what a test adds goes with it."""
    monkeypatch.chdir(tmp_path)
    registry.find("Python")
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    monkeypatch.setattr(schema, "SCHEMA", schema.Schema())
    monkeypatch.setattr(schema, "_added", set())
    monkeypatch.setattr(sys, "path", sys.path[:])
    Path("caffe.proto").write_text(FORK)
    yield
    sys.modules.pop("own", None)


def told(*args: str, code: int = 1, net: str = running.NET, solver: str = running.SOLVER) -> running.Ended:
    write(Path(), net, solver)
    ended = call(train, "solver.prototxt", "--schema", "caffe.proto", *args)
    assert ended.code == code, ended.stderr
    return ended


LAZY = ("kernel_size: 3", "kernel_size: 3\n    lazy: true")


def test_a_field_in_a_layer_is_refused_at_its_place() -> None:
    (line,) = told(net=changed(running.NET, LAZY)).complaints
    assert_like(
        line,
        "net.prototxt:22:5: layer 'conv' (Convolution): ConvolutionParameter.lazy is caffe.proto's, and nothing "
        "here does what it asks for: ...--accept ConvolutionParameter.lazy",
    )


@pytest.mark.parametrize("name", ["lazy", "ConvolutionParameter.lazy"])
def test_a_field_that_is_accepted_trains_as_if_it_were_not_there(name: str) -> None:
    solver = running.SOLVER + "display: 1\n"
    plain = told(code=0, solver=solver)
    ended = told("--accept", name, code=0, net=changed(running.NET, LAZY), solver=solver)
    said = [line for line in ended.log if "not used" in line]
    assert said == ["net.prototxt:22:5: ConvolutionParameter.lazy is caffe.proto's: read, and not used"]
    assert "lazy: true" in ended.stderr
    losses = [[line for line in run.log if "Train net output" in line] for run in (plain, ended)]
    assert losses[0] == losses[1] and len(losses[0]) == 2


def test_accepting_what_is_not_there() -> None:
    net = changed(running.NET, LAZY)
    (line,) = told("--accept", "lazyy", net=net).complaints
    assert line.endswith("--accept lazyy: no such field of a schema's is set here (did you mean 'lazy'?)")
    told("--accept", "lazy", "--accept", "heat", net=net)


def test_outside_of_layers_it_is_a_warning() -> None:
    solver, net = running.SOLVER + "heat: 3\n", 'author: "me"\n' + running.NET
    ended = told(code=0, solver=solver, net=net)
    assert warnings(ended, "not used") == [
        "solver.prototxt:8:1: SolverParameter.heat is caffe.proto's: read, and not used",
        "net.prototxt:1:1: NetParameter.author is caffe.proto's: read, and not used",
    ]
    ended = told("--accept", "heat", "--accept", "author", code=0, solver=solver, net=net)
    assert warnings(ended, "not used") == []


def warnings(ended: running.Ended, words: str) -> list[str]:
    lines = [line for line in ended.stderr.splitlines() if line.startswith("W") and words in line]
    return [line.partition("] ")[2] for line in lines]


def test_other_defaults_are_a_warning_where_nothing_is_given() -> None:
    words = "by default in caffe.proto"
    assert warnings(told(code=0), words) == [
        "solver.prototxt: SolverParameter.rms_decay is 0.9 by default in caffe.proto, 0.99 here: give it to be sure",
        "net.prototxt:19:3: ConvolutionParameter.force_nd_im2col is true by default in caffe.proto, false here: give it to "
        "be sure",
    ]
    net = changed(running.NET, ("num_output: 4", "num_output: 4 force_nd_im2col: false"))
    assert warnings(told(code=0, solver=running.SOLVER + "rms_decay: 0.9\n", net=net), words) == []


POOL = ('type: "ReLU"', 'type: "Pooling" pooling_param { pool: MEDIAN kernel_size: 2 }')


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (POOL, "27:35: ...PoolingParameter.pool: MEDIAN is"),
        (('type: "xavier" }', 'type: "xavier" seed_name: "a" }'), "22:36: ...FillerParameter.seed_name is"),
        (('bottom: "label"', 'bottom: "label" loss_param { kind: VALID }'), "45:32: ...LossParameter.kind is"),
        (("num_output: 4", "num_output: 4 bias_term: true"), "20:19: 'bias_term' of ... is bool here and string in ..."),
        (("num_output: 4", "num_output: 4 group: 1 group: 2"), "20:19: 'group' of ... is uint32 here and repeated ..."),
        (THEIRS, "27:3: layer 'relu' (Theirs): unknown layer type 'Theirs': --layers brings types of your own..."),
    ],
)  # fmt: skip
def test_other_places(change: tuple[str, str], expected: str) -> None:
    (line,) = told(net=changed(running.NET, change)).complaints
    assert_like(line, f"net.prototxt:{expected}")


def test_ours_counts_where_both_know_a_field() -> None:
    told(code=0, net=changed(running.NET, ("num_output: 4", "num_output: 4 group: 1")))


def test_layers_that_the_rules_leave_out_may_say_anything() -> None:
    layer = 'layer { name: "x" type: "Theirs" theirs_param { mode: VALID } include { stage: "never" } }\n'
    told(code=0, net=running.NET + layer)


def test_a_layer_of_one_s_own_gets_the_fork_s_message() -> None:
    Path("own.py").write_text(OWN)
    write(Path(), changed(running.NET, THEIRS))
    options = {"schema": ["caffe.proto"], "layers": ["own.py"]}
    whole = Solver("solver.prototxt", **options)
    assert whole.net.params["relu"][0].tolist() == [2.0] * 4
    (relu,) = [node for node in whole.net.nodes if node.name == "relu"]
    assert torch.equal(relu.run(torch.ones(1, 4, 2, 2)), torch.full((1, 4, 2, 2), 6.0))
    whole.step(1)
    state = whole.snapshot()
    whole.step(1)
    resumed = Solver("solver.prototxt", **options)
    resumed.restore(state)
    resumed.step(1)
    assert torch.equal(whole.net.params["conv"][0], resumed.net.params["conv"][0])
    whole.close()
    resumed.close()
    ended = call(tools, "plan", "solver.prototxt", "--schema", "caffe.proto", "--layers", "own.py")
    assert (ended.code, ended.complaints) == (0, [])
    assert re.search(r"relu +Theirs +4 x 4 x 6 x 6 +4", ended.stdout)


def test_a_function_of_one_s_own_asks_for_what_it_uses() -> None:
    Path("own.py").write_text(
        'from solver_cli.registry import layer\n\n@layer("Theirs")\ndef theirs(x, *, strength):\n    return strength * x\n'
    )
    (line,) = told("--layers", "own.py", net=changed(running.NET, THEIRS)).complaints
    assert_like(line, "net.prototxt:27:45: layer 'relu' (Theirs): TheirsParameter.filler is caffe.proto's, ...")
    told("--layers", "own.py", "--accept", "filler", code=0, net=changed(running.NET, THEIRS))


def test_a_net_of_a_program() -> None:
    schema.add("caffe.proto")
    net = Net.from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "p" type: "Power" bottom: "x" top: "y" theirs_param { shape { dim: 1 } } power_param { scale: 2 } }',
        accept=["theirs_param"],
    )
    assert net.blob_shapes["y"] == (2, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "other.proto: this schema does not exist"),
        ('syntax = "proto2";\nmessage A {\n  optional floot b = 1;\n}\n', 'other.proto:3:12: "floot" is not defined.'),
        ('syntax = "proto2";\nimport "nowhere.proto";\n', "other.proto:2:1: Import \"nowhere.proto\" was not found ..."),
        ("net: \"net.prototxt\"\n", "other.proto:1:1: Expected top-level statement (e.g. \"message\")."),
    ],
)  # fmt: skip
def test_schemas_that_cannot_be_read(text: str | None, expected: str) -> None:
    write(Path())
    if text is not None:
        Path("other.proto").write_text(text)
    ended = call(train, "solver.prototxt", "--schema", "other.proto")
    assert ended.code == 1
    assert_like(ended.complaints[-1], expected)


def test_without_protoc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (line,) = told().complaints
    assert line.endswith("with protoc, which is not here: pip install 'solver-train[schema]'")
