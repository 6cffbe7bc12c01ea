"""What the README says can be run is run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from solver_cli.commands import datasets
from solver_cli.commands.train import train

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.S)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the configs and the digits, as after the README's first command."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "configs/mnist", folder / "configs/mnist", ignore=shutil.ignore_patterns("*_lmdb", "*_iter_*"))
    datasets.mnist(folder / "configs/mnist")
    return folder


def test_the_example_runs(clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(clone)
    (example,) = EXAMPLES
    names: dict[str, object] = {}
    exec(compile(example, "README", "exec"), names)
    accuracy = re.match(r"50 \{'accuracy': \[([\d.]+)\], 'loss': \[[\d.]+\]\}", capsys.readouterr().out)
    assert accuracy and float(accuracy[1]) > 0.6
    assert Path(str(names["path"])).is_file()


def test_options_are_those_of_the_command():
    offered = set(re.findall(r"--[a-z][a-z_-]+", CliRunner().invoke(train, ["--help"]).output))
    page = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    usage = set(re.findall(r"--[a-z][a-z-]+", page.split("```")[1]))
    assert usage == {name for name in offered if "_" not in name} - {"--help", "--version"}
    assert set(re.findall(r"`(--[a-z][a-z-]+)", page)) <= offered


def test_every_page_that_is_linked_is_there():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "configs").glob("*/README.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page}: {link}"


def test_error_shown_is_the_error_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown = re.search(r"`(net\.prototxt:34:9: [^`]*)`", README)
    assert shown
    monkeypatch.chdir(tmp_path)
    layer = 'layer {\n  name: "slice_pair"\n  type: "Slcie"\n}'
    Path("net.prototxt").write_text("\n" * 31 + layer.replace("  type", "        type"))
    Path("s.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" snapshot_prefix: "x"')
    result = CliRunner().invoke(train, ["s.prototxt", "--cpu"])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == shown[1]


def test_ci_runs_the_test_command():
    script = (ROOT / ".ci/run").read_text()
    (pattern,) = re.findall(r'grep -m 1 "(.*)" README.md', script)
    lines = [line for line in README.splitlines() if re.match(pattern, line)]
    assert lines == ["pip install '.[test]' && ruff check && mypy && pytest -n 2"]
