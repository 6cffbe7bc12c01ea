"""What a run writes down while it trains: tables, a picture, events for TensorBoard; resumed, and on a broken disk."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from running import ENVIRONMENT, NET, SOLVER, Ended, call, changed, run, write

from solver_cli import Solver
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train
from solver_cli.errors import ConfigError

MORE = "max_iter: 40 display: 10 iter_size: 2 test_iter: 2 test_interval: 20 snapshot: 20"
LONG = changed(SOLVER, ("max_iter: 2", MORE), ('"fixed"', '"inv" gamma: 0.1 power: 0.5'))
ACCURACY = '\nlayer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" include { phase: TEST } }'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, net=NET + ACCURACY, solver=LONG)
    return tmp_path


def trained(*options: str) -> Ended:
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == 0, ended.complaints
    return ended


def table(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def without_seconds(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "Seconds"} for row in rows]


def events(folder: str = "tb") -> Any:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(folder, size_guidance={"scalars": 0, "histograms": 0, "images": 0})
    return found.Reload()


# -- tables ---------------------------------------------------------------------------------------------------------


def test_tables_are_those_of_the_log(folder: Path) -> None:
    Path("run.log").write_text(trained("--csv", "run").stderr)
    assert call(tools, "log", "run.log", "--to", ".").code == 0
    for kind in ("train", "test"):
        ours, logged = table(f"run.{kind}"), table(f"run.log.{kind}")
        for last in (ours[-1], logged[-1]) if kind == "test" else ():
            last["LearningRate"] = ""  # of the last update here, of the last display there
        assert without_seconds(ours) == without_seconds(logged)
        for a, b in zip(ours, logged, strict=True):
            assert float(a["Seconds"]) == pytest.approx(float(b["Seconds"]), abs=0.2)
    assert [row["NumIters"] for row in table("run.train")] == ["0", "10", "20", "30"]
    assert list(table("run.test")[0]) == ["NumIters", "Seconds", "LearningRate", "acc", "loss"]


def test_resumed_tables_are_those_of_a_run_that_never_stopped() -> None:
    trained("--csv", "whole")
    trained("--csv", "run", "--set", "max_iter=35")  # shows 30, which is lost
    with Path("run.train").open("a") as file:
        file.write("36,0.5,0.0")  # a row that was cut off
    trained("--csv", "run", "--snapshot", "snap_iter_20.solverstate")
    for kind in ("train", "test"):
        assert without_seconds(table(f"run.{kind}")) == without_seconds(table(f"whole.{kind}"))
    seconds = [float(row["Seconds"]) for row in table("run.train")]
    assert seconds == sorted(seconds)


def test_a_net_that_shows_more_widens_the_table() -> None:
    trained("--csv", "run")
    more = '\nlayer { name: "sum" type: "Reduction" bottom: "ip" top: "sum" }'
    Path("net.prototxt").write_text(NET + ACCURACY + more)
    trained("--csv", "run", "--snapshot", "snap_iter_20.solverstate")
    rows = table("run.train")
    assert list(rows[0])[3:] == ["loss", "sum"]
    assert [bool(row["sum"]) for row in rows] == [False, False, True, True]


def test_another_file_is_not_overwritten() -> None:
    Path("run.train").write_text("precious\n")
    ended = call(train, "solver.prototxt", "--csv", "run")
    assert ended.code == 1
    assert ended.complaints == ["run.train: is no table of a run, and --csv would overwrite it: name another"]
    assert Path("run.train").read_text() == "precious\n"


@pytest.mark.parametrize("option", ["--csv", "--plot", "--tensorboard"])
def test_where_nothing_can_be_written(option: str) -> None:
    Path("file").touch()
    ended = call(train, "solver.prototxt", option, "file/x.png")
    assert ended.code == 1 and len(ended.complaints) == 1
    assert f"{option}: cannot be written: Not a directory" in ended.complaints[0]


# -- the picture ----------------------------------------------------------------------------------------------------


def test_a_picture_of_the_whole_run() -> None:
    trained("--plot", "run.svg", "--csv", "run")
    text = Path("run.svg").read_text()
    assert {"small, train", "small, test", "acc", "learning rate", "iterations"} <= {
        part.partition("<")[0] for part in text.split(">")
    }
    trained("--plot", "run.png", "--csv", "run", "--snapshot", "snap_iter_20.solverstate")
    picture = cv2.imread("run.png")
    assert picture.shape[1] == 960 and picture.mean() > 200


def test_a_picture_while_the_run_goes_on(folder: Path) -> None:
    """Also without any test net; modules in the working folder are not the drawing's."""
    (folder / "json.py").write_text("raise SystemExit(3)")
    write(folder, solver=changed(SOLVER, ("max_iter: 2", "max_iter: 2 display: 1")))
    solver = Solver("solver.prototxt", device="cpu", plot="run.svg")
    solver.step(2)
    for _ in range(600):
        if Path("run.svg").exists():
            break
        time.sleep(0.1)
    assert "small, train" in Path("run.svg").read_text()
    solver.close()
    (folder / "json.py").unlink()


def test_a_program_that_goes_back() -> None:
    solver = Solver("solver.prototxt", device="cpu", csv="run", tensorboard="tb")
    solver.step(35)
    solver.restore("snap_iter_20.solverstate")
    solver.step(15)
    solver.close()
    assert [row["NumIters"] for row in table("run.train")] == ["0", "10", "20", "30"]
    assert [row["NumIters"] for row in table("run.test")] == ["0", "20"]
    assert [event.step for event in events().Scalars("train/loss")] == [0, 10, 20, 30]


def test_a_picture_of_another_kind() -> None:
    ended = call(train, "solver.prototxt", "--plot", "run.gif")
    assert (ended.code, ended.complaints) == (1, ["run.gif: a picture's name ends with .png, .svg or .pdf, not '.gif'"])


def test_training_outlives_the_process_that_draws(folder: Path) -> None:
    solver = Solver("solver.prototxt", device="cpu", plot="run.svg")
    solver.step(5)
    (picture,) = (watcher for watcher in solver.watchers if hasattr(watcher, "process"))
    picture.process.kill()
    picture.process.wait()
    solver.step(30)
    assert picture not in solver.watchers and solver.iter == 35
    solver.close()


# -- TensorBoard ----------------------------------------------------------------------------------------------------


def test_events() -> None:
    trained("--tensorboard", "tb", "--csv", "run")
    found = events()
    shown = {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    for kind, names in (("train", ("loss", "LearningRate")), ("test", ("loss", "acc"))):
        for name in names:
            rows = [(int(row["NumIters"]), float(row[name])) for row in table(f"run.{kind}")]
            steps, values = zip(*shown[f"{kind}/{name}"], strict=True)
            assert list(steps) == [step for step, _ in rows]
            assert values == pytest.approx([value for _, value in rows], rel=1e-5)
    assert all(value > 0 for _, value in shown["train/ImagesPerSecond"])
    assert {"train/SmoothedLoss", "train/NoiseScale"} <= {*shown, "train/NoiseScale"}
    assert [node.name for node in found.Graph().node] == ["data", "conv", "relu", "ip", "loss"]
    assert list(found.Graph().node[4].input) == ["ip", "data"]


def test_histograms_and_filters() -> None:
    solver = Solver("solver.prototxt", device="cpu", tensorboard="tb")
    weights = solver.net.params["conv"][0].detach().numpy().copy()
    solver.step(1)
    solver.close()
    found = events()
    histogram = found.Histograms("weights/conv/0")[0].histogram_value
    assert (histogram.min, histogram.max) == pytest.approx((weights.min(), weights.max()))
    assert (histogram.num, sum(histogram.bucket)) == (weights.size, weights.size)
    counts, _ = np.histogram(weights, len(histogram.bucket), (weights.min(), weights.max()))
    assert np.abs(np.cumsum(counts) - np.cumsum(histogram.bucket)).max() <= 1
    picture = cv2.imdecode(np.frombuffer(found.Images("filters/conv")[0].encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (52, 52, 3), "two by two filters, with lines between"
    low, high = weights.min(), weights.max()
    shown = (weights[0, ::-1, 0, 0] - low) / (high - low) * 255  # blue comes first
    assert np.abs(picture[0, 0] - shown).max() <= 1
    assert len(found.Histograms("gradients/ip/1")) == 1


def test_gradients_are_means_over_the_passes() -> None:
    constant = changed(NET, ('data_filler { type: "gaussian" }', 'data_filler { type: "constant" value: 1 }'))
    sizes = []
    for passes in (1, 4):
        write(Path(), net=constant, solver=changed(LONG, ("iter_size: 2", f"iter_size: {passes}")))
        solver = Solver("solver.prototxt", device="cpu", tensorboard=f"tb{passes}")
        solver.step(1)
        solver.close()
        sizes.append(events(f"tb{passes}").Histograms("gradients/ip/0")[0].histogram_value.sum_squares)
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-4) and sizes[0] > 0


def test_steps_go_on_when_a_run_is_resumed() -> None:
    trained("--tensorboard", "tb", "--set", "max_iter=35")
    run("solver-train", "solver.prototxt", "--tensorboard", "tb", "--snapshot", "snap_iter_20.solverstate", folder=Path())
    assert [event.step for event in events().Scalars("train/loss")] == [0, 10, 20, 30]
    assert [event.step for event in events().Scalars("test/acc")] == [0, 20, 40]


def test_values_that_are_not_finite_have_no_histogram() -> None:
    solver = Solver("solver.prototxt", device="cpu", tensorboard="tb", allow_nan=True)
    solver.net.params["ip"][1].data[0] = math.nan
    solver.step(1)
    solver.close()
    assert "weights/ip/1" not in events().Tags()["histograms"]
    assert "weights/ip/0" in events().Tags()["histograms"]


def test_without_tensorboard(folder: Path) -> None:
    program = "import sys; sys.modules['tensorboard'] = None; from solver_cli.commands.train import train; train()"
    command = [sys.executable, "-c", program, "solver.prototxt", "--tensorboard", "tb"]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=folder, check=False)
    assert ended.returncode == 1
    words = "error: --tensorboard needs tensorboard: pip install 'solver-train[tensorboard]'"
    assert ended.stderr.splitlines()[-1] == words


# -- disks that fail ------------------------------------------------------------------------------------------------

FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (%d, resource.RLIM_INFINITY))
from solver_cli.commands.train import train
train()
"""


@pytest.mark.parametrize(
    ("options", "room", "who"), [(("--csv", "run"), 60, "Tables"), (("--tensorboard", "tb"), 2000, "TensorBoard")]
)
def test_a_full_disk_ends_the_watching_and_not_the_run(options: tuple[str, str], room: int, who: str, folder: Path) -> None:
    settings = ["--set", "snapshot=0", "--set", "snapshot_after_train=0"]
    command = [sys.executable, "-c", FULL % room, "solver.prototxt", *options, *settings]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=folder, check=False)
    assert ended.returncode == 0, ended.stderr
    warnings = [line for line in ended.stderr.splitlines() if line.startswith("W")]
    assert len(warnings) == 1 and f"{who} has ended, training goes on" in warnings[0]
    assert "Optimization Done." in ended.stderr
    assert "Traceback" not in ended.stderr and "ignored" not in ended.stderr


def test_a_library_user_gets_one_line(folder: Path) -> None:
    with pytest.raises(ConfigError, match="ends with"):
        Solver("solver.prototxt", device="cpu", plot="x.jpg")
