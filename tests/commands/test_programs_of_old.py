"""`solver-tools twins`: Caffe's tools by their old names and with their command lines, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from running import ENVIRONMENT, SOLVER, Ended, call, changed, write

from solver_cli.commands import twins
from solver_cli.commands.tools import tools

UPGRADE = Path(__file__).parents[1] / "golden" / "upgrade"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twins, in a path with a blank."""
    folder = tmp_path_factory.mktemp("old tools") / "bin"
    ended = call(tools, "twins", str(folder))
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == f"wrote to {folder}: {', '.join(twins.available())}\n"
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def start(program: Path | list[str], *args: str, path: str = os.environ["PATH"]) -> Ended:
    words = [str(program)] if isinstance(program, Path) else program
    done = subprocess.run([*words, *args], env={**ENVIRONMENT, "PATH": path}, capture_output=True, text=True, timeout=100)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_what_is_there(old: Path) -> None:
    """Programs, those in C++ by both of their names."""
    names = {path.name for path in old.iterdir()}
    assert names == set(twins.available())
    assert {"caffe", "caffe.bin", "upgrade_net_proto_text", "train_net.bin", "draw_net.py"} <= names
    assert all(os.access(path, os.X_OK) for path in old.iterdir())
    assert {name + ".bin" for name in names if "." not in name} == {name for name in names if name.endswith(".bin")}


def test_a_tool_that_is_not_there_has_no_twin() -> None:
    there = {"", *tools.list_commands(click.Context(tools))}
    assert set(twins.available()) == {name for name, twin in twins.TWINS.items() if twin.needs in there}


def test_again_and_beside_others(folder: Path) -> None:
    """Twins replace twins, and nothing else."""
    assert call(tools, "twins", "bin").code == 0
    assert call(tools, "twins", "bin").code == 0
    Path("bin/caffe").write_bytes(b"\x7fELF real")
    (folder / "bin/train_net").unlink()
    ended = call(tools, "twins", "bin")
    assert (ended.code, ended.complaints) == (1, ["bin/caffe: is there and is no twin of ours: name another folder"])
    assert Path("bin/caffe").read_bytes() == b"\x7fELF real" and not Path("bin/train_net").exists()
    assert call(tools, "twins", "net.prototxt").complaints == ["net.prototxt: cannot be used: File exists"]


def test_by_the_path_and_by_python(old: Path, folder: Path) -> None:
    ended = start(["sh", "-c", "caffe -version"], path=f"{old}:{os.environ['PATH']}")
    assert (ended.code, ended.stderr) == (0, "") and ended.stdout.startswith("caffe version ")
    ended = start([sys.executable, str(old / "draw_net.py")], "-h")
    assert (ended.code, ended.stderr) == (0, "") and ended.stdout.startswith("usage: draw_net.py ")


def test_train_finetune_and_score(old: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The programs that `caffe` replaced; the first in a process of its own, the others by what they run."""
    ended = start(old / "train_net.bin", "solver.prototxt")
    assert (ended.code, ended.stdout, ended.log[-1]) == (0, "", "Optimization Done.")

    def run(name: str, *args: str) -> list[str]:
        assert twins.TWINS[name].run(args) == 0
        return Ended(0, *capsys.readouterr()).log

    (folder / "more.prototxt").write_text(changed(SOLVER, ("max_iter: 2", "max_iter: 3")))
    assert "Resuming from snap_iter_2.solverstate" in run("train_net", "more.prototxt", "snap_iter_2.solverstate")
    shutil.copy("snap_iter_3.caffemodel", "w.caffemodel")
    assert "Finetuning from w.caffemodel" in run("finetune_net", "solver.prototxt", "w.caffemodel")
    scored = run("test_net", "net.prototxt", "w.caffemodel", "2", "CPU")
    assert [line for line in scored if line.startswith("Batch 1, loss = ")]
    assert "Testing for 2 iterations." in run("net_speed_benchmark", "net.prototxt", "2")
    assert "Querying GPUs all" in run("device_query", "all")


@pytest.mark.parametrize(
    ("program", "source", "made"),
    [
        ("upgrade_net_proto_text", "v1_net.in.prototxt", "v1_net.out.prototxt"),
        ("upgrade_solver_proto_text.bin", "solver_adam.in.prototxt", "solver_adam.out.prototxt"),
    ],
)
def test_upgrade(program: str, source: str, made: str, old: Path, folder: Path) -> None:
    ended = start(old / program, str(UPGRADE / source), "new.prototxt")
    assert (ended.code, ended.stdout, ended.complaints) == (0, "", [])
    assert call(tools, "upgrade", str(UPGRADE / made), "again.prototxt").code == 0
    assert Path("new.prototxt").read_text() == Path("again.prototxt").read_text()


@pytest.mark.parametrize(
    ("program", "args", "code", "words"),
    [
        ("train_net", [], 1, "Usage: train_net SOLVER [SNAPSHOT]"),
        ("finetune_net", ["solver.prototxt"], 1, "Usage: finetune_net SOLVER WEIGHTS"),
        ("upgrade_net_proto_binary", ["one"], 1, "Usage: upgrade_net_proto_binary WEIGHTS_IN WEIGHTS_OUT"),
        ("upgrade_net_proto_text", ["gone", "new"], 1, "gone: cannot read it"),
        ("draw_net.py", ["net.prototxt"], 2, "draw_net.py: error: the following arguments are required"),
        ("caffe", ["train", "-solver", "gone"], 1, "gone: cannot read solver file"),
    ],
)
def test_what_is_refused(program: str, args: list[str], code: int, words: str, old: Path, folder: Path) -> None:
    ended = start(old / program, *args)
    assert (ended.code, ended.stdout) == (code, "")
    assert ended.complaints[-1].startswith(words)


def test_flags_become_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the tools with gflags' flags are run as."""
    told: list[tuple[str, ...]] = []
    monkeypatch.setenv("GLOG_minloglevel", "0")
    monkeypatch.setattr(twins, "tool", lambda *words: told.append(words) or 0)
    run = {name: twin.run for name, twin in twins.TWINS.items()}
    args = ["--gray", "-resize_width=8", "--resize_height", "9", "--noshuffle", "root/", "list.txt", "db"]
    assert run["convert_imageset"]([*args, "-backend=leveldb"]) == 0
    assert run["compute_image_mean.bin"](["-backend", "lmdb", "db", "mean.binaryproto"]) == 0
    assert run["extract_features"](["w", "net", "fc7", "out", "10", "lmdb", "GPU", "0"]) == 0
    assert run["compute_image_mean"](["-logtostderr=1", "-minloglevel=1", "-v=2", "-log_dir", ".", "db"]) == 0
    assert capsys.readouterr().err == "-v, -log_dir: without effect here\n"
    assert os.environ["GLOG_minloglevel"] == "1"  # noqa: SIM112 - glog spells it so
    assert run["parse_log.py"](["train.log", ".", "--verbose"]) == 0
    assert run["plot_training_log.py"](["6", "a.png", "one.log", "two.log"]) == 0
    assert told == [
        ("convert-imageset", "--gray", "--resize-width", "8", "--resize-height", "9", "--backend", "leveldb",
         "--", "root/", "list.txt", "db"),
        ("compute-mean", "--backend", "lmdb", "--", "db", "mean.binaryproto"),
        ("features", "w", "net", "fc7", "out", "10", "lmdb", "GPU", "0"),
        ("compute-mean", "--", "db"),
        ("log", "train.log", "--to", "."),
        ("plot", "one.log", "two.log", "--to", "a.png", "--x", "iterations", "--y", "loss"),
    ]  # fmt: skip
    assert run["convert_imageset"](["root/", "list.txt"]) == 1
    assert "\nusage: convert_imageset [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME\n" in capsys.readouterr().out
    assert run["compute_image_mean"](["-gray", "db"]) == 1
    assert capsys.readouterr().err == "ERROR: unknown command line flag 'gray'\n"
