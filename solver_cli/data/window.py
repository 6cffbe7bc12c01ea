"""WindowData: windows of pictures, objects and background in a fixed mixture."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from operator import length_hint
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.crops import Picture
from solver_cli.data.dealing import Dealing
from solver_cli.data.decode import decode, opencv, planes, read_file
from solver_cli.data.pool import Pool
from solver_cli.data.source import (
    by,
    check_batch_size,
    check_fields,
    check_source,
    draw_seed,
    random_words,
    say,
    state_field,
)
from solver_cli.data.transform import IDLE, read_mean
from solver_cli.errors import ConfigError, DataError, nearest
from solver_cli.registry import source

FIELD = "window_data_param"
FIELDS = (
    *("source", "batch_size", "scale", "fg_threshold", "bg_threshold", "fg_fraction"),
    *("context_pad", "crop_mode", "cache_images", "root_folder"),
)
MODES = ("warp", "square")
Box = tuple[int, int, int, int]  # x1, y1, x2, y2: both ends are inside


@dataclass(frozen=True)
class Window:
    """A window of the picture with the number `image`, a line of the window file."""

    image: int
    label: int
    overlap: np.float32
    box: Box


@dataclass(frozen=True)
class Cut:
    """Which part of a picture is cut out, the size it is warped to, and where it stands in the crop."""

    box: Box
    size: tuple[int, int]  # width, height
    left: int
    top: int


@source("WindowData", tops=2, transforms=True)
class WindowData:
    """Windows drawn at random from a window file: background ones, then int(N * fg_fraction) objects.

    Tops: windows [N, 3, crop_size, crop_size], 0 where they reach beyond the picture; labels [N], 0 for background.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param, transform = layer.window_data_param, layer.transform_param
        check_fields(param, FIELD, FIELDS, ("mean_file", "crop_size", "mirror"))
        check_fields(
            transform,
            "transform_param",
            ("crop_size", "mirror", "mean_file", "mean_value"),
            ("scale", "force_color", "force_gray", *IDLE),
        )
        self._batch_size = check_batch_size(param, FIELD)
        if not transform.crop_size:
            raise ConfigError("WindowData needs a crop_size above 0", field="transform_param.crop_size")
        if 2 * param.context_pad >= transform.crop_size:
            raise ConfigError(
                f"context_pad {param.context_pad} leaves nothing of crop_size {transform.crop_size}",
                field=f"{FIELD}.context_pad",
            )
        if param.crop_mode not in MODES:
            raise ConfigError(
                f"unknown crop_mode '{param.crop_mode}'{nearest(param.crop_mode, MODES)}", field=f"{FIELD}.crop_mode"
            )
        if not 0 <= param.fg_fraction <= 1:
            raise ConfigError(
                f"fg_fraction must lie within 0 and 1, not {param.fg_fraction:g}", field=f"{FIELD}.fg_fraction"
            )
        opencv()
        self._param = param
        self._crop: int = transform.crop_size
        self._mirror = transform.mirror
        self._mean = self._read_mean(transform)
        self._seed = draw_seed(generator)
        self._record = 0
        self.dealing = Dealing()
        self._pool = Pool()
        self._images, windows = read_windows(check_source(param, FIELD), param.root_folder)
        self._background, self._objects = self._sort(windows)
        self._cache = [read_file(path, f"{FIELD}.source") for path in self._images] if param.cache_images else None
        self.shapes: list[tuple[int, ...]] = [(self._batch_size, 3, self._crop, self._crop), (self._batch_size,)]
        say(f"output data size: {','.join(map(str, self.shapes[0]))}", "window_data_layer.cpp:180")

    def _read_mean(self, transform: Any) -> Tensor | None:
        """The mean of a crop: the centre of the mean file (its offset is that of the width), or the values."""
        if transform.mean_value and len(transform.mean_value) not in (1, 3):
            raise ConfigError(
                f"mean_value must be given once or 3 times, not {len(transform.mean_value)}",
                field="transform_param.mean_value",
            )
        mean = read_mean(transform)
        if mean is None:
            return (
                torch.tensor(transform.mean_value).view(-1, 1, 1).expand(3, self._crop, self._crop)
                if transform.mean_value
                else None
            )
        start = (mean.shape[2] - self._crop) // 2
        if len(mean) != 3 or start < 0 or start + self._crop > mean.shape[1]:
            raise DataError(
                f"{transform.mean_file}: a mean of {by(mean.shape)} does not cover crops of 3 x {self._crop} x {self._crop}",
                field="transform_param.mean_file",
            )
        return torch.from_numpy(mean[:, start : start + self._crop, start : start + self._crop])

    def _sort(self, windows: list[Window]) -> tuple[list[Window], list[Window]]:
        """(background, objects) by their overlap; what lies between the thresholds is dropped."""
        objects = [w for w in windows if w.overlap >= self._param.fg_threshold]
        background = [w for w in windows if w.overlap < min(self._param.bg_threshold, self._param.fg_threshold)]
        for window in objects:
            if window.label < 1:
                raise DataError(
                    f"{self._param.source}: an object of picture {window.image} has label {window.label}, not 1 or more",
                    field=f"{FIELD}.source",
                )
        for kind, found in (("objects", objects), ("background windows", background)):
            if not found:
                raise DataError(f"{self._param.source}: the thresholds leave no {kind}", field=f"{FIELD}.source")
        for label, count in sorted(Counter({0: len(background)} | Counter(w.label for w in objects)).items()):
            say(f"class {label} has {count} samples", "window_data_layer.cpp:161")
        return background, objects

    @property
    def records(self) -> int:
        return len(self._background) + len(self._objects)

    def next_batch(self) -> tuple[Tensor, Tensor]:
        objects = int(np.float32(self._batch_size) * np.float32(self._param.fg_fraction))
        numbers, self._record = self.dealing.turn(self._record, self._batch_size)
        words = random_words(self._seed, numbers, 2)
        kinds = [self._background] * (self._batch_size - objects) + [self._objects] * objects
        windows = [kind[int(word) % len(kind)] for kind, word in zip(kinds, words[:, 0], strict=True)]
        mirrored = [self._mirror and bool(word & np.uint64(1)) for word in words[:, 1]]
        data = torch.stack(self._pool.map(self._window, windows, mirrored))
        labels = [0 if kind is self._background else w.label for kind, w in zip(kinds, windows, strict=True)]
        return data, torch.tensor(labels, dtype=torch.float32)

    def _picture(self, image: int) -> Picture:
        path = self._images[image]
        data = self._cache[image] if self._cache else read_file(path, f"{FIELD}.source")
        return decode(data, f"picture '{path}'", True, f"{FIELD}.source")

    def _window(self, window: Window, mirrored: bool) -> Tensor:
        """A window [3, crop_size, crop_size], warped, mirrored or not, less the mean, scaled."""
        picture = self._picture(window.image)
        height, width = picture.shape[1:]
        cut = self._cut(window.box, height, width, mirrored)
        x1, y1, x2, y2 = cut.box
        if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height) or min(cut.size) < 1:
            path = self._images[window.image]
            raise DataError(
                f"{self._param.source}: window {window.box} does not lie within {path}, {width} x {height} pixels",
                field=f"{FIELD}.source",
            )
        warped = opencv().resize(np.ascontiguousarray(picture[:, y1 : y2 + 1, x1 : x2 + 1].transpose(1, 2, 0)), cut.size)
        pixels = torch.from_numpy(np.ascontiguousarray(planes(warped))).float()
        if mirrored:
            pixels = pixels.flip(2)
        rows, columns = slice(cut.top, cut.top + cut.size[1]), slice(cut.left, cut.left + cut.size[0])
        if self._mean is not None:
            pixels -= self._mean[:, rows, columns]
        top = torch.zeros(self.shapes[0][1:])
        top[:, rows, columns] = pixels * self._param.scale
        return top

    def _cut(self, box: Box, height: int, width: int, mirrored: bool) -> Cut:
        """What to cut: the box as it is, or widened by the context and clipped to the picture."""
        pad, square = self._param.context_pad, self._param.crop_mode == "square"
        crop = self._crop
        if not pad and not square:
            return Cut(box, (crop, crop), 0, 0)
        (x1, x2), (y1, y2) = widen(box, np.float32(crop) / np.float32(crop - 2 * pad), square)
        x = clip(x1, x2, width, crop)
        y = clip(y1, y2, height, crop)
        left = x.after if mirrored else x.before
        return Cut(
            (x.first, y.first, x.last, y.last), (min(x.size, crop - left), min(y.size, crop - y.before)), left, y.before
        )

    def state_dict(self) -> dict[str, Any]:
        return {"record": self._record, "seed": self._seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._record, self._seed = state_field(state, "record"), state_field(state, "seed")

    def close(self) -> None:
        self._pool.close()


@dataclass(frozen=True)
class Span:
    """One axis of a widened box within the picture: first to last pixel, its warped size, and the padding on both sides."""

    first: int
    last: int
    size: int
    before: int
    after: int


def rounded(x: np.float32) -> int:
    """To the nearest whole number, halves away from 0."""
    return int(math.copysign(math.floor(abs(float(x)) + 0.5), x))


def widen(box: Box, scale: np.float32, square: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """((x1, x2), (y1, y2)) of the box, made square if wanted, `scale` times as large about its centre, in float32."""
    x1, y1, x2, y2 = box
    half_x, half_y = np.float32((x2 - x1 + 1) / 2), np.float32((y2 - y1 + 1) / 2)
    centre_x, centre_y = np.float32(x1) + half_x, np.float32(y1) + half_y
    if square:
        half_x = half_y = max(half_x, half_y)
    return (
        (rounded(centre_x - half_x * scale), rounded(centre_x + half_x * scale)),
        (rounded(centre_y - half_y * scale), rounded(centre_y + half_y * scale)),
    )


def clip(start: int, end: int, length: int, crop: int) -> Span:
    """`start` to `end` within a picture of `length` pixels; sizes are in pixels of the crop."""
    if end < start:
        return Span(start, end, 0, 0, 0)  # a box that is inside out: refused where it is cut
    scale = np.float32(crop) / np.float32(end - start + 1)
    before, after = max(0, -start), max(0, end - length + 1)
    first, last = start + before, end - after
    return Span(first, last, *(rounded(np.float32(n) * scale) for n in (last - first + 1, before, after)))


def _whole(word: str) -> int:
    """A whole number of 32 bits. Raises ValueError."""
    if len(word) > 11 or not -(2**31) <= int(word) < 2**31:
        raise ValueError(f"'{word}', no whole number of 32 bits,")
    return int(word)


def _float(word: str) -> np.float32:
    with np.errstate(over="ignore"):  # beyond float32: infinite
        return np.float32(float(word))


def _line(text: str, word: int) -> int:
    """The line on which the word with a number, counted from 1, stands."""
    match = next(islice(re.finditer(r"\S+", text), word - 1, None))
    return text.count("\n", 0, match.start()) + 1


def read_windows(path: str, root_folder: str) -> tuple[list[str], list[Window]]:
    """The pictures and windows of a window file. Raises DataError.

    For each picture: `# number`, path, channels, height, width, count of windows, then `label overlap x1 y1 x2 y2` each.
    """
    text = read_file(path, f"{FIELD}.source").decode("utf-8", "surrogateescape")
    words = text.split()
    if not words:
        raise DataError(f"{path}: the window file is empty", field=f"{FIELD}.source")
    rest = iter(words)
    images: list[str] = []
    windows: list[Window] = []

    def place() -> str:
        return f"{path}:{_line(text, len(words) - length_hint(rest))}"

    try:
        for mark in rest:
            if mark != "#":
                found = f"found '{mark}' where '# number' of picture {len(images)} should begin"
                raise DataError(f"{place()}: {found}", field=f"{FIELD}.source")
            image = _whole(next(rest))
            images.append(root_folder + next(rest))
            channels, _, _ = (_whole(next(rest)) for _ in range(3))
            if channels != 3:
                found = f"{images[-1]} is listed with {channels} channels: windows have 3"
                raise DataError(f"{place()}: {found}", field=f"{FIELD}.source")
            for _ in range(_whole(next(rest))):
                label, overlap = _whole(next(rest)), _float(next(rest))
                x1, y1, x2, y2 = (_whole(next(rest)) for _ in range(4))
                windows.append(Window(image, label, overlap, (x1, y1, x2, y2)))
    except (ValueError, StopIteration, RuntimeError) as error:
        what = f"has {error} in" if isinstance(error, ValueError) else "ends in the middle of"
        raise DataError(f"{place()}: the window file {what} picture {len(images) - 1}", field=f"{FIELD}.source") from None
    for window in windows:
        if not 0 <= window.image < len(images):
            raise DataError(
                f"{path}: windows of picture {window.image}, but pictures are 0 to {len(images) - 1}",
                field=f"{FIELD}.source",
            )
    say(f"Number of images: {len(images)}", "window_data_layer.cpp:157")
    return images, windows
