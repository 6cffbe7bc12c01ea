"""What weights and solver states in HDF5 share: opening, datasets as float32, nothing followed out of the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, BinaryIO

import numpy as np

from solver_cli.errors import SnapshotError, Where
from solver_cli.formats.wire import Array, Malformed

MAX_DEFLATE = 1100  # a deflated byte holds at most 1032


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The open file; anything that is wrong with it is a SnapshotError of one line."""
    import h5py  # takes a tenth of a second: only for those who have such files

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        reason = (str(error).strip("'\"").splitlines() or ["unreadable"])[0]
        cut = "cut short" if "truncated" in reason else "damaged"
        raise SnapshotError(f"this HDF5 file is {cut} ({reason}): copy it again", Where(os.fspath(path))) from error


@contextmanager
def writing(destination: str | os.PathLike[str] | BinaryIO) -> Iterator[Any]:
    """A new HDF5 file at a path or in a file object that can be read and written; errors are OSErrors."""
    import h5py

    try:
        with h5py.File(destination, "w") as file:
            yield file
    except RuntimeError as error:
        raise OSError(str(error)) from error


def links(group: Any) -> Iterator[tuple[str, Any]]:
    """The members of a group, by name; soft and external links are passed over, for they may lead out of the file."""
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            yield name, group[name]


def is_dataset(member: Any) -> bool:
    return hasattr(member, "dtype") and hasattr(member, "shape")


def address(member: Any) -> int:
    """Where in the file a group or dataset lies: the same for all its names."""
    import h5py

    return int(h5py.h5o.get_info(member.id).addr)


def member(file: Any, name: str) -> Any:
    """The dataset `name` that lies in this file. Raises Malformed."""
    found = dict(links(file)).get(name)
    if not is_dataset(found):
        raise Malformed(f"it has no dataset '{name}'")
    return found


def number(dataset: Any) -> int:
    """A single whole number. Raises Malformed."""
    if dataset.dtype.kind not in "iu" or dataset.size != 1:
        raise Malformed(f"{dataset.name} is not a whole number")
    return int(np.ravel(dataset[()])[0])


def real(dataset: Any) -> float:
    """A single number. Raises Malformed."""
    if dataset.dtype.kind not in "f" or dataset.size != 1:
        raise Malformed(f"{dataset.name} is not a number")
    return float(np.ravel(dataset[()])[0])


def text(dataset: Any) -> bytes:
    """A single string. Raises Malformed."""
    if dataset.dtype.kind not in "SO" or dataset.shape != () or dataset.dtype.itemsize > check_size(dataset):
        raise Malformed(f"{dataset.name} is not a text")
    found = free_text(dataset) if dataset.dtype.kind == "O" else dataset[()]
    if not isinstance(found, bytes):
        raise Malformed(f"{dataset.name} is not a text")
    return found


HEAP, COLLECTION, OBJECT = struct.Struct("<IQI"), struct.Struct("<4sB3xQ"), struct.Struct("<HHIQ")


def free_text(dataset: Any) -> bytes:
    """A single string of free length, as this program once wrote. libhdf5 may hang where the heap that holds it is damaged.

    The dataset says where a collection of the heap is, and the index of the object in it (HDF5 File Format, III.E).
    """
    file, at = dataset.file.id, dataset.id.get_offset()
    if at is None or file.get_create_plist().get_sizes() != (8, 8) or file.get_create_plist().get_userblock():
        raise Malformed(f"{dataset.name} is a text of another form")
    with open(dataset.file.filename, "rb") as content:
        length, heap, wanted = HEAP.unpack(_bytes(content, at, HEAP.size))
        mark, version, size = COLLECTION.unpack(_bytes(content, heap, COLLECTION.size))
        at, end = heap + COLLECTION.size, heap + size
        while (mark, version) == (b"GCOL", 1) and at + OBJECT.size <= end:
            index, _, _, size = OBJECT.unpack(_bytes(content, at, OBJECT.size))
            if index == wanted and length <= size:
                return _bytes(content, at + OBJECT.size, length)
            if not index:  # the room that is left
                break
            at += OBJECT.size + -(-size // 8) * 8
    raise Malformed(f"{dataset.name}: its text is not where it says")


def _bytes(content: BinaryIO, at: int, size: int) -> bytes:
    """So many bytes of a file from a place on. Raises Malformed."""
    end = content.seek(0, os.SEEK_END)
    if at + size > end:
        raise Malformed(f"it points to byte {at + size} of {end}")
    content.seek(at)
    return content.read(size)


def check_size(dataset: Any) -> int:
    """The bytes that a dataset takes in its file. Raises Malformed if its shape asks for more than they can hold."""
    shape = dataset.shape or ()
    size = prod(shape) * dataset.dtype.itemsize
    stored = min(dataset.id.get_storage_size(), dataset.file.id.get_filesize())
    packed = dataset.id.get_create_plist().get_nfilters() > 0
    if size > stored * (MAX_DEFLATE if packed else 1):
        raise Malformed(f"its shape is {' x '.join(map(str, shape))}, which is {size} bytes, but it holds {stored}")
    return int(stored)


class Arrays:
    """Reads the datasets of a file as float32. Their sizes are checked against the file before anything is allocated,
    one by one and together; a dataset of several names is read once."""

    def __init__(self, file: Any):
        self._left = file.id.get_filesize()
        self._read: dict[int, Array] = {}

    def read(self, dataset: Any) -> Array:
        """The numbers of a dataset. Raises Malformed."""
        at = address(dataset)
        if at not in self._read:
            self._read[at] = self._array(dataset)
        return self._read[at]

    def _array(self, dataset: Any) -> Array:
        if dataset.dtype.kind not in "fiu":
            raise Malformed(f"it holds {dataset.dtype}, not numbers")
        if dataset.is_virtual or dataset.external:
            raise Malformed("its data lie in another file")
        self._left -= check_size(dataset)
        if self._left < 0:
            raise Malformed("it shares its bytes with other datasets")
        result = np.empty(dataset.shape or (), np.float32)
        if result.size:
            dataset.read_direct(result)
        return result
