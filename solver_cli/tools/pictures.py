"""Pictures on their way into a net: as Caffe's data layers and its classification example prepare them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver_cli import log
from solver_cli.caffe_pb2 import ResizeParameter
from solver_cli.data import resize
from solver_cli.data.crops import Picture
from solver_cli.data.decode import decode, opencv, planes, read_file
from solver_cli.data.source import by
from solver_cli.data.transform import read_mean
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto
from solver_cli.tools.deployed import Deployed, Size

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Said:
    """What a user says of the preparation; what is None the net's own data layer says, or Caffe's defaults do."""

    mean: str | None = None
    scale: float | None = None
    resize: Size | None = None
    crop: Size | None = None
    channel_swap: tuple[int, ...] | None = None
    gray: bool | None = None


@dataclass(frozen=True)
class Prepared:
    """`pixels` [height, width, 3] of the file, `blob` [1, channels, height, width] for the net, and which part of the
    picture that is: (left, top, right, bottom) in its pixels."""

    pixels: NDArray[np.uint8]
    blob: Array
    part: tuple[float, float, float, float]


@dataclass(frozen=True)
class Preparation:
    """((picture, blue first, resized, its middle cut out) - mean) * scale, channels reordered before the mean.

    `mean`: [channels, height, width] of the resized picture or of what is cut out, or [channels, 1, 1].
    """

    channels: int
    crop: Size
    resize: Size | None
    mean: Array
    scale: float
    swap: tuple[int, ...] | None

    def read(self, path: str) -> Prepared:
        """The picture in a file. Raises DataError."""
        return self.prepare(decode(read_file(path, ""), f"picture '{path}'", self.channels > 1, ""), f"picture '{path}'")

    def prepare(self, picture: Picture, name: str) -> Prepared:
        """A picture [channels, height, width], which errors call `name`. Raises DataError."""
        pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
        height, width = pixels.shape[:2]
        seen = np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))
        size = self.resize or (height, width)
        if size != (height, width):
            pixels = opencv().resize(pixels, size[::-1])
        values = planes(pixels.reshape(*size, -1)).astype(np.float32)
        top, left = ((side - cut) // 2 for side, cut in zip(size, self.crop, strict=True))
        if min(top, left) < 0:
            raise DataError(f"{name} is {by(size)}, the net takes {by(self.crop)}: say --resize")
        blob = values[:, top : top + self.crop[0], left : left + self.crop[1]]
        if self.swap:
            blob = blob[list(self.swap)]
        blob = (blob - self._mean(size, top, left)) * np.float32(self.scale)
        across, down = width / size[1], height / size[0]
        part = (left * across, top * down, (left + self.crop[1]) * across, (top + self.crop[0]) * down)
        return Prepared(seen, np.ascontiguousarray(blob[None], np.float32), part)

    def _mean(self, size: Size, top: int, left: int) -> Array:
        """The part of the mean that belongs to what is cut out of a picture resized to `size`."""
        if self.mean.shape[1:] == size:
            return self.mean[:, top : top + self.crop[0], left : left + self.crop[1]]
        if self.mean.shape[1:] in (self.crop, (1, 1)):
            return self.mean
        channels: Array = self.mean.mean((1, 2), keepdims=True, dtype=np.float32)
        return channels  # as Caffe's classification example does


def preparation(net: Deployed, said: Said) -> Preparation:
    """How pictures are made ready for `net`. Raises ConfigError, DataError."""
    transform = net.transform
    channels, crop = net.shape[1], (net.shape[2], net.shape[3])
    if said.gray is not None and said.gray != (channels == 1):
        raise ConfigError(f"the net takes pictures of {channels} channels: leave --gray {'out' if said.gray else 'in'}")
    for name in resize.RANGES:
        if transform.HasField(name):  # type: ignore[arg-type]
            log.warning("predict", f"transform_param.{name} is random: pictures are resized to {by(said.resize or crop)}")
    fits = transform.resize_param
    if fits and fits[0].resize_mode != ResizeParameter.WARP and not said.resize:
        mode = ResizeParameter.Resize_mode.Name(fits[0].resize_mode)
        raise ConfigError(f"resize_mode {mode} is not followed here: say --resize {crop[0]}x{crop[1]} to warp pictures")
    own = _own_mean(net)
    averaged = (own.shape[1], own.shape[2]) if own.size > len(own) else None  # the size of the records, where they are gone
    size = said.resize or (crop if fits else None if net.own_sizes else net.before or averaged or crop)
    swap = said.channel_swap
    if swap is not None and sorted(swap) != list(range(channels)):
        raise ConfigError(f"--channel-swap {','.join(map(str, swap))}: give each of the {channels} channels once")
    mean = _said_mean(said.mean, channels) if said.mean else own
    if len(mean) not in (1, channels):
        raise ConfigError(f"the mean has {len(mean)} channels, pictures have {channels}")
    scale = said.scale if said.scale is not None else transform.scale
    return Preparation(channels, crop, size, mean, scale, swap)


def _own_mean(net: Deployed) -> Array:
    mean = read_mean(net.transform)
    if mean is not None:
        return mean
    return np.array(list(net.transform.mean_value) or [0], np.float32).reshape(-1, 1, 1)


def _said_mean(text: str, channels: int) -> Array:
    """The mean that --mean names: numbers, one or one a channel, or a file, .npy or .binaryproto. Raises Error."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if values:
        if len(values) not in (1, channels):
            raise ConfigError(f"--mean {text}: give one number, or one for each of the {channels} channels")
        return np.array(values, np.float32).reshape(-1, 1, 1)
    if not text.endswith(".npy"):
        found = blobproto.read(text)
        return found.reshape(found.shape[-3:]) if found.ndim > 3 else found
    try:
        array: Any = np.load(Path(text), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{text}: {getattr(error, 'strerror', None) or error}") from None
    if array.ndim not in (1, 3) or array.dtype.kind not in "fiu":
        raise DataError(f"{text}: a mean is channels x height x width, or a number a channel, not {by(array.shape)}")
    return array.astype(np.float32).reshape(len(array), *(array.shape[1:] or (1, 1)))  # type: ignore[no-any-return]
