"""A state is resumed by the run that it is of: the same rule, the same learned blobs in the same order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import NET, SOLVER, Ended, call, changed, write

from solver_cli.commands.train import train
from solver_cli.formats import runstate, solverstate

STATE = "snap_iter_2.solverstate"
TWO = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "one" type: "Bias" bottom: "x" top: "one" }
layer { name: "two" type: "Bias" bottom: "x" top: "two" }
layer { name: "loss" type: "EuclideanLoss" bottom: "one" bottom: "two" top: "loss" }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def trained(*options: str, code: int = 0) -> Ended:
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == code, ended.stderr[-500:]
    return ended


def forge(**changes: Any) -> None:
    solverstate.write(STATE, replace(solverstate.read(STATE), **changes))


def test_the_state_of_another_rule_is_refused() -> None:
    trained()
    before = Path(STATE).read_bytes()
    for rule in ("AdaGrad", "RMSProp", "Nesterov", "Adam"):
        options = ("--snapshot", STATE, "--set", f"type={rule}", "--set", "max_iter=4")
        assert trained(*options, code=1).complaints == [
            f"{STATE}: its history is one of SGD (solver.prototxt), not of {rule}: resume with --set type=SGD, or start "
            "from its weights with --weights snap_iter_2.caffemodel"
        ]
    assert Path(STATE).read_bytes() == before and not list(Path().glob("*_4.*"))


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_equal_blobs_in_another_order_are_told_apart(form: str) -> None:
    write(Path(), TWO)
    trained("--set", f"snapshot_format={form}")
    order = [('"one" type', '"tmp" type'), ('"two" type', '"one" type'), ('"tmp" type', '"two" type')]
    write(Path(), changed(TWO, *order))
    options = ("--snapshot", "auto", "--set", "max_iter=4", "--set", f"snapshot_format={form}")
    (line,) = trained(*options, code=1).complaints
    assert "history blob 0 is of layer 'one', blob 0, the net's of layer 'two', blob 0 (net.prototxt:3:1)" in line


def test_equal_counts_of_another_shape_are_told_apart() -> None:
    trained()
    *others, weight, bias = solverstate.read(STATE).history
    forge(history=[*others, weight.reshape(144, 5), bias], run="")
    (line,) = trained("--snapshot", STATE, code=1).complaints
    assert "history blob 2 has the shape 144 5 (720), the net's is 5 144 (720)" in line


def test_a_state_of_ours_without_its_origin_resumes() -> None:
    trained()
    run = runstate.loads(solverstate.read(STATE).run)
    del run["origin"]
    forge(run=runstate.dumps(run))
    ended = trained("--snapshot", STATE, "--set", "max_iter=3")
    assert f"{STATE} does not say its solver type: taken for SGD, but " in "\n".join(ended.log)
    assert not any("Caffe wrote this" in line for line in ended.log)


@pytest.mark.parametrize("origin", [3, {}, {"type": "SGD"}, {"type": "SGD", "file": "", "random_seed": 1, "blobs": [1]}])
def test_an_origin_that_no_run_writes_is_damage(origin: Any) -> None:
    trained()
    forge(run=runstate.dumps({**runstate.loads(solverstate.read(STATE).run), "origin": origin}))
    (line,) = trained("--snapshot", STATE, code=1).complaints
    assert line.startswith(f"{STATE}: the file is damaged: what it says of its origin cannot be read")


def test_caffe_s_state_is_taken_for_what_fits_it(case_folder: Callable[[str], Path]) -> None:
    case_folder("resume_binaryproto")
    state, more = "snapshot_iter_20.solverstate", ("--set", "max_iter=21", "--set", "test_interval=100")
    (line,) = trained("--snapshot", state, "--set", "type=AdaGrad", "--set", "momentum=0", *more, code=1).complaints
    assert "its history has negative values where AdaGrad keeps squares" in line and "type=SGD or Nesterov" in line
    words = f"{state} does not say its solver type: taken for SGD, but Nesterov fits as well"
    assert words in trained("--snapshot", state, *more).log


@pytest.mark.parametrize(("field", "value"), [("iter", -1), ("iter", 2**31), ("current_step", -3), ("current_step", 2**40)])
def test_numbers_that_no_solver_counts_to_are_damage(field: str, value: int) -> None:
    trained()
    forge(**{field: value})
    (line,) = trained("--snapshot", STATE, code=1).complaints
    assert line.startswith(f"{STATE}: the file is damaged: its ") and line.endswith(f" is {value}")


def test_what_a_resumed_run_does_not_take_up_is_said(folder: Path) -> None:
    trained()
    ended = "\n".join(trained("--snapshot", STATE, "--set", "random_seed=7").log)
    assert "random_seed is 7, the snapshot's run had 1: its random numbers go on" in ended
    assert f"{STATE} is of iteration 2, max_iter is 2: nothing is left to train" in ended


def test_more_steps_than_stepvalues_count_as_with_caffe(folder: Path) -> None:
    write(folder, NET, changed(SOLVER, ('"fixed"', '"multistep" gamma: 2 stepvalue: 5 display: 1')))
    trained()
    forge(current_step=3, run="", history=[np.zeros_like(blob) for blob in solverstate.read(STATE).history])
    ended = trained("--snapshot", STATE, "--set", "max_iter=3")
    said = "current_step is 3, but there are 1 stepvalues: the rate is base_lr * gamma ^ 3, as with Caffe"
    assert f"{STATE}: {said}" in ended.log
    assert "Iteration 2, lr = 0.8" in ended.log
