"""Threads that prepare several pictures of a batch at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool:
    """As many threads as there are processors to use, at most 16, the caller's among them; the others start when first used.

    OpenCV and numpy let go of Python's lock while they decode, cut and convert a picture.
    """

    def __init__(self) -> None:
        self._others = min(16, processors()) - 1
        self._threads: ThreadPoolExecutor | None = None

    def map(self, function: Callable[..., T], *items: Iterable[Any]) -> list[T]:
        """What the builtin map gives, as a list. Raises the error of the first item that has one."""
        calls = list(zip(*items, strict=True))
        results: list[Any] = [None] * len(calls)
        errors: dict[int, Exception] = {}
        turns = iter(range(len(calls)))  # each thread takes the next one: to hand them out costs as much as a crop

        def work() -> None:
            for i in turns:
                try:
                    results[i] = function(*calls[i])
                except Exception as error:
                    errors[i] = error
                if errors:
                    break

        if self._threads is None and self._others:
            self._threads = ThreadPoolExecutor(self._others, "picture")
        helping = [self._threads.submit(work) for _ in calls[1 : self._others + 1]] if self._threads else []
        work()
        for future in helping:
            future.result()
        if errors:
            raise errors[min(errors)]
        return results

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None
