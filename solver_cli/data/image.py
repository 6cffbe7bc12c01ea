"""ImageData: pictures in files, named in a list."""

from __future__ import annotations

import os
import re

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import ImageDataParameter, LayerParameter
from solver_cli.data.crops import Encoded, Picture
from solver_cli.data.decode import decode, opencv, planes, read_file
from solver_cli.data.lines import Lines, Listed
from solver_cli.data.source import check_batch_size, check_fields, check_source, log, say
from solver_cli.data.transform import Transform
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

FIELD = "image_data_param"
FIELDS = (
    *("source", "batch_size", "rand_skip", "shuffle", "new_height", "new_width", "is_color", "root_folder"),
    *("short_side", "new_dim", "bicubic", "min_height", "min_width"),  # NVCaffe's, caffe-pro's (2), Intel's
)
IDLE = (
    *("scale", "mean_file", "crop_size", "mirror"),  # of older Caffe
    *("threads", "cache", "precache"),  # NVCaffe's, for speed only
)


@source("ImageData", tops=2, transforms=True)
class ImageData(Listed):
    """Pictures named in a list file, a line each with its label.

    Tops: pictures [N, channels, height, width], labels [N]. Each picture may be brought to a size (new_height, new_width),
    its shorter side to a length (NVCaffe's short_side, caffe-pro's new_dim) or, if it is smaller, to a least size (Intel's
    min_height, min_width). With Intel's bgr2rgb red comes first.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        super().__init__()
        param = layer.image_data_param
        check_fields(param, FIELD, FIELDS, IDLE)
        for one, other in (("new_height", "new_width"), ("min_height", "min_width")):
            if bool(getattr(param, one)) != bool(getattr(param, other)):
                raise ConfigError(f"{one} and {other} must be set together", field=f"{FIELD}.{one}")
        ways = [name for name in ("new_height", "short_side", "new_dim", "min_height") if getattr(param, name)]
        if len(ways) > 1:
            raise ConfigError(f"{ways[0]} and {ways[1]} exclude each other", field=f"{FIELD}.{ways[1]}")
        if param.bicubic and not param.new_dim:
            raise ConfigError("bicubic goes with new_dim", field=f"{FIELD}.bicubic")
        opencv()
        self._red_first = layer.transform_param.bgr2rgb
        self._param = param
        self._batch_size = check_batch_size(param, FIELD)
        self.transform = Transform(layer.transform_param, training, generator, f"{FIELD}.source")
        self._lines = Lines(read_list(check_source(param, FIELD), param.root_folder), param, FIELD, generator)
        name, _ = self._lines.row(self._lines.record)
        shape = self.transform.shape(f"picture '{name}'", self._read(name).shape)
        self.shapes: list[tuple[int, ...]] = [(self._batch_size, *shape), (self._batch_size,)]
        say(f"output data size: {','.join(map(str, self.shapes[0]))}", "image_data_layer.cpp:90")

    def _read(self, name: str) -> Picture:
        """The picture in a file, resized if wanted."""
        path = self._param.root_folder + name
        picture = decode(read_file(path, f"{FIELD}.source"), f"picture '{path}'", self._param.is_color, f"{FIELD}.source")
        if self._red_first:
            picture = picture[::-1]
        size = sized(self._param, *picture.shape[1:])
        if size == picture.shape[1:] and not self._param.new_height:
            return picture
        how = opencv().INTER_CUBIC if self._param.bicubic else opencv().INTER_LINEAR
        pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
        return planes(opencv().resize(pixels, size[::-1], interpolation=how))

    def next_batch(self) -> tuple[Tensor, Tensor]:
        numbers, lines = self._lines.take(self.dealing, self._batch_size)
        pictures = Encoded(lambda i: self._read(lines[i][0]), len(lines))
        data = self.transform(pictures, numbers, lambda i: f"picture '{lines[i][0]}'", self._pool)
        return data, torch.tensor([label for _, label in lines], dtype=torch.float32)


def sized(param: ImageDataParameter, height: int, width: int) -> tuple[int, int]:
    """Height and width that a picture of this size is brought to, each fork rounding in its own way."""
    if param.new_height:
        return param.new_height, param.new_width
    if side := param.short_side:
        return (height * side // width, side) if height > width else (side, width * side // height)
    if side := param.new_dim:
        scale = np.float32(side) / np.float32(min(height, width))
        tall, wide = (int(np.floor(scale * np.float32(n) + np.float32(0.5))) for n in (height, width))
        return (tall, side) if height >= width else (side, wide)
    if height >= param.min_height and width >= param.min_width:
        return height, width
    if param.min_width - width > param.min_height - height:
        return int(np.float32(param.min_width) * (np.float32(height) / np.float32(width)) + 0.5), param.min_width
    return param.min_height, int(np.float32(param.min_height) * (np.float32(width) / np.float32(height)) + 0.5)


def read_list(path: str, root_folder: str = "") -> list[tuple[str, int]]:
    """(file name, label) of each line of a list file: the label follows the last blank. Raises DataError."""
    say(f"Opening file {path}", "image_data_layer.cpp:38")
    text = read_file(path, f"{FIELD}.source").decode("utf-8", "surrogateescape")
    rows: list[tuple[str, int]] = []
    odd: list[int] = []  # lines whose label is no whole number
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        name, _, label = line.rpartition(" ") if " " in line else (line, "", line)
        digits = re.match(r"\s*([+-]?\d+)", label)
        if wrong := _wrong(name, digits[1] if digits else "", root_folder):
            raise DataError(f"{path}:{number}: {wrong}", field=f"{FIELD}.source")
        if " " not in line or not re.fullmatch(r"\s*[+-]?\d+\s*", label):
            odd.append(number)
        rows.append((name, int(digits[1]) if digits else 0))
    if not rows:
        raise DataError(f"{path}: the list is empty: each line names a file and its label", field=f"{FIELD}.source")
    if odd:
        count = f"{len(odd)} lines have no whole number" if len(odd) > 1 else "this line has no whole number"
        log.warning(
            "%s:%d: %s behind the last blank: the digits that it begins with are its label, or 0", path, odd[0], count
        )
    return rows


def _wrong(name: str, digits: str, root_folder: str) -> str:
    """What a line of a list cannot be used for, in words, or nothing."""
    if not name.strip():
        return "this line names no file: each line names a file and its label (take empty lines out)"
    if len(digits) > 11:
        return f"the label {digits} of '{name}' is out of range"
    if re.search(r"\t\s*[+-]?\d+\s*$", name) and not os.path.lexists(root_folder + name):
        return f"'{name}': between a file and its label stands a blank, not a tab"
    return ""
