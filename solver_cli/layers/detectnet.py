"""DetectNetTransformation of NVCaffe: pictures and their boxes, changed by chance together, and what boxes cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, floor, radians, sin

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import (
    DetectNetAugmentationParameter,
    DetectNetGroundTruthParameter,
    TransformationParameter,
)
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto
from solver_cli.layers.chance import ALONE, drawn
from solver_cli.layers.common import Shape
from solver_cli.layers.coverage import Boxes, Coverage
from solver_cli.registry import layer

ROW = 16  # numbers of a box in the labels: left, top, width, height, an angle, its class, and ten that are not looked at
CLASS = 5
DRAWS = ("recolour", "hue", "bleach", "saturation", "flip", "resize", "scale", "turn", "rotation", "crop", "x", "y")
STEPS, FINER = 32, 1024  # OpenCV turns pictures to a 32nd of a pixel, from sums of 1024ths
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Change:
    """What is done with one picture, in this order."""

    hue: float  # degrees
    saturation: float
    flip: bool
    scale: float
    size: Size
    rotation: float  # degrees
    corner: tuple[int, int]  # of what is taken, x and y


@layer("DetectNetTransformation", origin="NVCaffe", param="detectnet_groundtruth_param", bottoms=2, tops=2,
       apart=True, once=True, in_place=False, no_gradient=(0, 1), waits=True)  # fmt: skip
class DetectNetTransformation(nn.Module):
    """Tops: bottom 0 in other colours, places, size; (N, 8 + classes, rows, columns), what the boxes of bottom 1 cover.

    The size of pictures (N, 3, H, W) is what the settings say. In testing they are only made larger or smaller.

    A label is rows of 16 numbers: how many boxes and 16; then for each box left, top, width, height, an angle, its class
    and others. What chance decides is drawn as NVCaffe does, and done as its CPU code does.
    """

    generator: torch.Generator | None = None
    mask: Tensor | None = None  # drawn beforehand, for a batch that runs in pieces or more than once
    dealt = ALONE

    def __init__(
        self,
        param: DetectNetGroundTruthParameter,
        shapes: Sequence[Shape],
        *,
        detectnet_augmentation_param: DetectNetAugmentationParameter,
        transform_param: TransformationParameter,
    ):
        super().__init__()
        pictures, labels = shapes
        if len(pictures) != 4 or pictures[1] != 3:
            raise ConfigError(f"pictures must have the shape (N, 3, H, W), not {tuple(pictures)}", field="bottom[0]")
        if labels[0] != pictures[0] or torch.Size(labels[1:]).numel() % ROW:
            raise ConfigError(
                f"labels must be {ROW} numbers a row for each of {pictures[0]} pictures, not of the shape {tuple(labels)}",
                field="bottom[1]",
            )
        self.coverage, self.by = Coverage(param), detectnet_augmentation_param
        self.size = (param.image_size_x, param.image_size_y)
        self.mean = _mean(transform_param, pictures)
        least = self.change((pictures[3], pictures[2]), [0.0] * len(DRAWS))
        for name, scale in (("scale_min", least.scale), ("scale_max", self.by.scale_max)):
            if not scale > 0:
                raise ConfigError(f"{name} must be above 0", field=f"detectnet_augmentation_param.{name}")

    @property
    def draws(self) -> bool:
        """Whether it goes by chance."""
        return self.training

    def draw(self, like: Tensor) -> Tensor:
        """For each picture of a batch like this one, numbers between 0 and 1 that decide what is done with it."""
        found = torch.empty(len(like), len(DRAWS), device=like.device)
        generator = None if like.is_meta else self.generator
        return drawn(found, self.dealt, lambda x: x.uniform_(generator=generator))

    @torch.no_grad()
    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        shape = (len(pictures), 3, self.size[1], self.size[0])
        drawn = (self.draw(pictures) if self.mask is None else self.mask) if self.training else None
        if pictures.is_meta:
            return pictures.new_empty(shape), pictures.new_empty(len(pictures), *self.coverage.shape)
        original = (pictures.shape[3], pictures.shape[2])
        changes = [self.change(original, None if drawn is None else drawn[i].tolist()) for i in range(len(pictures))]
        changed = [self._picture(picture, change) for picture, change in zip(pictures, changes, strict=True)]
        covered = [self._covered(label, change, original) for label, change in zip(labels, changes, strict=True)]
        return torch.stack(changed), torch.from_numpy(np.stack(covered)).to(pictures)

    def change(self, original: Size, drawn: Sequence[float] | None) -> Change:
        """What is done with a picture of this size, for these numbers; None: in testing."""
        if drawn is None:
            return Change(0, 1, False, 1, self.size, 0, (0, 0))
        by, u = self.by, dict(zip(DRAWS, drawn, strict=True))
        hue = (u["hue"] - 0.5) * 2 * by.hue_rotation if u["recolour"] <= by.hue_rotation_prob else 0.0
        saturation = 1 - u["saturation"] * by.desaturation_max if u["bleach"] <= by.desaturation_prob else 1.0
        scale = by.scale_min + (by.scale_max - by.scale_min) * u["scale"] if u["resize"] <= by.scale_prob else 1.0
        size = (_round(original[0] * scale), _round(original[1] * scale))
        rotation = (u["rotation"] - 0.5) * 2 * by.max_rotate_degree if u["turn"] <= by.rotation_prob else 0.0
        before = _turned(size, rotation)[0] if rotation else size
        at, shift = ((u["x"], u["y"]), (by.shift_x, by.shift_y)) if u["crop"] <= by.crop_prob else ((0.5, 0.5), (0, 0))
        x, y = (_round(at[i] * (before[i] - self.size[i] + shift[i]) - shift[i] // 2) for i in range(2))
        return Change(max(min(hue, 180.0), -180.0), saturation, u["flip"] <= by.flip_prob, scale, size, rotation, (x, y))

    def _picture(self, picture: Tensor, change: Change) -> Tensor:
        picture = picture / 255
        if change.hue or change.saturation < 1 - 1 / 255:
            picture = recoloured(picture, change.hue, change.saturation)
        if self.mean is not None:
            picture = picture - self.mean.to(picture)
        if change.flip:
            picture = picture.flip(2)
        if picture.shape[1:] != (change.size[1], change.size[0]):
            picture = F.interpolate(picture[None], (change.size[1], change.size[0]), mode="bicubic")[0]
        if change.rotation:
            picture = turned(picture, change.rotation)
        return _taken(picture, change.corner, self.size) * 255

    def _covered(self, label: Tensor, change: Change, original: Size) -> np.ndarray:  # type: ignore[type-arg]
        rows = label.detach().float().cpu().numpy().reshape(-1, ROW)
        count, length = int(rows[0, 0]), int(rows[0, 1])
        if length != ROW or not 0 <= count < len(rows):
            found = f"{count} boxes of {length} numbers: expected at most {len(rows) - 1} of {ROW}"
            raise DataError(f"a label's first row says {found}", field="bottom[1]")
        boxes = rows[1 : count + 1, :4].copy()
        if change.flip:
            boxes[:, 0] = original[0] - boxes[:, 0] - boxes[:, 2] - 1
        if change.size != original:
            boxes *= np.array([change.size[0] / original[0], change.size[1] / original[1]] * 2, np.float32)
        if change.rotation:
            boxes = _turned_boxes(boxes, change.size, change.rotation)
        boxes[:, :2] -= np.array(change.corner, np.float32)
        return self.coverage(boxes, rows[1 : count + 1, CLASS])


def _mean(param: TransformationParameter, pictures: Shape) -> Tensor | None:
    """What is taken off pictures of values up to 1: (3, H, W) or (3, 1, 1)."""
    for field, _ in param.ListFields():
        if field.name not in ("mean_file", "mean_value"):
            text = f"{field.name} has no effect here: mean_file and mean_value have"
            raise ConfigError(text, field=f"transform_param.{field.name}")
    if param.HasField("mean_file"):
        mean = torch.from_numpy(blobproto.read(param.mean_file))
        if mean.dim() < 3 or mean.shape[-3] != 3 or mean.numel() != mean[..., :3, :, :].numel():
            raise ConfigError(f"the mean of shape {tuple(mean.shape)} is not (3, H, W)", field="transform_param.mean_file")
        mean = mean.reshape(1, *mean.shape[-3:])
        return F.interpolate(mean, tuple(pictures[2:]), mode="bicubic")[0] / 255
    values = list(param.mean_value)
    if len(values) not in (0, 1, 3):
        raise ConfigError(f"takes 1 or 3 values, not {len(values)}", field="transform_param.mean_value")
    return torch.from_numpy(np.resize(np.array(values, np.float32), (3, 1, 1))) / 255 if values else None


def _round(x: float) -> int:
    """The nearest whole number, halves away from 0."""
    return floor(x + 0.5) if x >= 0 else -floor(-x + 0.5)


def _taken(picture: Tensor, corner: tuple[int, int], size: Size) -> Tensor:
    """The part of the picture (C, H, W) from `corner` on, 0 where the picture is not."""
    found = picture.new_zeros(len(picture), size[1], size[0])
    (left, top), (right, below) = (max(at, 0) for at in corner), (corner[i] + size[i] for i in range(2))
    part = picture[:, top : max(below, 0), left : max(right, 0)]
    y, x = top - corner[1], left - corner[0]
    if part.numel():
        found[:, y : y + part.shape[1], x : x + part.shape[2]] = part
    return found


# -- colours --------------------------------------------------------------------------------------------------------


def recoloured(picture: Tensor, hue: float, saturation: float) -> Tensor:
    """The picture (blue, green, red; 0 to 1), its hue moved by degrees, its saturation multiplied, as OpenCV does."""
    least = torch.finfo(torch.float32).eps
    blue, green, red = picture
    value = picture.amax(0)
    range_ = value - picture.amin(0)
    by = 60 / (range_ + least)
    found = torch.where(
        value == red,
        (green - blue) * by,
        torch.where(value == green, (blue - red) * by + 120, (red - green) * by + 240),
    )
    sector = ((found + hue) / 60).remainder(6)
    saturated = range_ / (value.abs() + least) * saturation
    lost = [(sector + offset).remainder(6) for offset in (1, 3, 5)]  # blue, green, red
    return torch.stack([value * (1 - saturated * torch.minimum(k, 4 - k).clamp(0, 1)) for k in lost])


# -- turning --------------------------------------------------------------------------------------------------------


def _turned(size: Size, degrees: float) -> tuple[Size, tuple[int, int]]:
    """The size of what holds the turned picture (NVCaffe takes it about a whole centre), and the corner of what holds it."""
    c, s = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    half = ((size[0] * c + size[1] * s) / 2, (size[0] * s + size[1] * c) / 2)
    whole = [int(0.5 * side) for side in size]
    held = [ceil(whole[i] + half[i]) - floor(whole[i] - half[i]) + 1 for i in range(2)]
    corner = [floor(size[i] / 2 - half[i]) for i in range(2)]
    return (held[0], held[1]), (corner[0], corner[1])


def _matrix(size: Size, degrees: float) -> tuple[float, float, float, float]:
    """cos, sin and the shift of x' = cos x - sin y + x0, y' = sin x + cos y + y0 about the picture's centre."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    (x, y), corner = (size[0] / 2, size[1] / 2), _turned(size, degrees)[1]
    return c, s, x - c * x + s * y - corner[0], y - s * x - c * y - corner[1]


def turned(picture: Tensor, degrees: float) -> Tensor:
    """The picture (C, H, W) turned clockwise within what holds it, linear between four neighbours; 0 where one lacks."""
    size = (picture.shape[2], picture.shape[1])
    (width, height), (c, s, x0, y0) = _turned(size, degrees)[0], _matrix(size, degrees)
    columns, rows = (torch.arange(n, device=picture.device, dtype=torch.float64) for n in (width, height))
    back = ((c, s, -c * x0 - s * y0), (-s, c, s * x0 - c * y0))  # the other way round
    places = []
    for by_x, by_y, shift in back:
        start = ((by_y * rows + shift) * FINER).round().long() + FINER // STEPS // 2
        places.append((start[:, None] + (by_x * columns * FINER).round().long()) >> 5)
    (x, y), (part_x, part_y) = (p >> 5 for p in places), ((p & 31) / STEPS for p in places)
    inside = (x >= 0) & (x < size[0] - 1) & (y >= 0) & (y < size[1] - 1)
    x, y = x.clamp(0, max(size[0] - 2, 0)), y.clamp(0, max(size[1] - 2, 0))
    part_x, part_y = part_x.to(picture.dtype), part_y.to(picture.dtype)
    upper = picture[:, y, x] * (1 - part_x) + picture[:, y, x + 1] * part_x
    lower = picture[:, y + 1, x] * (1 - part_x) + picture[:, y + 1, x + 1] * part_x
    return (upper * (1 - part_y) + lower * part_y) * inside


def _turned_boxes(boxes: Boxes, size: Size, degrees: float) -> Boxes:
    """Boxes of the same size about centres that have turned with the picture."""
    c, s, x0, y0 = _matrix(size, degrees)
    half = boxes[:, 2:] / 2
    x, y = (boxes[:, :2] + half).T
    moved = np.stack([c * x - s * y + x0, s * x + c * y + y0], 1).astype(np.float32)
    return np.concatenate([moved - half, boxes[:, 2:]], 1)
