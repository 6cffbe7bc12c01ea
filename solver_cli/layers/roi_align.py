"""ROIAlign as ports of Detectron define it: means of values between places, without rounding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import LayerParameter, ROIAlignParameter, ROIPoolingParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape
from solver_cli.layers.roi import checked_rois, pictures_of, pooled_size
from solver_cli.registry import Shapes, layer

PIECE = 1 << 26  # values of rois, summed up along the height, that are held at once


def _counts_samples(param: LayerParameter, bottoms: Shapes) -> bool:
    """Whether the rois say how many samples there are."""
    return _samples(param.roi_align_param) <= 0


def _samples(param: ROIAlignParameter) -> int:
    return param.sample_ratio if param.HasField("sample_ratio") else param.sampling_ratio


@layer("ROIAlign", origin="py-RFCN-priv", param="roi_align_param", bottoms=2, waits=_counts_samples)
class ROIAlign(nn.Module):
    """top = the mean of bilinear samples in each of pooled_h x pooled_w cells of each roi: (R, C, pooled_h, pooled_w)

    Bottoms (N, C, H, W), (R, 5): corners times spatial_scale, a side at least 1. A cell has sampling_ratio^2 samples, evenly
    spread, or (by default) as many along a side as it has places, rounded up. A sample further than 1 outside counts 0.
    A sample's weights are a product of one for the row and one for the column, so that all is two products of matrices.
    """

    def __init__(self, param: ROIAlignParameter, shapes: Sequence[Shape]):
        super().__init__()
        for field in ("pooled_h", "pooled_w"):
            if getattr(param, field) == 0:
                raise ConfigError(f"{field} must be given and positive", field=f"roi_align_param.{field}")
        if param.HasField("sampling_ratio") and param.HasField("sample_ratio"):
            raise ConfigError("sampling_ratio means the same: give one of them", field="roi_align_param.sample_ratio")
        self.size, self.scale = (param.pooled_h, param.pooled_w), param.spatial_scale
        self.samples = _samples(param)

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        rois = checked_rois(x, rois)
        x1, y1, x2, y2 = (rois[:, 1:] * self.scale).to(x.dtype).unbind(1)
        rows = self._weights(y1, y2, self.size[0], x.shape[2])  # (R, pooled_h, H)
        return self._summed(x, rois, rows, self._weights(x1, x2, self.size[1], x.shape[3]))

    def _summed(self, x: Tensor, rois: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The values of each roi's picture, by weights (R, pooled_h, H) and (R, pooled_w, W)."""
        n, c, h, w = x.shape
        of_picture = pictures_of(rois, x)[:, None] == torch.arange(n, device=x.device)
        rows = (rows[:, :, None] * of_picture[:, None, :, None]).flatten(2)  # (R, pooled_h, N H)
        lines = x.permute(0, 2, 1, 3).reshape(n * h, c * w)
        step = max(1, PIECE // max(1, self.size[0] * c * w))
        pieces = zip(torch.split(rows, step), torch.split(columns, step), strict=True)
        return torch.cat([_pooled(lines, *piece, c) for piece in pieces])

    def _weights(self, start: Tensor, end: Tensor, n: int, size: int) -> Tensor:
        """What each place along an axis counts for in each of n cells of R rois: (R, n, size)."""
        cell = (end - start).clamp(min=1) / n
        count = torch.full_like(cell, self.samples) if self.samples > 0 else cell.ceil()
        most = self.samples if self.samples > 0 else 1 if cell.is_meta or not len(cell) else int(count.max())
        sample = torch.arange(most, device=cell.device)
        corner = start[:, None] + torch.arange(n, device=cell.device) * cell[:, None]
        at = corner[..., None] + (sample + 0.5) * (cell / count)[:, None, None]  # (R, n, samples)
        counts = (sample < count[:, None, None]) & (at >= -1) & (at <= size)
        near = (at.clamp(0, size - 1)[..., None] - torch.arange(size, device=cell.device)).abs_()
        return ((1 - near).relu_() * counts[..., None]).sum(2) / count[:, None, None]


@layer("ROIAlign/mscnn", origin="MS-CNN", param="roi_pooling_param", bottoms=2)
class GridOfRoi(ROIAlign):
    """top = bilinear samples at the corners of pooled_h x pooled_w cells of each roi: (R, C, pooled_h + 1, pooled_w + 1)

    Corners, pad_ratio of the sides further out, times spatial_scale and half a place back. A sample further than half a
    place outside counts 0, and so do all of a roi without height or width.
    """

    def __init__(self, param: ROIPoolingParameter, shapes: Sequence[Shape]):
        nn.Module.__init__(self)
        self.size, self.scale, self.pad = pooled_size(param), param.spatial_scale, param.pad_ratio

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        rois = checked_rois(x, rois)
        pad = (rois[:, 3:] - rois[:, 1:3] + 1) * self.pad
        low, high = ((at * self.scale - 0.5).to(x.dtype) for at in (rois[:, 1:3] - pad, rois[:, 3:] + pad))
        good = (high > low).all(1)[:, None, None]
        rows = self._grid(low[:, 1], high[:, 1], self.size[0], x.shape[2]) * good
        return self._summed(x, rois, rows, self._grid(low[:, 0], high[:, 0], self.size[1], x.shape[3]))

    def _grid(self, start: Tensor, end: Tensor, n: int, size: int) -> Tensor:
        """What each place along an axis counts for at the ends of n cells of R rois: (R, n + 1, size)."""
        at = start[:, None] + torch.arange(n + 1, device=start.device) * ((end - start) / n)[:, None]
        near = (at.clamp(0, size - 1)[..., None] - torch.arange(size, device=at.device)).abs()
        return (1 - near).relu() * ((at >= -0.5) & (at <= size - 0.5))[..., None]


def _pooled(lines: Tensor, rows: Tensor, columns: Tensor, channels: int) -> Tensor:
    """(R, C, pooled_h, pooled_w) of the map's lines (N H, C W)."""
    r, n, _ = rows.shape
    summed = (rows.flatten(0, 1) @ lines).reshape(r, n * channels, -1)
    return (summed @ columns.transpose(1, 2)).reshape(r, n, channels, -1).transpose(1, 2)
