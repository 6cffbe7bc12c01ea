"""The two commands as a user meets them: help, options, and the tools around Caffe's files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from running import assert_like, call, run

from solver_cli.caffe_pb2 import NetParameter, SolverParameter
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train
from solver_cli.registry import layer_types
from solver_cli.solver.options import GROUPS
from solver_cli.text import prototxt

UPGRADE = Path(__file__).parents[1] / "golden" / "upgrade"
TOOLS = {name: tools.get_command(click.Context(tools), name) for name in tools.list_commands(click.Context(tools))}
ROWS = {row["name"]: row for row in json.loads((UPGRADE / "index.json").read_text())["rows"]}


def options(command: click.Command) -> set[str]:
    return {
        name
        for param in command.params
        for name in (param.opts if isinstance(param, click.Option) else [param.human_readable_name])
    }


def test_options_of_train_are_frozen() -> None:
    assert options(train) == {
        "SOLVER", "--snapshot", "--weights", "--gpu", "--cpu", "--level", "--stage", "--sigint-effect", "--sigint_effect",
        "--sighup-effect", "--sighup_effect", "--set", "--keep", "--keep-best", "--grow-batch", "--allow-nan",
        "--no-python-layers", "--version", "--ranks", "--micro-batch", "--recompute", "--offload", "--fit", "--memory",
        "--batch-norm-window", "--precision", "--compile", "--no-cuda-graphs", "--quiet",
        "--split-batch", "--patience", "--dialect", "--csv", "--plot", "--tensorboard", "--layers", "--schema", "--accept",
    }  # fmt: skip


def test_options_of_the_tools_are_frozen() -> None:
    assert options(tools) == {"--version"}
    assert {name: options(command) for name, command in TOOLS.items()} == {
        "compute-mean": {"DB", "[OUT.binaryproto]", "--backend"},
        "convert-imageset": {
            "ROOTFOLDER [LISTFILE] DB_NAME", "--gray", "--shuffle", "--backend", "--resize-width", "--resize_width",
            "--resize-height", "--resize_height", "--check-size", "--check_size", "--encoded", "--encode-type",
            "--encode_type", "--val", "--seed", "--workers",
        },
        "data": {"NAME", "[-- ARGS]", "--to", "--full", "--from"},
        "features": {
            "[WEIGHTS NET BLOB[,BLOB...] OUT[,OUT...] N_BATCHES [lmdb|leveldb] [CPU|GPU [DEVICE]]]", "--net", "--weights",
            "--blob", "--to", "--batches", "--backend", "--gpu", "--no-python-layers",
            "--level", "--stage", "--dialect",
        },
        "inspect": {"FILE", "--json", "--sheet", "--count"},
        "draw": {"NET", "--to", "--phase", "--rankdir", "--fold", "--no-python-layers"},
        "log": {"LOG...", "--to", "--table", "--all", "--json"},
        "predict": {
            "NET", "PICTURE...", "--weights", "--labels", "--blob", "--top", "--threshold", "--json", "--draw", "--mean",
            "--scale", "--resize", "--crop", "--channel-swap", "--gray", "--gpu", "--no-python-layers",
            "--level", "--stage", "--dialect",
        },
        "plot": {"LOG...", "--to", "--x", "--y", "--smooth", "--batch", "--epoch"},
        "layers": {"[TYPE]", "--markdown", "--layers", "--schema"},
        "plan": {
            "SOLVER", "--batch", "--memory", "--gpu", "--cpu", "--ranks", "--machines", "--level", "--stage", "--dialect",
            "--set", "--layers", "--schema", "--accept", "--no-python-layers",
        },
        "devices": set(),
        "deploy": {"TRAIN_VAL", "OUT", "--shape", "--weights", "--fold-batch-norm", "--stage", "--dialect"},
        "export": {"NET", "--weights", "--to", "--torchvision", "--solver", "--shape", "--stage", "--dialect"},
        "import": {"FILE", "--net", "--to", "--map", "--torchvision", "--shape", "--stage", "--dialect"},
        "python": {"SCRIPT [ARGS]...", "-c", "-m", "--ours"},
        "test": {
            "NET", "--model", "--iterations", "--phase", "--weights", "--gpu", "--cpu", "--level", "--stage", "--dialect",
            "--precision", "--no-python-layers",
        },
        "time": {
            "NET", "--model", "--iterations", "--phase", "--picture", "--table", "--gpu", "--cpu", "--level", "--stage",
            "--dialect", "--precision", "--no-python-layers",
        },
        "twins": {"FOLDER"},
        "upgrade": {"SOURCE", "TARGET"},
    }  # fmt: skip


@pytest.mark.parametrize("command", ["solver-train", "solver-tools"])
def test_help_of_the_real_command(command: str, tmp_path: Path) -> None:
    ended = run(command, "--help", folder=tmp_path)
    assert (ended.code, ended.stderr) == (0, "")
    program = {"solver-train": train, "solver-tools": tools}[command]
    assert ended.stdout.startswith(f"Usage: {command} [OPTIONS] ")
    assert program.help and program.help.splitlines()[0] in ended.stdout
    assert all(name in ended.stdout for name in options(program))


def test_help_of_train_is_in_groups_with_examples() -> None:
    text = call(train, "--help").stdout
    assert text == call(train, "-h").stdout
    assert [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")] == [
        *(f"{group}:" for group in GROUPS), "Other options:", "Examples:",
    ]  # fmt: skip
    examples = text.partition("Examples:\n")[2].splitlines()
    assert len(examples) == 2 and all(line.startswith("  solver-train ") for line in examples)


@pytest.mark.parametrize("command", [train, tools, *TOOLS.values()])
def test_every_option_is_explained(command: click.Command) -> None:
    assert command.help
    assert all(param.help for param in command.params if isinstance(param, click.Option))


@pytest.mark.parametrize("name", ["", *TOOLS])
def test_every_help_ends_with_examples(name: str) -> None:
    """Lines that the command takes, up to options of its own."""
    text = call(tools, *filter(None, [name]), "--help").stdout
    lines = [line.strip() for line in text.partition("\nExamples:\n")[2].splitlines()]
    assert lines and all(line.startswith(f"solver-tools {name}") for line in lines)
    for line in lines if name else []:
        own = line.partition("&&")[0].partition('"')[0].partition(" -- ")[0]  # the rest is another program's
        given = set(re.findall(r"(?<= )--?[a-z][-\w]*", own))
        assert name == "python" or given <= options(TOOLS[name]), line


@pytest.mark.parametrize("command", ["train import train", "caffe import main", "tools import tools"])
def test_help_does_not_wait_for_torch(command: str) -> None:
    heavy = "sorted({'torch', 'numpy', 'google.protobuf', 'h5py', 'lmdb', 'cv2'} & set(sys.modules))"
    program = (
        f"import sys\nfrom solver_cli.commands.{command} as run\n"
        f"try: run(['--help'])\nexcept SystemExit: pass\nfinally: sys.stderr.write(str({heavy}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.partition("sage: ")[1], done.stderr) == ("sage: ", "[]")


def test_version() -> None:
    from importlib.metadata import version

    for command in (train, tools):
        assert call(command, "--version").stdout.strip().endswith(version("solver-train"))


def test_layers_lists_every_type() -> None:
    head, *lines = call(tools, "layers").stdout.splitlines()
    assert head.split() == ["type", "family", "origin", "bottoms", "tops", "cases", "what", "it", "does"]
    rows = {line.split()[0]: line.split() for line in lines if not line.startswith(" ")}
    assert list(rows) == list(layer_types())
    assert rows["Eltwise"][:6] == ["Eltwise", "common", "BVLC", "2+", "1", "13"]
    at = next(i for i, line in enumerate(lines) if line.startswith("Power "))
    assert lines[at + 1] == "    power_param: power=1 scale=1 shift=0"
    assert max(map(len, lines)) <= 120


def test_data_mnist(tmp_path: Path) -> None:
    ended = call(tools, "data", "mnist", "--to", str(tmp_path))
    train, test = tmp_path / "mnist_train_lmdb", tmp_path / "mnist_test_lmdb"
    assert (ended.code, ended.stdout) == (0, f"wrote {train} and {test}\n")
    assert sorted(tmp_path.iterdir()) == [test, train]


def test_data_without_a_folder_or_a_known_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(tools, "data", "mnist")
    assert ended.code == 1
    assert ended.complaints == [
        "error: the folder 'configs/mnist' does not exist: run this where the configs are, or name one with --to"
    ]
    assert call(tools, "data", "imagenet").code == 2
    assert list(tmp_path.iterdir()) == []


# -- upgrade --------------------------------------------------------------------------------------------------------


def parsed(path: Path) -> NetParameter | SolverParameter:
    if path.suffix == ".caffemodel":
        return NetParameter.FromString(path.read_bytes())
    message = SolverParameter if path.name.startswith("solver") else NetParameter
    return prototxt.parse(path.read_text(), message)[0]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row["output"]])
def test_upgrade(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same message, log lines and exit code as the tool of real Caffe."""
    row = ROWS[name]
    monkeypatch.chdir(tmp_path)
    shutil.copy(UPGRADE / row["input"], tmp_path)
    ended = call(tools, "upgrade", row["input"], row["output"])
    assert ended.code == row["exit"]
    assert parsed(tmp_path / row["output"]) == parsed(UPGRADE / row["output"])
    assert ended.complaints == []
    lines = [[line[0], line.partition("] ")[2]] for line in ended.stderr.splitlines()]
    assert lines == row["messages"]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row["output"]])
def test_upgrade_refuses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[name]
    monkeypatch.chdir(tmp_path)
    shutil.copy(UPGRADE / row["input"], tmp_path)
    ended = call(tools, "upgrade", row["input"], "out")
    assert ended.code == 1
    assert len(ended.complaints) == 1 and ended.complaints[0].startswith(f"{row['input']}:")
    assert [path.name for path in tmp_path.iterdir()] == [row["input"]]


def test_upgrade_in_place(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    shutil.copy(UPGRADE / "v1_net.in.prototxt", path)
    assert call(tools, "upgrade", str(path), str(path)).code == 0
    assert parsed(path) == parsed(UPGRADE / "v1_net.out.prototxt")
    assert list(tmp_path.iterdir()) == [path]


def test_upgraded_text_reads_as_the_same_message(tmp_path: Path) -> None:
    ended = call(tools, "upgrade", str(UPGRADE / "v1_all_types.out.prototxt"), str(tmp_path / "out"))
    assert "already in latest proto format" in ended.stderr
    assert parsed(tmp_path / "out") == parsed(UPGRADE / "v1_all_types.out.prototxt")


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("none", "out", "none: cannot read it: No such file or directory"),
        (".", "out", ".: cannot read it: Is a directory"),
        ("good", "no/out", "no/out: the folder '...no' does not exist: create it"),
        ("good", ".", ".: cannot be written: "),
        ("bad", "out", "bad:2:1: NetParameter has no field 'nam' (did you mean 'name'?)"),
        ("bad.caffemodel", "out", "bad.caffemodel: not a binary NetParameter"),
    ],
)
def test_upgrade_complains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str, expected: str) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"good": b'name: "a"\n', "bad": b'name: "a"\nnam: "b"\n', "bad.caffemodel": b"\xff" * 99}
    for name, raw in files.items():
        Path(name).write_bytes(raw)
    ended = call(tools, "upgrade", source, target)
    assert ended.code == 1
    assert len(ended.complaints) == 1 and ended.complaints
    assert_like(ended.complaints[0], expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
