"""`solver-tools test`: the lines of `caffe test`, and the same figures as the run's own test."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from golden_cases import near
from running import NET, SOLVER, Ended, call, changed, write

from solver_cli.commands.tools import tools
from solver_cli.commands.train import train

PREFIX = re.compile(r"(?m)^[IWE]\d+ \S+ +\d+ (?=[\w.]+:\d+\])")
TIMING = re.compile(r"blocking_queue\.cpp|data_layer\.cpp:73")  # when a reader's thread gets there
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
TESTED = changed(SOLVER, ("max_iter: 2", "max_iter: 3")) + "test_iter: 4\ntest_interval: 3\n"


def score(*args: str) -> Ended:
    return call(tools, "test", *args)


def results(ended: Ended) -> list[str]:
    assert ended.code == 0, ended.stderr
    return ended.log[ended.log.index(next(line for line in ended.log if line.startswith("Loss: "))) :]


@pytest.mark.parametrize("ending", ["", ".h5"])
def test_the_log_is_that_of_caffe(ending: str, case_folder, golden: Path) -> None:
    """Line by line behind the net's own, which test_golden_logs compares."""
    folder = case_folder("multi_loss")
    weights = "final.caffemodel"
    if ending:
        (folder / "s.prototxt").write_text(
            changed((folder / "solver.prototxt").read_text(), ("init.caffemodel", weights)) + "snapshot_format: HDF5\n"
        )
        assert call(train, "s.prototxt", "--set", "max_iter=0").code == 0
        weights = next(path.name for path in folder.glob("*.caffemodel.h5"))
    ended = score("net.prototxt", "--weights", weights, "--iterations", "5")
    assert (ended.code, ended.stdout) == (0, "")
    ours, theirs = (
        [line for line in PREFIX.sub("", text).splitlines() if "caffe.cpp" in line and not TIMING.search(line)]
        for text in (ended.stderr, (golden / "logs/test.txt").read_text().replace("I2026", "I"))
    )
    assert [NUMBER.sub("#", line) for line in ours] == [NUMBER.sub("#", line) for line in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert all(near(float(x), float(y), 1e-5) for x, y in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True)), (a, b)


def test_the_means_are_those_of_the_runs_own_test(case_folder) -> None:
    """The last test of a run, and the same batches scored with the weights that it leaves."""
    folder = case_folder("multi_loss")
    solver = (folder / "solver.prototxt").read_text()
    solver = re.sub(r"(?m)^(max_iter|test_iter|test_interval|snapshot|display):.*\n", "", solver)
    solver += "max_iter: 5\ntest_iter: 3\ntest_interval: 5\ntest_initialization: false\nsnapshot_after_train: true\n"
    (folder / "s.prototxt").write_text(solver)
    ended = call(train, "s.prototxt")
    assert ended.code == 0, ended.stderr
    own = [line.partition(": ")[2] for line in ended.log if line.startswith("    Test net output")]
    (weights,) = folder.glob("*_iter_5.caffemodel")
    assert results(score("net.prototxt", "--weights", weights.name, "--iterations", "3"))[1:] == own
    assert len(own) > 2


def test_phase_level_and_stage_choose_the_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = changed(NET, ('name: "relu"', 'name: "relu"\n  include { phase: TRAIN min_level: 2 stage: "deep" }'))
    write(tmp_path, net)
    assert call(train, "solver.prototxt").code == 0
    weights = ["--weights", "snap_iter_2.caffemodel", "--iterations", "1"]
    creating = "Creating Layer relu"
    assert creating in score("--model", "net.prototxt", *weights, "--phase", "TRAIN", "--level", "2", "--stage", "deep").log
    for told in ("--level 2 --stage deep", "--phase TRAIN --stage deep", "--phase TRAIN --level 3"):
        assert creating not in score("net.prototxt", *weights, *told.split()).log


def test_several_weights_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later ones count."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, changed(NET, ('type: "gaussian"', 'type: "constant" value: 1')))
    assert call(train, "solver.prototxt").code == 0
    shutil.copy("snap_iter_2.caffemodel", "first.caffemodel")
    assert call(train, "solver.prototxt", "--set", "max_iter=9").code == 0
    one, two = (
        results(score("net.prototxt", "--weights", files, "--iterations", "1"))
        for files in ("snap_iter_9.caffemodel", "first.caffemodel,snap_iter_9.caffemodel")
    )
    assert one == two != results(score("net.prototxt", "--weights", "first.caffemodel", "--iterations", "1"))


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--weights", "w"], 2, "give the net's file"),
        (["net.prototxt"], 2, "give the learned weights: --weights FILE"),
        (["net.prototxt", "--model", "net.prototxt", "--weights", "w"], 2, "give the net's file once"),
        (["net.prototxt", "--weights", "w", "--iterations", "0"], 2, "expected a whole number from 1"),
        (["net.prototxt", "--weights", "w", "--gpu", "0", "--cpu"], 2, "--gpu or --cpu"),
        (["gone.prototxt", "--weights", "w"], 1, "gone.prototxt: cannot read net file"),
        (["net.prototxt", "--weights", "gone.caffemodel"], 1, "gone.caffemodel: "),
        (["net.prototxt", "--weights", "w,"], 1, "w: "),
        (["net.prototxt", "--weights", "w", "--gpu", "x"], 1, "error: --gpu x: expected numbers separated by"),
        (["net.prototxt", "--weights", "w", "--gpu", "99"], 1, "error: --gpu 99: there is no GPU 99"),
    ],
)
def test_what_is_refused(
    args: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    ended = score(*args)
    assert (ended.code, ended.stdout) == (code, "")
    assert words in ended.complaints[-1]
    assert code == 2 or len(ended.complaints) == 1
