"""Code that a user brings along: where its modules are looked for, how they are imported, what is shown when it fails."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
import traceback
from pathlib import Path
from types import ModuleType
from weakref import WeakSet

from solver_cli import log
from solver_cli.errors import ConfigError, Error, Where, nearest

OURS = str(Path(__file__).parents[1])
SITE = "layer_factory.cpp:348"
_layer_files: dict[str, str] = {}  # by their full paths
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


def load_layers(path: str) -> None:
    """Run the Python file `path`, which registers layer types, once. Raises ConfigError with the file's line.

    It is a module named like the file, beside which other modules are found, so that processes which it starts find it too.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"this file of layers {'is no file' if file.exists() else 'does not exist'}", Where(path))
    look_in(file.parent)
    name, known = file.stem, sys.modules.get(file.stem)
    if known is not None:
        if Path(getattr(known, "__file__", None) or "").absolute() == file.absolute():
            return
        raise ConfigError(f"there is a module '{name}' already: rename this file", Where(path))
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(file.absolute())))
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        words = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        if isinstance(error, SyntaxError):
            where = path if error.filename == str(file.absolute()) else error.filename or path
            raise ConfigError(f"SyntaxError: {error.msg}", Where(where, error.lineno or 0)) from None
        raise ConfigError(words, Where(path, line_of(error, str(file.absolute())) or 0)) from None
    _layer_files[str(file.absolute())] = path
    log.info(SITE, f"Layer types of {path}")


def own_failure(error: BaseException) -> str:
    """The user's traceback and a line with its place, of what a file of layers has raised on the way back; "" otherwise."""
    for file, path in _layer_files.items():
        if line := line_of(error, file):
            words = traceback.format_exception_only(type(error), error)[-1].strip()
            return f"{user_traceback(error)}{path}:{line}: {words}"
    return ""


def line_of(error: BaseException, file: str) -> int | None:
    """The innermost line of `file` that `error` went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1].lineno if frames else None


def _modules() -> list[str]:
    """The modules that stand in the folders that are looked in, for near misses; installed ones left out."""
    folders = [Path(path) for path in sys.path if path and not path.endswith(("-packages", ".zip"))]
    own = [folder for folder in folders if folder.is_dir() and not str(folder).startswith((sys.base_prefix, sys.prefix))]
    return [file.stem for folder in own for file in folder.glob("*.py")]
