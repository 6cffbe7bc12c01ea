"""One blob in a binary file: the mean files of Caffe."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from solver_cli import files
from solver_cli.caffe_pb2 import BlobProto
from solver_cli.errors import DataError
from solver_cli.formats.atomic import atomic_write
from solver_cli.formats.wire import MAX_AXES
from solver_cli.text.remedies import how_made


def read(path: str | Path) -> NDArray[np.float32]:
    """The blob in `path`, in its shape (four axes where the old fields give it). Raises DataError."""
    try:
        content = files.read(path)
        if not content:
            raise DataError(f"{path}: the file is empty")
        blob = BlobProto.FromString(content)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        remedy = how_made(path) if isinstance(error, FileNotFoundError) else ""
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}{remedy}") from None
    except DecodeError:
        raise DataError(f"{path}: not a BlobProto file (a mean file as compute_image_mean writes it)") from None
    old = ("num", "channels", "height", "width")
    shape = tuple(getattr(blob, axis) for axis in old) if any(map(blob.HasField, old)) else tuple(blob.shape.dim)
    found = blob.double_data or blob.data
    with np.errstate(over="ignore"):  # doubles beyond float32 become infinite
        data = np.fromiter(found, np.float32, len(found))
    if data.size != prod(shape) or min(shape, default=1) < 1 or len(shape) > MAX_AXES:
        axes = " x ".join(map(str, shape)) or "(none)"
        raise DataError(f"{path}: a blob of shape {axes} cannot hold the {data.size} values found in the file")
    return data.reshape(shape)


def write_mean(path: str | Path, mean: NDArray[np.float32]) -> None:
    """Write a mean picture [channels, height, width] under the old fields, as Caffe does. Raises SnapshotError."""
    channels, height, width = mean.shape
    blob = BlobProto(num=1, channels=channels, height=height, width=width, data=mean.ravel())
    with atomic_write(path) as out:
        out.write(blob.SerializeToString())
