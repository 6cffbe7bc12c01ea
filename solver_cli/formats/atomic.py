"""Files that are either whole or not there."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from solver_cli.errors import SnapshotError, Where

try:
    import fcntl
except ImportError:  # a system without locks of this kind: there leftovers stay
    fcntl = None  # type: ignore[assignment]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file, open for writing and reading, that takes the name `path` when the block ends without an error.

    The bytes and the name are on the disk by then. On an error nothing is left behind, and a file that bore the name
    before is untouched. A link at `path` is followed. Raises SnapshotError when the disk is full or refuses.
    """
    target = Path(os.path.realpath(path))
    temp = target.with_name(f".{target.name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        # os.open, not tempfile: the file gets the rights that the umask gives any other
        with open(os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), "w+b") as out:
            _lock(out.fileno())
            yield out
            out.flush()
            os.fsync(out.fileno())
        temp.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not target.parent.is_dir():
            message = f"the folder '{target.parent}' does not exist: create it, or name another (snapshot_prefix)"
        else:
            message = f"cannot be written: {error.strerror or error}"
        raise SnapshotError(message, Where(os.fspath(path))) from error
    finally:
        with suppress(OSError):
            temp.unlink()


def leftovers(folder: Path, pattern: str) -> Iterator[tuple[Path, Path]]:
    """(unfinished file, the name it was to get) for files like `pattern` that nobody writes any more."""
    for file in folder.glob(f".{pattern}.tmp"):
        name = re.fullmatch(r"\.(.+)\.\d+\.[0-9a-f]{8}\.tmp", file.name)
        if name and _abandoned(file):
            yield file, file.with_name(name[1])


def _lock(handle: int) -> None:
    """Mark the file as being written, for as long as the process lives and has it open."""
    if fcntl:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _abandoned(file: Path) -> bool:
    """Whether nobody is writing the file."""
    try:
        with file.open("r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, AttributeError):
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk, where the system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
