"""Code that a config brings along: where its modules are looked for, how they are imported, what is shown when it fails."""

from __future__ import annotations

import importlib
import runpy
import sys
import traceback
from pathlib import Path
from types import ModuleType
from weakref import WeakSet

from solver_cli import log
from solver_cli.errors import ConfigError, Error, nearest

OURS = str(Path(__file__).parents[1])
SITE = "layer_factory.cpp:348"
_announced: WeakSet[ModuleType] = WeakSet()


class UserCodeError(Error):
    """An exception in the user's own code; `traceback` is what Python would print of it, without our frames."""

    def __init__(self, error: BaseException, what: str, field: str | None = None):
        detail = traceback.format_exception_only(type(error), error)[-1].strip()
        super().__init__(f"{what}: {detail}", field=field)
        self.error = error
        self.traceback = user_traceback(error)


def user_traceback(error: BaseException) -> str:
    """The traceback of `error` with the frames of this program and of the import machinery left out."""
    shown = traceback.TracebackException.from_exception(error)
    _prune(shown)
    return "".join(shown.format())


def _prune(shown: traceback.TracebackException | None) -> None:
    while shown is not None:
        kept = [frame for frame in shown.stack if not _is_machinery(frame.filename)]
        shown.stack = traceback.StackSummary.from_list(kept)
        _prune(shown.__cause__)
        shown = shown.__context__


def _is_machinery(file: str) -> bool:
    return file.startswith((OURS, "<frozen ")) or file in (importlib.__file__, runpy.__file__)


def look_in(*folders: str | Path) -> None:
    """Look for modules in these folders as well: behind PYTHONPATH and the standard library, before installed packages."""
    installed = (i for i, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages")))
    at = next(installed, len(sys.path))
    for folder in reversed(folders):
        path = str(Path(folder).absolute())
        if path not in sys.path:
            sys.path.insert(at, path)


def load(name: str, field: str) -> ModuleType:
    """Import the module `name`, which the config's `field` names. Raises ConfigError, UserCodeError."""
    if not name:
        raise ConfigError("names no module: it says which Python file holds the class", field=field)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise UserCodeError(error, f"cannot import its module '{name}'", field) from error
        raise ConfigError(
            f"there is no Python module '{name}'{nearest(name, _modules())}: it is looked for on PYTHONPATH, beside the "
            "solver file and in the working folder",
            field=field,
        ) from None
    except Exception as error:
        raise UserCodeError(error, f"cannot import its module '{name}'", field) from error
    if module not in _announced:
        _announced.add(module)
        log.info(SITE, f"Python module {name} is {getattr(module, '__file__', None) or 'built in'}")
    return module


def _modules() -> list[str]:
    """The modules that stand in the folders that are looked in, for near misses; installed ones left out."""
    folders = [Path(path) for path in sys.path if path and not path.endswith(("-packages", ".zip"))]
    own = [folder for folder in folders if folder.is_dir() and not str(folder).startswith((sys.base_prefix, sys.prefix))]
    return [file.stem for folder in own for file in folder.glob("*.py")]
