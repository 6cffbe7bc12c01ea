"""Pictures in files, decoded with OpenCV, the library that Caffe decodes with.

OpenCV's blue-green-red order, its grey of PNG (libpng's weights) and JPEG (the luma plane) and its bilinear resize in whole
bytes come out equal to Caffe's pixel for pixel; Pillow's resize smooths and its grey of PNG rounds differently.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from solver_cli import files
from solver_cli.data.crops import Picture
from solver_cli.errors import ConfigError, DataError

MAX_PIXELS = 1 << 27  # of one picture: what a small file may ask for (OPENCV_IO_MAX_IMAGE_PIXELS overrides it)


@functools.cache
def opencv() -> Any:
    """The module cv2; ConfigError that names the extra if it is not installed."""
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
    try:
        import cv2
    except ImportError:
        raise ConfigError("reading pictures needs OpenCV: pip install 'solver-train[images]'") from None
    return cv2


def decode(data: bytes, name: str, colour: bool | None, field: str) -> Picture:
    """The picture [channels, height, width] in `data`: as colour, as grey, or (None) as it was stored. Raises DataError."""
    cv2 = opencv()
    mode = cv2.IMREAD_UNCHANGED if colour is None else cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), mode) if data else None
    except (cv2.error, SystemError, MemoryError):
        limit = f"{MAX_PIXELS} pixels, or damaged (the environment's OPENCV_IO_MAX_IMAGE_PIXELS allows more)"
        raise DataError(f"{name} cannot be decoded: it has more than {limit}", field=field) from None
    if picture is None:
        raise DataError(f"{name} is not a picture that can be decoded ({len(data)} bytes)", field=field)
    if picture.dtype != np.uint8:
        raise DataError(f"{name} has pixels of {picture.dtype}: only pictures of 8 bits a channel can be used", field=field)
    return planes(picture)


def planes(picture: Picture) -> Picture:
    """[channels, height, width] of OpenCV's [height, width] or [height, width, channels]."""
    return picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)


def read_file(path: str, field: str) -> bytes:
    """The bytes of a file; DataError that names it."""
    try:
        return files.read(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}", field=field) from None
