"""Boxes of MS-CNN: found in maps whose places see a field of the picture each, or measured from rois; and their overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import BBoxRegParameter
from solver_cli.errors import ConfigError

COORDS = 4
Box = Sequence[Tensor]  # x, y (the upper left corner), width and height in pixels


def spread(param: BBoxRegParameter, each: bool = True) -> tuple[list[float], list[float]]:
    """Mean and spread of the four numbers of a box, by which they are made ready. Raises ConfigError.

    `each`: whether there may be a box for each class.
    """
    if param.HasField("cls_aware") and param.cls_aware and not each:
        log.warning(
            "layer_factory.cpp", "bbox_reg_param.cls_aware has no effect here: there is one box, as in MS-CNN's fork"
        )
    means, stds = list(param.bbox_mean), list(param.bbox_std)
    if not (means and stds):
        return [0.0] * COORDS, [1.0] * COORDS
    if len(means) != COORDS or len(stds) != COORDS or min(stds) <= 0:
        raise ConfigError("give four bbox_mean and four positive bbox_std, or none", field="bbox_reg_param.bbox_std")
    return means, stds


def overlap(a: Box, b: Box, kind: str = "IOU") -> Tensor:
    """The area that boxes share over that of both, of the smaller one (IOMU), or of the first (IOFU); 0 if one has none."""
    (x, y, w, h), (x2, y2, w2, h2) = a, b
    wide = torch.minimum(x + w, x2 + w2) - torch.maximum(x, x2)
    high = torch.minimum(y + h, y2 + h2) - torch.maximum(y, y2)
    shared = wide.clamp(min=0) * high.clamp(min=0)
    first, second = w * h, w2 * h2
    over = {"IOU": first + second - shared, "IOMU": torch.minimum(first, second), "IOFU": first}[kind]
    there = (w > 0) & (h > 0) & (w2 > 0) & (h2 > 0)
    return torch.where(there, shared / torch.where(there, over, 1), 0)


def decoded(moves: Tensor, rois: Tensor) -> Tensor:
    """Corners (R, 4) of the boxes that lie `moves` (R, 4) of centre and log size from `rois` (R, 4), in whole pixels."""
    size, centre = rois[:, 2:] - rois[:, :2] + 1, (rois[:, 2:] + rois[:, :2]) / 2
    large = size * moves[:, 2:].exp()
    low = moves[:, :2] * size + centre - (large - 1) / 2
    return torch.cat((low, low + large - 1), 1)


class Field(NamedTuple):
    """What the places of a map see, and how far from it and how much larger or smaller a box may be."""

    width: float
    height: float
    stride: float
    moved: float
    scaled: float

    def centres(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The middle of each place's field in pixels: along (1, W) and down (H, 1)."""
        down, along = (torch.arange(n, device=x.device, dtype=x.dtype) for n in x.shape[-2:])
        return (along + 0.5)[None] * self.stride, (down + 0.5)[:, None] * self.stride

    def boxes(self, found: Tensor, means: Sequence[float], stds: Sequence[float]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x, y (the upper left corner), width and height in pixels, (N, H, W) each, of `found` (N, 4, H, W)."""
        tx, ty, tw, th = (found[:, i] * stds[i] + means[i] for i in range(COORDS))
        tx, ty = (t.clamp(-1 / self.moved, 1 / self.moved) for t in (tx, ty))
        tw, th = (t.clamp(-math.log(self.scaled), math.log(self.scaled)) for t in (tw, th))
        along, down = self.centres(found)
        width, height = self.width * tw.exp(), self.height * th.exp()
        return tx * self.width + along - width / 2, ty * self.height + down - height / 2, width, height
