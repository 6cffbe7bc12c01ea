"""docs/library.md: its examples run, one after the other, and its commands are those that there are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click
import pytest

from solver_cli.commands import datasets
from solver_cli.commands.tools import tools

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/library.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "configs/mnist", tmp_path / "configs/mnist", ignore=shutil.ignore_patterns("*_lmdb", "*_iter_*"))
    datasets.mnist(tmp_path / "configs/mnist")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    printed = []
    for number, example in enumerate(EXAMPLES):
        exec(compile(example, f"library.md, example {number}", "exec"), names)
        printed += capsys.readouterr().out.splitlines()
    assert printed[0].startswith("TRAIN ['loss'] 2.")
    assert printed[1] == "torch.Size([5, 10])"
    assert printed[2].startswith("['conv1.weight', 'conv1.bias', 'norm1.mean', 'norm1.variance', 'norm1.factor'")
    assert re.fullmatch(r"30 \{'accuracy': \[0\.\d+\], 'loss': \[[\d.]+\]\}", printed[5])
    assert printed[6] == "True"
    assert Path("lenet.caffemodel").is_file() and Path(str(names["path"])).is_file()


def test_the_options_are_those_of_the_commands() -> None:
    for command in ("deploy", "export", "import"):
        (line,) = re.findall(rf"^solver-tools {command} .*$", PAGE, flags=re.M)
        found = tools.get_command(click.Context(tools), command)
        assert found and set(re.findall(r"--[a-z-]+", line)) <= {opt for param in found.params for opt in param.opts}
