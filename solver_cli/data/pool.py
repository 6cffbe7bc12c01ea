"""Threads that prepare several pictures of a batch at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Pool:
    """As many threads as there are processors, at most 16, started when first used.

    OpenCV and numpy let go of Python's lock while they decode, cut and convert a picture.
    """

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def map(self, function: Callable[..., T], *items: Iterable[Any]) -> Iterator[T]:
        """As the builtin map: results and errors in order."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(min(16, os.cpu_count() or 1), "picture")
        return self._threads.map(function, *items)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None
