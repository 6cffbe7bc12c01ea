"""configs/ssd, segnet and faster_rcnn: the shapes that are drawn for them, and a few iterations of each."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import lmdb
import numpy as np
import pytest
from running import ENVIRONMENT, Ended, call, program, run

from solver_cli.caffe_pb2 import AnnotatedDatum
from solver_cli.commands.tools.plan import command as plan
from solver_cli.commands.train import train

CONFIGS = Path(__file__).parents[2] / "configs"
SCRIPTS = {"ssd": "make_shapes", "segnet": "make_shapes", "faster_rcnn": "make_rois"}
FEW = {"ssd": (17, 10), "segnet": (7, 6), "faster_rcnn": (6, 4)}  # pictures to train on, to test
DRAWN = ("*_lmdb", "labelmap*", "shapes_*", "rois_*", "train", "test", "*_labels", "results", "*_iter_*", "__pycache__")


def maker(name: str) -> Callable[..., list[Path]]:
    """The function that draws the data of a config."""
    spec = importlib.util.spec_from_file_location(f"make_{name}", CONFIGS / name / f"{SCRIPTS[name]}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the three configs."""
    for name in SCRIPTS:
        shutil.copytree(CONFIGS / name, tmp_path / "configs" / name, ignore=shutil.ignore_patterns(*DRAWN))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, Any]:
    """What the files hold; of LMDBs, whose files tell their greatest size too, the records."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "data.mdb":
            with lmdb.open(str(path.parent), readonly=True, lock=False) as file, file.begin() as reader:
                found[str(path.relative_to(folder))] = [bytes(value) for _, value in reader.cursor()]
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


# -- what is drawn --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_seed_draws_the_same_pictures(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for place, seed in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        maker(name)("data", seed, train=4, test=2)
        found.append(contents(tmp_path / place))
    first, again, other = found
    assert first == again and first.keys() == other.keys()
    assert sum(first[path] != other[path] for path in first) >= 2


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_run_from_any_folder(name: str, tmp_path: Path) -> None:
    script = [sys.executable, CONFIGS / name / f"{SCRIPTS[name]}.py", "--test", "2"]
    refused = subprocess.run([*script, "--train", "0"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "must be" in refused.stderr and not list(tmp_path.iterdir())
    subprocess.run([*script, "--train", "2"], cwd=tmp_path, check=True, stdout=subprocess.PIPE)
    assert (tmp_path / "configs" / name).is_dir()


def test_boxes_stand_around_shapes(tmp_path: Path) -> None:
    maker("ssd")(tmp_path, 3, train=8, test=1)
    with lmdb.open(str(tmp_path / "shapes_train_lmdb"), readonly=True, lock=False) as file, file.begin() as reader:
        records = [AnnotatedDatum.FromString(bytes(value)) for _, value in reader.cursor()]
    assert len(records) == 8
    for record in records:
        picture = cv2.imdecode(np.frombuffer(record.datum.data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (96, 96, 3)
        boxes = [each.bbox for group in record.annotation_group for each in group.annotation]
        assert 1 <= len(boxes) <= 4 and {group.group_label for group in record.annotation_group} <= {1, 2, 3}
        for box in boxes:
            assert 0 <= box.xmin < box.xmax <= 1 and 0 <= box.ymin < box.ymax <= 1
            middle = picture[round(48 * (box.ymin + box.ymax)), round(48 * (box.xmin + box.xmax))].astype(int)
            corner = picture[max(0, int(96 * box.ymin) - 3), max(0, int(96 * box.xmin) - 3)].astype(int)
            assert abs(middle - corner).max() > 15, "a shape differs from its ground"
    assert (tmp_path / "shapes_test_name_size.txt").read_text() == "000000 96 96\n"


def test_labels_have_ignored_rims(tmp_path: Path) -> None:
    maker("segnet")(tmp_path, 3, train=12, test=1)
    names = [line.split()[1] for line in (tmp_path / "shapes_train.txt").read_text().splitlines()]
    labels = np.stack([cv2.imread(str(tmp_path / name), cv2.IMREAD_GRAYSCALE) for name in names])
    assert set(np.unique(labels)) == {0, 1, 2, 3, 255} and 0.005 < (labels == 255).mean() < 0.05
    row = labels.reshape(-1, 96)
    touching = ((row[:, 1:] == 0) & np.isin(row[:, :-1], (1, 2, 3))).sum() / (row == 255).sum()
    assert touching < 0.2, "shape and ground mostly meet in a rim"


def test_targets_lead_from_regions_to_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    maker("faster_rcnn")("data", 3, train=4, test=2)
    with h5py.File("data/rois_train.h5") as file:
        made = {name: file[name][:] for name in file}
    assert np.array_equal(made["rois"][:, :, 0], np.tile([[0], [1]], (2, 32)))  # the place in the batch
    on, weights = made["labels"] > 0, made["bbox_inside_weights"].reshape(4, 32, 4, 4)
    assert on.sum() == 4 * 8 and np.array_equal(weights.any((2, 3)), on)
    assert np.array_equal(weights[on].any(2).argmax(1), made["labels"][on]) and weights.sum() == on.sum() * 4
    rois = made["rois"][on][:, 1:]
    size = rois[:, 2:] - rois[:, :2] + 1
    way = made["bbox_targets"].reshape(4, 32, 4, 4)[on].sum(1) * (0.1, 0.1, 0.2, 0.2)
    middle, sides = rois[:, :2] + size / 2 + way[:, :2] * size, size * np.exp(way[:, 2:])
    first, last = middle - sides / 2, middle + sides / 2 - 1
    assert first.min() > -0.01 and last.max() < 64.01
    shared = (np.minimum(last, rois[:, 2:]) - np.maximum(first, rois[:, :2])).clip(0).prod(1)
    assert (shared / ((last - first).prod(1) + (size - 1).prod(1) - shared) > 0.49).all()


# -- training -------------------------------------------------------------------------------------------------------


def command(name: str, iterations: int, *options: str) -> list[str]:
    """The command line of a short run."""
    told = f"max_iter={iterations} test_interval={iterations} test_iter=1 display=1 average_loss=1 snapshot=1".split()
    settings = [part for setting in told for part in ("--set", setting)]
    return [f"configs/{name}/solver.prototxt", "--cpu", "--quiet", *settings, *options]


def losses(ended: Ended) -> list[float]:
    assert ended.code == 0, ended.stderr
    return [float(x) for line in ended.log for x in re.findall(r"^Iteration \d+ .*, loss = (\S+)", line)]


def weights(name: str, iteration: int) -> bytes:
    return Path(f"configs/{name}/{name}_iter_{iteration}.caffemodel").read_bytes()


def draw(name: str) -> None:
    train, test = FEW[name]
    maker(name)(f"configs/{name}", 1, train, test)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_killed_run_goes_on_to_the_same_bytes(name: str, folder: Path) -> None:
    draw(name)
    found = losses(call(train, *command(name, 16)))
    assert found[-1] < found[0]
    whole = weights(name, 16)
    for path in Path("configs", name).glob("*_iter_*"):
        path.unlink()
    process = subprocess.Popen([program("solver-train"), *command(name, 16)], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    while not Path(f"configs/{name}/{name}_iter_2.solverstate").exists() and time.monotonic() < begun + 90:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Path(f"configs/{name}/{name}_iter_16.caffemodel").exists()
    ended = call(train, *command(name, 16, "--snapshot", "auto"))
    assert 0 < len(losses(ended)) < 16
    assert weights(name, 16) == whole


@pytest.mark.parametrize(("name", "size"), [("ssd", "6"), ("segnet", "2")])
def test_pieces_learn_what_the_batch_teaches(name: str, size: str, folder: Path) -> None:
    draw(name)
    wanted = call(train, *command(name, 2))
    found = call(train, *command(name, 2, "--micro-batch", size))
    assert losses(found) == pytest.approx(losses(wanted), rel=1e-4)
    again = call(train, *command(name, 2, "--set", "iter_size=2", "--fit"))
    assert len(losses(again)) == 2 and losses(again) != losses(wanted)


def test_regions_of_several_pictures_are_not_split_but_computed_again(folder: Path) -> None:
    draw("faster_rcnn")
    refused = call(train, *command("faster_rcnn", 2, "--micro-batch", "1"))
    assert refused.code == 1
    assert re.fullmatch(
        r"configs/faster_rcnn/train_test.prototxt:\d+:1: layer 'fc4' \(InnerProduct\): the 2 records of a batch cannot be "
        r"split into micro-batches, because this layer reads what layer 'roi_pool3' \(ROIPooling\) has joined",
        refused.complaints[-1],
    )
    losses(call(train, *command("faster_rcnn", 2)))
    whole = weights("faster_rcnn", 2)
    losses(call(train, *command("faster_rcnn", 2, "--recompute")))
    assert weights("faster_rcnn", 2) == whole


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ssd", r"layer 'data' \(AnnotatedData\): batches cannot be joined, because 'label' has not a row for each"),
        ("segnet", r"layer 'loss' \(SoftmaxWithLoss\): batches cannot be joined, because this layer works on"),
    ],
)
def test_a_window_over_layers_that_need_their_own_batch_is_refused(name: str, words: str, folder: Path) -> None:
    draw(name)
    ended = call(train, *command(name, 2, "--set", "iter_size=2", "--batch-norm-window", "iter_size"))
    assert ended.code == 1
    assert re.match(rf"configs/{name}/train_test.prototxt:\d+:1: {words}", ended.complaints[-1])


@pytest.mark.parametrize("name", SCRIPTS)
def test_plans_find_nothing_wrong_with_the_nets(name: str, folder: Path) -> None:
    draw(name)
    ended = call(plan, f"configs/{name}/solver.prototxt")
    assert ended.code == 0, ended.stderr
    advice = ended.stdout.partition("\nAdvice\n")[2].strip().splitlines()
    assert all("some count twice" in line for line in advice), advice  # few test pictures


def test_a_quiet_run_tells_the_precisions(folder: Path) -> None:
    draw("ssd")
    ended = call(train, *command("ssd", 2, "--set", "test_initialization=true"))
    assert any(re.match(r"class\d: |Missing true_pos", line) for line in ended.log)
    assert any(line.startswith("    Test net output #0: detection_eval = ") for line in ended.log)


# -- what is made of a trained net ----------------------------------------------------------------------------------


def test_boxes_are_drawn(folder: Path) -> None:
    draw("ssd")
    losses(call(train, *command("ssd", 1)))
    script = [str(CONFIGS / "ssd" / "draw_boxes.py"), "configs/ssd/ssd_iter_1.caffemodel"]
    for least, name in (("0.02", "some.png"), ("1.1", "none.png")):
        ended = run("solver-tools", "python", *script, "--to", name, "--count", "4", "--columns", "3", "--least", least,
                    folder=folder)  # fmt: skip
        assert ended.code == 0, ended.stderr
    some, none = (cv2.imread(name) for name in ("some.png", "none.png"))
    assert some.shape == none.shape == (2 * 192, 3 * 192, 3)
    assert (some[:192] != none[:192]).any() and not some[192:, 192:].any()
    assert len(list(Path("configs/ssd/results").glob("comp4_det_test_*.txt"))) == 3


def test_the_overlap_is_measured(folder: Path) -> None:
    draw("segnet")
    losses(call(train, *command("segnet", 1)))
    script = [str(CONFIGS / "segnet" / "measure_overlap.py"), "configs/segnet/segnet_iter_1.caffemodel"]
    ended = run("solver-tools", "python", *script, folder=folder)
    assert ended.code == 0, ended.stderr
    found = dict(line.split() for line in ended.stdout.splitlines())
    assert list(found) == ["background", "circle", "square", "triangle", "mean"]
    values = [float(x) for x in found.values()]
    assert all(0 <= x <= 1 for x in values) and values[-1] == pytest.approx(np.mean(values[:-1]), abs=1e-3)
