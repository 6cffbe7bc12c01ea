"""Snapshots on the disk: whole or not there, found again, thinned out; what a full disk and a kill leave."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from running import NET, SOLVER, Ended, call, write

from solver_cli import Solver, caffe_pb2
from solver_cli.commands.cli import train
from solver_cli.errors import SnapshotError
from solver_cli.formats import solverstate, wire
from solver_cli.formats.atomic import atomic_write
from solver_cli.snapshots import archive, snapshot

TESTED_NET = NET + """
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, solver=SOLVER + "momentum: 0.9\n")
    return tmp_path


def trained(*options: str, code: int = 0) -> Ended:
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == code, ended.stderr[-500:]
    return ended


def states() -> list[int]:
    return sorted(int(re.findall(r"iter_(\d+)", path.name)[0]) for path in Path().glob("snap_iter_*.solverstate*"))


def field_boundaries(content: bytes) -> list[int]:
    return [field.at for field in wire.fields(content)] + [field.start for field in wire.fields(content)]


# --- torn and corrupt pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_torn_pairs_are_passed_over(form: str, caplog: pytest.LogCaptureFixture) -> None:
    suffix = ".h5" * (form == "HDF5")
    trained("--set", "snapshot=1", "--set", f"snapshot_format={form}")
    caplog.set_level("WARNING", "solver_cli")
    assert archive.newest_whole("snap") == f"snap_iter_2.solverstate{suffix}"
    for kind in ("solverstate", "caffemodel"):
        path = Path(f"snap_iter_2.{kind}{suffix}")
        whole = path.read_bytes()
        cuts = {0, 1, len(whole) // 2, len(whole) - 1}
        if not suffix:
            cuts |= {at + by for at in field_boundaries(whole) for by in (-1, 0, 1)} & set(range(len(whole)))
            cuts -= {len(whole) - 2} if kind == "solverstate" else set()  # but for `current_step: 0`, it is whole
        for cut in sorted(cuts):
            path.write_bytes(whole[:cut])
            caplog.clear()
            assert archive.newest_whole("snap") == f"snap_iter_1.solverstate{suffix}", (kind, cut)
            assert "snapshot of iteration 2 passed over: " in caplog.text
            assert path.name in caplog.text
        path.unlink()
        assert archive.newest_whole("snap") == f"snap_iter_1.solverstate{suffix}"
        path.write_bytes(whole)
    assert archive.newest_whole("snap") == f"snap_iter_2.solverstate{suffix}"


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_flipped_bits_are_found(form: str) -> None:
    """A flipped bit is found, or it lies where it changes nothing that is read."""
    suffix = ".h5" * (form == "HDF5")
    trained("--set", "snapshot=1", "--set", f"snapshot_format={form}")
    draw, found = random.Random(1), 0
    for kind in ("solverstate", "caffemodel"):
        path = Path(f"snap_iter_2.{kind}{suffix}")
        whole = path.read_bytes()
        wanted = told(solverstate.read(f"snap_iter_2.solverstate{suffix}"))
        for _ in range(40 if suffix else 150):
            at = draw.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :])
            newest = archive.newest_whole("snap")
            found += newest == f"snap_iter_1.solverstate{suffix}"
            if newest == f"snap_iter_2.solverstate{suffix}":
                assert kind == "solverstate" and told(solverstate.read(newest)) == wanted, at
        path.write_bytes(whole)
    assert found >= (40 if suffix else 290)


def told(state: solverstate.State) -> tuple[object, ...]:
    return state.iter, state.learned_net, state.current_step, state.run, [blob.tobytes() for blob in state.history]


def test_an_explicit_damaged_pair_is_refused() -> None:
    trained()
    weights = Path("snap_iter_2.caffemodel")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    ended = trained("--snapshot", "snap_iter_2.solverstate", "--set", "max_iter=4", code=1)
    (line,) = ended.complaints
    assert line == "snap_iter_2.solverstate: its weights file 'snap_iter_2.caffemodel' is damaged or of another run"


def test_weights_beside_the_state_count_where_they_are_its_own() -> None:
    """A copied pair resumes, though a later run has written a file of the name that the state tells."""
    trained()
    Path("copy").mkdir()
    for path in Path().glob("snap_iter_2.*"):
        shutil.copy(path, "copy")
    trained("--set", "random_seed=5")
    ended = trained("--snapshot", "copy/snap_iter_2.solverstate", "--set", "max_iter=3")
    assert "Optimization Done." in ended.log


# --- auto --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_auto_goes_on_from_the_newest(form: str) -> None:
    options = ("--snapshot", "auto", "--set", f"snapshot_format={form}", "--set", "snapshot=1")
    first = trained(*options)
    assert "snap_iter_*: there is no whole snapshot: starting anew" in first.log
    assert not any("Resuming" in line for line in first.log)
    second = trained(*options, "--set", "max_iter=4")
    assert f"Resuming from snap_iter_2.solverstate{'.h5' * (form == 'HDF5')}" in second.log
    assert states() == [1, 2, 3, 4]


def test_auto_takes_weights_where_there_is_no_snapshot() -> None:
    trained("--set", "snapshot_prefix=first")
    options = ("--snapshot", "auto", "--weights", "first_iter_2.caffemodel")
    assert "Finetuning from first_iter_2.caffemodel" in trained(*options).log
    Path("first_iter_2.caffemodel").unlink()
    again = trained(*options, "--set", "max_iter=3")
    assert "Resuming from snap_iter_2.solverstate" in again.log and not any("Finetuning" in line for line in again.log)


def test_auto_takes_caffe_s_own_and_says_what_is_not_in_it(case_folder: Callable[[str], Path]) -> None:
    case_folder("resume_binaryproto")
    ended = trained("--snapshot", "auto")
    assert "Resuming from snapshot_iter_20.solverstate" in ended.log
    assert "Caffe wrote this snapshot: data, random numbers and loss window begin anew" in ended.log
    assert not any("Caffe wrote" in line for line in trained("--snapshot", "auto", "--set", "max_iter=60").log)


def test_caffe_reads_ours() -> None:
    """Caffe's message has its fields, the right history, and skips ours."""
    trained()
    state = caffe_pb2.SolverState.FromString(Path("snap_iter_2.solverstate").read_bytes())
    ours = solverstate.read("snap_iter_2.solverstate")
    assert (state.iter, state.learned_net, state.current_step) == (2, "snap_iter_2.caffemodel", 0)
    assert len(state.history) == len(ours.history) == 4
    for theirs, blob in zip(state.history, ours.history, strict=True):
        assert list(theirs.shape.dim) == list(blob.shape) and np.array_equal(theirs.data, blob.ravel())
    assert ours.run
    trained("--set", "snapshot_format=HDF5")
    with h5py.File("snap_iter_2.solverstate.h5") as file:
        assert set(file) == {"iter", "learned_net", "current_step", "history", "run", "checksum"}
        assert all(np.array_equal(file["history"][str(i)], blob) for i, blob in enumerate(ours.history))


# --- keep --------------------------------------------------------------------------------------------------------------


def test_keep_leaves_the_last_ones_and_other_runs() -> None:
    trained("--set", "snapshot=1", "--set", "max_iter=9", "--set", "snapshot_prefix=other")
    trained("--set", "snapshot=1", "--set", "max_iter=12")
    for path in [p for p in Path().glob("snap_iter_*") if not re.search(r"_1[12]\.", p.name)]:
        path.unlink()  # 11 and 12 are those of an older, longer run
    trained("--set", "snapshot=1", "--set", "max_iter=6", "--keep", "2")
    assert states() == [5, 6, 11, 12]
    assert {p.suffix for p in Path().glob("snap_iter_*")} == {".solverstate", ".caffemodel"}
    assert len(list(Path().glob("snap_iter_*"))) == 8 and len(list(Path().glob("other_iter_*"))) == 18


def test_keep_best(folder: Path) -> None:
    solver = SOLVER + "momentum: 0.9\ntest_iter: 2\ntest_interval: 1\ntest_compute_loss: true\n"
    write(folder, TESTED_NET, solver)
    rates = ("--set", "base_lr=3")  # so that the loss grows
    ended = trained("--keep-best", "loss", "--set", "max_iter=5", "--set", "snapshot=5", *rates)
    shown = [float(m[1]) for line in ended.log if (m := re.match(r"    Test net output #\d: loss = (\S+)", line))]
    best = solverstate.read("snap_best.solverstate")
    assert best.iter == int(np.argmin(shown)) < 5 and best.learned_net == "snap_best.caffemodel"
    archive.weights_of(best, "snap_best.solverstate")
    Path("snap_best.solverstate").unlink()
    ended = trained("--keep-best", "loss", "--snapshot", "auto", "--set", "max_iter=6", *rates)
    assert not Path("snap_best.solverstate").exists(), "the best value was forgotten"
    ended = trained("--keep-best", "accuracy", "--snapshot", "auto", "--set", "max_iter=7", *rates)
    assert Path("snap_best.solverstate").exists(), "the best value of another output is none"


def test_keep_best_of_what_is_not_there(folder: Path) -> None:
    write(folder, TESTED_NET, SOLVER + "test_iter: 2\ntest_interval: 1\n")
    assert trained("--keep-best", "acuracy", code=1).complaints == [
        "error: --keep-best acuracy: no such test output (did you mean 'accuracy'?); the test nets have accuracy, loss"
    ]


# --- atomic ------------------------------------------------------------------------------------------------------------


def test_leftovers_are_swept_and_half_named_pairs_finished() -> None:
    trained()
    state = Path("snap_iter_2.solverstate")
    state.rename(".snap_iter_2.solverstate.1.0123abcd.tmp")
    Path(".snap_iter_9.caffemodel.1.0123abcd.tmp").write_bytes(b"half")
    Path(".snap_iter_9.solverstate.1.0123abcd.tmp").write_bytes(b"\x08\x09")
    Path(".other_iter_9.caffemodel.1.0123abcd.tmp").write_bytes(b"half")
    with atomic_write("snap_iter_7.caffemodel") as out:  # somebody is writing this one
        out.write(b"x")
        assert archive.newest_whole("snap") == str(state)
        left = {path.name for path in Path().glob(".*.tmp")}
        assert {name.split(".")[1] for name in left} == {"other_iter_9", "snap_iter_7"}
    assert Path("snap_iter_7.caffemodel").read_bytes() == b"x"


def test_a_state_is_not_finished_without_its_weights() -> None:
    trained()
    Path("snap_iter_2.solverstate").rename(".snap_iter_2.solverstate.1.0123abcd.tmp")
    Path("snap_iter_2.caffemodel").write_bytes(b"another")
    assert archive.newest_whole("snap") is None
    assert not list(Path().glob(".*.tmp"))


WRITE = """
import sys
from solver_cli.formats.atomic import atomic_write
print("here", flush=True)
for version in range(100000):
    with atomic_write("big") as out:
        for _ in range(64):
            out.write(bytes([version % 256]) * (1 << 17))
"""


def test_a_writer_killed_in_the_middle(folder: Path) -> None:
    """After a kill at any byte the file is one version, whole."""
    draw, halves = random.Random(4), 0
    Path("big").write_bytes(b"\0" * (1 << 23))
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", WRITE], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.1))
            process.kill()
        content = Path("big").read_bytes()
        assert len(content) == 1 << 23 and content == content[:1] * len(content)
        halves += len(list(folder.glob(".big.*.tmp")))
        for path in folder.glob(".big.*.tmp"):
            path.unlink()
    assert halves


LIMITED = """
import resource, sys
from solver_cli import log
from solver_cli.errors import SnapshotError
from solver_cli.solver.solver import Solver
from solver_cli.solver.solverspec import read_solver

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

log.to_stderr()
for form in ("BINARYPROTO", "HDF5"):
    for size in SIZES:
        spec = read_solver("solver.prototxt")
        spec.param.snapshot_format = spec.param.SnapshotFormat.Value(form)
        spec.param.snapshot_prefix = f"{form}{size}"
        solver = Solver(spec)
        solver.on_step = lambda s: (s.snapshots.writer.wait(), limit({2: size, 3: size, 6: size}.get(s.iter, -1)))
        try:
            solver.solve()
        except SnapshotError as error:
            print(form, size, solver.iter, error, flush=True)
        limit(-1)
        solver.close()
"""


def test_a_limit_of_file_size(folder: Path) -> None:
    """Snapshots 2, 3 and 6 cannot be written: an error line each, the half file removed, and the last one ends the run."""
    (folder / "solver.prototxt").write_text(SOLVER.replace("max_iter: 2", "max_iter: 6") + "momentum: 0.9 snapshot: 1")
    sizes = [0, 100, 2000]
    script = LIMITED.replace("SIZES", repr(sizes))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=True)
    assert "Traceback" not in ended.stderr and "Exception" not in ended.stderr
    errors = [line.partition("] ")[2] for line in ended.stderr.splitlines() if line.startswith("E")]
    assert len(errors) == 2 * 2 * len(sizes)
    for i, line in enumerate(errors):
        at = i % 2 + 2
        goes_on = f"; training goes on, the next try is at iteration {at + 1}"
        assert re.fullmatch(rf"\w+_iter_{at}\.caffemodel(\.h5)?: cannot be written: .+{goes_on}", line), line
    assert len(ended.stdout.splitlines()) == 2 * len(sizes)
    for line in ended.stdout.splitlines():
        assert re.fullmatch(r"\w+ \d+ 6 \w+_iter_6\.caffemodel(\.h5)?: cannot be written: .+", line), line
    for form in ("BINARYPROTO", "HDF5"):
        for size in sizes:
            suffix = ".h5" * (form == "HDF5")
            pairs = {f"{form}{size}_iter_{i}.{kind}{suffix}" for i in (1, 4, 5) for kind in ("caffemodel", "solverstate")}
            assert {path.name for path in folder.glob(f"{form}{size}_*")} == pairs
            assert archive.newest_whole(f"{form}{size}") == f"{form}{size}_iter_5.solverstate{suffix}"
    assert not list(folder.glob(".*.tmp"))


@pytest.fixture
def small_disk(folder: Path):
    (folder / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder / "disk")]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder / "disk"
    subprocess.run(["umount", "-l", str(folder / "disk")], check=True)


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_a_full_disk(form: str, small_disk: Path) -> None:
    options = ("--set", "snapshot_prefix=disk/snap", "--set", "snapshot=1", "--set", f"snapshot_format={form}")
    trained(*options, "--set", "max_iter=1")
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            file.truncate(file.tell() - 1500)
    ended = trained(*options, "--set", "max_iter=3", "--snapshot", "auto", code=1)
    assert len(ended.complaints) == 1 and "No space left on device" in ended.complaints[0]
    assert [line for line in ended.log if "the next try is at iteration 3" in line]
    assert {p.name.partition(".")[0] for p in small_disk.iterdir()} == {"filler", "snap_iter_1"}
    filler.unlink()
    assert "Resuming from disk/snap_iter_1" in "\n".join(trained(*options, "--set", "max_iter=3", "--snapshot", "auto").log)


# --- in the background -------------------------------------------------------------------------------------------------


def test_never_two_at_once() -> None:
    writer, running, most = archive.Writer(), [], []

    def job() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()

    for _ in range(5):
        writer.submit(job, "")
    writer.check()
    assert most == [1] * 5


def test_an_error_of_any_kind_is_not_lost() -> None:
    writer = archive.Writer()

    def fails() -> None:
        raise ZeroDivisionError("of a bug")

    writer.submit(fails, "")
    with pytest.raises(ZeroDivisionError):
        writer.check()
    writer.submit(lambda: None, "")
    writer.check()


def test_the_process_does_not_end_before_the_last_is_written(folder: Path) -> None:
    script = "import time; from pathlib import Path; from solver_cli.snapshots import archive\n"
    script += "archive.Writer().submit(lambda: (time.sleep(0.5), Path('late').touch()), '')"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert Path("late").exists()


def test_training_goes_on_while_a_snapshot_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, at_start = threading.Event(), []
    real = archive.thin_out
    monkeypatch.setattr(archive, "thin_out", lambda *args: (gate.wait(10), real(*args)))
    solver = Solver("solver.prototxt", keep=5)
    solver.step(1)
    solver.snapshot(wait=False)
    before = [learned.blob.detach().clone() for learned in solver.net.learned]
    solver.step(3)
    at_start.append(solver.iter)
    gate.set()
    solver.close()
    assert at_start == [4]
    again = Solver("solver.prototxt")
    again.restore("snap_iter_1.solverstate")
    assert all(np.array_equal(a, b.blob.detach()) for a, b in zip(before, again.net.learned, strict=True))
    again.close()


def test_a_snapshot_is_copied_while_the_next_pass_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pass changes, BatchNorm's statistics, is that of before; the update waits for the rest."""
    norm = 'layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }\nlayer {\n  name: "relu"'
    write(folder, NET.replace('layer {\n  name: "relu"', norm))
    gate, real = threading.Event(), snapshot.Pair.copied
    monkeypatch.setattr(snapshot.Pair, "copied", lambda pair: (gate.wait(10), real(pair))[1])
    solver = Solver("solver.prototxt")
    gate.set()
    solver.step(1)
    gate.clear()
    before = [blob.detach().clone() for blob in (*(x.blob for x in solver.net.learned), *solver.history)]
    solver.snapshot(wait=False)
    loss, _ = solver.net()
    loss.backward()
    assert not torch.equal(before[4], solver.net.learned[4].blob), "the pass has changed no statistics"
    threading.Timer(0.1, gate.set).start()
    solver.apply_update()
    assert gate.is_set() and not torch.equal(before[0], solver.net.learned[0].blob)
    solver.close()
    again = Solver("solver.prototxt")
    again.restore("snap_iter_1.solverstate")
    restored = [*(x.blob for x in again.net.learned), *again.history]
    assert all(torch.equal(a, b.detach()) for a, b in zip(before, restored, strict=True))
    again.close()


def test_a_copy_that_fails_does_not_hold_up_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(pair: snapshot.Pair) -> snapshot.Pair:
        raise MemoryError("no room for a copy")

    solver = Solver("solver.prototxt")
    with monkeypatch.context() as patch:
        patch.setattr(snapshot.Pair, "copied", fails)
        solver.snapshot(wait=False)
        solver.step(1)
    with pytest.raises(MemoryError):
        solver.snapshots.writer.check()
    solver.snapshot()
    assert archive.newest_whole("snap") == "snap_iter_1.solverstate"
    solver.close()


def test_bytes_are_summed_up_on_their_way() -> None:
    content = random.Random(1).randbytes((1 << 20) + 5)
    with Path("file").open("w+b") as file:
        summed = archive.Summed(file)
        for block in (b"", content, content[:3]):
            summed.write(block)
        file.flush()
        assert summed.identity == archive.identity(file)
        file.seek(0)
        assert file.read() == content + content[:3]


def test_a_restored_solver_saves_what_it_has_restored(folder: Path) -> None:
    solver = Solver("solver.prototxt")
    first = Path(solver.snapshot()).read_bytes()
    solver.step(2)
    solver.restore("snap_iter_0.solverstate")
    assert Path(solver.snapshot()).read_bytes() == first
    solver.close()


def test_a_state_whose_words_of_the_run_are_missing_is_refused(folder: Path) -> None:
    trained()
    state = solverstate.read("snap_iter_2.solverstate")
    for run in ("{}x", "[1]", '{"weights": 3}', '{"train": 1}', "[" * 100000):
        forged = solverstate.State(state.iter, state.learned_net, state.current_step, state.history, run)
        solverstate.write("forged.solverstate", forged)
        with pytest.raises(SnapshotError):
            solver = Solver("solver.prototxt")
            try:
                solver.restore("forged.solverstate")
            finally:
                solver.close()


def test_signals_are_as_they_were(folder: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    trained()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before and os.getpid()
