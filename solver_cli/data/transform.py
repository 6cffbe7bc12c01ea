"""From pictures to a batch: cut, mirror, subtract the mean, scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from solver_cli.caffe_pb2 import TransformationParameter
from solver_cli.data import resize
from solver_cli.data.crops import Encoded, Picture, Rows, channels_last, cut, planar, sent, staging, turned, window
from solver_cli.data.pool import Pool
from solver_cli.data.source import by, check_fields, draw_seed, log, random_words, say
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto

FIELDS = (
    *("scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray"),
    *(*resize.FIELDS, "random_seed"),  # of forks, the last NVCaffe's
    *("flow", "is_flow"),  # Intel's, yjxiong's
    "bgr2rgb",  # Intel's: ImageData has done it
    *("crop_h", "crop_w"),  # SSD's, NVCaffe's
)
IDLE = ("use_gpu_transform", "forward_packing", "display", "num_labels")
THREADED = 1 << 14  # pixels of a picture from which threads pay
CACHED = 1 << 18  # numbers that are worked on at once: their floats stay in a processor's cache


class Transform:
    """(picture - mean) * scale of a crop, mirrored or not, resized first if wanted: Caffe's transform_param.

    The crop is random in training and central otherwise; mirroring and resizing are random in both. What is drawn for a
    record hangs on `seed` and the record's number alone. `field` is named in errors about the pictures. A mean file has the
    size of the pictures; if they are resized, its centre is subtracted.

    `device`: a GPU that batches are for, once it is set. The crops go there as they are, bytes as a rule, on the current
    stream; mirroring and arithmetic are done there for the whole batch at once. `channels_last`: whether crops of decoded
    pictures keep that order in memory, which a CPU's convolutions want.
    """

    def __init__(self, param: TransformationParameter, training: bool, generator: Generator, field: str) -> None:
        check_fields(param, "transform_param", FIELDS, IDLE)
        if param.force_color and param.force_gray:
            raise ConfigError("force_color and force_gray exclude each other", field="transform_param.force_gray")
        self.seed = param.random_seed if param.random_seed >= 0 else draw_seed(generator)
        self.force = True if param.force_color else False if param.force_gray else None
        self.crop = crop_of(param)
        self.resize = resize.of(param, training)
        self._mirror = param.mirror
        # channels along x of optical flow, of which a mirrored picture has the opposite
        self._flow = slice(0, None, 2) if param.is_flow else slice(2, 3) if param.flow else None
        self._random_crop = training and self.crop is not None
        self._scale = np.float32(param.scale)
        self._values = np.array(param.mean_value, np.float32).reshape(-1, 1, 1) if param.mean_value else None
        mean = read_mean(param)
        # with a mirror image of it: numpy is slow from right to left
        self._means = None if mean is None else np.stack([mean, mean[..., ::-1]])
        self._sent_means: Tensor | None = None
        self.device: torch.device | None = None
        self.channels_last = False
        self._field = field

    def warn_raw(self) -> None:
        """Say that force_color and force_gray mean nothing to pictures that are not encoded."""
        if self.force is not None:
            log.error("force_color and force_gray only for encoded datum")

    def repeat_means(self, channels: int) -> None:
        """Let the mean values count for the channels in turn, if they divide them."""
        if self._values is not None and channels % len(self._values) == 0:
            self._values = np.tile(self._values, (channels // len(self._values), 1, 1))

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that a picture of `shape` (called `name` in errors) comes out with."""
        if min(shape) < 1:
            raise DataError(f"{name} has no pixels: its shape is {by(shape)}", field=self._field)
        if self.resize:
            shape = (shape[0], *self.resize.size(shape[1], shape[2], resize.MIDDLE))
        self._shape = self._cut(name, shape)
        return self._shape

    def _cut(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape after the crop of a picture that has been resized to `shape`."""
        channels, height, width = shape
        tall, wide = self.crop or (height, width)
        if tall > height or wide > width:
            more = " (allow_upscale: true enlarges it)" if self.resize else ""
            what, field = (f"crop_size {tall}", "crop_size") if tall == wide else (f"a crop of {tall} x {wide}", "crop_h")
            text = f"{what} is larger than {name}, which is {height} x {width}{more}"
            raise DataError(text, field=f"transform_param.{field}")
        out = (channels, tall, wide)
        if self._values is not None and len(self._values) not in (1, channels):
            raise ConfigError(
                f"{len(self._values)} mean values for {name} of {channels} channels: give one, or one for each channel",
                field="transform_param.mean_value",
            )
        if self._means is not None:
            self._check_mean(self._means.shape[1:], name, out if self.resize else shape)
        return out

    def _check_mean(self, mean: tuple[int, ...], name: str, shape: tuple[int, ...]) -> None:
        if self.resize and mean[0] == shape[0] and mean[1] >= shape[1] and mean[2] >= shape[2]:
            return
        if mean != shape:
            need = "it must have the channels and be as large" if self.resize else "they must be equal"
            raise DataError(f"the mean file is {by(mean)}, {name} is {by(shape)}: {need}", field="transform_param.mean_file")

    def __call__(
        self, pictures: Sequence[Picture] | Picture | Encoded, numbers: range, name: Callable[[int], str], pool: Pool
    ) -> Tensor:
        """The batch [N, channels, height, width] of `pictures`: a sequence, or one array of them all.

        `numbers` are the running numbers of their records, `name` gives what errors call each.
        """
        if isinstance(pictures, Encoded):
            if (decoded := self._decoded(pictures, numbers, name, pool)) is not None:
                return decoded
            pictures = pool.map(pictures.read, range(pictures.count))
        if self.resize:
            words = random_words(self.seed ^ 1 << 62, numbers, resize.WORDS)
            pictures = pool.map(self.resize, pictures, words)
        shape = self._cut(name(0), pictures[0].shape)
        if not isinstance(pictures, np.ndarray):
            for i, picture in enumerate(pictures):
                self._check_equal(i, picture, shape, name)
        rows = self._rows(pictures, numbers)
        run = pool.map if pictures[0].size >= THREADED else map
        if self.device is not None:
            return self._finish(sent(pictures, rows, shape, self.device, run), rows)
        batch = np.empty((len(pictures), *shape), np.float32)
        step = max(1, CACHED // prod(shape))
        parts = [slice(start, start + step) for start in range(0, len(pictures), step)]
        for _ in run(lambda part: self._put(batch[part], pictures[part], rows[part]), parts):
            pass
        return torch.from_numpy(batch)

    def _decoded(self, pictures: Encoded, numbers: range, name: Callable[[int], str], pool: Pool) -> Tensor | None:
        """The batch, each picture cut while it is in the cache of the processor that has decoded it.

        None if the crops do not all have the shape that the first record gave.
        """
        if not self.crop or self.resize:
            return None
        shape = (pictures.count, *self._shape)
        words = random_words(self.seed, numbers, 3).tolist()
        rows = np.zeros((pictures.count, 3), np.int64)
        fit: set[tuple[int, ...]] = set()  # shapes that come out alike

        def alike(put: Callable[[int, Picture], None]) -> bool:
            """Each picture decoded and put in its place, unless one comes out otherwise."""

            def work(i: int) -> bool:
                picture = pictures.read(i)
                if picture.dtype != np.uint8:
                    return False
                if picture.shape not in fit:
                    if self._cut(name(i), picture.shape) != self._shape:
                        return False
                    fit.add(picture.shape)
                rows[i] = row = self._row(words[i], picture.shape)
                put(i, window(picture, row, shape))
                return True

            return all(pool.map(work, range(pictures.count)))

        if self.device is not None:
            crops = staging(shape, np.dtype(np.uint8), shape[1] > 1, self.device)
            there = crops.numpy()
            if not alike(lambda i, crop: np.copyto(there[i], crop)):
                return None
            return self._finish(crops.to(self.device, non_blocking=True), rows)
        batch, form, less = np.empty(shape, np.float32), planar, (self._values, self._means)
        if self.channels_last:
            batch, form, less = np.moveaxis(batch.reshape(len(batch), *shape[2:], -1), 3, 1), turned, self._last

        def put(i: int, crop: Picture) -> None:
            batch[i] = form(crop, bool(rows[i, 2]))
            self._less(batch[i : i + 1], rows[i : i + 1], *less)

        return torch.from_numpy(batch) if alike(put) else None

    @cached_property
    def _last(self) -> tuple[Picture | None, Picture | None]:
        """The mean values of each place, and the means, with their channels last in memory."""
        values = None if self._values is None else np.broadcast_to(self._values, self._shape)
        return tuple(None if each is None else channels_last(each) for each in (values, self._means))  # type: ignore[return-value]

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

    def _rows(self, pictures: Sequence[Picture] | Picture, numbers: range) -> Rows:
        """Where each picture is cut and whether it is mirrored."""
        if not self.crop and not self._mirror:
            return np.zeros((len(pictures), 3), np.int64)
        words = random_words(self.seed, numbers, 3).tolist()
        return np.array([self._row(three, picture.shape) for three, picture in zip(words, pictures, strict=True)])

    def _row(self, words: list[int], shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(top, left, flip) of a picture of `shape`, by three random words."""
        flip = words[2] % 2 if self._mirror else 0
        if not self.crop:
            return 0, 0, flip
        down, right = shape[1] - self.crop[0], shape[2] - self.crop[1]
        if self._random_crop:
            return words[0] % (down + 1), words[1] % (right + 1), flip
        return down // 2, right // 2, flip

    def _put(self, out: Picture, pictures: Sequence[Picture] | Picture, rows: Rows) -> None:
        """out = (pictures - mean) * scale, cut and mirrored as `rows` say."""
        out[...] = cut(pictures, rows, out.shape)  # faster than subtracting from bytes
        self._less(out, rows, self._values, self._means)

    def _less(self, out: Picture, rows: Rows, values: Picture | None, means: Picture | None) -> None:
        """out = (out - mean) * scale of crops that `rows` have cut and mirrored, by mean values or a mean picture."""
        if self._flow is not None:
            for i in np.flatnonzero(rows[:, 2]):
                np.subtract(255, out[i, self._flow], out=out[i, self._flow])
        if values is not None:
            np.subtract(out, values, out=out)
        elif means is not None:
            places = self._places(rows, out.shape)
            alike = (places == places[0]).all()
            for part, (top, left, flip) in [(out, places[0])] if alike else zip(out, places, strict=True):
                mean = means[flip, :, top : top + out.shape[2], left : left + out.shape[3]]
                np.subtract(part, mean, out=part)
        if self._scale != 1:
            np.multiply(out, self._scale, out=out)

    def _finish(self, pixels: Tensor, rows: Rows) -> Tensor:
        """(pixels - mean) * scale of a batch of crops on its device, mirrored as `rows` say."""

        def there(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(pixels.device, non_blocking=True)

        if self._mirror:
            pixels = torch.where(there(rows[:, 2] > 0).view(-1, 1, 1, 1), pixels.flip(3), pixels)
        batch = pixels.to(torch.float32, memory_format=torch.contiguous_format)
        if self._flow is not None and self._mirror:
            flips = there(rows[:, 2] > 0).view(-1, 1, 1, 1)
            batch[:, self._flow] = torch.where(flips, 255 - batch[:, self._flow], batch[:, self._flow])
        if self._values is not None:
            batch -= there(self._values)
        elif self._means is not None:
            if self._sent_means is None:
                self._sent_means = there(self._means)
            top, left, flip = there(self._places(rows, pixels.shape)).unbind(1)
            batch -= self._sent_means.unfold(2, batch.shape[2], 1).unfold(3, batch.shape[3], 1)[flip, :, top, left]
        return batch.mul_(float(self._scale)) if self._scale != 1 else batch

    def _places(self, rows: Rows, shape: tuple[int, ...]) -> Rows:
        """Where in the mean, or in its mirror image, the part lies that is subtracted from each crop: (top, left, flip)."""
        assert self._means is not None
        (height, width), places = self._means.shape[2:], rows.copy()
        if self.resize:
            places[:, :2] = (height - shape[2]) // 2, (width - shape[3]) // 2
        return np.where(rows[:, 2:] > 0, [0, width - shape[3], 0] + places * [1, -1, 1], places)


def crop_of(param: TransformationParameter) -> tuple[int, int] | None:
    """Height and width of the crop, None without one. Raises ConfigError."""
    sides = param.crop_h, param.crop_w
    if param.crop_size and sides not in ((0, 0), (param.crop_size, param.crop_size)):
        raise ConfigError("give crop_size, or crop_h and crop_w", field="transform_param.crop_size")
    if bool(param.crop_h) != bool(param.crop_w):
        field = "crop_h" if param.crop_h else "crop_w"
        raise ConfigError("crop_h and crop_w must be set together", field=f"transform_param.{field}")
    return (param.crop_size, param.crop_size) if param.crop_size else sides if param.crop_h else None


def only(param: TransformationParameter, fields: Iterable[str]) -> TransformationParameter:
    """transform_param with these of its fields alone."""
    found = TransformationParameter()
    for name in fields:
        value = getattr(param, name)
        if hasattr(value, "extend"):
            getattr(found, name).extend(value)
        elif param.HasField(name):  # type: ignore[arg-type]
            setattr(found, name, value)
    return found


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
