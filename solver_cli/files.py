"""Files that users name, opened for reading: whatever may never end is refused before it is waited for."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
LARGEST = 1 << 30  # bytes that are asked for at once


def check(path: str | os.PathLike[str]) -> None:
    """Raise OSError unless `path` is a regular file, or a link to one; ValueError for a name with a zero byte."""
    _check(os.stat(path), path)  # noqa: PTH116 - a name that is no Path on some systems


def reading(path: str | os.PathLike[str], buffering: int = -1) -> BinaryIO:
    """The regular file `path`, open for reading. Raises OSError and ValueError as `check` does; never waits for a writer."""
    number, _ = _opened(path)
    return os.fdopen(number, "rb", buffering)


def read(path: str | os.PathLike[str]) -> bytes:
    """All bytes of the regular file `path`. Raises OSError and ValueError as `check` does."""
    number, size = _opened(path)
    try:  # a third of the time that a file object takes, which counts where pictures are small
        content = os.read(number, size)
        if not size or len(content) < size:  # the system makes it up meanwhile, or does not give so much at once
            content = b"".join([content, *iter(lambda: os.read(number, LARGEST), b"")])
        return content
    finally:
        os.close(number)


def _opened(path: str | os.PathLike[str]) -> tuple[int, int]:
    """The descriptor of a file opened for reading, and its size."""
    check(path)  # beforehand: a pipe's writer, or a device, is not to see it opened
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(number)
        _check(found, path)
    except OSError:
        os.close(number)
        raise
    return number, found.st_size


def _check(found: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(found.st_mode):
        kind = next((words for is_kind, words in KINDS if is_kind(found.st_mode)), "something else")
        raise OSError(errno.EINVAL, f"not a regular file, but {kind}", path)
