"""Files that are either whole or not there."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from solver_cli.errors import SnapshotError, Where

try:
    import fcntl
except ImportError:  # a system without locks of this kind: there leftovers stay
    fcntl = None  # type: ignore[assignment]

LONGEST = 100  # bytes of a file's name in that of its temporary one


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file, open for writing and reading, that takes the name `path` when the block ends without an error.

    The bytes and the name are on the disk by then. On an error nothing is left behind, and a file that bore the name
    before is untouched. A link at `path` is followed. Raises SnapshotError when the disk is full or refuses.
    """
    with _temporary(path) as (target, temp, out):
        yield out
        out.flush()
        os.fsync(out.fileno())
        temp.replace(target)  # still locked: nobody takes it for the file of a dead process
        _sync_folder(target.parent)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make the folder `path`, and those above it, unless it is there. Raises SnapshotError."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"the folder cannot be made: {reason(error)}", Where(os.fspath(path))) from None


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise SnapshotError unless a file `path` can be begun now; nothing is left of it."""
    with _temporary(path) as (target, _, _), suppress(FileNotFoundError):
        target.lstat()  # it may be too long where its temporary name is not


@contextmanager
def _temporary(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path, BinaryIO]]:
    """(what `path` leads to, an open and locked file of another name beside it, that file), removed at the end.

    Errors of the system are SnapshotErrors.
    """
    try:
        target = Path(os.path.realpath(path))
    except ValueError as error:
        raise SnapshotError(f"cannot be written: {reason(error)}", Where(os.fspath(path))) from None
    temp = target.with_name(f".{_short(target.name)}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        if target.exists() and not target.is_file():
            raise OSError("Is a directory" if target.is_dir() else "it is a device or a pipe")
        with _new(temp) as out:
            yield target, temp, out
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not target.parent.is_dir():
            message = f"the folder '{target.parent}' does not exist: create it, or name another"
        else:
            message = f"cannot be written: {reason(error)}"
        raise SnapshotError(message, Where(os.fspath(path))) from error
    finally:
        with suppress(OSError):
            temp.unlink()


def _new(path: Path) -> BinaryIO:
    """A new file, marked as being written for as long as it is open and the process lives."""
    while True:
        # os.open, not tempfile: the file gets the rights that the umask gives any other
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        out = open(handle, "w+b")  # noqa: SIM115 - a handle; the caller closes it
        with suppress(OSError, AttributeError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return out
        out.close()  # taken for a dead process's before it was marked, and removed


def leftovers(folder: Path, head: str) -> Iterator[Path]:
    """The unfinished files in `folder` for names that begin with `head` and that nobody writes any more; each is locked
    while it is at hand."""
    pattern = re.escape(f".{_short(head)}") + r".*\.\d+\.[0-9a-f]{8}\.tmp"
    files: list[Path] = []
    with suppress(OSError, ValueError):
        files = list(folder.iterdir())
    for file in files:
        if re.fullmatch(pattern, file.name, re.DOTALL):
            with suppress(OSError, AttributeError), file.open("r+b") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield file


def _short(name: str) -> str:
    """As much of a file's name as leaves room for the rest of a temporary one; most systems take 255 bytes, some 143."""
    return os.fsencode(name)[:LONGEST].decode(sys.getfilesystemencoding(), "ignore")


def reason(error: Exception) -> str:
    """What the system says, or what is wrong with a name that it does not even get to see."""
    if isinstance(error, UnicodeError):
        return "this system's file names cannot have its characters"
    if isinstance(error, ValueError):
        return "no file's name holds the character 0"
    return getattr(error, "strerror", None) or str(error)


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk, where the system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
