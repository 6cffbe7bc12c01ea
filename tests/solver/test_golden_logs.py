"""Our log against Caffe's, line by line, and against the patterns by which scripts of Caffe's time read it: see
golden/README.md."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from golden_cases import index, near, options
from running import LOG_LINE, call

from solver_cli.commands.train import train

LOGS = {
    Path(log["file"]).stem: log
    for log in index("logs/index.json")["logs"]
    if log.get("command", "").startswith("caffe train") and "sig" not in log["file"]
} | {"debug_info": {"case_folder": "debug_info", "command": "caffe train --solver=solver.prototxt"}}

# What of Caffe's log is left out of the comparison, and why.
LEFT_OUT = [
    r"blocking_queue\.cpp:49\] Waiting for data",  # whether the reader was late
    r"data_layer\.cpp:73\] Restarting data prefetching from start\.",  # when the reader's thread gets there
    r"db_lmdb\.cpp:35\] Opened lmdb ",  # ours comes behind the lines of the layer's tops; compared by itself
]
OURS = [  # what Caffe has no line for
    *(r"Caffe wrote this snapshot: ", r"Effective batch \d+, gradient noise scale ", r"Waited for data "),
    *(r"solver\.cpp:0\] \d+ images/s, .* left", r"does not say its solver type: taken for "),
]
PREFIX = re.compile(r"([IWEF])(?:\d{4}|\d{8}) \d\d:\d\d:\d\d\.\d{6} +\d+ ([\w.]+:\d+\] ?.*)")
SPEED = re.compile(r"\(\S+ iter/s, \S+s/(\d+ iters)\)")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")


def lines_of(text: str) -> list[str]:
    """Level, site and message of every line; the lines of texts that a message holds as they are."""
    found = [PREFIX.sub(r"\1 \2", line) for line in text.splitlines()]
    return [SPEED.sub(r"(\1)", line) for line in found if not any(re.search(pattern, line) for pattern in LEFT_OUT + OURS)]


def without_inner_layers(lines: list[str]) -> list[str]:
    """Caffe's losses create a softmax under their own name in the middle of their setup."""
    creating = "I layer_factory.hpp:77] Creating layer "
    return [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if not (line.startswith(creating) and following == "I net.cpp:124] Setting up " + line.removeprefix(creating))
    ]


def assert_same(found: list[str], wanted: list[str]) -> None:
    """The same lines in the same order; figures agree to 5 digits, and after ten iterations within the runs' tolerance."""
    assert [NUMBER.sub("#", line) for line in found] == [NUMBER.sub("#", line) for line in wanted]
    iteration = 0
    for ours, theirs in zip(found, wanted, strict=True):
        if match := re.search(r"Iteration (\d+)", theirs):
            iteration = int(match[1])
        if "." not in theirs.partition("] ")[2]:
            assert ours == theirs
        for a, b in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
            whole = re.fullmatch(r"-?\d+", b) and re.fullmatch(r"-?\d+", a)
            limit = 0 if whole else 1e-5 if iteration < 10 else 1e-4
            assert near(float(a), float(b), limit, 0), f"{ours!r}, Caffe {theirs!r}"


def log_of(name: str, case_folder: Any) -> str:
    """What our command prints on the golden log's call."""
    log = LOGS[name]
    folder = case_folder(log["case_folder"])
    for file, text in log.get("files", {}).items():
        (folder / file).write_text(text)
    given = options(log["command"])
    ended = call(train, given.pop("solver"), *(f"--{flag}={value}" for flag, value in given.items()))
    assert ended.code == 0, ended.stderr
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize("name", sorted(LOGS))
def test_log(name, case_folder, golden):
    log = LOGS[name]
    path = golden / ("logs/" + log["file"] if "file" in log else "solvers/debug_info/debug_log.txt")
    found, wanted = log_of(name, case_folder), path.read_text()
    assert_same(lines_of(found), without_inner_layers(lines_of(wanted)))
    opened = re.compile(r"db_lmdb\.cpp:35\] Opened lmdb .*")
    assert opened.findall(found) == opened.findall(wanted)


def test_prefix(case_folder, golden):
    """The short date of older logging libraries, by which most parsers know a line; continued lines have no prefix."""
    found = log_of("train_two_test_nets", case_folder).splitlines()
    wanted = (golden / "logs" / "train_two_test_nets.short_date.txt").read_text().splitlines()
    assert all(LOG_LINE.match(line) for line in wanted if "] " in line)
    assert all(LOG_LINE.match(line) for line in found if "] " in line)
    assert {len(LOG_LINE.match(line)[0]) for line in found if "solver.cpp:45]" in line} == {
        len(LOG_LINE.match(line)[0]) for line in wanted if "solver.cpp:45]" in line
    }


# -- scripts that read logs ------------------------------------------------------------------------------------------

FLOAT = r"[-+]?(?:[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|nan|inf)"


@dataclass
class Row:
    """What a script knows of one iteration."""

    iteration: int
    seconds: float
    rate: float | None
    values: dict[str, float]


def moment(line: str) -> datetime:
    """The time of a line, as scripts take it: month and day in the first word, the time in the second."""
    first, second = line.split()[:2]
    return datetime.strptime(f"2000{first[1:]} {second}", "%Y%m%d %H:%M:%S.%f")


def parse(text: str) -> tuple[list[Row], list[Row]]:
    """Train and test rows of a log, read line by line as the scripts of Caffe's time do."""
    lines = text.splitlines()
    start = next(moment(line) for line in lines if "Solving" in line)
    train_rows: list[Row] = []
    test_rows: list[Row] = []
    iteration, rate = -1, None
    for line in lines:
        if match := re.search(r"Iteration (\d+)", line):
            iteration = int(match[1])
        if iteration < 0:
            continue
        if match := re.search(rf"lr = ({FLOAT})", line):
            rate = float(match[1])
            for row in train_rows:
                row.rate = rate if row.rate is None else row.rate
        for kind, rows in (("Train", train_rows), ("Test", test_rows)):
            if match := re.search(rf"{kind} net output #(\d+): (\S+) = ({FLOAT})", line):
                if match[1] == "0":
                    rows.append(Row(iteration, (moment(line) - start).total_seconds(), None, {}))
                rows[-1].values[match[2]] = float(match[3])
    return train_rows, test_rows


def test_scripts_read_the_log(case_folder, golden):
    """The same rows come from our log and from Caffe's."""
    ours = parse(log_of("train_two_test_nets", case_folder))
    theirs = parse((golden / "logs" / "train_two_test_nets.short_date.txt").read_text())
    assert [len(rows) for rows in ours] == [len(rows) for rows in theirs]
    assert all(len(rows) > 3 for rows in ours)
    for rows, expected in zip(ours, theirs, strict=True):
        for found, wanted in zip(rows, expected, strict=True):
            assert (found.iteration, found.rate) == (wanted.iteration, wanted.rate)
            assert found.values == pytest.approx(wanted.values, rel=1e-4)
        seconds = [row.seconds for row in rows]
        assert seconds == sorted(seconds)
        assert 0 <= seconds[0] <= seconds[-1] < 100


def test_smoothed_loss_and_speed(case_folder):
    """What plotting scripts take from the display lines themselves."""
    text = log_of("train_clip_multistep", case_folder)
    shown = re.findall(rf"Iteration (\d+) \(({FLOAT}) iter/s, ({FLOAT})s/2 iters\), loss = ({FLOAT})", text)
    assert [int(at) for at, *_ in shown] == list(range(0, 20, 2))
    for at, speed, lapse, _ in shown[1:]:
        assert float(speed) * float(lapse) == pytest.approx(2, rel=1e-3), at
    assert re.findall(rf"Iteration (\d+), loss = ({FLOAT})", text)[-1][0] == "20"


def test_log_of_statistics(tmp_path, monkeypatch):
    """BatchNorm's blobs ask for a gradient where their text does not deny it; debug_info lasts to the end's display."""
    folder = tmp_path / "statistics"
    shutil.copytree(Path(__file__).parents[1] / "golden" / "logs" / "statistics", folder)
    monkeypatch.chdir(folder)
    found, wanted = call(train, "solver.prototxt").stderr, Path("log.txt").read_text()
    wanted = re.sub(r".*(Datatype class: H5T_FLOAT|Skipping parameter initialization)\n", "", wanted)  # not said here
    assert_same(lines_of(found), without_inner_layers(lines_of(wanted)))
