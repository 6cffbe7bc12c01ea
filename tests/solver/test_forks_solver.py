"""Settings of forks' solvers: what is refused, what goes together, what a run and its states do with them."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import math
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import SOLVER, assert_like, call, changed, write

from solver_cli.caffe_pb2 import BlobProto, SolverParameter, SolverState
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train
from solver_cli.formats import solverstate
from solver_cli.solver.lr_policy import learning_rate, step_counter
from solver_cli.solver.schedule import Schedule
from solver_cli.text import prototxt

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(settings: str, *options: str) -> list[str]:
    """The log of a run with these settings more, instead of those of SOLVER."""
    own = [name for name in re.findall(r"(\w+):", settings) if f"{name}:" in SOLVER]
    write(Path(), NET, re.sub(rf"\b({'|'.join(own)}): \S+" if own else "$^", "", SOLVER) + settings)
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == 0, ended.stderr
    return ended.log


@pytest.mark.parametrize(
    ("settings", "field", "expected"),
    [
        ("warmup_iter: 3 rampup_interval: 3", "rampup_interval", "rampup_interval (NVCaffe's) and warmup_iter (Intel's) both"),
        ("min_lr: -1", "min_lr", "min_lr must be 0 or more, not -1"),
        ('lr_policy: "poly" min_lr: 0.5', "min_lr", "min_lr is 0.5, above base_lr, 0.1, from which poly goes down to it"),
        ('lr_policy: "multifixed" stagelr: 1', "stagelr", "lr_policy 'multifixed' needs a stagelr for each stageiter: ...0 times"),
        ('lr_policy: "multifixed"', "lr_policy", "lr_policy 'multifixed' needs a stagelr for each stageiter: it is given 0"),
        ('lr_policy: "sgdr" p_mult: 0.5', "p_mult", "p_mult must be 1 or more, not 0.5"),
        ('lr_policy: "plateau" gamma: -1', "gamma", "lr_policy 'plateau' needs a gamma of 0 or more, not -1"),
        ('momentum_policy: "linear"', "momentum_policy", "unknown momentum_policy 'linear': expected one of fixed, poly, opt"),
        ('weight_decay_policy: "opt"', "weight_decay_policy", "unknown weight_decay_policy 'opt': expected one of fixed, poly"),
        ('weight_decay_policy: "poly"', "weight_decay_policy", "weight_decay_policy 'poly' needs a max_weight_decay: as in 0.16"),
        ('larc_policy: "x"', "larc_policy", "unknown larc_policy 'x': expected scale or clip"),
        ('type: "Adam" larc: true', "larc", "larc is for SGD alone, and Adam knows nothing of it in the fork either: take it"),
        ('type: "Nesterov" momentum_policy: "opt"', "momentum_policy", "momentum_policy is for SGD alone, and Nesterov"),
        ("larc: true local_lr_auto: true", "local_lr_auto", "larc (NVCaffe's) and local_lr_auto (Intel's) both set a blob's"),
        ("amsgrad: true", "amsgrad", "amsgrad is for Adam alone, and SGD knows nothing of it"),
        ("rectified: true", "rectified", "rectified is for Adam alone, and SGD knows nothing of it"),
        ('type: "AdaGrad" regularization_type: "decoupled"', "regularization_type", "regularization_type 'decoupled' is for SGD"),
        ('larc: true regularization_type: "decoupled"', "larc", "larc and regularization_type 'decoupled' are of different forks"),
        ('regularization_type: "decoupled" decoupled_wd_t0: 0', "decoupled_wd_t0", "decoupled_wd_t0 must be 1 or more, not 0"),
        ("lookahead: true lookahead_steps: 0", "lookahead_steps", "lookahead_steps must be 1 or more, not 0"),
        ("clamp_weights_lower: 2 clamp_weights_upper: 1", "clamp_weights_lower", "clamp_weights_lower, 2 is above clamp_weights"),
        ("larc_turbo: true", "larc_turbo", "field 'larc_turbo' (of NVCaffe's fork) is not supported: it makes larc follow how gradients and their history agree"),
        ("lr_dropout: 0.5", "lr_dropout", "field 'lr_dropout' (of jolibrain's fork) is not supported yet"),
    ],
)
def test_refused_at_the_field(settings: str, field: str, expected: str) -> None:
    text = changed(SOLVER, ('lr_policy: "fixed"\n', "")) if "lr_policy" in settings.split(":")[0] else SOLVER
    write(Path(), NET, text + settings + "\n")
    ended = call(train, "solver.prototxt")
    assert ended.code == 1
    (line,) = ended.complaints
    column = re.search(rf"\b{field}:", settings).start() + 1  # type: ignore[union-attr]
    assert_like(line, f"solver.prototxt:{text.count(chr(10)) + 1}:{column}: {expected}")


@pytest.mark.parametrize(
    "settings",
    [
        "warmup_iter: 2", "rampup_interval: 2", "min_lr: 0.01", "larc: true", "local_lr_auto: true", "lookahead: true",
        'momentum_policy: "opt"', 'weight_decay_policy: "poly" max_weight_decay: 1', 'regularization_type: "decoupled"',
    ],
)  # fmt: skip
def test_what_counts_iterations_does_not_grow_the_batch(settings: str) -> None:
    steps = changed(SOLVER, ('"fixed"', '"step"')) + "stepsize: 1 gamma: 0.5\n"
    write(Path(), NET, steps + settings)
    ended = call(train, "solver.prototxt", "--grow-batch", "4")
    assert ended.code == 1
    field = settings.partition(":")[0]
    assert ended.complaints == [f"solver.prototxt:9:1: --grow-batch 4 does not go together with {field}: leave one out"]


def test_plateau_needs_no_display() -> None:
    settings = 'lr_policy: "plateau" plateau_winsize: [1, 2] gamma: 0.5 max_iter: 12 base_lr: 0 '
    silent, shown = ([line for line in trained(settings + more) if "step =" in line] for more in ("", "display: 1"))
    assert [line.rpartition(", ")[2] for line in silent] == ["step = 1", "step = 2"]
    assert shown == silent


def test_a_state_of_ssds_goes_on_where_its_plateau_stood(folder: Path) -> None:
    """The fork's state, without what ours tells of the run: as binary file and as HDF5."""
    state = SolverState(iter=5, current_step=1, minimum_loss=1e-9, iter_last_event=3)
    blobs = [np.zeros((2, 3), np.float32), np.zeros(2, np.float32)]
    state.history.extend(BlobProto(shape={"dim": x.shape}, data=x.ravel().tolist()) for x in blobs)
    Path("ssd.solverstate").write_bytes(state.SerializeToString())
    with h5py.File("ssd.solverstate.h5", "w") as file:
        for name, value in (("iter", 5), ("current_step", 1), ("iter_last_event", 3)):
            file[name] = np.array([value], np.int32)
        file["minimum_loss"] = np.array([1e-9], np.float32)
        for i, blob in enumerate(blobs):
            file[f"history/{i}"] = blob
    for name in ("ssd.solverstate", "ssd.solverstate.h5"):
        settings = 'lr_policy: "plateau" plateau_winsize: [1, 4, 2] gamma: 0.5 max_iter: 12 display: 1'
        lines = trained(settings, "--snapshot", name)
        steps = [line for line in lines if "step =" in line]
        assert steps == [f"Plateau Status: Iteration {at}, step = {step}" for at, step in ((7, 2), (9, 3))]
        after = solverstate.read("snap_iter_12.solverstate")
        assert (after.current_step, after.event) == (3, (pytest.approx(1e-9), 9))


def test_what_another_policy_leaves_in_a_state_means_nothing() -> None:
    """SSD's Caffe writes whatever was in its memory."""
    state = SolverState(iter=1, minimum_loss=math.nan, iter_last_event=-77)
    Path("ssd.solverstate").write_bytes(state.SerializeToString())
    with h5py.File("ssd.solverstate.h5", "w") as file:
        file["iter"], file["current_step"], file["iter_last_event"] = (np.array([x], np.int32) for x in (1, 0, -77))
        file["minimum_loss"] = np.array([1.0])
        file.create_group("history")
    for name in ("ssd.solverstate", "ssd.solverstate.h5"):
        assert solverstate.read(name).event is None


def test_states_of_other_policies_are_as_bvlc_writes_them() -> None:
    trained("")
    state = SolverState.FromString(Path("snap_iter_2.solverstate").read_bytes())
    assert not state.HasField("minimum_loss")
    assert not state.HasField("iter_last_event")


def test_sgdr_restarts_in_longer_and_lower_periods() -> None:
    text = 'base_lr: 0.2 lr_policy: "sgdr" period: 3 p_mult: 1.5 lr_mult: 0.5 min_lr: 0.01 max_iter: 14'
    param, step, wanted = prototxt.parse(text, SolverParameter)[0], 0, []
    for top, length in ((0.2, 3), (0.1, 4), (0.05, 6)):  # 4.5 iterations are 4, and 6 follow from them
        wanted += [0.01 + 0.5 * (top - 0.01) * (1 + math.cos(math.pi * i / length)) for i in range(length)]
    found = []
    for iteration in range(len(wanted)):
        step = step_counter(param, iteration, step)
        found.append(learning_rate(param, iteration, step))
    assert found == pytest.approx(wanted, rel=1e-6)
    assert step == 2
    schedule = Schedule(param)
    schedule.iter = 9
    assert schedule.event() == (pytest.approx(3.4028235e38), 7)


def test_sgdr_without_a_period_falls_once_to_jolibrains_least_rate() -> None:
    param = prototxt.parse('base_lr: 0.2 lr_policy: "sgdr" max_iter: 10', SolverParameter)[0]
    assert [learning_rate(param, i, 0) for i in (0, 5, 10)] == pytest.approx([0.2, (0.2 + 1e-6) / 2, 0.16], rel=1e-5)


def test_steps_behind_a_warm_up_are_made_one_by_one() -> None:
    text = 'base_lr: 1 lr_policy: "multistep" gamma: 0.5 stepvalue: 1 stepvalue: 2 max_iter: 8 warmup_iter: 4 display: 1'
    lines = trained(text)
    assert [line for line in lines if line.startswith("MultiStep")] == [
        "MultiStep Status: Iteration 4, step = 1",
        "MultiStep Status: Iteration 5, step = 2",
    ]
    rates = [float(line.rpartition(" ")[2]) for line in lines if ", lr = " in line]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.75, 0.5, 0.25, 0.25, 0.25])


def test_a_warm_up_from_0_leaves_the_momentum_alone() -> None:
    """Intel's Caffe divides by the rate before, which is 0 there, and its weights are not numbers from the start on."""
    lines = trained("max_iter: 6 warmup_iter: 3 momentum: 0.9 display: 1 base_lr: 0.01")
    losses = [float(line.rpartition(" ")[2]) for line in lines if re.match(r"Iteration .* loss = ", line)]
    assert len(losses) == 7
    assert all(map(math.isfinite, losses))


def test_offset_of_tests() -> None:
    lines = trained("max_iter: 8 test_iter: 1 test_interval: 3 test_offset: 1")
    tests = [re.findall(r"\d+", line)[0] for line in lines if "Testing net" in line]
    assert tests == ["1", "4", "7"]


def test_plan_says_when_a_plateau_lowers_the_rate() -> None:
    write(Path(), NET, changed(SOLVER, ('"fixed"', '"plateau"')) + "plateau_winsize: [20, 10] gamma: 0.1")
    ended = call(tools, "plan", "solver.prototxt")
    expected = "Learning rate (plateau): 0.1 at iteration 0, times 0.1 when the loss has set no new minimum for 20, 10 iterations"
    assert expected in ended.stdout


def test_a_loss_without_its_weight_is_doubted() -> None:
    """CenterLoss and SmoothL1Loss of R-CNN, as in their forks, count for nothing then."""
    smooth = 'layer { name: "smooth" type: "SmoothL1Loss" bottom: "ip" bottom: "y" top: "smooth" smooth_l1_loss_param { sigma: 2 } '
    doubt = "layer 'smooth' (SmoothL1Loss) has no loss_weight, and as in R-CNN's Caffe nothing is learnt from it"
    for weight, doubted in (("", True), ("loss_weight: 0.5", False)):
        write(Path(), NET + smooth + weight + " }", SOLVER)
        ended = call(train, "solver.prototxt")
        assert (doubt in ended.stderr) == doubted


def test_doubts() -> None:
    lines = trained('lr_policy: "multifixed" stagelr: 0.1 stageiter: 9')
    assert not any("base_lr" in line and "missing" in line for line in lines)
    lines = trained('lr_policy: "plateau" gamma: 0.5')
    assert any(line.endswith("lr_policy 'plateau' without a plateau_winsize: the rate stays base_lr") for line in lines)
