"""What a file holds, told by its bytes: weights, a solver state, or what a user took for one of them."""

from __future__ import annotations

import mmap
import os
from itertools import islice
from pathlib import Path
from typing import Any

from solver_cli import files
from solver_cli.errors import SnapshotError, Where, nearest
from solver_cli.formats import hdf5
from solver_cli.formats.atomic import reason
from solver_cli.formats.wire import LENGTH, VARINT, Buffer, Malformed, Truncated, fields

WEIGHTS, STATE, HDF5 = "weights (a .caffemodel)", "a solver state (a .solverstate)", "an HDF5 file"
MEAN, LMDB = "a blob or a mean (a .binaryproto)", "an LMDB database"

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"PK\x03\x04": "a zip archive or a PyTorch checkpoint",
    b"\x80\x02": "a Python pickle (a PyTorch checkpoint?)",
    b"\x93NUMPY": "a NumPy array",
    b"\x7fELF": "a program",
}


def map_file(path: str | os.PathLike[str]) -> mmap.mmap:
    """The file's bytes, read only. Raises SnapshotError if there are none."""
    where = Where(os.fspath(path))
    try:
        with files.reading(path) as file:
            if not os.fstat(file.fileno()).st_size:
                raise SnapshotError("the file is empty", where)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        folder = Path(path).parent
        if not folder.is_dir():
            raise SnapshotError(f"no such file: there is no folder '{folder}'", where) from None
        raise SnapshotError(
            "no such file" + nearest(Path(path).name, [entry.name for entry in folder.iterdir()]), where
        ) from None
    except (OSError, ValueError) as error:
        raise SnapshotError(f"cannot be read: {reason(error)}", where) from None


def is_hdf5(buffer: Buffer) -> bool:
    """Whether the HDF5 signature stands where the library looks for it: at 0, 512, 1024, 2048 ..."""
    at = 0
    while at < len(buffer):
        if buffer[at : at + len(_HDF5_MAGIC)] == _HDF5_MAGIC:
            return True
        at = 2 * at or 512
    return False


def kind(buffer: Buffer) -> str:
    """WEIGHTS, STATE, HDF5, or a few words for anything else."""
    if is_hdf5(buffer):
        return HDF5
    head = buffer[:1024]
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            return what
    if head[16:20] in (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde"):
        return LMDB
    return _text(head) or _message(buffer)


def kind_hdf5(file: Any) -> str:
    """WEIGHTS or STATE or a few words, for an open HDF5 file."""
    members = dict(hdf5.links(file))
    if "history" in members or "iter" in members:
        return STATE
    return WEIGHTS if hasattr(members.get("data"), "keys") else "an HDF5 file of something else"


def expect(wanted: str, found: str, path: str | os.PathLike[str]) -> None:
    """Raise SnapshotError with the remedy unless `found` is `wanted`."""
    remedy = {WEIGHTS: ": give it as --weights", STATE: ": give it as --snapshot"}.get(found, "")
    if found != wanted:
        raise SnapshotError(f"holds {found}, not {wanted}{remedy}", Where(os.fspath(path)))


def _text(head: bytes) -> str:
    try:
        words = head.decode("utf-8") if len(head) < 1024 else head[:1020].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return ""
    if not all(character.isprintable() or character in "\r\n\t\f" for character in words):
        return ""
    if words.startswith("version https://git-lfs"):
        return "a Git LFS pointer: fetch the file itself with `git lfs pull`"
    if words.lstrip().lower().startswith(("<!doctype", "<html")):
        return "a web page (a download that failed?)"
    return "text"


def _message(buffer: Buffer) -> str:
    """Tell the messages by the numbers and kinds of their fields."""
    seen = set()
    try:
        for field in islice(fields(buffer), 10_000):
            seen.add((field.number, field.kind))
    except Truncated as error:
        seen.add((error.number, error.kind))
    except Malformed:
        pass
    if (1, VARINT) in seen:
        return MEAN if (2, VARINT) in seen else STATE
    if {(5, LENGTH), (7, LENGTH)} & seen and (100, LENGTH) not in seen:
        return MEAN
    if {(1, LENGTH), (2, LENGTH), (100, LENGTH)} & seen:
        return WEIGHTS
    return "bytes of an unknown kind"
