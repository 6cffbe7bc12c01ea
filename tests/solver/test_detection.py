"""`eval_type: "detection"`: average precisions of the rows of all batches of a test, in the lines of SSD's fork."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import SOLVER, assert_like, call, write

from solver_cli.commands.train import train

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "y" include { phase: TRAIN } dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" include { phase: TRAIN } inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" include { phase: TRAIN } }
layer { name: "rows" type: "HDF5Data" top: "detection_eval" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 1 } }
"""
TESTS = 'test_iter: 2 test_interval: 9 eval_type: "detection" '
BATCHES = [
    [
        (-1, 1, 3, -1, -1), (-1, 2, 1, -1, -1), (-1, 3, 0, -1, -1),
        (0, 1, 0.9, 1, 0), (0, 1, 0.8, 0, 1), (0, 1, 0.7, 1, 0), (0, 1, 0.99, 0, 0),
    ],
    [
        (-1, 1, 2, -1, -1), (-1, 4, 2, -1, -1), (-1, 3, 0, -1, -1),
        (0, 1, 0.6, 0, 1), (0, 1, 0.5, 1, 0), (1, 2, 0.3, 1, 0), (1, 3, 0.5, 0, 1),
    ],
]  # fmt: skip
# label 1: precisions 1, 1/2, 2/3, 1/2, 3/5 at recalls 1/5, 1/5, 2/5, 2/5, 3/5
CURVE = [(1, 0.2), (2 / 3, 0.4), (3 / 5, 0.6)]  # those that count
BY_HAND = {
    "Integral": (1 + 2 / 3 + 3 / 5) / 5,
    "MaxIntegral": (1 + 2 / 3 + 3 / 5) / 5,
    "11point": sum(max((p for p, r in CURVE if np.float32(r) >= np.float64(i / 10)), default=0) for i in range(11)) / 11,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with h5py.File("rows.h5", "w") as file:
        file["detection_eval"] = np.array(BATCHES, np.float32)[:, None]
    Path("list.txt").write_text("rows.h5\n")
    return tmp_path


def lines_of(folder: Path, settings: str) -> list[str]:
    """The lines of the first test."""
    write(folder, NET, SOLVER + TESTS + settings)
    ended = call(train, "solver.prototxt")
    assert ended.code == 0, ended.stderr
    at = ended.log.index("Iteration 0, Testing net (#0)")
    lines = [line for line in ended.log[at + 1 :] if re.match(r"class|    Test net|Missing|Test loss", line)]
    return lines[: next(i for i, line in enumerate(lines, 1) if "Test net" in line)]


@pytest.mark.parametrize("version", BY_HAND)
def test_average_precisions(version: str, folder: Path) -> None:
    lines = lines_of(folder, f'ap_version: "{version}" show_per_class_result: true test_compute_loss: true')
    assert lines[0] == "Test loss: 0"
    assert lines[1].startswith("class1: ")
    first = float(lines[1].split()[1])
    assert first == pytest.approx(BY_HAND[version], rel=1e-5)
    assert lines[2:5] == ["class2: 1", "class3: 0", "Missing true_pos for label: 4"]
    mean = float(re.fullmatch(r"    Test net output #0: detection_eval = (\S+)", lines[5])[1])  # type: ignore[index]
    assert mean == pytest.approx((first + 1) / 4, rel=1e-5)


def test_the_largest_precision_beyond_a_recall(folder: Path) -> None:
    """One missed before the first that is found: only MaxIntegral and 11point look further on."""
    rows = [[(-1, 1, 2, -1, -1), (0, 1, 0.9, 0, 1), (0, 1, 0.8, 1, 0), (0, 1, 0.7, 1, 0)], [(0, 9, 0, 0, 0)] * 4]
    with h5py.File("rows.h5", "w") as file:
        file["detection_eval"] = np.array(rows, np.float32)[:, None]
    for version, wanted in (("Integral", (1 / 2 + 2 / 3) / 2), ("MaxIntegral", 2 / 3), ("11point", 2 / 3)):
        (line,) = lines_of(folder, f'ap_version: "{version}"')
        assert float(line.rpartition(" ")[2]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('eval_type: "segmentation"', "unknown eval_type 'segmentation': expected one of classification, detection"),
        ('eval_type: "detection" ap_version: "12point"', "unknown ap_version '12point': expected one of Integral, MaxIntegral, 11"),
    ],
)
def test_refused(settings: str, expected: str, folder: Path) -> None:
    write(folder, NET, f"{SOLVER}{settings}\n")
    ended = call(train, "solver.prototxt")
    assert ended.code == 1
    column = settings.index("ap_version") + 1 if "ap_version" in settings else 1
    assert_like(ended.complaints[0], f"solver.prototxt:8:{column}: {expected}")


def test_a_test_net_without_rows_is_refused(folder: Path) -> None:
    with h5py.File("rows.h5", "w") as file:
        file["detection_eval"] = np.zeros((3, 1, 2, 4), np.float32)
    write(folder, NET, SOLVER + TESTS)
    ended = call(train, "solver.prototxt")
    assert ended.code == 1
    found = "eval_type 'detection' needs rows of 5 as DetectionEvaluate gives them: output 'detection_eval' of the test net"
    assert_like(ended.complaints[0], f"solver.prototxt:8:31: {found} has the shape (1, 1, 2, 4)")


def test_the_best_is_the_highest_mean(folder: Path) -> None:
    write(folder, NET, SOLVER + TESTS)
    assert call(train, "solver.prototxt", "--keep-best", "detection_eval").code == 0
    assert list(folder.glob("snap*best*"))
