"""Who may import whom, and how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import solver_cli

PACKAGE = Path(solver_cli.__file__).parent
GENERATED = {"caffe_pb2"}
LEVELS = [
    {"errors", "log", "caffe_pb2"},
    {"prototxt", "upgrade", "netspec", "formats", "upgrading"},
    {"registry", "fillers", "user_code"},
    {"layers", "data", "datasets"},
    {"plan", "labels", "fusion", "number_types", "net"},
    {"records", "sections", "pieces", "recompute", "noise", "passes", "loss_scale", "precision", "compiled"},
    {"lr_policy", "schedule", "update_rules", "kernels", "update", "snapshot", "runstate", "archive", "debug_info",
     "display", "finite", "doubts", "solverspec", "signals", "memory", "cpu"},
    {"fit"},
    {"solver"},
    {"training", "progress", "pycaffe", "catalogue", "lint", "report"},
    {"cli"},
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}


def imported(name: str, nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The full names that import statements among `nodes` name."""
    folder = ["solver_cli", *name.split("/")[:-1]]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else []
            yield from (".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names)


def part(name: str) -> str:
    """The module or folder of this package that a full name lies in."""
    return name.split(".")[1] if name.startswith("solver_cli.") else ""


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__"])
def test_imports_go_down(name: str) -> None:
    """Of what a module imports at once; an import inside a function waits until it is needed."""
    own = name.split("/")[0]
    used = {part(found) for found in imported(name, ast.parse(FILES[name].read_text()).body)} - {"", own}
    assert used | {own} <= set(LEVEL), "say in LEVELS where it stands"
    assert not {other for other in used if LEVEL[other] > LEVEL[own]}, "imports from a higher level"
    assert not {own, *used} >= {"layers", "data"} or LEVEL[own] > LEVEL["data"], "layers and data do not know each other"


def users(module: str) -> list[str]:
    """The files that import `module` or anything in it, wherever in the file."""
    pattern = re.compile(rf"{re.escape(module)}(\.|$)")
    return [
        name
        for name, path in FILES.items()
        if any(map(pattern.match, imported(name, ast.walk(ast.parse(path.read_text())))))
    ]


def test_click_is_for_the_command_line_only() -> None:
    assert users("click") == ["cli"]


def test_nothing_runs_distributed() -> None:
    assert users("torch.distributed") == []


def test_files_are_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items() if name not in GENERATED}
    assert {name: length for name, length in lengths.items() if length > 460} == {}
