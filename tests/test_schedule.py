"""`--grow-batch`: the same records at the same rate a record, in fewer and larger iterations."""

from __future__ import annotations

import pytest

from solver_cli import prototxt
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError
from solver_cli.schedule import Schedule

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
