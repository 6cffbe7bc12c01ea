"""`--grow-batch`: the same records at the same rate a record, in fewer and larger iterations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from running import assert_like, call, changed, write

from solver_cli import Solver
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.commands.train import train
from solver_cli.errors import ConfigError, SnapshotError
from solver_cli.solver.schedule import Schedule
from solver_cli.text import prototxt

STEP = 'base_lr: 0.8 lr_policy: "step" gamma: 0.5 stepsize: 16 max_iter: 64 iter_size: 2'
MULTISTEP = 'base_lr: 1 lr_policy: "multistep" gamma: 0.1 stepvalue: 10 stepvalue: 50 stepvalue: 90 max_iter: 120'
UNEVEN = 'base_lr: 1 lr_policy: "multistep" gamma: 0.3 stepvalue: 7 stepvalue: 7 stepvalue: 20 max_iter: 41 iter_size: 3'
AT_ONCE = 'base_lr: 1 lr_policy: "multistep" gamma: 0.5 stepvalue: 0 stepvalue: 0 stepvalue: 3 stepvalue: 2 max_iter: 30'
SHORT = 'base_lr: 1 lr_policy: "step" gamma: 0.7 stepsize: 3 max_iter: 40 iter_size: 2'
FILES = [STEP, MULTISTEP, UNEVEN, AT_ONCE, SHORT]
NAMES = ["step", "multistep", "uneven", "at_once", "short"]


def read(text: str) -> SolverParameter:
    return prototxt.parse(text, SolverParameter)[0]


def iterations(schedule: Schedule, count: int) -> list[tuple[int, float]]:
    """(passes, rate) of the iterations from the start on."""
    step, result = 0, []
    for iteration in range(count):
        step = schedule.step(iteration, step)
        result.append((schedule.passes(iteration), schedule.rate(iteration, step)))
    return result


def by_pass(schedule: Schedule, count: int) -> list[float]:
    """The rate by pass, of every pass that the iterations make."""
    return [rate / passes for passes, rate in iterations(schedule, count) for _ in range(passes)]


def test_drops_become_passes_until_the_cap() -> None:
    schedule = Schedule(read(STEP), 8)
    found = iterations(schedule, schedule.last)
    assert [passes for passes, _ in found] == [2] * 16 + [4] * 8 + [8] * 4 + [8] * 4
    assert [rate for _, rate in found] == pytest.approx([0.8] * 28 + [0.4] * 4)
    assert [schedule.position(i) for i in (0, 15, 16, 17, 24, 25, 28, 32)] == [0, 15, 16, 18, 32, 36, 48, 64]


def test_the_last_iteration_of_a_stage_makes_what_is_left() -> None:
    found = iterations(Schedule(read(MULTISTEP), 50), 16)
    assert [passes for passes, _ in found] == [1] * 10 + [10] * 4 + [40, 50]  # 40 passes lie between two drops
    assert [rate for _, rate in found] == pytest.approx([1] * 14 + [0.4, 0.05])


@pytest.mark.parametrize("text", FILES, ids=NAMES)
@pytest.mark.parametrize("cap", [4, 7, 64, 1000])
def test_every_pass_has_the_rate_of_the_file(text: str, cap: int) -> None:
    param = read(text)
    plain, growing = Schedule(param), Schedule(param, cap)
    wanted, found = by_pass(plain, param.max_iter), by_pass(growing, growing.last)
    assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-6)
    assert len(wanted) <= len(found) < len(wanted) + growing.passes(growing.last - 1)
    assert all(passes <= cap and rate <= param.base_lr * 1.00001 for passes, rate in iterations(growing, growing.last))
    assert growing.last < plain.last == param.max_iter


@pytest.mark.parametrize("text", FILES, ids=NAMES)
@pytest.mark.parametrize("cap", [4, 7, 64])
def test_the_step_counter_moves_by_one(text: str, cap: int) -> None:
    schedule, step = Schedule(read(text), cap), 0
    for iteration in range(schedule.last):
        step, before = schedule.step(iteration, step), step
        assert step - before in (0, 1)


@pytest.mark.parametrize("text", FILES, ids=NAMES)
@pytest.mark.parametrize("interval", [1, 4, 7, 16])
def test_an_interval_is_due_where_it_is_reached_or_crossed(text: str, interval: int) -> None:
    schedule = Schedule(read(text), 11)
    positions = [schedule.position(i) for i in range(schedule.last + 1)]
    marks = range(0, positions[-1] + 1, interval)
    wanted = sorted({next(i for i, position in enumerate(positions) if position >= mark) for mark in marks})
    assert [i for i in range(schedule.last + 1) if schedule.due(interval, i)] == wanted
    assert [schedule.following(interval, i) for i in range(wanted[-1])] == [
        next(i for i in wanted if i > at) for at in range(wanted[-1])
    ]
    assert not any(schedule.due(0, i) for i in range(9))


def test_asked_in_any_order_it_says_the_same() -> None:
    for text in FILES:
        one, other = Schedule(read(text), 9), Schedule(read(text), 9)
        forward = [(one.passes(i), one.position(i)) for i in range(40)]
        assert [(other.passes(i), other.position(i)) for i in reversed(range(40))] == forward[::-1]


def test_the_plain_schedule_is_the_file() -> None:
    param = read(STEP)
    schedule = Schedule(param)
    assert schedule.last == 64
    assert [schedule.position(i) for i in range(5)] == list(range(5))
    assert [i for i in range(64) if schedule.due(10, i)] == [0, 10, 20, 30, 40, 50, 60]
    param.iter_size = 5
    assert schedule.passes(3) == 5


@pytest.mark.parametrize(
    ("text", "cap", "field", "message"),
    [
        ('lr_policy: "poly"', 8, "lr_policy", "lr_policy step or multistep with a gamma below 1 .* but lr_policy is 'poly'"),
        ('lr_policy: "step" gamma: 1 stepsize: 4', 8, "gamma", "lr_policy step or multistep .* but gamma is 1"),
        (STEP, 2, "iter_size", "--grow-batch 2 is the largest iter_size: it must be above the file's 2"),
    ],
)
def test_what_cannot_grow_is_refused(text: str, cap: int, field: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as found:
        Schedule(read(text), cap)
    assert found.value.field == field


def test_a_gamma_of_zero_grows_to_the_cap() -> None:
    param = read('base_lr: 1 lr_policy: "multistep" gamma: 0 stepvalue: 2 max_iter: 10')
    assert iterations(Schedule(param, 4), 4) == [(1, 1.0), (1, 1.0), (4, 0.0), (4, 0.0)]


# -- runs -----------------------------------------------------------------------------------------------------------

NET = """
layer { name: "in" type: "HDF5Data" top: "x" top: "y" include { phase: TRAIN }
  hdf5_data_param { source: "list.txt" batch_size: 3 shuffle: true } }
layer { name: "in" type: "HDF5Data" top: "x" top: "y" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 5 } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" dropout_param { dropout_ratio: 0.2 } }
layer { name: "out" type: "InnerProduct" bottom: "ip" top: "out"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "out" bottom: "y" top: "loss" }
"""
RUN = """net: "net.prototxt" lr_policy: "step" gamma: 0.5 stepsize: 16 max_iter: 64 iter_size: 2 base_lr: 0.02
momentum: 0.9 weight_decay: 0.001 clip_gradients: 2 test_iter: 2 test_interval: 12 snapshot: 10 snapshot_prefix: "run"
display: 8 average_loss: 3 random_seed: 3 solver_mode: CPU
"""
LAST = 16 + 8 + 4 + 4


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = rng.standard_normal((41, 5), np.float32)
        file["y"] = rng.standard_normal((41, 2), np.float32)
    (tmp_path / "list.txt").write_text("data.h5\n")
    write(tmp_path, NET, RUN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(**options: Any) -> Solver:
    """A run to its end; its snapshots are in the folder."""
    solver = Solver("solver.prototxt", **options)
    solver.solve()
    solver.close()
    return solver


def learned(solver: Solver) -> list[torch.Tensor]:
    return [*(x.blob.detach() for x in solver.net.learned), *solver.history]


def same(one: Solver, other: Solver) -> bool:
    return all(torch.equal(a, b) for a, b in zip(learned(one), learned(other), strict=True))


def figures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the loop, without speeds and what a start or a resume says."""
    lines = [re.sub(r" \(.* iter/s, .* iters\)", "", line) for line in caplog.messages]
    return [
        x for x in lines if re.match(r"Iteration|    (Test|Train) net|Gradient|Effective|The (batch|learning)|Snapsh", x)
    ]


def test_a_growing_run_is_the_one_made_by_hand(folder: Path) -> None:
    """The same passes in the same order, with iter_size, rate and clip_gradients changed at the drops."""
    growing = trained(grow_batch=8)
    assert growing.iter == LAST
    by_hand = Solver("solver.prototxt")
    by_hand.param.ClearField("snapshot")
    by_hand.param.test_interval = 0
    by_hand.param.lr_policy = "fixed"
    for iterations, size, rate in ((16, 2, 0.02), (8, 4, 0.02), (4, 8, 0.02), (4, 8, 0.01)):
        by_hand.param.iter_size, by_hand.param.base_lr, by_hand.param.clip_gradients = size, rate, size
        by_hand.step(iterations)
    by_hand.close()
    assert same(growing, by_hand)
    plain = trained()
    assert plain.iter == 64
    assert repr(growing.net.sources["in"].state_dict()) == repr(plain.net.sources["in"].state_dict())


def test_it_shows_tests_and_saves_where_the_file_does(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "solver_cli")
    schedule = trained(grow_batch=8).schedule
    at = {
        what: [int(match[1]) for line in caplog.messages if (match := re.match(rf"Iteration (\d+), {what}", line))]
        for what in ("Testing", "lr")
    }
    tests, displays, snapshots = ([schedule.reached(i) for i in range(0, 65, every)] for every in (12, 8, 10))
    assert (at["Testing"], at["lr"]) == (tests, displays[:-1])
    assert {path.name for path in folder.glob("*.solverstate")} == {
        f"run_iter_{i}.solverstate" for i in {*snapshots[1:], LAST}
    }
    grown = [line for line in caplog.messages if re.match("The (batch|learning rate)", line)]
    assert grown == [
        "The batch grows at iteration 16: iter_size 2 -> 4, lr 0.02 (the file's iteration 16: iter_size 2, lr 0.01)",
        "The batch grows at iteration 24: iter_size 4 -> 8, lr 0.02 (the file's iteration 32: iter_size 2, lr 0.005)",
        "The learning rate drops at iteration 28: iter_size 8, lr 0.01 (the file's iteration 48: iter_size 2, lr 0.0025)",
    ]


@pytest.mark.parametrize("cap", [8, 5])
def test_resumed_is_never_stopped(cap: int, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the option or without: the snapshot knows."""
    caplog.set_level("INFO", "solver_cli")
    straight = trained(grow_batch=cap)
    lines = figures(caplog)
    states = sorted(folder.glob("run_iter_*.solverstate"), key=lambda path: int(re.findall(r"\d+", path.name)[0]))
    assert len(states) == 7
    for state in states[:-1]:
        for option in (cap, None):
            caplog.clear()
            resumed = Solver("solver.prototxt", grow_batch=option)
            resumed.restore(state.name)
            assert any(f"run with --grow-batch {cap}: this one goes on so" in x for x in caplog.messages) == (option is None)
            caplog.clear()
            resumed.solve()
            resumed.close()
            assert same(resumed, straight), state
            assert figures(caplog) == lines[-len(figures(caplog)) :], state


def test_a_snapshot_from_before_the_first_drop_may_begin_to_grow(folder: Path) -> None:
    trained()
    solver = Solver("solver.prototxt", grow_batch=8)
    solver.restore("run_iter_10.solverstate")
    solver.solve()
    solver.close()
    assert same(solver, trained(grow_batch=8))


def refusal(snapshot: str, **options: Any) -> str:
    solver = Solver("solver.prototxt", **options)
    with pytest.raises(SnapshotError) as found:
        solver.restore(snapshot)
    solver.close()
    return str(found.value)


def test_what_does_not_go_on_is_refused(folder: Path) -> None:
    trained()
    assert refusal("run_iter_20.solverstate", grow_batch=8) == (
        "iteration 20 of the snapshot is the file's 20, but with --grow-batch 8 it is the file's 24: grow from before the "
        "first drop on"
    )
    trained(grow_batch=8)
    assert refusal("run_iter_18.solverstate", grow_batch=9) == (
        "--grow-batch 9: the snapshot is of a run with --grow-batch 8; leave it out"
    )
    write(folder, NET, changed(RUN, ("stepsize: 16", "stepsize: 14")))
    assert "put stepsize, stepvalue, gamma and iter_size back" in refusal("run_iter_18.solverstate")


def test_the_command(folder: Path) -> None:
    ended = call(train, "solver.prototxt", "--grow-batch", "4", "--set", "lr_policy=multistep", "--set", "stepvalue=32")
    assert (ended.code, ended.complaints) == (0, [])
    assert any(line.startswith("The batch grows at iteration 32: iter_size 2 -> 4") for line in ended.log)
    assert "Iteration 48, loss = " in " ".join(ended.log)
    ended = call(train, "solver.prototxt", "--grow-batch", "4", "--set", "lr_policy=poly")
    assert ended.code == 1
    (line,) = ended.complaints
    assert_like(line, "solver.prototxt:1:...: --grow-batch 4 grows the batch where lr_policy step or multistep ...'poly'")


def test_batch_norm_is_doubted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = changed(
        NET, ('layer { name: "drop"', 'layer { name: "bn" type: "BatchNorm" bottom: "ip" top: "ip" }\nlayer { name: "drop"')
    )
    write(folder, text, changed(RUN, ("iter_size: 2", "")))
    for option, count in ((None, 0), (8, 1)):
        caplog.clear()
        Solver("solver.prototxt", grow_batch=option).close()
        assert sum("(BatchNorm) takes its statistics from" in line for line in caplog.messages) == count


def test_pycaffe_goes_on_growing(folder: Path) -> None:
    straight = trained(grow_batch=8)
    from solver_cli import pycaffe

    solver = pycaffe.get_solver("solver.prototxt")
    solver.restore("run_iter_18.solverstate")
    assert solver.lr == pytest.approx(0.02)
    solver.solve()
    assert solver.iter == LAST
    assert same(solver.core, straight)
