"""configs/unet: the cells that are drawn for it, the layer that measures the overlap, a few iterations of the small net."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from running import Ended, run

from solver_cli import Net

CONFIGS = Path(__file__).parents[2] / "configs" / "unet"
NET = (CONFIGS / "unet_small.prototxt").read_text()


def draw(*options: str, folder: Path) -> dict[str, np.ndarray]:
    """Run make_cells.py in `folder`: the datasets of both files."""
    subprocess.run([sys.executable, CONFIGS / "make_cells.py", *options], cwd=folder, check=True, stdout=subprocess.PIPE)
    to = folder / (options[options.index("--to") + 1] if "--to" in options else "configs/unet")
    made = {}
    for part in ("train", "test"):
        (path,) = (to / f"cells_{part}.txt").read_text().split()
        with h5py.File(folder / path) as file:
            made |= {f"{part} {name}": file[name][:] for name in ("data", "label")}
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with configs/unet."""
    shutil.copytree(CONFIGS, tmp_path / "configs" / "unet", ignore=shutil.ignore_patterns("cells_*", "*_iter_*"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_same_seed_draws_the_same_cells(tmp_path: Path) -> None:
    few = ("--train", "3", "--test", "2", "--size", "48", "--to", "cells")
    first, again, other = (draw(*few, "--seed", seed, folder=tmp_path) for seed in ("5", "5", "6"))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)
    assert not np.array_equal(first["train data"][0], first["test data"][0])


def test_cells_touch_with_background_between_and_have_ignored_rims(tmp_path: Path) -> None:
    made = draw("--train", "4", "--test", "1", "--to", "cells", folder=tmp_path)
    data, label = made["train data"], made["train label"]
    assert (data.shape, data.dtype, label.shape) == ((4, 1, 96, 96), np.float32, (4, 1, 96, 96))
    assert abs(data.mean()) < 1 and 0.3 < data.std() < 1.5
    shares = {value: float((label == value).mean()) for value in np.unique(label)}
    assert set(shares) == {0, 1, 255} and shares[1] > 0.1 and 0.01 < shares[255] < 0.1
    row = label[:, 0, :, :].reshape(-1, 96)
    thin = sum(len(re.findall("1(0{1,6})1", "".join("1" if v == 1 else "0" for v in line if v != 255))) for line in row)
    assert thin > 20, "thin borders between cells"


def test_labels_may_be_the_middle_and_pictures_smaller(tmp_path: Path) -> None:
    few = ("--train", "2", "--test", "1", "--size", "48", "--to", "cells")
    whole = draw(*few, folder=tmp_path)
    middle = draw(*few, "--label-size", "32", folder=tmp_path)
    assert np.array_equal(middle["train label"], whole["train label"][:, :, 8:40, 8:40])
    half = draw(*few, "--shrink", "2", folder=tmp_path)
    assert np.array_equal(half["train label"], whole["train label"][:, :, ::2, ::2])
    assert np.allclose(half["test data"][0, 0, 3, 4], whole["test data"][0, 0, 6:8, 8:10].mean(), atol=1e-6)


@pytest.mark.parametrize("wrong", [("--label-size", "97"), ("--shrink", "7"), ("--train", "0")])
def test_sizes_that_do_not_go_together_are_refused(wrong: tuple[str, str], tmp_path: Path) -> None:
    program = [sys.executable, CONFIGS / "make_cells.py", *wrong]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "must be" in done.stderr and not list(tmp_path.iterdir())


def overlaps(ended: Ended) -> list[float]:
    return [float(line.rpartition(" ")[2]) for line in ended.log if "iou = " in line]


def test_the_small_net_learns_one_picture_by_heart(folder: Path) -> None:
    draw("--train", "1", "--test", "1", "--size", "48", folder=folder)
    settings = ["max_iter=80", "test_interval=80", "test_iter=1", "base_lr=0.02", "momentum=0.9", "display=20"]
    options = [part for setting in settings for part in ("--set", setting)]
    ended = run("solver-train", "configs/unet/unet_small_solver.prototxt", "--cpu", *options, folder=folder)
    assert ended.code == 0, ended.stderr
    losses = [float(line.rpartition(" ")[2]) for line in ended.log if line.startswith("Iteration") and ", loss = " in line]
    assert losses[-1] < 0.8 * losses[0]
    assert len(overlaps(ended)) == 2 and all(0 <= overlap <= 1 for overlap in overlaps(ended))


def test_pictures_may_have_odd_sides(folder: Path) -> None:
    draw("--train", "1", "--test", "1", "--size", "47", folder=folder)
    net = Net.from_text(NET, phase="TRAIN")
    _, blobs = net(net.next_batch())
    assert blobs["score"].shape == (1, 2, 47, 47)
    net.close()


def test_the_overlap_counts_cells_where_labels_are_not_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CONFIGS))
    net = Net.from_text(
        """layer { name: "in" type: "Input" top: "score" top: "label"
             input_param { shape { dim: 1 dim: 2 dim: 2 dim: 4 } shape { dim: 1 dim: 1 dim: 2 dim: 4 } } }
           layer { name: "iou" type: "Python" bottom: "score" bottom: "label" top: "iou"
             python_param { module: "overlap" layer: "Overlap" } }""",
        phase="TEST",
    )
    found = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], np.float32)
    label = np.array([[1, 0, 1, 0], [1, 255, 255, 255]], np.float32)
    blobs = {"score": torch.tensor(np.stack([1 - found, found]))[None], "label": torch.tensor(label)[None, None]}
    assert float(net(blobs)[1]["iou"]) == pytest.approx(2 / 4)  # both: 2; a cell in either: 4
    blobs["label"] = torch.zeros(1, 1, 2, 4)
    assert float(net(blobs)[1]["iou"]) == 0
    blobs["score"] = torch.zeros(1, 2, 2, 4)
    assert float(net(blobs)[1]["iou"]) == 1  # none found, and none there
