"""Pictures of random sizes and shapes before they are cut: Intel's random_resize_param and random_aspect_ratio_param,
yjxiong's multi_scale and fix_crop."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import ResizeParameter, TransformationParameter
from solver_cli.data.crops import Picture
from solver_cli.data.decode import opencv, planes
from solver_cli.data.distort import Pixels
from solver_cli.data.fit import Fit
from solver_cli.errors import ConfigError

STEPS = 1000  # a ratio is drawn in thousandths


class RandomResize:
    """The shorter side set to a length between min_size and max_size (0: the picture's own shorter, longer side)."""

    floats = False  # pixels stay bytes

    def __init__(self, param: TransformationParameter) -> None:
        self._param = param.random_resize_param
        check(param, "random_resize_param")
        least, most = self._param.min_size, self._param.max_size
        if most and least > most:
            field = "transform_param.random_resize_param.max_size"
            raise ConfigError(f"max_size {most} is below min_size {least}", field=field)

    def size(self, height: int, width: int, words: NDArray[np.uint64]) -> tuple[int, int]:
        """The smallest height and width that a picture may get."""
        return shorter(height, width, self._param.min_size or min(height, width))

    def __call__(self, picture: Picture, words: NDArray[np.uint64]) -> Picture:
        """The picture [channels, height, width] at its new size. Raises DataError."""
        random, pixels = np.random.default_rng(words), interleaved(picture)
        height, width = pixels.shape[:2]
        least, most = self._param.min_size or min(height, width), self._param.max_size or max(height, width)
        side = int(random.integers(least, max(least, most) + 1))
        return resized(pixels, self._param.resize_param, shorter(height, width, side), random)


class RandomAspectRatio:
    """A part of the picture, of a random share of its area and a random shape, brought to the crop's size.

    If `max_attempt` draws give none that lies within, the whole picture, its shorter side as long as the crop's.
    """

    floats = False

    def __init__(self, param: TransformationParameter) -> None:
        self._param, self._crop = param.random_aspect_ratio_param, param.crop_size
        check(param, "random_aspect_ratio_param")
        own, field = self._param, "transform_param.random_aspect_ratio_param"
        if not 0 <= own.min_area_ratio <= own.max_area_ratio:
            found = f"{own.min_area_ratio:g} to {own.max_area_ratio:g}"
            raise ConfigError(f"min_area_ratio to max_area_ratio, {found}, is no range", field=f"{field}.max_area_ratio")
        if not 0 < own.aspect_ratio_change <= 1:
            text = f"aspect_ratio_change must be above 0 and at most 1, not {own.aspect_ratio_change:g}"
            raise ConfigError(text, field=f"{field}.aspect_ratio_change")

    def size(self, height: int, width: int, words: NDArray[np.uint64]) -> tuple[int, int]:
        """The smallest height and width that a picture may get."""
        return self._crop, self._crop

    def __call__(self, picture: Picture, words: NDArray[np.uint64]) -> Picture:
        """The part of the picture [channels, height, width]. Raises DataError."""
        random, pixels = np.random.default_rng(words), interleaved(picture)
        height, width = pixels.shape[:2]
        change = self._param.aspect_ratio_change
        for _ in range(self._param.max_attempt):
            side = sqrt(ratio(self._param.min_area_ratio, self._param.max_area_ratio, random) * height * width)
            shape = ratio(change, 1 / change, random)
            tall, wide = int(side * shape), int(side / shape)
            if ratio(0, 1, random) < 0.5:
                tall, wide = wide, tall
            if 0 < tall <= height and 0 < wide <= width:
                top, left = int(random.integers(height - tall + 1)), int(random.integers(width - wide + 1))
                part = np.ascontiguousarray(pixels[top : top + tall, left : left + wide])
                return resized(part, self._param.resize_param, (self._crop, self._crop), random)
        return resized(pixels, self._param.resize_param, shorter(height, width, self._crop), random)


class FixedCrop:
    """In training a part of the picture, of crop_size or (multi_scale) of a size from a list, then brought to crop_size.

    multi_scale: height and width are the shorter side times a pair of `scale_ratios` that stand at most `max_distort` apart
    in the list. fix_crop: the part lies in a corner or the centre, with more_fix_crop also halfway between, else anywhere.
    """

    floats = False
    RATIOS = (1.0, 0.875, 0.75, 0.66)

    def __init__(self, param: TransformationParameter, training: bool) -> None:
        self._cv2, self._param, self._training, self._crop = opencv(), param, training, param.crop_size
        check(param, "fix_crop" if param.fix_crop else "multi_scale")
        ratios = list(param.scale_ratios) or list(self.RATIOS)
        if not all(0 < value <= 1 for value in ratios):
            raise ConfigError("scale_ratios must be above 0 and at most 1", field="transform_param.scale_ratios")
        count, most = len(ratios), param.max_distort
        pairs = [(ratios[i], ratios[j]) for i in range(count) for j in range(count) if abs(i - j) <= most]
        self._ratios = pairs if param.multi_scale else []
        if param.multi_scale and not pairs:
            raise ConfigError(f"max_distort must be 0 or more, not {most}", field="transform_param.max_distort")

    def size(self, height: int, width: int, words: NDArray[np.uint64]) -> tuple[int, int]:
        """The size of a picture's part in training, else of the picture."""
        whole = not self._training or min(height, width) < self._crop
        return (height, width) if whole else (self._crop, self._crop)

    def __call__(self, picture: Picture, words: NDArray[np.uint64]) -> Picture:
        """The part of the picture [channels, height, width]."""
        height, width = picture.shape[1:]
        if not self._training or min(height, width) < self._crop:
            return picture
        tall = wide = self._crop
        if self._ratios:
            tall, wide = (self._side(min(height, width), way) for way in self._ratios[int(words[0]) % len(self._ratios)])
        if self._param.fix_crop:
            places = PLACES if self._param.more_fix_crop else PLACES[:5]
            down, right = places[int(words[1]) % len(places)]
            top, left = (height - tall) // 4 * down, (width - wide) // 4 * right
        else:
            top, left = int(words[1]) % (height - tall + 1), int(words[2]) % (width - wide + 1)
        part = picture[:, top : top + tall, left : left + wide]
        if (tall, wide) == (self._crop, self._crop):
            return part
        return np.stack([self._cv2.resize(np.ascontiguousarray(plane), (self._crop, self._crop)) for plane in part])

    def _side(self, shorter: int, ratio: float) -> int:
        """A side of the part; one within 3 pixels of crop_size is crop_size."""
        side = int(np.float32(shorter) * np.float32(ratio))
        return self._crop if abs(side - self._crop) < 3 else max(1, side)


# in quarters of what the part leaves free, downwards and to the right: the corners and the centre, then what lies between
PLACES = (
    *((0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (0, 2), (4, 2), (2, 0), (2, 4)),
    *((1, 1), (1, 3), (3, 1), (3, 3)),
)


def check(param: TransformationParameter, name: str) -> None:
    """Refuse what does not go with pictures of random sizes. Raises ConfigError."""
    if not param.crop_size:
        text = f"{name} needs a crop_size: the pictures of a batch have one size"
        raise ConfigError(text, field=f"transform_param.{name}")
    if param.HasField("mean_file"):
        text = f"mean_file does not go with {name}, whose pictures differ in size: subtract a mean_value"
        raise ConfigError(text, field="transform_param.mean_file")


def ratio(least: float, most: float, random: Generator) -> float:
    """A number between the two, in steps of a thousandth."""
    return (int(random.integers(int((most - least) * STEPS + 1))) + least * STEPS) / STEPS


def shorter(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width in the picture's shape, the shorter of them `side`."""
    if height < width:
        return side, int(np.float32(width) / np.float32(height) * np.float32(side))
    return int(np.float32(height) / np.float32(width) * np.float32(side)), side


def resized(pixels: Pixels, how: ResizeParameter, size: tuple[int, int], random: Generator) -> Picture:
    """The picture [channels, height, width] brought to `size` in the manner of `how`, whose own size does not count."""
    param = ResizeParameter()
    param.CopyFrom(how)
    param.height, param.width = size
    return planes(Fit(param).picture(pixels, random))


def interleaved(picture: Picture) -> Pixels:
    """The pixels as OpenCV has them."""
    return np.ascontiguousarray(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0))
