"""One blob in a binary file: the mean files of Caffe."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import BlobProto
from solver_cli.errors import DataError


def read(path: str | Path) -> NDArray[np.float32]:
    """The blob in `path`, in its shape (four axes where the old fields give it). Raises DataError."""
    try:
        blob = BlobProto.FromString(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except DecodeError:
        raise DataError(f"{path}: not a BlobProto file (a mean file as compute_image_mean writes it)") from None
    old = ("num", "channels", "height", "width")
    shape = tuple(getattr(blob, axis) for axis in old) if any(map(blob.HasField, old)) else tuple(blob.shape.dim)
    data = np.array(blob.double_data or blob.data, np.float32)
    if data.size != prod(shape) or not data.size:
        axes = " x ".join(map(str, shape)) or "(none)"
        raise DataError(f"{path}: a blob of shape {axes} cannot hold the {data.size} values found in the file")
    return data.reshape(shape)
