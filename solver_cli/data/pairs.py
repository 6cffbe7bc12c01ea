"""Pictures with a label for each pixel, named in a list: SegNet's DenseImageData, DeepLab's and PSPNet's ImageSegData."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import DenseImageDataParameter, ImageDataParameter, LayerParameter, TransformationParameter
from solver_cli.data.crops import Encoded, Picture
from solver_cli.data.decode import MAX_PIXELS, decode, opencv, planes, read_file
from solver_cli.data.distort import Pixels
from solver_cli.data.lines import Lines, Listed
from solver_cli.data.source import by, check_batch_size, check_fields, check_source, say
from solver_cli.data.transform import Transform, only
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

DENSE, SEG = "dense_image_data_param", "image_data_param"
LIST = ("source", "batch_size", "rand_skip", "shuffle", "new_height", "new_width", "is_color", "root_folder")
ENET = ("label_divide_factor", "root_folder_image", "root_folder_label")
FINISH = ("scale", "mean_file", "mean_value")  # of transform_param: done to the whole batch
Row = tuple[str, str]  # a picture and its label
Param = DenseImageDataParameter | ImageDataParameter


class Pairs(Listed):
    """What both have in common: the list, the files, batches of pictures and labels, the state."""

    def __init__(
        self, layer: LayerParameter, param: Param, field: str, training: bool, generator: Generator, noun: str, second: bool
    ) -> None:
        super().__init__()
        if bool(param.new_height) != bool(param.new_width):
            raise ConfigError("new_height and new_width must be set together", field=f"{field}.new_height")
        self._cv2 = opencv()
        self._param, self._field = param, field
        self._batch = check_batch_size(param, field)
        self.transform = Transform(only(layer.transform_param, FINISH), training, generator, f"{field}.source")
        self._lines = Lines(read_pairs(check_source(param, field), field, second), param, field, generator, noun)

    def _file(self, name: str, colour: bool, interpolation: int, divide: int = 1) -> Pixels:
        """The picture in a file, resized if wanted, to a size `divide` times smaller than the settings say."""
        path = self._param.root_folder + name
        place = f"{self._field}.source"
        picture = decode(read_file(path, place), f"picture '{path}'", colour, place)
        pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
        if not self._param.new_height:
            return pixels
        size = (self._param.new_width // divide, self._param.new_height // divide)
        return self._cv2.resize(pixels, size, interpolation=interpolation)  # type: ignore[no-any-return]

    def _check_size(self, row: Row, picture: Pixels, label: Pixels, divide: int = 1) -> None:
        if tuple(n // divide for n in picture.shape[:2]) != label.shape[:2]:
            times = f", not {divide} times smaller" if divide > 1 else ""
            raise DataError(
                f"picture '{row[0]}' is {by(picture.shape[:2])}, but its label '{row[1]}' {by(label.shape[:2])}{times}",
                field=f"{self._field}.source",
            )

    def _batch_of(self, read: Callable[[Row, Generator], tuple[Pixels, Pixels]]) -> tuple[list[Row], Tensor, Tensor]:
        """The rows of the next batch, its pictures, and their labels [N, 1, height, width]. `read` gives those of a row."""
        numbers, rows = self._lines.take(self.dealing, self._batch)
        labels: list[Any] = [None] * len(rows)

        def picture(i: int) -> Picture:
            pixels, labels[i] = read(rows[i], np.random.default_rng((self.transform.seed, numbers[i])))
            return planes(pixels)

        data = self.transform(Encoded(picture, len(rows)), numbers, lambda i: f"picture '{rows[i][0]}'", self._pool)
        return rows, data, torch.from_numpy(np.stack(labels).astype(np.float32)[:, None])

    def _tops(self, row: Row, channels: int, height: int, width: int, divide: int = 1) -> list[tuple[int, ...]]:
        """The shapes of data and label, for pictures that come out with this shape."""
        self.transform.shape(f"picture '{row[0]}'", (channels, height, width))
        say(f"output data size: {self._batch},{channels},{height},{width}", "image_data_layer.cpp:90")
        return [(self._batch, channels, height, width), (self._batch, 1, height // divide, width // divide)]


@source("DenseImageData", origin="SegNet", tops=2, transforms=True)
class DenseImageData(Pairs):
    """Pictures and label pictures named in a list, mirrored and cropped alike, at random in both phases: SegNet's.

    Tops: pictures [N, channels, height, width]; labels [N, 1, height, width], the grey values. With batch_size 1 the
    pictures may differ in size. ENet's: labels `label_divide_factor` times smaller, folders for each kind.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param = layer.dense_image_data_param
        check_fields(param, DENSE, (*LIST, *ENET, "mirror", "crop_height", "crop_width"), ("mean_file",))
        self._divide = param.label_divide_factor
        if self._divide < 1 or (self._divide > 1 and param.crop_height):
            text = f"label_divide_factor must be 1 or more, and 1 with a crop, not {self._divide}"
            raise ConfigError(text, field=f"{DENSE}.label_divide_factor")
        if bool(param.crop_height) != bool(param.crop_width):
            raise ConfigError("crop_height and crop_width must be set together", field=f"{DENSE}.crop_height")
        for name in ("mirror", "crop_size"):
            if getattr(layer.transform_param, name):
                text = f"{name} would not reach the labels: say it in {DENSE}"
                raise ConfigError(text, field=f"transform_param.{name}")
        check_fields(layer.transform_param, "transform_param", (*FINISH, "mirror", "crop_size"))
        super().__init__(layer, param, DENSE, training, generator, "examples", second=True)
        self._dense = param
        row = self._lines.row(self._lines.record)
        picture = planes(self._both(row, np.random.default_rng(0))[0])
        channels, height, width = picture.shape
        self.shapes = self._tops(row, channels, height, width, self._divide)

    def next_batch(self) -> tuple[Tensor, Tensor]:
        _, data, label = self._batch_of(self._both)
        return data, label

    def _both(self, row: Row, random: Generator) -> tuple[Pixels, Pixels]:
        """Picture and label of a row, mirrored and cropped."""
        folders = self._dense.root_folder_image, self._dense.root_folder_label
        picture = self._file(folders[0] + row[0], self._param.is_color, self._cv2.INTER_LINEAR)
        label = self._file(folders[1] + row[1], False, self._cv2.INTER_NEAREST, self._divide)
        self._check_size(row, picture, label, self._divide)
        if self._dense.mirror and random.integers(2):
            picture, label = self._cv2.flip(picture, 1), self._cv2.flip(label, 1)
        if not self._dense.crop_height:
            return picture, label
        tall, wide = self._dense.crop_height, self._dense.crop_width
        height, width = label.shape
        if tall > height or wide > width:
            text = f"a crop of {tall} x {wide} is larger than picture '{row[0]}', which is {height} x {width}"
            raise DataError(text, field=f"{DENSE}.crop_height")
        top, left = random.integers(height - tall + 1), random.integers(width - wide + 1)
        part = np.s_[top : top + tall, left : left + wide]
        return picture[part], label[part]


@source("ImageSegData", origin="DeepLab", param="image_data_param", tops=(2, 3), transforms=True)
class ImageSegData(Pairs):
    """Pictures named in a list with a label for each pixel, scaled, cropped and mirrored alike: DeepLab's and PSPNet's.

    The label is, by label_type, PIXEL: the grey values of a label picture; IMAGE: the number behind the picture's name,
    everywhere; NONE: ignore_label. What a crop has beyond the picture is filled with the mean, its label is ignore_label.

    Tops: pictures [N, channels, height, width]; labels [N, 1, height, width]; [N, 1, 1, 2] height and width of the pictures,
    within the crop. With batch_size 1 and no crop the pictures may differ in size.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param, transform = layer.image_data_param, layer.transform_param
        check_fields(param, SEG, (*LIST, "label_type", "ignore_label"), ("scale", "mean_file", "crop_size", "mirror"))
        used = ("scale", "mean_value", "mirror", "crop_size", "crop_height", "crop_width", "scale_factors")
        check_fields(transform, "transform_param", used)
        self._crop = crop_of(transform)
        if transform.scale_factors and not self._crop[0]:
            text = "scale_factors need a crop: the pictures of a batch have one size"
            raise ConfigError(text, field="transform_param.scale_factors")
        if not all(factor > 0 for factor in transform.scale_factors):
            raise ConfigError("each of scale_factors must be above 0", field="transform_param.scale_factors")
        self._named = param.label_type != ImageDataParameter.NONE
        super().__init__(layer, param, SEG, training, generator, "images", second=self._named)
        self._augment, self._training = transform, training
        self._type, self._ignored = param.label_type, byte(param.ignore_label)
        self._means = np.array(transform.mean_value, np.float32) if transform.mean_value else np.zeros(1, np.float32)
        self._third = len(layer.top) > 2
        row = self._lines.row(self._lines.record)
        self._sizes: dict[Row, tuple[int, int]] = {}
        channels, height, width = planes(self._file(row[0], param.is_color, self._cv2.INTER_LINEAR)).shape
        data, label = self._tops(row, channels, self._crop[0] or height, self._crop[1] or width)
        self.shapes = [data, label, (self._batch, 1, 1, 2)][: 2 + self._third]

    def next_batch(self) -> tuple[Tensor, ...]:
        rows, data, label = self._batch_of(self._both)
        tall, wide = data.shape[2:]
        sizes = [(min(height, tall), min(width, wide)) for height, width in map(self._sizes.__getitem__, rows)]
        self._sizes.clear()
        return (data, label, torch.tensor(sizes, dtype=torch.float32).view(-1, 1, 1, 2))[: 2 + self._third]

    def _both(self, row: Row, random: Generator) -> tuple[Pixels, Pixels]:
        """Picture and label of a row, scaled, cropped, mirrored."""
        picture = self._file(row[0], self._param.is_color, self._cv2.INTER_LINEAR)
        label = self._label(row, picture)
        self._check_size(row, picture, label)
        height, width = self._sizes[row] = label.shape
        if factors := self._augment.scale_factors:
            factor = np.float32(factors[random.integers(len(factors))])
            size = int(np.float32(width) * factor), int(np.float32(height) * factor)
            if not 0 < size[0] * size[1] <= MAX_PIXELS:
                text = f"picture '{row[0]}' would become {size[1]} x {size[0]}"
                raise DataError(text, field="transform_param.scale_factors")
            if factor != 1:
                picture = self._cv2.resize(picture, size, interpolation=self._cv2.INTER_LINEAR)
                label = self._cv2.resize(label, size, interpolation=self._cv2.INTER_NEAREST)
        if self._crop[0]:
            picture, label = self._cropped(picture, label, random)
        if self._augment.mirror and random.integers(2):
            picture, label = self._cv2.flip(picture, 1), self._cv2.flip(label, 1)
        return picture, label

    def _label(self, row: Row, picture: Pixels) -> Pixels:
        """The label of each pixel of a picture, a byte."""
        if self._type == ImageDataParameter.PIXEL:
            return self._file(row[1], False, self._cv2.INTER_LINEAR)
        label = byte(int((re.match(r"[+-]?\d+", row[1]) or [0])[0])) if self._named else self._ignored
        return np.full(picture.shape[:2], label, np.uint8)

    def _cropped(self, picture: Pixels, label: Pixels, random: Generator) -> tuple[Pixels, Pixels]:
        """The crop, at random in training, else the centre, of what has been made large enough below and to the right."""
        (tall, wide), (height, width) = self._crop, label.shape
        if tall > height or wide > width:
            size = max(tall, height), max(wide, width)
            ground = np.empty((*size, *picture.shape[2:]), np.float32)
            ground[...] = self._means
            ground[:height, :width] = picture
            around = np.full(size, self._ignored, np.uint8)
            around[:height, :width] = label
            picture, label, (height, width) = ground, around, size
        if self._training:
            top, left = random.integers(height - tall + 1), random.integers(width - wide + 1)
        else:
            top, left = (height - tall) // 2, (width - wide) // 2
        part = np.s_[top : top + tall, left : left + wide]
        return picture[part], label[part]


def byte(label: int) -> int:
    """A label as it stands in a picture of labels, where OpenCV keeps it within a byte."""
    return min(max(label, 0), 255)


def crop_of(param: TransformationParameter) -> tuple[int, int]:
    """Height and width of the crop, 0 for none: crop_size, or crop_height and crop_width. Raises ConfigError."""
    sides = [name for name in ("crop_height", "crop_width") if param.HasField(name)]  # type: ignore[arg-type]
    if len(sides) == 1 or (sides and param.HasField("crop_size")):
        raise ConfigError("give crop_size, or crop_height and crop_width", field=f"transform_param.{sides[0]}")
    height, width = (param.crop_height, param.crop_width) if sides else (param.crop_size, param.crop_size)
    return (height, width) if height and width else (0, 0)


def read_pairs(path: str, field: str, second: bool) -> list[Row]:
    """(picture, label) of each line of a list file, the label "" unless there is a `second` word. Raises DataError."""
    say(f"Opening file {path}", "image_data_layer.cpp:38")
    rows: list[Row] = []
    for number, line in enumerate(read_file(path, f"{field}.source").decode("utf-8", "surrogateescape").splitlines(), 1):
        words = line.split()
        if len(words) < 1 + second:
            expected = "a picture and its label" if second else "a picture"
            raise DataError(f"{path}:{number}: expected {expected}, found '{line}'", field=f"{field}.source")
        rows.append((words[0], words[1] if second else ""))
    if not rows:
        raise DataError(f"{path}: the list is empty: each line names a picture", field=f"{field}.source")
    return rows
