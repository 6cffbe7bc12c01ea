"""Names of other libraries that stand in BVLC's modules through their imports: some scripts take them from there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NoReturn

_PACKAGES = {"skimage": "scikit-image"}  # what `pip install` calls a library


def names(module: str, **places: str) -> Callable[[str], Any]:
    """A `__getattr__` for our module `module`: {name: its place elsewhere, "package.module:name" or the whole "package"}.

    Where a library is not installed, what it would give raises ImportError with the remedy as soon as it is used.
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        place, _, inside = places[name].partition(":")
        package = place.partition(".")[0]
        try:
            found = importlib.import_module(place)
        except ImportError as error:
            return _Missing(f"{module.rpartition('.')[2]}.{name}", package, error)
        return getattr(found, inside) if inside else importlib.import_module(package)

    return find


class _Missing:
    """Stands for something that is not installed."""

    def __init__(self, name: str, library: str, error: ImportError):
        self._text = f"caffe.{name} needs {library}: pip install {_PACKAGES.get(library, library)} ({error})"

    def __getattr__(self, name: str) -> NoReturn:
        raise (AttributeError if name.startswith("__") else ImportError)(self._text)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(self._text)
