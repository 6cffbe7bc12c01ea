"""`solver-tools plan` as a user meets it: what it says of a solver, what it advises, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest
import torch
from numpy.random import default_rng
from running import NET, SOLVER, Ended, call, changed, run, write

from solver_cli.caffe_pb2 import Datum, LayerParameter, SolverParameter
from solver_cli.commands import report
from solver_cli.commands.tools import tools
from solver_cli.data import database, hdf5, image
from solver_cli.solver.lr_policy import learning_rate, step_counter

DATA = """
layer {
  name: "data"
  type: "HDF5Data"
  top: "data"
  top: "label"
  include { phase: %s }
  hdf5_data_param { source: "%s.txt" batch_size: %d }
}
"""
NORM = """
layer {
  name: "norm"
  type: "BatchNorm"
  bottom: "conv"
  top: "conv"
  batch_norm_param { %s }
}
"""
BODY = NET[NET.index('layer {\n  name: "conv"') :]
HDF5_NET = DATA % ("TRAIN", "train", 4) + DATA % ("TEST", "test", 5) + BODY
TESTED = "test_iter: 2\ntest_interval: 1\n"
Plan = Callable[..., Ended]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Plan a net and a solver in a folder with HDF5 data of 40 train and 10 test records."""
    monkeypatch.chdir(tmp_path)
    for name, records in (("train", 40), ("test", 10)):
        with h5py.File(f"{name}.h5", "w") as file:
            file["data"] = np.zeros((records, 3, 8, 8), np.float32)
            file["label"] = np.arange(records, dtype=np.float32) % 5
        Path(f"{name}.txt").write_text(f"{name}.h5\n")

    def run_plan(*args: str, net: str = NET, solver: str = SOLVER) -> Ended:
        write(tmp_path, net, solver)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        ended = call(tools, "plan", "solver.prototxt", *args)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before, "something was written"
        return ended

    return run_plan


def advice(ended: Ended) -> list[str]:
    assert (ended.code, ended.stderr) == (0, "")
    return [line.strip() for line in ended.stdout.partition("\nAdvice\n")[2].splitlines()]


# -- what it says ---------------------------------------------------------------------------------------------------


def test_the_layers(plan: Plan) -> None:
    ended = plan()
    assert (ended.code, ended.stderr) == (0, "")
    rows = {line.split()[0]: line for line in ended.stdout.splitlines() if line.startswith("  ")}
    assert re.split(r"  +", rows["conv"].strip())[:5] == ["conv", "Convolution", "4 x 4 x 6 x 6", "112", "15.6 k"]
    assert re.split(r"  +", rows["ip"].strip())[:5] == ["ip", "InnerProduct", "4 x 5", "725", "2.88 k"]
    assert "  total" in ended.stdout and " 837 " in ended.stdout
    assert "train" in ended.stdout and "largest batch" in ended.stdout


def test_the_real_command(tmp_path: Path) -> None:
    write(tmp_path)
    ended = run("solver-tools", "plan", "solver.prototxt", folder=tmp_path)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("solver.prototxt: SGD, 2 iterations\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.prototxt", "solver.prototxt"]


def test_the_batch_may_be_another(plan: Plan) -> None:
    ended = plan("--batch", "7")
    assert "a batch of 7" in ended.stdout and "7 x 4 x 6 x 6" in ended.stdout
    assert "effective batch: 7 = 7 x iter_size 1" in ended.stdout


def test_the_memory_decides_the_largest_batch(plan: Plan) -> None:
    def largest(memory: str) -> int:
        match = re.search(r"largest batch in [^:]*: batch_size ([\d,]+)", plan("--memory", memory).stdout)
        assert match
        return int(match[1].replace(",", ""))

    assert 1.5 < largest("2M") / largest("1M") < 2.5
    assert largest("1024K") == largest("1MiB") == largest("1048576")
    assert "not even one record fits" in plan("--memory", "1K").stdout


@pytest.mark.parametrize("text", ["", "much", "4X", "-1G", "0"])
def test_a_memory_that_is_none(text: str, plan: Plan) -> None:
    assert plan("--memory", text).code == 2


def test_epochs(plan: Plan) -> None:
    solver = changed(SOLVER, ("max_iter: 2", "max_iter: 100")) + "iter_size: 2\ntest_iter: 2\ntest_interval: 10\n"
    text = plan(net=HDF5_NET, solver=solver).stdout
    assert "effective batch: 8 = 4 x iter_size 2" in text
    assert "an epoch of 40 records: 5 iterations" in text
    assert "100 iterations: 20 epochs" in text
    assert "between tests: 10 iterations, 2 epochs" in text


def test_noise(plan: Plan) -> None:
    """g = 0.1 * 40 / (4 * 0.1) = 10"""
    text = plan(net=HDF5_NET, solver=SOLVER + "momentum: 0.9").stdout
    assert "0.1 x 40 / (4 x 0.1) = 10\n" in text
    assert "momentum 0.99: g x 10 = 100; base_lr 0.01 keeps it" in text
    assert "iter_size x 10: g x 0.1 = 1;" in text
    assert "the batch may be about 16" in text
    assert "Noise" not in plan(net=HDF5_NET, solver=SOLVER + 'type: "Adam" momentum: 0.9').stdout


def test_the_rate_as_a_chart(plan: Plan) -> None:
    solver = changed(SOLVER, ('"fixed"', '"step"'), ("max_iter: 2", "max_iter: 90")) + "stepsize: 30 gamma: 0.1"
    lines = plan(solver=solver).stdout.partition("Learning rate (step): 0.1 at iteration 0, 0.001 at iteration 89\n")[2]
    top, *_, bottom = [line for line in lines.splitlines() if " | " in line or line.endswith("|")]
    assert top.strip().startswith("0.1 | ****") and bottom.strip().startswith("0.001 |    ")
    assert "Learning rate (fixed): 0.1 throughout" in plan().stdout


@pytest.mark.parametrize(
    "fields",
    [
        {"lr_policy": "multistep", "stepvalue": [10, 10, 40], "gamma": 0.5},
        {"lr_policy": "step", "stepsize": 7, "gamma": 0.5},
        {"lr_policy": "inv", "gamma": 0.1, "power": 0.75},
        {"lr_policy": "poly", "power": 0.5},
    ],
)
def test_rates_are_those_of_the_run(fields: dict[str, object]) -> None:
    param = SolverParameter(base_lr=0.1, max_iter=60, **fields)  # type: ignore[arg-type]
    step, walked = 0, []
    for iteration in range(60):
        step = step_counter(param, iteration, step)
        walked.append(learning_rate(param, iteration, step))
    asked = [0, 5, 20, 41, 59]
    assert report.rates(param, asked) == [walked[i] for i in asked]


def test_settings_count(plan: Plan) -> None:
    assert "Learning rate (fixed): 0.5 throughout" in plan("--set", "base_lr=0.5").stdout
    assert plan("--set", "base_rate=0.5").code == 2
    net = changed(NET, ('name: "relu"', 'name: "relu"\n  include { min_level: 1 }'))
    assert "ReLU" not in plan(net=net).stdout
    assert "ReLU" in plan("--level", "1", net=net).stdout
    net = changed(NET, ('name: "relu"', 'name: "relu"\n  include { stage: "deep" }'))
    assert "ReLU" in plan("--stage", "deep", net=net).stdout


# -- several ranks --------------------------------------------------------------------------------------------------


def test_ranks_count_in_the_batch_the_epochs_and_the_noise(plan: Plan) -> None:
    solver = changed(SOLVER, ("max_iter: 2", "max_iter: 100")) + "iter_size: 2 momentum: 0.9"
    text = plan("--cpu", "--ranks", "5", net=HDF5_NET, solver=solver).stdout
    assert "effective batch: 40 = 4 x iter_size 2 x 5 ranks\n" in text
    assert "an epoch of 40 records: 1 iterations" in text
    assert "0.1 x 40 / (40 x 0.1) = 1\n" in text
    assert "the rate stays the file's, base_lr 0.1\n" in text and "in proportion it would be base_lr 0.5," in text
    assert "20 iterations see what max_iter 100 sees on one rank" in text
    assert "Memory of each rank, on the CPU" in text and "Forecast" not in text


def test_what_ranks_send(plan: Plan) -> None:
    """837 learned values are 3,348 bytes; of four ranks each sends 2 * 3 / 4 of them; three are frozen in the second."""
    text = plan("--gpu", "0,1,2,3").stdout
    assert "gradients: 0.003 MiB, once an update whatever iter_size is; by each rank 0.005 MiB" in text
    big = (("num_output: 5", "num_output: 5000"), ('type: "InnerProduct"', 'type: "InnerProduct"\n  param { lr_mult: 0 }'))
    assert "gradients: 2.8 MiB," in plan("--ranks", "2", net=changed(NET, big[0])).stdout
    assert "gradients: 0.020 MiB," in plan("--ranks", "2", net=changed(NET, *big)).stdout


def test_gpus_that_are_not_here(plan: Plan) -> None:
    text = plan("--gpu", "0,1,2,3", "--memory", "1G").stdout
    assert "effective batch: 16 = 4 x iter_size 1 x 4 ranks\n" in text
    assert "Memory of each rank, on the GPU" in text and "gradients sent" in text and "largest batch in 1,024.0 MiB" in text
    table = text.partition("\nForecast of an update\n")[2].partition("\n\n")[0]
    assert "A100, NVLink" in table and "a model, nothing was measured" in table
    assert text == plan("--ranks", "4", "--memory", "1G").stdout


def test_machines_have_a_network(plan: Plan) -> None:
    text = plan("--ranks", "8", "--machines", "4", "--memory", "1G").stdout
    assert "x 32 ranks\n" in text and "\nRanks: 32 on 4 machines of 8\n" in text and "10 Gbit/s" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs here")
def test_all_gpus_where_there_are_none(plan: Plan) -> None:
    ended = plan("--gpu", "all")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == "error: --gpu all: there is no GPU here: --ranks N plans for N of them\n"
    assert "there is no GPU here: --memory 16G says what one has" in plan("--gpu", "0").stdout


@pytest.mark.parametrize("args", [["--gpu", "0,1", "--cpu"], ["--gpu", "0,1", "--ranks", "2"], ["--ranks", "0"]])
def test_ranks_that_cannot_be(args: list[str], plan: Plan) -> None:
    assert plan(*args).code == 2


# -- data that are not there ----------------------------------------------------------------------------------------

LMDB = """
layer {
  name: "data"
  type: "Data"
  top: "data"
  top: "label"
  transform_param { %s }
  data_param { source: "nowhere" batch_size: 4 backend: LMDB }
}
"""


def test_absent_data_of_a_known_shape(plan: Plan) -> None:
    text = plan(net=LMDB % "crop_size: 8" + BODY).stdout
    line = text.splitlines()[1]
    assert line == (
        "net.prototxt:8:16: layer 'data' (Data): nowhere: no such database: pictures of 3 x 8 x 8 are assumed; "
        "what needs the records is left out"
    )
    assert "4 x 4 x 6 x 6" in text and "largest batch" in text and "effective batch: 4" in text
    assert "epoch" not in text
    assert "x N / (4 x 1) = 0.025 N" in text


def test_absent_data_of_an_unknown_shape(plan: Plan) -> None:
    ended = plan(net=LMDB % "" + BODY)
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == "net.prototxt:8:16: layer 'data' (Data): nowhere: no such database\n"


def test_errors_are_one_line(plan: Plan) -> None:
    ended = plan(net=changed(NET, ('"Convolution"', '"Convolutoin"')))
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("net.prototxt:16:3: ") and ended.stderr.count("\n") == 1
    assert plan(solver=changed(SOLVER, ('lr_policy: "fixed"', 'lr_policy: "fix"'))).code == 1
    assert call(tools, "plan", "missing.prototxt").code == 1


# -- advice ---------------------------------------------------------------------------------------------------------


def test_nothing_to_advise(plan: Plan) -> None:
    solver = changed(SOLVER, ("base_lr: 0.1", "base_lr: 0.01")) + TESTED
    assert advice(plan(net=HDF5_NET, solver=solver)) == ["none"]


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("test_iter: 1 test_interval: 1", "8:1", "test_iter 1 x batch_size 5 = 5, but there are 10 test records: a test"),
        ("test_iter: 3 test_interval: 1", "8:1", "test_iter 3 x batch_size 5 = 15, but there are 10 test records: some"),
        ("display: 3", "8:1", "display 3 is past max_iter 2: nothing is shown but iteration 0"),
        ("test_iter: 2 test_interval: 5", "8:14", "test_interval 5 is past max_iter 2"),
        ("snapshot: 5", "8:1", "snapshot 5 is past max_iter 2: only the end is saved"),
        ("momentum: 1", "8:1", "momentum 1 is 1 or more"),
        ("momentum: 0.99", "2:1", "base_lr / (1 - momentum) / effective batch is 0.01 / 0.01 / 4 = 0.25"),
    ],
)
def test_advice_on_the_solver(line: str, place: str, words: str, plan: Plan) -> None:
    solver = changed(SOLVER, ("base_lr: 0.1", "base_lr: 0.01")) + line
    found = advice(plan(net=HDF5_NET, solver=solver))
    assert len(found) == 1
    assert found[0].startswith(f"solver.prototxt:{place}: {words}")


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ('"snap"', '"gone/snap"', "5:1", "cannot write snapshots to 'gone/snap': the folder 'gone' does not exist"),
        ('"fixed"', '"multistep" gamma: 0.1 stepvalue: 1 stepvalue: 9', "3:48", "stepvalue 9 is past max_iter 2"),
        ('"fixed"', '"step" gamma: 0.1 stepsize: 9', "3:30", "stepsize 9 is past max_iter 2: the rate never drops"),
    ],
)
def test_advice_on_other_settings(old: str, new: str, place: str, words: str, plan: Plan) -> None:
    solver = changed(SOLVER, ("base_lr: 0.1", "base_lr: 0.01"), (old, new))
    (found,) = advice(plan(net=HDF5_NET, solver=solver))
    assert found.startswith(f"solver.prototxt:{place}: {words}")


def test_advice_on_batch_norm(plan: Plan) -> None:
    def found(settings: str, more: str = "") -> list[str]:
        solver = changed(SOLVER, ("base_lr: 0.1", "base_lr: 0.01")) + TESTED + more
        net = changed(HDF5_NET, ('layer {\n  name: "relu"', NORM % settings + 'layer {\n  name: "relu"'))
        return advice(plan(net=net, solver=solver))

    assert found("") == ["none"]
    (line,) = found("", "iter_size: 8")
    assert line.startswith("net.prototxt:31:1: ")
    assert "(BatchNorm) takes its statistics from the 4 records of one pass" in line
    train, *_ = found("use_global_stats: true")
    assert train.startswith("net.prototxt:36:22: layer 'norm': use_global_stats: true in training")
    (test,) = found("use_global_stats: false")
    assert test.startswith("net.prototxt:36:22: layer 'norm': use_global_stats: false in a test")


def test_advice_on_labels(plan: Plan) -> None:
    net = changed(HDF5_NET, ("num_output: 5", "num_output: 4"))
    found = advice(plan(net=net, solver=changed(SOLVER, ("0.1", "0.01")) + TESTED))
    assert len(found) == 2  # of the train net and of the test net
    assert all("layer 'loss' (SoftmaxWithLoss): label 4 of item 4 of the batch" in line for line in found[1:])
    assert all(re.match(r"net\.prototxt:\d+:\d+: .*there are 4 classes", line) for line in found)


def test_advice_on_a_net_that_learns_nothing(plan: Plan) -> None:
    frozen = 'type: "%s"\n  param { lr_mult: 0 }\n  param { lr_mult: 0 }'
    changes = [(f'type: "{kind}"', frozen % kind) for kind in ("Convolution", "InnerProduct")]
    net = changed(HDF5_NET, *changes)
    assert "net.prototxt: no layer of the train net has weights to learn" in advice(plan(net=net))


def test_a_picture_of_labels_is_many_records(plan: Plan) -> None:
    """U-Net's momentum of 0.99 with one picture at a time is no mistake."""
    net = changed(NET, ("shape { dim: 4 }", "shape { dim: 4 dim: 6 dim: 6 }"), ('bottom: "ip"\n', 'bottom: "conv"\n'))
    net = net.replace(NET[NET.index('layer {\n  name: "ip"') : NET.index('layer {\n  name: "loss"')], "")
    assert advice(plan(net=net, solver=SOLVER + "momentum: 0.99")) == ["none"]


# -- how many records there are -------------------------------------------------------------------------------------


def test_records_of_an_lmdb(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "db"), map_size=1 << 20) as base, base.begin(write=True) as transaction:
        for key in range(7):
            datum = Datum(channels=1, height=2, width=2, data=bytes(4), label=0)
            transaction.put(f"{key:08d}".encode(), datum.SerializeToString())
    layer = LayerParameter(top=["data"], data_param={"source": str(tmp_path / "db"), "batch_size": 2, "backend": "LMDB"})
    assert database.Data(layer, True, default_rng(1)).records == 7


@pytest.mark.parametrize("keys", ["%08d", "%08d_name", "picture %d"])
def test_records_of_a_leveldb(keys: str, tmp_path: Path) -> None:
    plyvel = pytest.importorskip("plyvel")
    base = plyvel.DB(str(tmp_path / "db"), create_if_missing=True)
    for key in range(7):
        base.put((keys % key).encode(), Datum(channels=1, height=2, width=2, data=bytes(4)).SerializeToString())
    base.close()
    layer = LayerParameter(top=["data"], data_param={"source": str(tmp_path / "db"), "batch_size": 2})
    source = database.Data(layer, True, default_rng(1))
    assert source.records == 7
    assert len(source.next_batch()) == 1


def test_records_of_lists(tmp_path: Path, plan: Plan) -> None:
    Path("both.txt").write_text("train.h5\ntest.h5\n")
    layer = LayerParameter(top=["data"], hdf5_data_param={"source": "both.txt", "batch_size": 2})
    assert hdf5.HDF5Data(layer, True, default_rng(1)).records == 50
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite("a.png", np.zeros((4, 4, 3), np.uint8))
    Path("pictures.txt").write_text("a.png 0\n" * 9)
    layer = LayerParameter(top=["data", "label"], image_data_param={"source": "pictures.txt", "batch_size": 2})
    assert image.ImageData(layer, True, default_rng(1)).records == 9


def test_a_net_without_layers(plan: Plan) -> None:
    assert "solver.prototxt: the train net has no layers: nothing is trained" in advice(plan(net='name: "empty"'))
