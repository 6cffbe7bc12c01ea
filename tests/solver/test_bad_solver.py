"""Whatever number stands in a solver: it trains, or one line says at the field what was expected; doubts are said before."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import logging
import math
from contextlib import closing
from pathlib import Path

import numbers_of
import pytest
from running import ENVIRONMENT, assert_like, call, changed, run, write

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.commands.train import train
from solver_cli.errors import Error
from solver_cli.solver import lr_policy
from solver_cli.solver.solver import Solver
from solver_cli.solver.solverspec import read_solver
from solver_cli.text import prototxt
from solver_cli.updates.rules import RULES

NET = """\
layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
"""
SOLVER = """\
net: "net.prototxt"
base_lr: 0.01
lr_policy: "fixed"
max_iter: 3
solver_mode: CPU
snapshot_prefix: "snap"
"""
FIELDS = [*numbers_of.numbers(SolverParameter.DESCRIPTOR)]
OF_RULE = ["momentum", "momentum2", "rms_decay", "delta", "weight_decay", "clip_gradients"]
OF_POLICY = ["base_lr", "gamma", "power", "stepsize", "stepvalue", "max_iter"]
LONG = ("max_iter", "iter_size", "test_iter")  # whose largest number is asked for and would be done


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, NET, SOLVER)
    return tmp_path


def outcome(param: SolverParameter) -> str:
    """The error's line; "" where the solver trains to its end."""
    Path("solver.prototxt").write_text(prototxt.to_text(param))
    try:
        with closing(Solver("solver.prototxt", device="cpu")) as solver:
            solver.solve()
    except Error as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("rule", "policy", "fields"),
    [
        ("SGD", "fixed", [path[-1].name for path in FIELDS]),
        *((rule, "fixed", OF_RULE) for rule in RULES),
        *(("SGD", policy, OF_POLICY) for policy in lr_policy.POLICIES),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}",
)
def test_every_number(rule: str, policy: str, fields: list[str]) -> None:
    plain = read_solver("solver.prototxt").param
    plain.MergeFrom(SolverParameter(type=rule, lr_policy=policy, gamma=0.5, power=0.7, stepsize=2, stepvalue=[1, 2], random_seed=1))
    plain.MergeFrom(SolverParameter(display=1, test_iter=[1], test_interval=2, snapshot_after_train=False))
    for path in (path for path in FIELDS if path[-1].name in fields):
        for value in numbers_of.values(path[-1]):
            param = SolverParameter()
            param.CopyFrom(plain)
            numbers_of.put(param, path, value)
            if value > 2**30 and path[-1].name in LONG:
                continue
            line = outcome(param)
            assert not line or "prototxt:" in line.partition(" ")[0], line
            if math.isnan(value):
                assert line.startswith("solver.prototxt:") and path[-1].name in line, f"{path[-1].name}: {line}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('type: "Adam" momentum: 1', "momentum of Adam must be at least 0 and below 1, not 1"),
        ('type: "Adam" momentum: -1', "momentum of Adam must be at least 0 and below 1, not -1"),
        ('type: "Adam" momentum2: 1.5', "momentum2 of Adam must be at least 0 and below 1, not 1.5"),
        ('type: "AdaDelta" momentum: 1.5', "momentum of AdaDelta must be between 0 and 1, not 1.5"),
        ('type: "RMSProp" rms_decay: -0.5', "rms_decay of RMSProp must be at least 0 and below 1, not -0.5"),
        ('type: "AdaGrad" delta: -1', "delta of AdaGrad must be 0 or more, not -1"),
        ('type: "SGD" weight_decay: inf', "weight_decay is inf: expected a number of at most 3.4e38"),
        ('type: "SGD" momentum: 1e40', "momentum is inf: expected a number of at most 3.4e38"),
        ('type: "SGD" device_id: 0,1', "field 'device_id' takes one value; several GPUs: device_id: [0, 1], or --gpu 0,1"),
        ('type: "SGD" snapshot: 10,000', "field 'snapshot' takes one value"),
        ('type: "SGD" stepvalue: 10,20', "field 'stepvalue' takes several values in brackets: stepvalue: [1, 2]"),
        ('type: "SGD" weights: "a\\0b"', "weights 'a\\x00b': no file's name holds the character 0"),
    ],
)
def test_refused_at_the_field(text: str, expected: str) -> None:
    Path("solver.prototxt").write_text(f"{SOLVER}{text}\n")
    ended = call(train, "solver.prototxt")
    assert ended.code == 1
    assert len(ended.complaints) == 1
    column = text.index('" ') + 3
    assert_like(ended.complaints[0], f"solver.prototxt:7:{column}: {expected}")


def test_a_gpu_below_0_is_refused_where_a_gpu_is_wanted() -> None:
    Path("solver.prototxt").write_text(changed(SOLVER, ("CPU", "GPU")) + "device_id: -1\n")
    assert outcome(read_solver("solver.prototxt").param).endswith("device_id must be 0 or more, not -1")
    Path("solver.prototxt").write_text(SOLVER + "device_id: -1\n")
    assert outcome(read_solver("solver.prototxt").param) == ""


@pytest.mark.parametrize("policy", ["exp", "step", "multistep"])
def test_a_rate_too_large_for_a_float_is_infinite(policy: str) -> None:
    param = SolverParameter(lr_policy=policy, base_lr=1, gamma=2)
    assert lr_policy.learning_rate(param, 5000, 5000) == math.inf
    assert lr_policy.learning_rate(param, 3, 3) == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test_interval: 5", ":7:1: test_interval without test_iter: there is no test net, and nothing is tested"),
        ("clip_gradients: 0", ":7:1: clip_gradients is 0: every gradient becomes 0"),
        ("weight_decay: -1", ":7:1: weight_decay is -1: it makes the weights grow"),
        ('type: "Adam" delta: 0', ":7:14: delta is 0: Adam divides by 0 where a gradient has always been 0"),
        ("--step stepsize: 5", ":3:1: lr_policy 'step' without gamma, which is 0 then: so is the rate from the first drop on"),
        ("--inv gamma: 0.5", ":3:1: lr_policy 'inv' without power, which is 0 then: the rate stays base_lr"),
        ("--multistep gamma: 0.5", ":3:1: lr_policy 'multistep' without a stepvalue: the rate stays base_lr"),
        ("--multistep gamma: 0.5 stepvalue: [5, 3]", ":7:27: stepvalue 3 stands behind 5"),
        ("--multistep gamma: 0.5 stepvalue: [3, 5]", ""),
        ("clip_gradients: inf", ""),
    ],
)
def test_doubts(text: str, expected: str, caplog: pytest.LogCaptureFixture) -> None:
    policy, _, rest = text.removeprefix("--").partition(" ") if text.startswith("--") else ("fixed", "", text)
    Path("solver.prototxt").write_text(changed(SOLVER, ("fixed", policy)) + rest + "\n")
    with caplog.at_level(logging.WARNING):
        Solver("solver.prototxt", device="cpu").close()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == bool(expected), lines
    if expected:
        assert_like(lines[0], f"solver.prototxt{expected}")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["TanH c", "Dropout"], "layer 'l1' (Dropout) overwrites in place the top of layer 'l0' (TanH), which Caffe's"),
        (["Sigmoid", "Dropout"], "layer 'l1' (Dropout) overwrites in place the top of layer 'l0' (Sigmoid), which Caffe's"),
        (["ReLU", "Dropout"], ""),
        (["ReLU", "Dropout", "BatchNorm"], "layer 'l2' (BatchNorm) overwrites in place the top of layer 'l0' (ReLU), which"),
        (["ReLU c", "BatchNorm"], ""),
        (["TanH", "ReLU c"], ""),
        (["BNLL"], "layer 'l0' (BNLL) works in place, and Caffe's backward pass reads what is overwritten: its gradient goes"),
        (["Power"], "layer 'l0' (Power) works in place, and Caffe's"),
        (["Eltwise"], "layer 'l0' (Eltwise) works in place: Caffe's sum loses its bottom 0 then, the one here does"),
        (["ELU", "ReLU", "Softmax", "ReLU"], "layer 'l1' (ReLU) overwrites ... (ELU)...docs/differences.md (3 layers of this net"),
    ],
)  # fmt: skip
def test_gradients_from_overwritten_blobs(layers: list[str], expected: str, caplog: pytest.LogCaptureFixture) -> None:
    top, text = "ip", ""
    for index, layer in enumerate(layers):
        kind, _, fresh = layer.partition(" ")
        more = 'bottom: "y"' if kind == "Eltwise" else ""
        text += f'layer {{ name: "l{index}" type: "{kind}" bottom: "{top}" {more} top: "{fresh or top}" }}\n'
        top = fresh or top
    Path("net.prototxt").write_text(changed(NET, ('layer { name: "loss"', f'{text}layer {{ name: "loss"'), ('bottom: "ip" bottom', f'bottom: "{top}" bottom')))
    with caplog.at_level(logging.WARNING):
        Solver("solver.prototxt", device="cpu").close()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == bool(expected), lines
    if expected:
        assert_like(lines[0], f"net.prototxt:...: {expected}")


def test_no_gradient_no_doubt(caplog: pytest.LogCaptureFixture) -> None:
    """In front of the first weights nothing is spoilt."""
    between = '''layer { name: "t" type: "TanH" bottom: "x" top: "x" } layer { name: "d" type: "Dropout" bottom: "x" top: "x" }\n'''
    Path("net.prototxt").write_text(changed(NET, ('layer { name: "ip"', f'{between}layer {{ name: "ip"')))
    with caplog.at_level(logging.WARNING):
        Solver("solver.prototxt", device="cpu").close()
    assert not caplog.records


def test_nan_before_any_update_is_no_fault_of_the_rate() -> None:
    between = 'layer { name: "p" type: "Power" bottom: "ip" top: "p" power_param { power: 0.5 shift: -1e9 } }\n'
    Path("net.prototxt").write_text(changed(NET, ('layer { name: "loss"', f'{between}layer {{ name: "loss"'), ('bottom: "ip" bottom', 'bottom: "p" bottom')))
    line = outcome(read_solver("solver.prototxt").param)
    assert "layer 'p' (Power): its top 'p' is the first blob that holds NaN" in line
    assert line.endswith("look into the settings of this layer and of those before it, and into the data and weights that it got")
    assert "base_lr" not in line


def test_names_that_are_not_utf8(folder: Path) -> None:
    name = "caf\udce9.prototxt"
    (folder / name).write_text(SOLVER.replace('snapshot_prefix: "snap"\n', ""))
    with pytest.raises(Error, match=r"snapshot_prefix in it.*is not in UTF-8"):
        read_solver(name)
    for args in ([name], ["solver.prototxt", "--set", "snapshot_prefix=caf\udce9"]):
        ended = call(train, *args)
        assert ended.code == 2
        assert "these bytes are not UTF-8" in ended.stderr


def test_in_a_locale_without_letters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}.items():
        monkeypatch.setitem(ENVIRONMENT, name, value)
    (folder / "net.prototxt").write_text(f'name: "nötz" # Lösung\n{NET}')
    (folder / "solver.prototxt").write_text(f"# 解\n{SOLVER}")
    assert run("solver-train", "solver.prototxt", folder=folder).code == 0
    for old, field in (('"snap"', "snapshot_prefix"), ('"net.prototxt"', "net file")):
        (folder / "solver.prototxt").write_text(changed(SOLVER, (old, '"ö"')))
        ended = run("solver-train", "solver.prototxt", folder=folder)
        assert ended.code == 1
        assert len(ended.complaints) == 1
        assert f"{field} '" in ended.complaints[0]
        assert ended.complaints[0].endswith("this locale has no such letters (ascii): set PYTHONUTF8=1")
