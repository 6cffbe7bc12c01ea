"""`solver-tools plot`: what stands in the pictures."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import pytest
from running import ENVIRONMENT, call

from solver_cli.commands.tools import tools
from solver_cli.pictures import curves, runlog

STAMP = "I0101 12:00:{0:02d}.000000  1 "


def log_of(folder: Path, name: str, losses: list[float], batch: int = 4, header: bool = True) -> str:
    """A log with a display and a test for each loss, every ten iterations and seconds."""
    text = ""
    if header:
        text += STAMP.format(0) + "solver.cpp:45] Initializing solver from parameters: \niter_size: 2\n"
        text += STAMP.format(0) + f"net.cpp:53] Initializing net from parameters: \nlayer {{\n    batch_size: {batch}\n}}\n"
    text += STAMP.format(0) + "solver.cpp:289] Solving net\n"
    for i, loss in enumerate(losses):
        now = STAMP.format(i % 60)
        text += f"{now}solver.cpp:347] Iteration {10 * i}, Testing net (#0)\n"
        text += f"{now}solver.cpp:414]     Test net output #0: accuracy = {0.1 * i:g}\n"
        text += f"{now}solver.cpp:239] Iteration {10 * i}, loss = {loss:g}\n"
        text += f"{now}sgd_solver.cpp:112] Iteration {10 * i}, lr = {0.1 if i < 2 else 0.01}\n"
        text += f"{now}solver.cpp:0] Effective batch 8, gradient noise scale about {40 + i}: the batch is near it\n"
    (folder / name).write_text(text)
    return str(folder / name)


def words(path: Path) -> list[str]:
    """The texts in an SVG, in order."""
    return ["".join(text.itertext()).strip() for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_an_svg_says_what_it_shows(tmp_path: Path) -> None:
    logs = [log_of(tmp_path, name, losses) for name, losses in (("one.log", [3, 2, 1, 1]), ("two.log", [4, 3, 2, 2]))]
    done = call(tools, "plot", *logs, "--to", str(tmp_path / "x.svg"))
    assert (done.code, done.stdout) == (0, f"wrote {tmp_path}/x.svg\n")
    found = words(tmp_path / "x.svg")
    assert {"loss", "accuracy", "learning rate", "gradient noise scale", "iterations"} <= set(found)
    assert {"one.log, train", "one.log, test", "two.log, train", "two.log, test"} <= set(found)
    text = (tmp_path / "x.svg").read_text().lower()
    assert "#0072b2" in text and "#d55e00" in text, "a colour for each run"


def test_a_png_of_a_height_for_its_panels(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one.log", [3, 2, 1])
    heights = []
    for only in ([], ["--y", "loss"]):
        assert call(tools, "plot", log, "--to", str(tmp_path / "x.png"), *only).code == 0
        picture = cv2.imread(str(tmp_path / "x.png"))
        assert picture.shape[1] == 960 and picture.mean() > 200, "light"
        heights.append(picture.shape[0])
    assert heights[0] > 3 * heights[1]


@pytest.mark.parametrize(
    ("options", "places", "label"),
    [
        (["iterations"], [0, 10, 20, 30], "iterations"),
        (["seconds"], [0, 1, 2, 3], "seconds"),
        (["images"], [0, 80, 160, 240], "images"),
        (["epochs"], [0, 0.5, 1, 1.5], "epochs"),
    ],
)
def test_axes(tmp_path: Path, options: list[str], places: list[float], label: str) -> None:
    log = log_of(tmp_path, "one.log", [3, 2, 1, 1])
    found = curves.panels(runlog.read([log]), *options, epoch=160)
    assert [panel.title for panel in found] == ["loss", "accuracy", "learning rate", "gradient noise scale"]
    assert found[0].curves[0].points == list(zip(places, [3, 2, 1, 1], strict=True))
    more = ["--epoch", "160"] if options == ["epochs"] else []
    shown = call(tools, "plot", log, "--x", *options, *more).stdout.splitlines()
    assert shown[-1].split() == ["against", label]
    assert any(re.fullmatch(rf" +0 +{places[-1]:g}", line) for line in shown)


def test_images_of_a_batch_that_grows(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one.log", [3, 2, 1, 1])
    text = Path(log).read_text()
    at = text.index(STAMP.format(2))
    grown = STAMP.format(2) + "solver.cpp:0] The batch grows at iteration 20: iter_size 2 -> 20, lr 0.1 (the file's ...)\n"
    Path(log).write_text(text[:at] + grown + text[at:])
    (loss,) = curves.panels(runlog.read([log]), "images", only=["loss"])
    assert [x for x, _ in loss.curves[0].points] == [0, 80, 160, 160 + 10 * 80]


def test_a_rate_goes_down_in_steps(tmp_path: Path) -> None:
    (rate,) = curves.panels(runlog.read([log_of(tmp_path, "one.log", [1] * 6)]), only=["learning rate"])
    assert rate.curves[0].points == [(0, 0.1), (10, 0.1), (20, 0.1), (20, 0.01), (30, 0.01), (40, 0.01), (50, 0.01)]


def test_a_long_curve_is_smoothed_and_the_raw_one_is_kept(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one.log", [float("nan"), *([1, 3] * 50)])
    (loss,) = curves.panels(runlog.read([log]), only=["loss"])
    (curve,) = loss.curves
    assert len(curve.means) == len(curve.points) == 101
    assert all(1.3 < y < 2.7 for _, y in curve.means[5:-5])
    assert not curves.panels(runlog.read([log]), only=["loss"], width=1)[0].curves[0].means


def test_logarithms_where_most_values_differ_much(tmp_path: Path) -> None:
    steep = [10 * 0.7**i for i in range(40)]
    untrained = [1e-5, *([0.5] * 39)]  # as accuracies begin
    for losses, logarithmic in ((steep, True), (untrained, False), ([0.0, *steep], False), ([1, 2, 3], False)):
        (loss,) = curves.panels(runlog.read([log_of(tmp_path, "one.log", losses)]), only=["loss"])
        assert loss.logarithmic == logarithmic


def test_in_the_terminal(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one.log", [4, 3, 2, 1])
    one = call(tools, "plot", log, "--y", "loss").stdout
    assert re.search(r"^ +4 │[⠀-⣿]", one, re.M) and re.search(r"^ +1 │ .*[⠀-⣿]$", one, re.M), "from high to low"
    two = call(tools, "plot", log, log_of(tmp_path, "two.log", [4, 3, 4, 4]), "--y", "loss", "--to", "-").stdout
    assert re.search(r"^ +a one.log, train$", two, re.M) and re.search(r"^ +b two.log, train$", two, re.M)
    assert not re.search("[⠀-⣿\x1b]", two), "letters where there are no colours"


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one.log", [3, 2], header=False)
    for options, words in {
        ("--y", "acuracy"): "error: --y acuracy: nothing of this name is logged (did you mean 'accuracy'?)",
        (
            "--x",
            "images",
        ): "error: --x images: the log of one.log does not tell the batch size: say --batch N, of an iteration",
        (
            "--x",
            "epochs",
            "--batch",
            "8",
        ): "error: --x epochs: logs do not tell how many records an epoch has: say --epoch N",
        ("--to", "x.gif"): "x.gif: a picture's name ends with .png, .svg or .pdf, not '.gif'",
    }.items():
        ended = call(tools, "plot", log, *options)
        assert (ended.code, ended.stdout, ended.stderr) == (1, "", words + "\n")


def test_without_matplotlib(tmp_path: Path) -> None:
    """The terminal does without; a picture names the extra."""
    log = log_of(tmp_path, "one.log", [3, 2])
    program = "import sys; sys.modules['matplotlib'] = None; from solver_cli.commands.tools import tools; tools()"

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, "plot", log, *args]
        return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path, check=False)

    assert run().returncode == 0
    ended = run("--to", "x.png")
    assert (ended.returncode, ended.stderr) == (1, "error: plots need matplotlib: pip install 'solver-train[plots]'\n")
    assert not (tmp_path / "x.png").exists()
