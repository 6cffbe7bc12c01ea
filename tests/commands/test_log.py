"""`solver-tools log`: tables of real Caffe's logs, of its forks' and of ours."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from running import SOLVER, call, changed, run, write

from solver_cli.commands.tools import tools

HEAD = "I{0} solver.cpp:289] Solving small\n"
DISPLAY = """\
I{0} solver.cpp:239] Iteration {1} (10 iter/s, 1s/10 iters), loss = {2}
I{0} solver.cpp:258]     Train net output #0: loss = {2} (* 1 = {2} loss)
I{0} sgd_solver.cpp:112] Iteration {1}, lr = {3}
"""
TEST = """\
I{0} solver.cpp:347] Iteration {1}, Testing net (#0)
I{0} solver.cpp:414]     Test net output #0: accuracy = {2}
"""
RESUMED = "I{0} caffe.cpp:235] Resuming from {1}\n"
SAVED = "I{0} sgd_solver.cpp:284] Snapshotting solver state to binary proto file {1}\n"
NOON = "1231 12:00:0{}.000000  1234"


def at(second: int) -> str:
    return NOON.format(second)


def tables(*args: str) -> dict[str, list[dict[str, str]]]:
    """The tables that the command prints, by name; "" for a single one."""
    ended = call(tools, "log", *args)
    assert (ended.code, ended.stderr) == (0, "")
    parts = re.split(r"^# (.*)\n", ended.stdout, flags=re.M)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True)) or {"": parts[0]}
    return {name: list(csv.DictReader(io.StringIO(text.strip() + "\n"))) for name, text in texts.items()}


def column(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


# What tools/extra/parse_log.py makes of the same logs, except that it gives a row the rate of the display before.
PARSED = {
    ("train_two_test_nets.short_date", "train"): "0,0.004881,0.1,2.36872 5,0.006729,0.1,2.22042 10,0.010631,0.1,2.21939 "
    "15,0.014168,0.1,2.08477",
    ("train_finetune", "test"): "0,0.004533,0.01,0,2.30258 25,0.014671,0.01,0.191406,2.25279",
    ("train_clip_multistep", "test"): "0,0.000892,0.1,0.046875,2.34499 8,0.005363,0.05,0.078125,2.27387 "
    "16,0.008584,0.025,0.15625,2.20602",
}


@pytest.mark.parametrize(("name", "table"), PARSED)
def test_caffes_logs(golden: Path, name: str, table: str) -> None:
    ended = call(tools, "log", str(golden / "logs" / f"{name}.txt"), "--table", table)
    found = [line for line in ended.stdout.splitlines() if not line.startswith("# ")]
    first = found.index("NumIters,Seconds,LearningRate," + ("loss" if table == "train" else "accuracy,loss"))
    wanted = PARSED[name, table].split()
    assert found[first + 1 : first + 1 + len(wanted)] == wanted


def test_prefixes_with_and_without_the_year_tell_the_same(golden: Path) -> None:
    short, full = (tables(str(golden / "logs" / f"train_two_test_nets{kind}.txt")) for kind in (".short_date", ""))
    assert list(short.values()) == list(full.values())
    assert [name.rpartition(".")[2] for name in full] == ["train", "test", "test1"]
    assert list(full["train_two_test_nets.txt.test1"][0]) == [
        "NumIters",
        "Seconds",
        "LearningRate",
        "accuracy",
        "loss",
        "top3",
    ]


def test_every_number_of_an_output_has_a_column(golden: Path) -> None:
    rows = tables(str(golden / "logs/train_multi_loss.txt"), "--table", "train")[""]
    names = ["accuracy", "aux_loss", "main_loss", *(f"penalty[{i}]" for i in range(8)), "shown_only"]
    assert list(rows[0])[3:] == names
    assert column(rows, "penalty[7]")[:2] == [0.432141, 1.09091]


def test_a_resumed_run_goes_on_in_the_one_that_wrote_its_snapshot(golden: Path) -> None:
    logs = [str(golden / "logs" / name) for name in ("train_clip_multistep.txt", "train_resumed.txt")]
    found = tables(*logs)
    assert list(found) == ["train_clip_multistep.txt.train", "train_clip_multistep.txt.test"]
    train, test = found.values()
    assert column(train, "NumIters") == [*range(0, 20, 2), 20, 25]
    assert column(test, "NumIters") == [0, 8, 16, 20, 30]
    seconds = column(train, "Seconds")
    assert seconds == sorted(seconds) and seconds[-1] < 1, "the pause between the runs does not count"
    assert list(tables(*logs[::-1])) != list(found), "a run cannot go on from a later one"


def test_what_was_lost_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log").write_text(
        HEAD.format(at(0)) + DISPLAY.format(at(1), 0, 3, 0.1) + SAVED.format(at(2), "s_iter_5.solverstate")
        + DISPLAY.format(at(3), 10, 2, 0.1) + TEST.format(at(4), 10, 0.5) + DISPLAY.format(at(5), 20, 1, 0.1)
        + RESUMED.format(at(6), "s_iter_5.solverstate") + HEAD.format(at(7)) + DISPLAY.format(at(8), 10, 2.5, 0.01)
    )  # fmt: skip
    rows = tables("log")[""]
    assert column(rows, "loss") == [3, 2.5]
    assert column(rows, "LearningRate") == [0.1, 0.01]
    assert column(rows, "Seconds") == [1, 3], "two seconds up to the snapshot, and one behind it"


def test_several_runs_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = DISPLAY.format(at(1), 0, 3, 0.1) + DISPLAY.format(at(2), 10, 2, 0.1)  # as --quiet leaves it: no first line
    Path("log").write_text(one + one + DISPLAY.format(at(3), 5, 1, 0.1))
    found = tables("log")
    assert {name: column(rows, "loss") for name, rows in found.items()} == {"log.train": [3, 2], "log#2.train": [3, 1]}


@pytest.mark.parametrize(
    ("days", "between"),
    [
        (("0310 23:59:58", "0311 00:00:01"), 3),
        (("1231 23:59:59", "0101 00:00:01"), 2),
        (("0228 12:00:00", "0301 12:00:00"), 86400),
    ],
)
def test_midnight_and_new_year(tmp_path: Path, days: tuple[str, str], between: int) -> None:
    log = tmp_path / "log"
    one, two = (f"{day}.000000 1" for day in days)
    log.write_text(HEAD.format(one) + DISPLAY.format(one, 0, 3, 0.1) + DISPLAY.format(two, 10, 2, 0.1))
    assert column(tables(str(log))[""], "Seconds") == [0, between]


def test_a_leap_day(tmp_path: Path) -> None:
    log = tmp_path / "log"
    days = [f"{day} 12:00:00.000000 1" for day in ("1231", "0228", "0229", "0301")]
    log.write_text(HEAD.format(days[0]) + "".join(DISPLAY.format(day, i, 3, 0.1) for i, day in enumerate(days)))
    assert column(tables(str(log))[""], "Seconds") == [86400 * n for n in (0, 59, 60, 61)]


def test_lines_that_are_cut_off(tmp_path: Path) -> None:
    log = tmp_path / "log"
    whole = HEAD.format(at(0)) + DISPLAY.format(at(1), 0, 3.25, 0.1)
    cut = whole + DISPLAY.format(at(2), 10, 1.25, 0.1)
    for length in range(len(whole), len(cut)):
        log.write_text(cut[:length])
        assert set(column(tables(str(log))[""], "loss")) <= {3.25, 1.25}, "never half a number"
    middle = cut[: cut.index("1.25 (*") + 2]  # a killed process, and the next one's log behind it
    following = RESUMED.format(at(3), "s_iter_5.solverstate") + HEAD.format(at(3)) + DISPLAY.format(at(4), 5, 2, 0.1)
    log.write_text(middle + following)
    assert column(tables(str(log))[""], "loss") == [3.25, 2]


def test_nvcaffe_on_several_gpus(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("""\
I0101 12:00:00.000000  1 caffe.cpp:216] Using GPUs 0, 1
I0101 12:00:01.000000  1 solver.cpp:411] [0.0] Solving net Learning Rate Policy: poly
I0101 12:00:01.000000  2 solver.cpp:411] [1.1] Solving net Learning Rate Policy: poly
I0101 12:00:02.000000  1 solver.cpp:494] Iteration 0, Testing net (#0)
I0101 12:00:03.000000  1 solver.cpp:706] class AP 1: 0.5
I0101 12:00:03.000000  1 solver.cpp:712] Test net output mAP #0: detection_eval = 0.0625
I0101 12:00:04.000000  1 solver.cpp:337]     [0.0] Iteration 0 (1.5 iter/s, 19.2s/100 iter), 0.1/10ep, loss = 7.5
I0101 12:00:04.000000  2 solver.cpp:337]     [1.1] Iteration 7 (1.5 iter/s, 19.2s/100 iter), 0.1/10ep, loss = 9.5
I0101 12:00:04.500000  1 solver.cpp:359]     [0.0]     Train net output #0: mbox_loss = nan (* 1 = nan loss)
I0101 12:00:05.000000  1 sgd_solver.cpp:180] [0.0] Iteration 0, lr = 0.01, m = 0.9
""")
    train, test = tables(str(log), "--all").values()
    assert train == [
        {"NumIters": "0", "Seconds": "3.500000", "LearningRate": "0.01", "mbox_loss": "nan", "SmoothedLoss": "7.5"}
    ]
    assert test == [
        {"NumIters": "0", "Seconds": "2.000000", "LearningRate": "0.01", "detection_eval": "0.0625", "class1": "0.5"}
    ]
    (found,) = json.loads(call(tools, "log", str(log), "--json").stdout)["runs"]
    assert found["train"][0]["mbox_loss"] is None and found["test"][0][0]["detection_eval"] == 0.0625


def test_our_own_log_into_files(tmp_path: Path) -> None:
    more = "max_iter: 60 display: 20 iter_size: 2 test_iter: 1 test_interval: 30"
    write(tmp_path, solver=changed(SOLVER, ("max_iter: 2", more)))
    (tmp_path / "run.log").write_text(run("solver-train", "solver.prototxt", folder=tmp_path).stderr)
    done = call(tools, "log", str(tmp_path / "run.log"), "--to", str(tmp_path / "tables"), "--all")
    assert done.stdout == "".join(f"wrote {tmp_path}/tables/run.log.{kind}\n" for kind in ("train", "test"))
    texts = [(tmp_path / f"tables/run.log.{kind}").read_text() for kind in ("train", "test")]
    train, test = (list(csv.DictReader(io.StringIO(text))) for text in texts)
    assert column(train, "NumIters") == [0, 20, 40, 60] and column(test, "NumIters") == [0, 30, 60]
    assert {"SmoothedLoss", "ImagesPerSecond", "loss"} <= set(train[0])


@pytest.mark.parametrize("text", ["", "hello\n", "I0101 12:00:00.000000  1 caffe.cpp:309] Loss: 1.5\n"])
def test_what_is_no_log(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    ended = call(tools, "log", str(tmp_path / "x"))
    assert (ended.code, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert ended.stderr.startswith(f"{tmp_path}/x: is no log of a training run")


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    ended = call(tools, "log", str(tmp_path / "x"))
    assert (ended.code, ended.stderr) == (1, f"{tmp_path}/x: cannot be read: No such file or directory\n")


def test_a_folder_that_cannot_be_made(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    ended = call(tools, "log", str(golden / "logs/train_finetune.txt"), "--to", str(tmp_path / "x"))
    assert (ended.code, ended.stderr) == (1, f"{tmp_path}/x: the folder cannot be made: File exists\n")
