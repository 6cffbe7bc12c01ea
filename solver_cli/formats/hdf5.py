"""What weights and solver states in HDF5 share: opening, datasets as float32, nothing followed out of the file."""

from __future__ import annotations

import os
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
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
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


def array(dataset: Any) -> Array:
    """A dataset's numbers as float32; its size is checked against what the file stores before it is allocated."""
    if dataset.dtype.kind not in "fiu":
        raise Malformed(f"it holds {dataset.dtype}, not numbers")
    if dataset.is_virtual or dataset.external:
        raise Malformed("its data lie in another file")
    shape = dataset.shape or ()
    size, stored = prod(shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    packed = dataset.id.get_create_plist().get_nfilters() > 0
    if size > stored * (MAX_DEFLATE if packed else 1):
        raise Malformed(f"its shape is {' x '.join(map(str, shape))}, which is {size} bytes, but it holds {stored}")
    result = np.empty(shape, np.float32)
    if result.size:
        dataset.read_direct(result)
    return result
