"""Nothing that is read from a data, model or state file is ever executed: no pickle, marshal, eval or exec anywhere.

Code that a user names runs by design, in the modules of ALLOWED only: layers of type Python (`--no-python-layers` refuses
them), files of layers (--layers) and the scripts given to `solver-tools python`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import solver_cli

PACKAGE = Path(solver_cli.__file__).parent
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
    "yaml",
    "code",
}
CALLS = {"eval", "exec", "compile", "__import__", "import_module", "exec_module", "run_path", "run_module", "execfile"}
ALLOWED = {
    ("text/user_code.py", "import_module"),  # of Python layers
    ("text/user_code.py", "exec_module"),  # a file given to --layers
    *(("pycaffe/script.py", call) for call in ("exec", "compile", "run_module", "run_path")),  # a script on the command line
    ("pycaffe/standin.py", "import_module"),  # of `caffe` and of modules of this package
    ("pycaffe/draw.py", "import_module"),  # of pydot
    ("commands/tools/__init__.py", "import_module"),  # of its own commands, by the names of their files
    ("pycaffe/elsewhere.py", "import_module"),  # of libraries that it names itself
}


def dangers(source: str, file: str = "x.py") -> list[str]:
    """What in a module's text could run what it reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        found += [f"{file}:{node.lineno}: import {name}" for name in names if name.split(".")[0] in MODULES]
        if isinstance(node, ast.Call):
            found += [f"{file}:{node.lineno}: {what}" for what in _call(node, file)]
    return found


def _call(call: ast.Call, file: str) -> list[str]:
    function = call.func
    name = function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    owner = function.value.id if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) else ""
    given = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    if given.get("allow_pickle"):
        return [f"{name}(allow_pickle=True)"]
    if name == "load" and owner == "torch" and given.get("weights_only") is not True:
        return ["torch.load without weights_only=True"]
    if name == "compile" and owner in ("re", "torch"):
        return []
    return [name] if name in CALLS and (file, name) not in ALLOWED else []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_runs_what_it_reads(path: Path) -> None:
    assert dangers(path.read_text(), str(path.relative_to(PACKAGE))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import marshal as m",
        "eval(text)",
        "builtins.exec(text)",
        "compile(text, '', 'exec')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "importlib.import_module(name)",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert dangers(source)


@pytest.mark.parametrize(
    "source", ["re.compile(text)", "torch.compile(f)", "torch.load(p, weights_only=True)", "np.load(p)"]
)
def test_the_search_leaves_the_rest_alone(source: str) -> None:
    assert not dangers(source)
