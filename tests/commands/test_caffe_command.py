"""`solver-caffe`: Caffe's command line as scripts of old type it; the scripts are like those of Caffe's examples."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import ENVIRONMENT, LOG_LINE, NET, SOLVER, Ended, changed, write

from solver_cli.commands import caffe, datasets, glog, twins
from solver_cli.formats import caffemodel

ROOT = Path(__file__).parents[2]
TINY = changed(SOLVER, ("random_seed: 1\n", "random_seed: 1\ndisplay: 1\n"))
ONE_RUN = "Finetuning from w.caffemodel"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, solver=TINY)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> Ended:
    """The command, in this process."""
    try:
        code = caffe.run(args)
    except SystemExit as end:
        code = int(end.code or 0)
    return Ended(code, *capsys.readouterr())


def trained() -> bytes:
    return Path("snap_iter_2.caffemodel").read_bytes()


# -- flags ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ["train", "--solver=solver.prototxt"],
        ["train", "-solver=solver.prototxt"],
        ["train", "--solver", "solver.prototxt"],
        ["train", "-solver", "solver.prototxt", "-alsologtostderr"],
        ["-solver", "solver.prototxt", "train"],
        ["train", "-solver", "gone", "-solver", "solver.prototxt"],
        ["--logtostderr=true", "train", "--noalsologtostderr", "-solver=solver.prototxt"],
        ["-flagfile", "flags", "train"],
    ],
)
def test_every_spelling_of_gflags(args: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flags").write_text("# of every run\n--solver=solver.prototxt\n")
    ended = run(capsys, *args)
    assert (ended.code, ended.stdout, ended.complaints) == (0, "", [])
    assert ended.log[-1] == "Optimization Done."
    assert trained()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "-sovler", "a"], "unknown command line flag 'sovler' (did you mean 'solver'?)"),
        (["train", "--nosolver"], "boolean value (nosolver) specified for string command line flag"),
        (["train", "-solver"], "flag '-solver' is missing its argument; flag description: the solver's file, for train"),
        (["test", "-iterations", "few"], "illegal value 'few' specified for int32 flag 'iterations'"),
        (["test", "-iterations=3000000000"], "illegal value '3000000000' specified for int32 flag 'iterations'"),
        (["train", "-logtostderr=maybe"], "illegal value 'maybe' specified for bool flag 'logtostderr'"),
        (["train", "-flagfile=gone"], "cannot read the flagfile 'gone': No such file or directory"),
        (["-flagfile=loop", "train"], "flagfile 'loop' is one of more than 100: does it name itself?"),
        (["-flagfile=words", "train"], "flagfile 'words': 'train' is no flag"),
        (["trian"], "unknown action 'trian' (did you mean 'train'?): there are device_query, test, time, train"),
        (["train", "solver.prototxt"], "train takes no arguments without a name, such as 'solver.prototxt' (-help lists"),
        (["train"], "train needs a solver file: -solver FILE"),
        (["test", "-weights=w"], "test needs a net file: -model FILE"),
        (["test", "-model=net.prototxt"], "test needs learned weights: -weights FILE"),
        (["time"], "time needs a net file: -model FILE"),
        (["time", "-model=net.prototxt", "-phase=train"], "-phase train: it must be TRAIN or TEST"),
        (["time", "-model=net.prototxt", "-iterations=0"], "-iterations 0: it must be 1 or more"),
        (["train", "-solver=s", "-weights=w", "-snapshot=x"], "give -snapshot to resume training or -weights to finetune"),
        (["train", "-solver=s", "-sigint_effect=halt"], "-sigint_effect halt: it must be one of snapshot, stop, none"),
    ],
)
def test_what_is_refused(args: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "loop").write_text("-flagfile=loop\n")
    (folder / "words").write_text("-level=1\ntrain\n")
    ended = run(capsys, *args)
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"ERROR: {words}") and ended.stderr.count("\n") == 1
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "-solver=gone"], "gone: cannot read solver file"),
        (["train", "-solver=solver.prototxt", "-gpu=0,1"], "error: --gpu 0,1: there is no GPU 1: this machine has 0"),
        (["train", "-solver=solver.prototxt", "-gpu=zero"], "error: --gpu zero: expected numbers separated by commas"),
        (["train", "-solver=solver.prototxt", "-log_dir=gone"], "gone: -log_dir: it is no folder that can be written to"),
    ],
)
def test_errors_are_one_line(args: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run(capsys, *args)
    assert (ended.code, len(ended.complaints)) == (1, 1)
    assert ended.complaints[0].startswith(words)


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """gflags ends with 1 after -help; without anything said Caffe shows its usage and ends with 0."""
    for args, code in ((["-help"], 1), (["--helpfull"], 1), (["train", "--help"], 1), ([], 0)):
        ended = run(capsys, *args)
        assert (ended.code, ended.stderr) == (code, "")
        assert ended.stdout.startswith("caffe: ") and "usage: caffe <command> <args>" in ended.stdout
        assert all(f"    -{flag.name} (" in ended.stdout for flag in caffe.FLAGS)
        assert all(len(line) <= 80 for line in ended.stdout.splitlines())
    ended = run(capsys, "-version")
    assert (ended.code, ended.stdout.startswith("caffe version ")) == (0, True)


# -- the commands ---------------------------------------------------------------------------------------------------


def test_train_takes_every_flag(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Finetuned from two files, in a state; then resumed."""
    net = changed(NET, ('name: "relu"', 'name: "relu"\n  include { min_level: 2 stage: "a" stage: "b" }'))
    write(folder, net, TINY)
    assert run(capsys, "train", "-solver=solver.prototxt").code == 0
    Path("snap_iter_2.caffemodel").rename("w.caffemodel")
    told = ["-level", "2", "-stage", "a,b", "-sigint_effect=snapshot", "-sighup_effect", "none"]
    ended = run(capsys, "train", "-solver=solver.prototxt", "-weights", "w.caffemodel,w.caffemodel", *told)
    assert (ended.code, ended.complaints) == (0, [])
    assert ended.log.count(ONE_RUN) == 2 and "Creating Layer relu" in ended.log
    (folder / "solver.prototxt").write_text(changed(TINY, ("max_iter: 2", "max_iter: 4")))
    ended = run(capsys, "train", "-solver=solver.prototxt", "-snapshot", "snap_iter_2.solverstate")
    assert "Resuming from snap_iter_2.solverstate" in ended.log
    assert [line for line in ended.log if line.startswith("Iteration 2 ")]
    assert caffemodel.read("snap_iter_4.caffemodel").layers


def test_test_time_and_device_query(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "train", "-solver=solver.prototxt").code == 0
    ended = run(capsys, "test", "-model=net.prototxt", "-weights=snap_iter_2.caffemodel", "-iterations", "2")
    assert (ended.code, ended.stdout, ended.complaints) == (0, "", [])
    assert [line.split(" = ")[0] for line in ended.log if line.startswith("Batch")] == ["Batch 0, loss", "Batch 1, loss"]
    assert "(* 1 = " in ended.log[-1]
    ended = run(capsys, "time", "-model=net.prototxt", "-iterations", "2", "-phase=TEST")
    assert (ended.code, ended.stdout, ended.complaints) == (0, "", [])
    assert ended.log[-1] == "*** Benchmark ends ***"
    ended = run(capsys, "device_query", "-gpu", "all")
    assert (ended.code, ended.log[0]) == (0, "Querying GPUs all")


def test_flags_that_a_command_does_not_read_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run(capsys, "time", "-model=net.prototxt", "-iterations=1", "-weights=w", "-v", "2", "-colorlogtostderr")
    assert ended.code == 0
    lines = [line for line in ended.stderr.splitlines() if line.startswith("W")]
    assert [LOG_LINE.sub("", line) for line in lines] == [
        "-v, -colorlogtostderr: without effect here", "-weights: not read by time",
    ]  # fmt: skip


# -- where the log goes ---------------------------------------------------------------------------------------------


def test_log_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of glog's names, with links; stderr has warnings only if it is told to."""
    (folder / "log").mkdir()
    ended = run(capsys, "train", "-solver=solver.prototxt", "-log_dir=log", "-v=1")
    names = sorted(path.name for path in (folder / "log").iterdir())
    assert names[:2] == ["caffe.INFO", "caffe.WARNING"] and len(names) == 4
    assert [re.sub(r".*\.log\.(\w+)\.\d{8}-\d{6}\.\d+$", r"\1", name) for name in names[2:]] == ["INFO", "WARNING"]
    written = (folder / "log/caffe.INFO").read_text()
    head, body = written.splitlines()[:3], "\n".join(written.splitlines()[3:]) + "\n"
    assert [line.split(":")[0] for line in head] == ["Log file created at", "Running on machine", "Log line format"]
    assert body == ended.stderr
    assert (folder / "log/caffe.WARNING").read_text().count("without effect here") == 1
    assert not (folder / "log/caffe.ERROR").exists()
    ended = run(capsys, "train", "-solver=gone", "-log_dir=log")
    for level in ("ERROR", "INFO"):
        assert ended.complaints[0] in (folder / f"log/caffe.{level}").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so; the run goes on."""
    (folder / "log").mkdir()
    begin = glog.LogFile._begin
    monkeypatch.setattr(glog.LogFile, "_begin", lambda self: Path(self.path).symlink_to("/dev/full") or begin(self))
    ended = run(capsys, "train", "-solver=solver.prototxt", "-log_dir=log")
    assert (ended.code, ended.log[-1], len(ended.complaints)) == (0, "Optimization Done.", 1)
    assert ended.complaints[0].endswith("cannot be written: No space left on device; the run goes on without")


def test_levels(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    train = ["train", "-solver=solver.prototxt", "-v=1"]
    assert run(capsys, *train).log
    assert [line[0] for line in run(capsys, *train, "-minloglevel=1").stderr.splitlines()] == ["W"]
    assert run(capsys, *train, "-minloglevel=2").stderr == ""
    assert run(capsys, *train, "-noalsologtostderr").stderr == ""
    assert [line[0] for line in run(capsys, *train, "-noalsologtostderr", "-stderrthreshold=1").stderr.splitlines()] == ["W"]
    monkeypatch.setenv("GLOG_minloglevel", "1")
    assert [line[0] for line in run(capsys, *train).stderr.splitlines()] == ["W"]
    assert run(capsys, *train, "-minloglevel=0").log[-1] == "Optimization Done."
    assert "Optimization Done." in run(capsys, *train, "-minloglevel=0", "-nolog_prefix").stderr.splitlines()


# -- as scripts run it ----------------------------------------------------------------------------------------------

SCRIPTS = {  # what stands in Caffe's examples, a line each
    "train_lenet.sh": "./build/tools/caffe train --solver=examples/mnist/lenet_solver.prototxt $@",
    "train_quick.sh": """\
TOOLS=./build/tools
$TOOLS/caffe train \\
  --solver=examples/mnist/lenet_solver.prototxt $@
$TOOLS/caffe train \\
  --solver=examples/mnist/lenet_solver_lr1.prototxt \\
  --snapshot=examples/mnist/lenet_iter_2.solverstate $@""",
    "test.sh": """\
build/tools/caffe.bin test -model examples/mnist/lenet.prototxt \\
  -weights examples/mnist/lenet_iter_2.caffemodel -iterations 2 2>&1 | grep 'accuracy = '""",
    "old.sh": "GLOG_logtostderr=1 build/tools/train_net.bin examples/mnist/lenet_solver.prototxt",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout of Caffe's, with our programs in build/tools."""
    folder = tmp_path_factory.mktemp("caffe")
    examples = folder / "examples/mnist"
    examples.mkdir(parents=True)
    datasets.mnist(examples)
    net = (ROOT / "configs/mnist/lenet_train_test.prototxt").read_text().replace("configs/mnist", "examples/mnist")
    (examples / "lenet.prototxt").write_text(net)
    solver = (
        'net: "examples/mnist/lenet.prototxt"\nbase_lr: 0.01\nmomentum: 0.9\nlr_policy: "fixed"\nmax_iter: {}\n'
        'snapshot_prefix: "examples/mnist/lenet"\nsolver_mode: CPU\nrandom_seed: 1\n'
    )
    (examples / "lenet_solver.prototxt").write_text(solver.format(2))
    (examples / "lenet_solver_lr1.prototxt").write_text(solver.format(3))
    for name, text in SCRIPTS.items():
        (examples / name).write_text(f"#!/usr/bin/env sh\nset -e\n{text}\n")
    assert "caffe" in twins.write(str(folder / "build/tools"))
    return folder


def script(checkout: Path, name: str, *args: str) -> Ended:
    done = subprocess.run(
        ["sh", f"examples/mnist/{name}", *args], cwd=checkout, env=ENVIRONMENT, capture_output=True, text=True, timeout=100
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_example_scripts_run(checkout: Path) -> None:
    """In an order in which each finds what the one before left."""
    ended = script(checkout, "train_lenet.sh", "--level=0", "-sighup_effect", "none")
    assert (ended.code, ended.complaints, ended.log[-1]) == (0, [], "Optimization Done.")
    ended = script(checkout, "train_quick.sh")
    assert (ended.code, ended.log.count("Optimization Done.")) == (0, 4)
    assert (checkout / "examples/mnist/lenet_iter_3.solverstate").is_file()
    ended = script(checkout, "test.sh")
    assert (ended.code, ended.stderr, len(ended.stdout.splitlines())) == (0, "", 3)
    assert script(checkout, "old.sh").log[-1] == "Optimization Done."


def test_signals_do_what_the_flags_say(folder: Path) -> None:
    """In a real process: SIGHUP stops, SIGINT writes a snapshot."""
    (folder / "solver.prototxt").write_text(changed(TINY, ("max_iter: 2", "max_iter: 1000000")))
    command = [sys.executable, "-m", "solver_cli.commands.caffe", "train", "-solver=solver.prototxt"]
    effects = ["-sigint_effect=snapshot", "-sighup_effect=stop"]
    with subprocess.Popen([*command, *effects], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "Iteration 3," in line:
                process.send_signal(signal.SIGINT)
            if "Snapshotting solver state" in line:
                break
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "Optimization stopped early." in rest
    assert len(list(folder.glob("snap_iter_*.solverstate"))) == 2
