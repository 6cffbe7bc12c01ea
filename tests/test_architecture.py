"""Who may import whom, what stands where, and how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import solver_cli
from solver_cli.net import plan as _plan  # noqa: F401 - registers every layer
from solver_cli.registry import layer_types

PACKAGE = Path(solver_cli.__file__).parent
GENERATED = {"caffe_pb2"}
WINGS = ["commands", "tools", "export", "pycaffe", "solver", "pictures", "snapshots", "passes", "updates", "parallel", "net"]
WINGS += ["layers", "data", "formats", "text"]
GROUND = ["fillers", "registry", "schema", "elsewhere", "errors", "log", "files"]  # modules of the package itself, in order
LEVEL = {name: level for level, name in enumerate([*WINGS, *GROUND, *GENERATED])}
FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}
HOUSE = [name for name in FILES if name not in ("__init__", "__main__")]
MOST = 8  # modules that stand outside the wings
LONGEST = 460  # lines of a file


def imported(name: str) -> Iterator[str]:
    """The full names that import statements name, at the head of a file or inside a function."""
    folder = ["solver_cli", *name.split("/")[:-1]]
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else []
            yield from (".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names)


def place(full: str) -> str:
    """The wing, or the module on the ground, that a full name lies in."""
    return full.split(".")[1] if full.startswith("solver_cli.") else ""


def inside(full: str) -> str:
    """The file that a full name lies in; "" for one that is not of this package."""
    path = full.removeprefix("solver_cli.").replace(".", "/") if full.startswith("solver_cli.") else ""
    while path and path not in FILES:
        path = path.rpartition("/")[0]
    return path


@pytest.mark.parametrize("name", HOUSE)
def test_imports_go_down(name: str) -> None:
    own = name.split("/")[0]
    used = {place(full) for full in imported(name)} - {"", own}
    assert used | {own} <= set(LEVEL), "say in WINGS or GROUND where it stands"
    assert not {other for other in used if LEVEL[other] < LEVEL[own]}, "imports from above"
    strangers = {"layers", "data"}
    assert not strangers <= {own, *used} or own not in strangers, "layers and data do not know each other"


def test_no_files_go_in_a_circle() -> None:
    uses = {name: {inside(full) for full in imported(name)} - {"", name} for name in HOUSE}
    while free := [name for name, used in uses.items() if not used & set(uses)]:
        for name in free:
            del uses[name]
    assert not uses, "each of these imports one of the others"


def test_every_wing_says_what_it_is_for() -> None:
    for wing in WINGS:
        assert ast.get_docstring(ast.parse((PACKAGE / wing / "__init__.py").read_text())), wing
    alone = [name for name in HOUSE if "/" not in name and name not in GENERATED]
    assert sorted(alone) == sorted(GROUND)
    assert len(alone) <= MOST


def users(module: str) -> set[str]:
    """The wings that import `module` or anything in it, wherever in a file."""
    pattern = re.compile(rf"{re.escape(module)}(\.|$)")
    return {name.split("/")[0] for name in FILES if any(map(pattern.match, imported(name)))}


def test_click_is_for_the_commands_only() -> None:
    assert users("click") == {"commands"}


def test_only_one_wing_knows_of_torch_distributed() -> None:
    assert users("torch.distributed") == {"parallel"}


def test_files_are_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items() if name not in GENERATED}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
    assert lengths["solver/solver"] <= 250, "what has a memory is a part, what looks on a watcher: docs/architecture.md"


def test_the_page_names_what_there_is() -> None:
    """docs/architecture.md: every wing, and no file that has gone."""
    root = Path(__file__).parents[1]
    root = Path(__file__).parents[1]
    page = (root / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.*-]*)`", page))
    missing = {path for path in named if not any((base / path).exists() for base in (root, PACKAGE))}
    assert missing == set()
    assert all(f" {wing}/" in page for wing in WINGS)


@pytest.mark.parametrize("name", [name for name in HOUSE if name.split("/")[0] in ("net", "passes", "commands")])
def test_no_layer_type_is_named_above_the_layers(name: str) -> None:
    """What one needs to know of a type is said where it is registered (Split and Input are the net's own)."""
    types = layer_types()
    texts = {node.value for node in ast.walk(ast.parse(FILES[name].read_text())) if isinstance(node, ast.Constant)}
    assert not texts & (set(types) - {"Split", "Input"}), "give LayerType a trait for what is asked here"
    families = {kind.build.__module__ for kind in types.values() if place(kind.build.__module__) == "layers"}
    assert not {full for full in imported(name) if full.rpartition(".")[0] in families}, "a family's class or function"
