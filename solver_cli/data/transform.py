"""From pictures to a batch: cut, mirror, subtract the mean, scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from solver_cli.caffe_pb2 import TransformationParameter
from solver_cli.data.source import by, check_fields, draw_seed, log, random_words, say
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto

Picture = NDArray[Any]  # [channels, height, width], uint8 or float32

FIELDS = ("scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray")
IDLE = ("use_gpu_transform",)


class Transform:
    """(picture - mean) * scale of a crop, mirrored or not: Caffe's transform_param.

    The crop is random in training and central otherwise; mirroring is random in both. What is drawn for a record hangs on
    `seed` and the record's number alone. `field` is named in errors about the pictures.
    """

    def __init__(self, param: TransformationParameter, training: bool, generator: Generator, field: str) -> None:
        check_fields(param, "transform_param", FIELDS, IDLE)
        if param.force_color and param.force_gray:
            raise ConfigError("force_color and force_gray exclude each other", field="transform_param.force_gray")
        self.seed = draw_seed(generator)
        self.force = True if param.force_color else False if param.force_gray else None
        self.crop: int = param.crop_size
        self._mirror = param.mirror
        self._random_crop = training and self.crop > 0
        self._scale = param.scale
        self._values = torch.tensor(param.mean_value).view(-1, 1, 1) if param.mean_value else None
        self._mean = read_mean(param)
        self._field = field

    def warn_raw(self) -> None:
        """Say that force_color and force_gray mean nothing to pictures that are not encoded."""
        if self.force is not None:
            log.error("force_color and force_gray only for encoded datum")

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that a picture of `shape` (called `name` in errors) comes out with."""
        channels, height, width = shape
        if channels < 1 or height < 1 or width < 1:
            raise DataError(f"{name} has no pixels: its shape is {by(shape)}", field=self._field)
        if self.crop > min(height, width):
            raise DataError(
                f"crop_size {self.crop} is larger than {name}, which is {height} x {width}",
                field="transform_param.crop_size",
            )
        if self._values is not None and len(self._values) not in (1, channels):
            raise ConfigError(
                f"{len(self._values)} mean values for {name} of {channels} channels: give one, or one for each channel",
                field="transform_param.mean_value",
            )
        if self._mean is not None and tuple(self._mean.shape) != shape:
            raise DataError(
                f"the mean file is {by(self._mean.shape)}, {name} is {by(shape)}: they must be equal",
                field="transform_param.mean_file",
            )
        return (channels, self.crop or height, self.crop or width)

    def __call__(self, names: Sequence[str], pictures: Sequence[Picture], first: int) -> Tensor:
        """The batch [N, channels, height, width] of `pictures`; `first` is the running number of the first of them."""
        shape = self.shape(names[0], pictures[0].shape)
        for name, picture in zip(names, pictures, strict=True):
            if (other := self.shape(name, picture.shape)) != shape:
                raise DataError(
                    f"{name} gives {by(other)}, but {names[0]} began the batch with {by(shape)}: "
                    "a batch_size above 1 needs pictures of one size (crop_size helps unless they are smaller)",
                    field=self._field,
                )
        tops, lefts, flips = self._draw(pictures, shape, first)
        kind = np.uint8 if all(p.dtype == np.uint8 for p in pictures) else np.float32
        rows = np.empty((len(pictures), *shape), kind)
        for row, picture, top, left in zip(rows, pictures, tops, lefts, strict=True):
            row[...] = picture[:, top : top + shape[1], left : left + shape[2]]
        batch = torch.from_numpy(rows)
        if flips.any():
            batch = torch.where(torch.from_numpy(flips).view(-1, 1, 1, 1), batch.flip(3), batch)
        return self._normalise(batch.float(), tops, lefts, flips)

    def _draw(
        self, pictures: Sequence[Picture], shape: tuple[int, ...], first: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Where each picture is cut (top, left) and whether it is mirrored."""
        space: NDArray[np.int64] = np.array([p.shape[1:] for p in pictures], np.int64) - np.array(shape[1:], np.int64)
        words = random_words(self.seed, first, len(pictures), 3)
        drawn = (words[:, :2] % (space + 1).astype(np.uint64)).astype(np.int64)
        corner = drawn if self._random_crop else space // 2
        flips = (words[:, 2] % np.uint64(2)).astype(bool) if self._mirror else np.zeros(len(pictures), bool)
        return corner[:, 0], corner[:, 1], flips

    def _normalise(self, batch: Tensor, tops: NDArray[Any], lefts: NDArray[Any], flips: NDArray[Any]) -> Tensor:
        """(batch - mean) * scale; the mean is cut and mirrored with each picture."""
        if self._values is not None:
            batch.sub_(self._values)
        elif self._mean is not None:
            height, width = batch.shape[2:]
            cuts = [self._mean[:, t : t + height, left : left + width] for t, left in zip(tops, lefts, strict=True)]
            if not flips.any() and len({*zip(tops, lefts, strict=True)}) == 1:
                batch.sub_(cuts[0])
            else:
                for row, cut, flip in zip(batch, cuts, flips, strict=True):
                    row.sub_(cut.flip(2) if flip else cut)
        return batch.mul_(self._scale) if self._scale != 1 else batch


def read_mean(param: TransformationParameter) -> Tensor | None:
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
    return torch.from_numpy(mean.reshape(mean.shape + (1,) * (4 - mean.ndim))[0])
