"""From pictures to a batch: cut, mirror, subtract the mean, scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from solver_cli.caffe_pb2 import TransformationParameter
from solver_cli.data import resize
from solver_cli.data.pool import Pool
from solver_cli.data.source import by, check_fields, draw_seed, log, random_words, say
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto

Picture = NDArray[Any]  # [channels, height, width], uint8 or float32

FIELDS = (
    *("scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray"),
    *(*resize.FIELDS, "random_seed"),  # NVCaffe's
)
IDLE = ("use_gpu_transform", "forward_packing")
THREADED = 1 << 14  # pixels of a picture from which threads pay


class Transform:
    """(picture - mean) * scale of a crop, mirrored or not, resized first if wanted: Caffe's transform_param.

    The crop is random in training and central otherwise; mirroring and resizing are random in both. What is drawn for a
    record hangs on `seed` and the record's number alone. `field` is named in errors about the pictures. A mean file has the
    size of the pictures; if they are resized, its centre is subtracted.
    """

    def __init__(self, param: TransformationParameter, training: bool, generator: Generator, field: str) -> None:
        check_fields(param, "transform_param", FIELDS, IDLE)
        if param.force_color and param.force_gray:
            raise ConfigError("force_color and force_gray exclude each other", field="transform_param.force_gray")
        self.seed = param.random_seed if param.random_seed >= 0 else draw_seed(generator)
        self.force = True if param.force_color else False if param.force_gray else None
        self.crop: int = param.crop_size
        self.resize = resize.of(param)
        self._mirror = param.mirror
        self._random_crop = training and self.crop > 0
        self._scale = np.float32(param.scale)
        self._values = np.array(param.mean_value, np.float32).reshape(-1, 1, 1) if param.mean_value else None
        self._mean = read_mean(param)
        if self._mean is not None:
            self._flipped_mean = np.ascontiguousarray(self._mean[..., ::-1])
        self._field = field

    def warn_raw(self) -> None:
        """Say that force_color and force_gray mean nothing to pictures that are not encoded."""
        if self.force is not None:
            log.error("force_color and force_gray only for encoded datum")

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that a picture of `shape` (called `name` in errors) comes out with."""
        if min(shape) < 1:
            raise DataError(f"{name} has no pixels: its shape is {by(shape)}", field=self._field)
        if self.resize:
            shape = (shape[0], *self.resize.size(shape[1], shape[2], resize.MIDDLE))
        return self._cut(name, shape)

    def _cut(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape after the crop of a picture that has been resized to `shape`."""
        channels, height, width = shape
        if self.crop > min(height, width):
            more = " (allow_upscale: true enlarges it)" if self.resize else ""
            raise DataError(
                f"crop_size {self.crop} is larger than {name}, which is {height} x {width}{more}",
                field="transform_param.crop_size",
            )
        out = (channels, self.crop or height, self.crop or width)
        if self._values is not None and len(self._values) not in (1, channels):
            raise ConfigError(
                f"{len(self._values)} mean values for {name} of {channels} channels: give one, or one for each channel",
                field="transform_param.mean_value",
            )
        if self._mean is not None:
            self._check_mean(self._mean.shape, name, out if self.resize else shape)
        return out

    def _check_mean(self, mean: tuple[int, ...], name: str, shape: tuple[int, ...]) -> None:
        if self.resize and mean[0] == shape[0] and mean[1] >= shape[1] and mean[2] >= shape[2]:
            return
        if mean != shape:
            need = "it must have the channels and be as large" if self.resize else "they must be equal"
            raise DataError(f"the mean file is {by(mean)}, {name} is {by(shape)}: {need}", field="transform_param.mean_file")

    def __call__(self, pictures: Sequence[Picture] | Picture, first: int, name: Callable[[int], str], pool: Pool) -> Tensor:
        """The batch [N, channels, height, width] of `pictures`: a sequence, or one array of them all.

        `first` is the running number of the first of them, `name` gives what errors call each.
        """
        if self.resize:
            words = random_words(self.seed ^ 1 << 62, first, len(pictures), resize.WORDS)
            pictures = list(pool.map(self.resize, pictures, words))
        shape = self._cut(name(0), pictures[0].shape)
        if not isinstance(pictures, np.ndarray):
            for i, picture in enumerate(pictures):
                self._check_equal(i, picture, shape, name)
        batch = np.empty((len(pictures), *shape), np.float32)
        corners, flips = self._draw(pictures, shape, first)
        if isinstance(pictures, np.ndarray) and not flips.any() and (corners == corners[0]).all():
            self._put(batch, pictures, corners[0], False)
        else:
            run = pool.map if pictures[0].size >= THREADED else map
            for _ in run(self._put, batch, pictures, corners, flips):
                pass
        return torch.from_numpy(batch)

    def _check_equal(self, i: int, picture: Picture, shape: tuple[int, ...], name: Callable[[int], str]) -> None:
        other = self._cut(name(i), picture.shape)
        if other[0] != shape[0]:
            raise DataError(
                f"{name(i)} has {other[0]} channels, but {name(0)} began the batch with {shape[0]}: "
                "encoded grey and colour pictures go together with force_color or force_gray",
                field=self._field,
            )
        if other != shape:
            raise DataError(
                f"{name(i)} gives {by(other)}, but {name(0)} began the batch with {by(shape)}: "
                "a batch_size above 1 needs pictures of one size (crop_size helps unless they are smaller)",
                field=self._field,
            )

    def _draw(
        self, pictures: Sequence[Picture] | Picture, shape: tuple[int, ...], first: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where each picture is cut, [N, (top, left)], and whether it is mirrored, [N]."""
        count = len(pictures)
        words = random_words(self.seed, first, count, 3)
        flips = (words[:, 2] % np.uint64(2)).astype(bool) if self._mirror else np.zeros(count, bool)
        if not self.crop:
            return np.zeros((count, 2), np.int64), flips
        space = np.array([picture.shape[1:] for picture in pictures]) - self.crop
        drawn = words[:, :2] % (space + 1).astype(np.uint64)
        return (drawn if self._random_crop else space // 2).astype(np.int64), flips

    def _put(self, out: Picture, picture: Picture, corner: NDArray[np.int64], flip: bool) -> None:
        """out = (picture - mean) * scale, cut at `corner`, mirrored or not: of one picture or of a whole array."""
        top, left = corner
        cut = (..., slice(top, top + out.shape[-2]), slice(left, left + out.shape[-1]))
        aspect = (..., slice(None, None, -1 if flip else 1))
        out[...] = np.ascontiguousarray(picture[cut][aspect])  # faster than subtracting from bytes
        if self._values is not None:
            np.subtract(out, self._values, out=out)
        elif self._mean is not None:
            if self.resize:
                top, left = (np.array(self._mean.shape[1:]) - out.shape[1:]) // 2
            mean = self._mean
            if flip:  # a mirror image of it is kept: numpy is slow from right to left
                mean, left = self._flipped_mean, mean.shape[2] - left - out.shape[-1]
            np.subtract(out, mean[:, top : top + out.shape[-2], left : left + out.shape[-1]], out=out)
        if self._scale != 1:
            np.multiply(out, self._scale, out=out)


def read_mean(param: TransformationParameter) -> NDArray[np.float32] | None:
    """The mean picture [channels, height, width] of transform_param, if it names one. Raises ConfigError, DataError."""
    if not param.HasField("mean_file"):
        return None
    if param.mean_value:
        raise ConfigError(
            "mean_file and mean_value exclude each other: give one of them", field="transform_param.mean_value"
        )
    say(f"Loading mean file from: {param.mean_file}", "data_transformer.cpp:25")
    try:
        mean = blobproto.read(param.mean_file)
    except DataError as error:
        raise DataError(error.message, field="transform_param.mean_file") from None
    if mean.ndim > 4:
        raise DataError(
            f"{param.mean_file}: a mean has at most four axes, not {by(mean.shape)}", field="transform_param.mean_file"
        )
    return mean.reshape(mean.shape + (1,) * (4 - mean.ndim))[0]  # type: ignore[no-any-return]
