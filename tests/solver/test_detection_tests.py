"""Tests of detection nets: what the log says of them, by hand-made rows and against runs of SSD's fork."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from running import call

from solver_cli.commands.train import train

GOLDEN = Path(__file__).parents[1] / "golden" / "forks"
RUNS = json.loads((GOLDEN / "solvers" / "detection.json").read_text())
NET = """
layer { name: "in" type: "DummyData" top: "x" include { phase: TRAIN } dummy_data_param { shape { dim: 1 dim: 1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" include { phase: TRAIN } inner_product_param { num_output: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "x" top: "loss" include { phase: TRAIN } }
layer { name: "rows" type: "HDF5Data" top: "found" top: "truth" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 1 } }
layer { name: "eval" type: "DetectionEvaluate" bottom: "found" bottom: "truth" top: "eval" include { phase: TEST }
  detection_evaluate_param { num_classes: 4 } }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 test_iter: 2 test_interval: 1 solver_mode: CPU
snapshot_after_train: false eval_type: "detection" show_per_class_result: true
"""
HERE, AWAY = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "", net: str = NET) -> Any:
    """Two batches: of class 1 hits at 0.9 and 0.7 and a miss at 0.8, and an object in vain; of 2 a miss; of 3 an object."""
    monkeypatch.chdir(folder)
    found = [[[0, 1, 0.9, *HERE], [0, 1, 0.8, *AWAY]], [[0, 1, 0.7, *HERE], [0, 2, 0.6, *HERE]]]
    truth = [[[0, 1, 0, *HERE, 0], [0, 3, 0, *AWAY, 0]], [[0, 1, 0, *HERE, 0], [0, 1, 0, *AWAY, 0]]]
    with h5py.File("rows.h5", "w") as file:
        file["found"], file["truth"] = (np.array(rows, np.float32)[:, None] for rows in (found, truth))
    Path("list.txt").write_text("rows.h5\n")
    Path("net.prototxt").write_text(net)
    Path("solver.prototxt").write_text(SOLVER + more)
    return call(train, "solver.prototxt")


@pytest.mark.parametrize(
    ("version", "of_one", "mean"),
    [
        ("Integral", 1 / 3 + 2 / 9, "0.185185"),
        ("MaxIntegral", 1 / 3 + 2 / 9, "0.185185"),
        ("11point", (4 + 3 * 2 / 3) / 11, "0.181818"),
        ("101point", (34 + 33 * 2 / 3) / 101, "0.184818"),
    ],
)
def test_average_precisions(version, of_one, mean, tmp_path, monkeypatch):
    ended = run(tmp_path, monkeypatch, f'ap_version: "{version}"')
    assert ended.code == 0, ended.stderr
    at = ended.log.index("Iteration 1, Testing net (#0)")
    rest = [line for line in ended.log[at:] if "class" in line or "label" in line or "output" in line]
    assert rest == [
        f"class1: {of_one:.6g}",
        "class2: 0",
        "Missing true_pos for label: 3",
        f"    Test net output #0: eval = {mean}",
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('eval_type: "detektion"', r"solver.prototxt:4:1: unknown eval_type 'detektion'.*did you mean 'detection'"),
        ('ap_version: "12point"', r"solver.prototxt:4:1: unknown ap_version '12point'"),
    ],
)
def test_unknown_ways_of_testing_are_refused(more, words, tmp_path, monkeypatch):
    solver = SOLVER.replace('eval_type: "detection"', "") if "eval" in more else SOLVER
    monkeypatch.setattr(f"{__name__}.SOLVER", solver)
    ended = run(tmp_path, monkeypatch, more)
    assert ended.code == 1
    assert re.search(words, ended.stderr)


def test_outputs_that_are_no_detections_are_refused_before_training(tmp_path, monkeypatch):
    ended = run(tmp_path, monkeypatch, net=NET.replace("include { phase: TRAIN }", ""))
    assert ended.code == 1
    assert re.search(r"solver.prototxt:3:\d+: output 'loss' of a test net is \(\)", ended.stderr)


@pytest.mark.parametrize("name", RUNS)
def test_runs_of_the_fork(name, tmp_path, monkeypatch):
    case, files = RUNS[name], GOLDEN / "solvers"
    folder = tmp_path / "solvers" / "run"
    folder.mkdir(parents=True)
    shutil.copytree(GOLDEN / "data", tmp_path / "data")
    shutil.copy(files / f"{case['files']}.prototxt", folder / "net.prototxt")
    monkeypatch.chdir(folder)
    Path("solver.prototxt").write_text(case["solver"] + "snapshot_after_train: false\n")
    ended = call(train, "solver.prototxt", "--weights", str(files / f"{case['files']}_init.caffemodel"), "--cpu")
    assert ended.code == 0, ended.stderr
    loose = "hard_example" in name  # a choice of boxes that flips moves losses and precisions by steps
    losses = [float(x) for line in ended.log for x in re.findall(r"^Iteration \d+ .*, loss = (\S+)", line)]
    wanted = [float(loss) for _, loss in case["loss_printed"]]
    assert losses == pytest.approx(wanted[: len(losses)], rel=1e-3 if loose else 1e-4)
    found = [re.search(r"(class\d+: |output #\d+: \S+ = )(\S+)", line) for line in ended.log if "Train" not in line]
    values = [float(match[2]) for match in found if match]
    expected = [float(x) for test in case["tests"] for x in (*dict(test.get("classes", [])).values(),
                                                            *dict(test["outputs"]).values())]  # fmt: skip
    assert values == pytest.approx(expected, abs=0.02 if loose else 0.005)
