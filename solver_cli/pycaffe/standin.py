"""This package as `caffe`: for modules and scripts that say `import caffe` where no other Caffe can be imported."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from solver_cli import log

PACKAGE = "solver_cli.pycaffe"
MODULES = (
    "_caffe", "pycaffe", "io", "net_spec", "classifier", "detector", "draw", "coord_map", "proto", "proto.caffe_pb2", "test",
)  # fmt: skip
SITE = "_caffe.cpp"
ON_PATH = str(Path(__file__).with_name("on_path"))  # holds a package caffe, which is this one


def ours() -> ModuleType:
    """This package."""
    return importlib.import_module(PACKAGE)


def install() -> ModuleType:
    """Let `import caffe` give this package from now on, and `caffe.io` ... its modules; return it.

    Processes that multiprocessing spawns know nothing of that, but begin with this one's sys.path.
    """
    package = ours()
    if ON_PATH not in sys.path:
        sys.path.insert(0 if _holds_caffe(sys.path[:1]) else 1, ON_PATH)
    sys.modules["caffe"] = package
    for name in MODULES:
        parent, _, leaf = name.rpartition(".")
        folder = importlib.import_module(f"{PACKAGE}.{parent}" if parent else PACKAGE)
        module = getattr(folder, leaf, None) or importlib.import_module(f"{PACKAGE}.{name}")
        sys.modules[f"caffe.{name}"] = module
    return package


def settle() -> ModuleType:
    """What `import caffe` gives: what it gave before, another Caffe if it can be imported, else this package."""
    if "caffe" in sys.modules:
        return sys.modules["caffe"]
    real, why = _real()
    if real is not None:
        log.info(SITE, f"import caffe gives {real.__file__}, not solver_cli.pycaffe")
        return real
    package = install()
    log.info(SITE, f"import caffe gives solver_cli.pycaffe: {why}")
    return package


def _real() -> tuple[ModuleType | None, str]:
    """Another Caffe, or why there is none."""
    try:
        module = importlib.import_module("caffe")
    except ModuleNotFoundError as error:
        why = "there is no other caffe" if error.name == "caffe" else f"the caffe that was found fails with '{error}'"
    except Exception as error:  # whatever a broken installation raises
        why = f"the caffe that was found fails with '{type(error).__name__}: {error}'"
    else:
        if getattr(module, "__file__", None):
            return module, ""
        why = f"{next(iter(module.__path__))} is a folder without Python code"
    for name in [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]:
        del sys.modules[name]
    return None, why


def _holds_caffe(folders: list[str]) -> bool:
    """Whether `import caffe` would find something in one of the folders."""
    return PathFinder.find_spec("caffe", folders) is not None
