"""ImageGtData: MS-CNN's pictures, with the objects that each place of its maps sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from solver_cli.caffe_pb2 import ImageDataParameter, ImageGtDataParameter, LayerParameter
from solver_cli.data.dealing import Dealing
from solver_cli.data.decode import decode, opencv, planes, read_file
from solver_cli.data.distort import Pixels
from solver_cli.data.lines import Lines
from solver_cli.data.source import check_batch_size, check_fields, check_source, draw_seed, say, state_field
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

FIELD = "image_gt_data_param"
ROW = 7  # picture, x1, y1, x2, y2, label, ignored
LEAST, OUTSIDE = 0.2, 0.4  # overlaps: of an object that matches nothing else, and of a place that counts as no interest
Boxes = NDArray[np.float32]  # (n, 4): x1, y1, x2, y2


@dataclass
class Picture:
    """An entry of the window file: a picture with its objects and the regions that are of no interest."""

    path: str
    size: tuple[int, int, int]
    labels: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    boxes: Boxes
    regions: Boxes


@source("ImageGtData", origin="MS-CNN", tops=(2, None), transforms=True)
class ImageGtData:
    """Pictures of a window file, mirrored, resized and cut around an object at random, in both phases; ground 0.

    Tops: pictures [N, channels, crop_height, crop_width]; for each downsample_rate labels [N, 6, height, width] of class,
    centre, width, height and overlap of the object that a field_w x field_h field around the place matches, by fg_threshold
    or best of all; with output_gt_boxes a row for each object [G, 7, 1, 1]: picture, corners, class, ignored.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param, transform = layer.image_gt_data_param, layer.transform_param
        used = [field.name for field in param.DESCRIPTOR.fields if field.name not in ("mean_file", "mirror", "cache_images")]
        check_fields(param, FIELD, used, ("mean_file", "mirror", "cache_images"))
        check_fields(transform, "transform_param", ("mirror", "mean_value"))
        if param.coord_num != 4:
            raise ConfigError("coord_num must be 4: centre, width and height", field=f"{FIELD}.coord_num")
        self._cv2, self._param, self._mirror = opencv(), param, transform.mirror
        self._batch, self.dealing = check_batch_size(param, FIELD), Dealing()
        pictures = read_windows(check_source(param, FIELD), param)
        self._lines = Lines(pictures, ImageDataParameter(source=param.source, shuffle=param.shuffle), FIELD, generator)
        self.seed = draw_seed(generator)
        channels, height, width = pictures[-1].size
        self._size = height, width = _cut_to(param, height, width)
        self._means = np.array(transform.mean_value or [0], np.float32)
        if len(self._means) not in (1, channels):
            text = f"{len(self._means)} mean values for {channels} channels: give one, or one for each channel"
            raise ConfigError(text, field="transform_param.mean_value")
        self._fields = _fields(param)
        self.shapes: list[tuple[int, ...]] = [(self._batch, channels, height, width)]
        self.shapes += [(self._batch, 6, *_rounded(height / rate, width / rate)) for rate, _, _ in self._fields]
        if param.output_gt_boxes:
            self.shapes.append((1, ROW, 1, 1))
        say(f"output data size: {','.join(map(str, self.shapes[0]))}", "image_gt_data_layer.cpp:211")
        if len(layer.top) != len(self.shapes):
            text = f"{len(self.shapes)} tops are made: pictures, {len(self._fields)} labels"
            text += " and the objects (output_gt_boxes)" * param.output_gt_boxes
            raise ConfigError(f"{text}; there are {len(layer.top)}", field="top")

    @property
    def records(self) -> int:
        """The pictures of the file."""
        return len(self._lines)

    def next_batch(self) -> tuple[Tensor, ...]:
        numbers, rows = self._lines.take(self.dealing, self._batch)
        data = np.zeros(self.shapes[0], np.float32)
        labels = [np.zeros(shape, np.float32) for shape in self.shapes[1 : 1 + len(self._fields)]]
        objects: list[NDArray[Any]] = []
        for i, (number, row) in enumerate(zip(numbers, rows, strict=True)):
            objects.append(self._one(row, np.random.default_rng((self.seed, number)), data[i], [x[i] for x in labels], i))
        tops = [torch.from_numpy(x) for x in (data, *labels)]
        if self._param.output_gt_boxes:
            found = np.concatenate(objects).astype(np.float32)
            found = found if len(found) else np.array([[0, 1, 1, 2, 2, 1, 1]], np.float32)
            tops.append(torch.from_numpy(found)[:, :, None, None])
        return tuple(tops)

    def _one(self, row: Picture, random: Generator, data: Pixels, labels: list[Pixels], number: int) -> NDArray[Any]:
        """Write a picture and its labels, [channels, H, W] and [6, h, w] each; its objects' rows (G, 7)."""
        pixels = decode(read_file(row.path, f"{FIELD}.source"), f"picture '{row.path}'", True, f"{FIELD}.source")
        picture: Pixels = pixels.transpose(1, 2, 0)
        boxes, regions = row.boxes.copy(), row.regions.copy()
        if self._mirror and random.integers(2):
            picture = self._cv2.flip(picture, 1)
            for each in (boxes, regions):
                each[:, [0, 2]] = picture.shape[1] - each[:, [2, 0]]
        picture, boxes, regions = self._resized(picture, boxes, regions)
        picture, boxes, regions, centre = self._scaled(picture, boxes, regions, random)
        shift, there = self._placed(picture, centre, random, data)
        boxes += np.tile(shift, 2)
        regions += np.tile(shift, 2)
        ignored = row.ignored | self._out_of_sight(boxes)
        self._label(labels, boxes, row.labels, ignored, regions, there)
        objects = np.concatenate((np.full((len(boxes), 1), number), boxes, row.labels[:, None], ignored[:, None]), 1)
        return objects

    def _resized(self, picture: Pixels, boxes: Boxes, regions: Boxes) -> tuple[Pixels, Boxes, Boxes]:
        """All of them in the size that resize_width and resize_height say."""
        param, (height, width) = self._param, picture.shape[:2]
        size = param.resize_width, param.resize_height
        if not (param.HasField("resize_width") and param.HasField("resize_height")) or size == (width, height):
            return picture, boxes, regions
        factor = np.tile(np.array((size[0] / width, size[1] / height), np.float32), 2)
        picture = self._cv2.resize(picture, size, interpolation=self._cv2.INTER_LINEAR)
        return picture, boxes * factor, regions * factor

    def _scaled(
        self, picture: Pixels, boxes: Boxes, regions: Boxes, random: Generator
    ) -> tuple[Pixels, Boxes, Boxes, NDArray[Any]]:
        """All of them larger or smaller by chance, so that an object has another size; and the point to cut around."""
        size = np.array(picture.shape[1::-1])
        if not len(boxes):
            room = size - self._size[::-1]
            drawn = [random.integers(n + 1) + cut / 2 if n >= 0 else whole / 2
                     for n, cut, whole in zip(room, self._size[::-1], size, strict=True)]  # fmt: skip
            return picture, boxes, regions, np.array(drawn)
        box = boxes[random.integers(len(boxes))]
        centre = (box[:2] + box[2:]) / 2
        factor = self._factor(box[2:] - box[:2], random)
        if (factor != 1).any():
            if (factor > 1.5).any():  # only what is needed is made larger
                part = np.minimum(np.array(_rounded(*(1.2 * size / factor))), size)
                low = np.clip(np.array(_rounded(*(centre - part / 2))), 0, size - part)
                picture = picture[low[1] : low[1] + part[1], low[0] : low[0] + part[0]]
                centre = centre - low
                boxes, regions = boxes - np.tile(low, 2), regions - np.tile(low, 2)
            wide, high = _rounded(*(np.array(picture.shape[1::-1]) * factor))
            picture = self._cv2.resize(picture, (wide, high), interpolation=self._cv2.INTER_LINEAR)
        both = np.tile(factor, 2)
        return picture, (boxes * both).astype(np.float32), (regions * both).astype(np.float32), centre * factor

    def _factor(self, size: NDArray[Any], random: Generator) -> NDArray[Any]:
        """How many times wider and higher the object of this size becomes, by chance."""
        param, once = self._param, np.ones(2)
        scales = param.do_multiple_scale and param.HasField("min_scale") and param.HasField("max_scale")
        if not scales or not random.integers(2):
            return once
        steps = np.arange(int(np.floor(2 * np.log2(param.max_scale / param.min_scale) + 1.5))) / 2
        area, areas = size.prod(), (param.min_scale * 2.0**steps) ** 2
        fits = np.minimum(area, areas) / np.maximum(area, areas)
        step = steps[fits.argmax()] if fits.max() > 0 else 0.0
        factor = np.full(2, 2.0 ** (steps[random.integers(len(steps))] - step))
        if param.HasField("min_whaspect") and param.HasField("max_whaspect") and random.integers(2):
            aspects = int(np.floor((param.max_whaspect - param.min_whaspect) / 0.05 + 0.5))
            aspect = random.integers(max(1, aspects)) * 0.05 + param.min_whaspect
            times = aspect * size[1] / size[0]
            side = 0 if random.integers(2) else 1
            wanted = factor[side] * (times if side == 0 else 1 / times)
            if param.min_scale * 0.8 <= size[side] * wanted <= param.max_scale * 1.2:
                factor[side] = wanted
        return factor

    def _placed(
        self, picture: Pixels, centre: NDArray[Any], random: Generator, data: Pixels
    ) -> tuple[NDArray[Any], tuple[int, int, int, int]]:
        """Write the part around the centre; how far boxes move, and where pixels stand: left, top, width, height."""
        noise = random.integers(20, size=2) - 10
        moves, there, parts = [], [], []
        for n, cut, middle, jitter in zip(picture.shape[1::-1], self._size[::-1], centre, noise, strict=True):
            begin = end = 0
            if n < cut:
                begin = int(np.clip(_rounded((cut - n) / 2)[0] + jitter, 0, cut - n))
            elif n > cut:
                end = int(np.clip(_rounded(middle)[0] + jitter - _rounded(cut / 2)[0], 0, n - cut))
            moves.append(begin - end)
            there.append((begin, min(n, cut)))
            parts.append(slice(end, end + min(n, cut)))
        (left, wide), (top, high) = there
        pixels = (planes(picture[parts[1], parts[0]]) - self._means.reshape(-1, 1, 1)) * np.float32(self._param.scale)
        data[:, top : top + high, left : left + wide] = pixels
        return np.array(moves, np.float32), (left, top, wide, high)

    def _out_of_sight(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Which objects have their middle outside, or are too small."""
        height, width = self._size
        middle, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2] + 1
        wrong = (middle < 0) | (middle >= (width, height))
        wrong = wrong | (sides < (self._param.min_gt_width, self._param.min_gt_height))
        found: NDArray[np.bool_] = np.any(wrong, 1)
        return found

    def _label(
        self,
        labels: list[Pixels],
        boxes: Boxes,
        names: NDArray[np.int64],
        ignored: NDArray[np.bool_],
        regions: Boxes,
        there: tuple[int, int, int, int],
    ) -> None:
        """Write what each place of the maps sees, and let objects that no place sees be seen where they fit best."""
        numbers = np.concatenate(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1)
        seen, best = np.zeros(len(boxes), bool), np.zeros((len(boxes), 2))  # overlap and map
        for k, (found, (rate, wide, high)) in enumerate(zip(labels, self._fields, strict=True)):
            height, width = found.shape[1:]
            y, x = np.mgrid[:height, :width]
            left, top, across, down = _rounded(*(n / rate for n in there))
            inside = (x >= left) & (x < left + across) & (y >= top) & (y < top + down)
            middle = np.stack((x, y), -1)[..., None, :] * rate + rate / 2
            half = np.array((wide / 2, high / 2))
            fields = np.concatenate((middle - half, middle + half), -1).astype(np.float32)
            counts = inside & (_overlaps(fields, regions, first=True).sum(-1) < OUTSIDE)
            found[5] = 1
            overlaps = np.where(counts[..., None], _overlaps(fields, boxes), 0)
            found[5][counts] = overlaps.max(-1, initial=0)[counts]
            if not len(boxes):
                continue
            match = overlaps.argmax(-1)
            hit = counts & (overlaps.max(-1) > self._param.fg_threshold)
            found[0][hit] = np.where(ignored[match], 0, names[match])[hit]
            found[1:5][:, hit] = numbers[match][hit].T
            seen[np.unique(match[hit])] = True
            most = overlaps.max((0, 1))
            better = most > best[:, 0]
            best[better] = np.stack((most, np.full(len(most), k)), 1)[better]
        for i in np.flatnonzero(~ignored & ~seen & (best[:, 0] >= LEAST)):
            found, rate = labels[int(best[i, 1])], self._fields[int(best[i, 1])][0]
            x, y = (int(np.clip(np.floor(numbers[i, j] / rate), 0, found.shape[2 - j] - 1)) for j in (0, 1))
            if not found[0, y, x] > 0:
                found[:5, y, x] = names[i], *numbers[i]

    def state_dict(self) -> dict[str, Any]:
        return {**self._lines.state_dict(), "transform_seed": self.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._lines.load_state_dict(state)
        self.seed = state_field(state, "transform_seed")

    def close(self) -> None:
        """Nothing is held."""


def _overlaps(fields: Boxes, boxes: Boxes, first: bool = False) -> NDArray[Any]:
    """The area that fields (H, W, 1, 4) share with boxes (n, 4), over that of both, or of the first: (H, W, n)."""
    low, high = np.maximum(fields[..., :2], boxes[:, :2]), np.minimum(fields[..., 2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    own, theirs = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (fields, boxes))
    there = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(-1)
    return np.where(there, shared / np.where(there, own if first else own + theirs - shared, 1), 0)  # type: ignore[no-any-return]


def _rounded(*numbers: float) -> tuple[int, ...]:
    """Whole numbers, halves away from 0."""
    return tuple(int(np.copysign(np.floor(abs(n) + 0.5), n)) for n in numbers)


def _fields(param: ImageGtDataParameter) -> list[tuple[int, int, int]]:
    """downsample_rate, field_w and field_h of each map. Raises ConfigError."""
    counts = [len(x) for x in (param.downsample_rate, param.field_w, param.field_h)]
    if len(set(counts)) > 1 or not counts[0]:
        text = (
            f"downsample_rate, field_w and field_h are given {', '.join(map(str, counts))} times: one of each for each map"
        )
        raise ConfigError(text, field=f"{FIELD}.downsample_rate")
    if min(*param.downsample_rate, *param.field_w, *param.field_h) < 1:
        raise ConfigError("downsample_rate, field_w and field_h must be positive", field=f"{FIELD}.downsample_rate")
    return list(zip(param.downsample_rate, param.field_w, param.field_h, strict=True))


def _cut_to(param: ImageGtDataParameter, height: int, width: int) -> tuple[int, int]:
    """Height and width of what comes out, for pictures of this size. Raises ConfigError."""
    if param.HasField("resize_width") and param.HasField("resize_height"):
        height, width = param.resize_height, param.resize_width
    for name, most in (("crop_height", height), ("crop_width", width)):
        if getattr(param, name) > most:
            raise ConfigError(f"{name} {getattr(param, name)} is more than the {most} there are", field=f"{FIELD}.{name}")
    return param.crop_height or height, param.crop_width or width


def read_windows(path: str, param: ImageGtDataParameter) -> list[Picture]:
    """The pictures of a window file, those with objects fg_img_multiple times. Raises DataError with the entry's number."""
    words = iter(re.findall(r"\S+", read_file(path, f"{FIELD}.source").decode("utf-8", "surrogateescape")))
    pictures: list[Picture] = []
    for entry, mark in enumerate(words):
        try:
            if mark != "#":
                raise ValueError(mark)
            next(words)  # its number
            name = param.root_folder + next(words)
            size = int(next(words)), int(next(words)), int(next(words))
            if size[0] != 3 or min(size) < 1:
                raise ValueError(size)
            objects = _rows(words, 6)
            regions = _rows(words, 4)
        except (StopIteration, ValueError, RuntimeError):
            text = f"{path}: entry {entry} is not `# number picture 3 height width count label ignore x1 y1 x2 y2 "
            raise DataError(f"{text}... count x1 y1 x2 y2 ...`", field=f"{FIELD}.source") from None
        if (objects[:, 0] < 1).any():
            raise DataError(f"{path}: entry {entry}: the label of an object must be 1 or more", field=f"{FIELD}.source")
        found = Picture(
            name, size, objects[:, 0].astype(np.int64), objects[:, 1] != 0, objects[:, 2:].copy(), regions
        )  # fmt: skip
        pictures += [found] * (param.fg_img_multiple if (~found.ignored).any() else 1)
    if not pictures:
        raise DataError(f"{path}: the window file is empty", field=f"{FIELD}.source")
    return pictures


def _rows(words: Any, width: int) -> NDArray[np.float32]:
    """A count, and so many rows of whole numbers."""
    count = int(next(words))
    return np.array([int(next(words)) for _ in range(count * width)], np.float32).reshape(count, width)
