"""Where snapshots go and what they are resumed from: what cannot work is said before anything is built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from running import NET, SOLVER, Ended, assert_like, call, changed, write

from solver_cli import Solver
from solver_cli.commands.train import train
from solver_cli.snapshots import archive

LONG = "日" * 74  # with `_iter_2.solverstate` 241 bytes; the temporary name would have more than 255


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(*options: str, prefix: str = "snap", code: int = 0) -> Ended:
    write(Path(), NET, changed(SOLVER, ('"snap"', f'"{prefix}"')))
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == code, ended.stderr[-500:]
    return ended


@pytest.mark.parametrize(
    "options", [(), ("--snapshot", "auto"), ("--set", "snapshot_after_train=false", "--set", "snapshot=1")]
)
@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        (r"a\000b", "no file's name holds the character 0"),
        (r"a\000b/c", "no file's name holds the character 0"),
        ("n" * 240, "File name too long"),
        ("日" * 80, "File name too long"),
        ("no/", "the folder 'no' does not exist; create it"),
        ("net.prototxt/snap", "'net.prototxt' is a file, not a folder"),
        ("pipe", "it is a device or a pipe"),
    ],
)
def test_names_that_cannot_be_written_are_refused_at_the_start(prefix: str, reason: str, options: tuple[str, ...]) -> None:
    os.mkfifo("pipe_iter_2.solverstate")
    ended = trained(*options, prefix=prefix, code=1)
    (line,) = ended.complaints
    assert_like(line, "solver.prototxt:5:1: ...")
    assert line.endswith(f": {reason}")
    assert not any("Creating layer" in entry for entry in ended.log)
    assert {path.name for path in Path().iterdir()} == {"net.prototxt", "solver.prototxt", "pipe_iter_2.solverstate"}


def test_keep_best_needs_a_place_too() -> None:
    settings = "snapshot_after_train=false", "test_iter=1", "test_interval=1"
    options = *(word for setting in settings for word in ("--set", setting)), "--keep-best", "loss"
    assert "does not exist; create it" in trained(*options, prefix="no/snap", code=1).complaints[0]


@pytest.mark.parametrize(
    ("given", "prefix"), [(LONG, LONG), ("a*[b]?", "a*[b]?"), ("...", "..."), (".", "solver"), ("sub/", "sub/solver")]
)
def test_odd_names_are_written_and_found_again(given: str, prefix: str) -> None:
    """A folder is completed by the solver file's name, as Caffe completes it."""
    Path("sub").mkdir()
    trained("--set", f"snapshot_prefix={given}")
    ended = trained("--set", f"snapshot_prefix={given}", "--set", "max_iter=3", "--snapshot", "auto", "--keep", "1")
    assert any(f"Resuming from {prefix}_iter_2.solverstate" in line for line in ended.log)
    kept = {path.name for path in Path(prefix).parent.iterdir() if "_iter_" in path.name}
    name = Path(prefix).name
    assert kept == {f"{name}_iter_3.caffemodel", f"{name}_iter_3.solverstate"}


def test_a_long_name_s_half_named_pair_is_finished() -> None:
    trained(prefix=LONG)
    state = Path(f"{LONG}_iter_2.solverstate")
    state.rename(f".{LONG[:33]}.1.0123abcd.tmp")
    assert archive.newest_whole(LONG) == str(state)


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        ("pipe", "pipe: cannot be read: not a regular file, but a pipe"),
        ("/dev/zero", "/dev/zero: cannot be read: not a regular file, but a device"),
        ("solver.prototext", "solver.prototext: no such file (did you mean 'solver.prototxt'?)"),
        (".", ".: cannot be read: Is a directory"),
        ("net.prototxt", "net.prototxt: holds text, not a solver state (a .solverstate)"),
    ],
)
def test_what_is_no_state_is_found_before_the_net_is_built(snapshot: str, line: str) -> None:
    os.mkfifo("pipe")
    ended = trained("--snapshot", snapshot, code=1)
    assert ended.complaints == [line]
    assert not any("Creating layer" in entry for entry in ended.log)


def test_a_second_run_of_the_same_names_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    write(Path(), NET, SOLVER)
    first, second = Solver("solver.prototxt"), Solver("solver.prototxt")
    for solver in (first, first, second, second):
        solver.snapshot()
        said = [record.getMessage() for record in caplog.records if "another run" in record.getMessage()]
        assert len(said) == (solver is second)
    first.close()
    second.close()
    assert said[0].startswith("snap_iter_0.solverstate: another run has written it since this one began: each needs a ")
