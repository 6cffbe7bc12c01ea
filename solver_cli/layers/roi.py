"""Pooling of regions of interest: rows picture, x1, y1, x2, y2 in pixels of the net's input, the ends included.

All regions at once: what a cell covers is looked up in tables that are built once for a feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, cast

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import PSROIPoolingParameter, ROIPoolingParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers.common import Shape, shape_of
from solver_cli.registry import layer

Size = tuple[int, int]
Cells = tuple[Tensor, Tensor]  # begin and end (left out) of each of R x n cells along one axis, within the map
TABLE = 1 << 27  # bytes that the tables of one piece of the channels may take


def pictures_of(rois: Tensor, x: Tensor) -> Tensor:
    """The picture of each roi; on the CPU DataError for one that is not in x (a GPU would have to be waited for)."""
    index = rois[:, 0].long()
    if index.device.type == "cpu" and not torch.compiler.is_compiling():
        wrong = (index < 0) | (index >= x.shape[0])
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise DataError(f"roi {row} lies in picture {index[row].item()}, but bottom 0 holds {x.shape[0]} pictures")
    return index.clamp(0, x.shape[0] - 1)


def checked_rois(x: Tensor, rois: Tensor) -> Tensor:
    """The rois as (R, 5), without a gradient."""
    if x.dim() != 4:
        raise ConfigError(f"bottom 0 must have 4 axes (N, C, H, W), not the shape {shape_of(x)}", field="bottom[0]")
    if rois.dim() == 0 or prod(rois.shape[1:]) != 5:
        raise ConfigError(
            f"bottom 1 must hold rois (R, 5) of picture, x1, y1, x2, y2, not the shape {shape_of(rois)}", field="bottom[1]"
        )
    return rois.detach().reshape(-1, 5)


def rounded(x: Tensor) -> Tensor:
    """To the nearest whole number, halves away from 0, as C's round does."""
    whole = x.trunc()
    return whole + ((x - whole) * 2).trunc()


def _within(begin: Tensor, end: Tensor, size: int) -> Cells:
    """Cells cut to the map, as indices."""
    return begin.long().clamp(0, size), end.long().clamp(0, size)


@layer("ROIPooling", origin="R-CNN", bottoms=2)
class ROIPooling(nn.Module):
    """top = the greatest value of each of pooled_h x pooled_w cells of each roi, 0 of none: (R, C, pooled_h, pooled_w)

    Corners are scaled, then rounded; cells overlap where a roi has fewer places than cells. Bottoms (N, C, H, W), (R, 5).
    """

    def __init__(self, param: ROIPoolingParameter, shapes: Sequence[Shape]):
        super().__init__()
        self.size = pooled_size(param)
        self.scale, self.pad = param.spatial_scale, param.pad_ratio

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        rois = checked_rois(x, rois)
        x1, y1, x2, y2 = rois[:, 1:].unbind(1)
        pad_x, pad_y = (x2 - x1 + 1) * self.pad, (y2 - y1 + 1) * self.pad
        rows = self._cells(y1 - pad_y, y2 + pad_y, self.size[0], x.shape[2])
        columns = self._cells(x1 - pad_x, x2 + pad_x, self.size[1], x.shape[3])
        return cast(Tensor, _MaxOfCells.apply(x, pictures_of(rois, x), rows, columns))  # type: ignore[no-untyped-call]

    def _cells(self, first: Tensor, last: Tensor, n: int, size: int) -> Cells:
        start, end = rounded(first * self.scale), rounded(last * self.scale)
        step = ((end - start + 1).clamp(min=1) / n)[:, None]
        cell = torch.arange(n, device=start.device, dtype=start.dtype)
        return _within((cell * step).floor() + start[:, None], ((cell + 1) * step).ceil() + start[:, None], size)


def pooled_size(param: ROIPoolingParameter) -> Size:
    """pooled_h x pooled_w, or Intel's pooled_size."""
    if len(param.pooled_size) > 2:
        raise ConfigError(
            f"{len(param.pooled_size)} pooled_size: give one, or two for height and width",
            field="roi_pooling_param.pooled_size",
        )
    size = (param.pooled_size[0], param.pooled_size[-1]) if param.pooled_size else (param.pooled_h, param.pooled_w)
    for name, n in zip(("pooled_h", "pooled_w"), size, strict=True):
        if n == 0:
            field = "pooled_size" if param.pooled_size else name
            raise ConfigError(f"{field} must be given and positive", field=f"roi_pooling_param.{field}")
    return size


class _MaxOfCells(torch.autograd.Function):
    """The greatest value of each cell, of equal ones the first row by row; the gradient goes there.

    Places are ranked in each plane, so that the least rank of a cell is its winner, whatever the type of number. The least
    rank of any cell is that of four blocks, which may overlap, with sides that are powers of two: these stand in tables.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, pictures: Tensor, rows: Cells, columns: Cells) -> Tensor:
        height, width = x.shape[2:]
        ordered, order = x.flatten(2).sort(stable=True, dim=2, descending=True)
        ranks = torch.empty_like(order, dtype=torch.int16 if height * width < 1 << 15 else torch.int32)
        places = torch.arange(height * width, device=x.device, dtype=ranks.dtype)
        ranks.scatter_(2, order, places.expand_as(ranks))
        ranks = ranks.reshape(x.shape).permute(0, 2, 3, 1)
        empty = ((rows[1] <= rows[0])[:, :, None] | (columns[1] <= columns[0])[:, None, :]).reshape(-1, 1)
        found = _least(ranks, pictures, rows, columns).masked_fill_(empty, 0)
        top = _taken(ordered, pictures, found).masked_fill_(empty, 0)
        ctx.save_for_backward(order, pictures, found, empty)
        ctx.shape = x.shape
        return _as_blob(top, rows, columns)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        order, pictures, found, empty = ctx.saved_tensors
        images, channels, places = order.shape
        grad = grad.permute(0, 2, 3, 1).reshape(-1, channels).masked_fill(empty, 0)
        index = _in_planes(pictures, found, places)
        by_rank = grad.new_zeros(images * places, channels).scatter_add_(0, index, grad)
        by_rank = by_rank.reshape(images, places, channels).transpose(1, 2)
        return torch.empty_like(by_rank).scatter_(2, order, by_rank).reshape(ctx.shape), None, None, None


def _taken(ordered: Tensor, pictures: Tensor, ranks: Tensor) -> Tensor:
    """The values of these ranks (cells, C) in planes (N, C, places) that are in order."""
    images, channels, places = ordered.shape
    table = ordered.transpose(1, 2).reshape(images * places, channels)
    return table.gather(0, _in_planes(pictures, ranks, places))


def _in_planes(pictures: Tensor, ranks: Tensor, places: int) -> Tensor:
    """Rows of a table (N places, C), of places in pictures of which each has as many cells."""
    if not len(ranks):
        return ranks.long()
    return ranks + (pictures * places).repeat_interleave(len(ranks) // len(pictures))[:, None]


def _as_blob(top: Tensor, rows: Cells, columns: Cells) -> Tensor:
    """(R, C, rows, columns) of (R rows columns, C)."""
    r, h, w = len(rows[0]), rows[0].shape[1], columns[0].shape[1]
    return top.reshape(r, h, w, top.shape[1]).permute(0, 3, 1, 2).contiguous()


def _least(ranks: Tensor, pictures: Tensor, rows: Cells, columns: Cells) -> Tensor:
    """The least rank in each cell (R rows columns, C) of ranks (N, H, W, C)."""
    levels = _levels(rows, ranks.shape[1]), _levels(columns, ranks.shape[2])
    blocks = [_block(*cells, n) for cells, n in zip((rows, columns), levels, strict=True)]
    corners = [_corner(ranks.shape, levels[1], pictures, blocks, i, j) for i in (0, 1) for j in (0, 1)]
    at_once = max(1, TABLE // (levels[0] * levels[1] * ranks[..., 0].numel() * ranks.element_size()))
    pieces = []
    for piece in torch.split(ranks, at_once, 3):
        table = _table(piece, *levels)
        first, *rest = (table.index_select(0, corner) for corner in corners)
        for other in rest:
            torch.minimum(first, other, out=first)
        pieces.append(first)
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)


def _levels(cells: Cells, size: int) -> int:
    """How many powers of two, from 1 on, fit into the longest cell; into the map where nobody may wait for the device."""
    longest = size
    if cells[0].device.type == "cpu" and not torch.compiler.is_compiling():
        longest = int((cells[1] - cells[0]).max()) if cells[0].numel() else 1
    return max(1, longest).bit_length()


def _block(begin: Tensor, end: Tensor, levels: int) -> tuple[Tensor, Tensor, Tensor]:
    """The level of the greatest power of two in each cell, and where blocks of it begin so that two cover the cell."""
    length = (end - begin).clamp(min=1)
    powers = 2 ** torch.arange(1, levels, device=begin.device)
    level = (length[..., None] >= powers).sum(-1)
    return level, begin, torch.maximum(end - 2**level, begin)


def _corner(
    shape: Sequence[int], levels: int, pictures: Tensor, blocks: Sequence[Sequence[Tensor]], i: int, j: int
) -> Tensor:
    """Rows of the table: block i along the height and j along the width of each cell."""
    images, height, width, _ = shape
    rows, columns = blocks
    level = rows[0][:, :, None] * levels + columns[0][:, None, :]
    row, column = (axis[1 + k].clamp(max=n - 1) for axis, k, n in ((rows, i, height), (columns, j, width)))
    at = (level * images + pictures[:, None, None]) * height + row[:, :, None]
    return (at * width + column[:, None, :]).flatten()


def _table(ranks: Tensor, vertical: int, horizontal: int) -> Tensor:
    """The least rank of the block of 2^i x 2^j places from each place on, by i and j; nothing where it leaves the map."""
    table = ranks.new_empty(vertical, horizontal, *ranks.shape)
    table[0, 0] = ranks
    for j in range(1, horizontal):
        _halves(table[0, j - 1], table[0, j], 2, 2 ** (j - 1))
    for i in range(1, vertical):
        _halves(table[i - 1], table[i], 2, 2 ** (i - 1))
    return table.view(-1, ranks.shape[-1])


def _halves(half: Tensor, whole: Tensor, axis: int, step: int) -> None:
    """whole = the lesser of half here and half `step` further along the axis."""
    size = half.shape[axis]
    whole.copy_(half)
    if step < size:
        torch.minimum(
            half.narrow(axis, 0, size - step), half.narrow(axis, step, size - step), out=whole.narrow(axis, 0, size - step)
        )


@layer("PSROIPooling", origin="R-FCN", param="psroi_pooling_param", bottoms=2)
class PSROIPooling(nn.Module):
    """top = the mean of each of group_size^2 cells of each roi, each cell from channels of its own: (R, output_dim, g, g)

    Bottoms (N, output_dim g^2, H, W), (R, 5). Corners are rounded, then scaled; the end is that of the last pixel. An empty
    cell gives 0. Means come from sums over the map in float64, so that they are as exact as sums over the cell.
    """

    def __init__(self, param: PSROIPoolingParameter, shapes: Sequence[Shape]):
        super().__init__()
        self.scale, self.outputs, self.group = param.spatial_scale, param.output_dim, param.group_size
        for field in ("output_dim", "group_size"):
            if getattr(param, field) <= 0:
                raise ConfigError(f"{field} must be positive", field=f"psroi_pooling_param.{field}")

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        rois = checked_rois(x, rois)
        channels = self.outputs * self.group**2
        if x.shape[1] != channels:
            raise ConfigError(
                f"bottom 0 of shape {shape_of(x)} must have {channels} channels: output_dim {self.outputs} x group_size "
                f"{self.group} x {self.group}",
                field="bottom[0]",
            )
        x1, y1, x2, y2 = rounded(rois[:, 1:]).unbind(1)
        rows = self._cells(y1, y2, x.shape[2])
        columns = self._cells(x1, x2, x.shape[3])
        pictures = pictures_of(rois, x)
        (top, bottom), (left, right) = ((c[0].clamp(max=c[1]), c[1]) for c in (rows, columns))
        sums = nn.functional.pad(x.double().cumsum(2).cumsum(3), (1, 0, 1, 0))
        total = self._at(sums, pictures, bottom, right) - self._at(sums, pictures, top, right)
        total = total - self._at(sums, pictures, bottom, left) + self._at(sums, pictures, top, left)
        area = ((bottom - top)[:, :, None] * (right - left)[:, None, :])[:, None]
        return (total / area.clamp(min=1)).to(x.dtype)

    def _cells(self, first: Tensor, last: Tensor, size: int) -> Cells:
        start, end = (first * self.scale)[:, None], ((last + 1) * self.scale)[:, None]
        step = (end - start).clamp(min=0.1) / self.group
        cell = torch.arange(self.group, device=start.device, dtype=start.dtype)
        return _within((cell * step + start).floor(), ((cell + 1) * step + start).ceil(), size)

    def _at(self, sums: Tensor, pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The sums (R, output_dim, g, g) up to these rows and columns (R, g), each cell in its own channel."""
        outputs, cells = (torch.arange(n, device=sums.device) for n in (self.outputs, self.group))
        channel = (outputs[:, None, None] * self.group + cells[:, None]) * self.group + cells
        return sums[pictures[:, None, None, None], channel, rows[:, None, :, None], columns[:, None, None, :]]
