"""PriorBox: the boxes that detections are measured from."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import PriorBoxParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape
from solver_cli.registry import layer

EQUAL = 1e-6  # aspect ratios that differ by less are one
FIELD = "prior_box_param"


@layer("PriorBox", origin="SSD", bottoms=2)
class PriorBox(nn.Module):
    """top (1, 2, 4 n) = boxes xmin ymin xmax ymax around each cell of bottom 0, as shares of picture bottom 1; variances

    Row by row, cell by cell, for each min_size its square, the square of sqrt(min_size max_size), a box for each ratio.
    """

    boxes: Tensor
    variance: Tensor

    def __init__(self, param: PriorBoxParameter, shapes: list[Shape]):
        super().__init__()
        for i, shape in enumerate(shapes):
            if len(shape) > 4:
                raise ConfigError(f"bottom {i} of shape {shape} has more than four axes", field=f"bottom[{i}]")
        self.register_buffer("boxes", torch.from_numpy(np.array(_sizes(param))), persistent=False)
        self.register_buffer("variance", torch.from_numpy(np.array(_variance(param))), persistent=False)
        self.picture = _pair(param, "img", "img_size")
        self.step = _pair(param, "step", "step")
        self.offset, self.clip = param.offset, param.clip

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        cells, size = _plane(features), self.picture or _plane(picture)
        step = self.step or tuple(s / n for s, n in zip(size, cells, strict=True))
        y, x = ((torch.arange(n, device=features.device, dtype=torch.float64) + self.offset) * s / whole
                for n, s, whole in zip(cells, step, size, strict=True))  # fmt: skip
        centres = torch.stack((x.expand(len(y), -1), y.unsqueeze(1).expand(-1, len(x))), 2).unsqueeze(2)  # (H, W, 1, 2)
        half = self.boxes.to(centres) / 2 / centres.new_tensor((size[1], size[0]))
        top = torch.cat((centres - half, centres + half), 3).view(-1, 4)
        if self.clip:
            top = top.clamp(0, 1)
        tops = [x.to(features.dtype) for x in (top, self.variance.to(top))]
        return torch.stack((tops[0], tops[1].expand_as(top))).view(1, 2, -1)


def _plane(x: Tensor) -> tuple[int, int]:
    """Height and width; missing axes are 1."""
    height, width = (*x.shape, 1, 1, 1, 1)[2:4]
    return height, width


def _sizes(param: PriorBoxParameter) -> list[tuple[float, float]]:
    """Width and height of the boxes of a cell. Sizes count as integers."""
    if not param.min_size:
        raise ConfigError("min_size is missing: give the side of the smallest box, in pixels", field=f"{FIELD}.min_size")
    if param.max_size and len(param.max_size) != len(param.min_size):
        raise ConfigError(
            f"{len(param.max_size)} max_size for {len(param.min_size)} min_size: give none or one for each",
            field=f"{FIELD}.max_size",
        )
    _positive(param, "min_size", "aspect_ratio")
    for least, most in zip(param.min_size, param.max_size, strict=False):
        if most <= least:
            raise ConfigError(f"max_size {most:g} must be greater than min_size {least:g}", field=f"{FIELD}.max_size")
    ratios = _ratios(param)
    boxes = []
    for i, size in enumerate(map(int, param.min_size)):
        boxes.append((float(size), float(size)))
        if param.max_size:
            boxes.append((sqrt(size * int(param.max_size[i])),) * 2)
        boxes += [(size * sqrt(ratio), size / sqrt(ratio)) for ratio in ratios]
    return boxes


def _ratios(param: PriorBoxParameter) -> list[float]:
    """The aspect ratios other than 1, each followed by its inverse if `flip`, none of them twice."""
    ratios = [1.0]
    for ratio in param.aspect_ratio:
        if all(abs(ratio - known) >= EQUAL for known in ratios):
            ratios += [ratio, float(np.float32(1 / ratio))] if param.flip else [ratio]
    return [ratio for ratio in ratios if abs(ratio - 1) >= EQUAL]


def _variance(param: PriorBoxParameter) -> list[float]:
    if len(param.variance) not in (0, 1, 4):
        raise ConfigError(
            f"variance is given {len(param.variance)} times: give one for all, or four", field=f"{FIELD}.variance"
        )
    _positive(param, "variance")
    given = list(param.variance) or [0.1]
    return given if len(given) == 4 else given * 4


def _pair(param: PriorBoxParameter, name: str, both: str) -> tuple[float, float] | None:
    """Height and width by `name`_h and `name`_w or by the field for both; None if none is given."""
    single = [f"{name}_h", f"{name}_w"]
    given = [field for field in (both, *single) if param.HasField(field)]
    if not given:
        return None
    if both in given and len(given) > 1:
        raise ConfigError(f"{both} and {given[1]} are both given: give {both}, or {single[0]} and {single[1]}",
                          field=f"{FIELD}.{given[1]}")  # fmt: skip
    if given == [both]:
        single = [both, both]
    for field in single:
        if not getattr(param, field) > 0:
            raise ConfigError(
                f"{field} must be given and be positive, not {getattr(param, field):g}", field=f"{FIELD}.{given[0]}"
            )
    return getattr(param, single[0]), getattr(param, single[1])


def _positive(param: PriorBoxParameter, *fields: str) -> None:
    for field in fields:
        for value in getattr(param, field):
            if not value > 0:
                raise ConfigError(f"{field} must be positive, not {value:g}", field=f"{FIELD}.{field}")
