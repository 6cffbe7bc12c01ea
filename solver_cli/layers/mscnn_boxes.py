"""MS-CNN: boxes that are found in maps, moved, matched with objects, and measured."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import BBoxRegParameter, BoxOutputParameter, DecodeBBoxParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers.common import Shape
from solver_cli.layers.fields import COORDS, Field, decoded, overlap, spread
from solver_cli.layers.mscnn import mean_of
from solver_cli.layers.suppression import standing
from solver_cli.registry import layer


@layer(
    "BboxAccuracy", origin="MS-CNN", param="bbox_reg_param", bottoms=3, tops=(1, 2), no_gradient=(0, 1, 2), spared=(0, 1, 2)
)
class BboxAccuracy(nn.Module):
    """top 0 = mean overlap of the boxes that are found from rois with those that they match; top 1 = that of the rois

    Bottoms: boxes (R, 4 classes), or (R, 8) unless cls_aware; rois (R, 5); matches (R, 6): label, box, overlap, of which
    those with an overlap above 0.975 do not count. -1 where nothing counts.
    """

    def __init__(self, param: BBoxRegParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__()
        self.means, self.stds = spread(param)
        self.each, self.num_tops = param.cls_aware, num_tops

    def forward(self, boxes: Tensor, rois: Tensor, matches: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        boxes, rois, matches = (x.detach().flatten(1) for x in (boxes, rois, matches))
        label = matches[:, 0].long()
        counts = (label > 0) & (matches[:, -1] <= 0.975)
        kind = (label if self.each else label.clamp(max=1)).clamp(0, boxes.shape[1] // COORDS - 1)
        own = boxes.reshape(len(boxes), -1, COORDS).gather(1, kind[:, None, None].expand(-1, 1, COORDS)).squeeze(1)
        tx, ty, tw, th = (own[:, i] * self.stds[i] + self.means[i] for i in range(COORDS))
        (x, y), (width, height) = (rois[:, i] for i in (1, 2)), (rois[:, i + 2] - rois[:, i] + 1 for i in (1, 2))
        theirs = (*matches[:, 1:3].unbind(1), *(matches[:, 3:5] - matches[:, 1:3] + 1).unbind(1))
        wide, high = width * tw.exp(), height * th.exp()
        found = tx * width + x + width / 2 - wide / 2, ty * height + y + height / 2 - high / 2, wide, high
        tops = [mean_of(overlap(a, theirs), counts, boxes).reshape(1, 1, 1, 1) for a in (found, (x, y, width, height))]
        return tops[0] if self.num_tops == 1 else (tops[0], tops[1])


@layer("DecodeBBox", origin="MS-CNN", bottoms=(2, 3), dynamic=True, no_gradient=(0, 1, 2), spared=(0, 1, 2))
class DecodeBBox(nn.Module):
    """top (R, 5, 1, 1) = the rois of bottom 1, moved to the boxes of bottom 0 (R, 8), whose last four numbers count

    In training without boxes that end before they begin, and without rois whose match (bottom 2, label, box, overlap) has an
    overlap of gt_iou_thr or more.
    """

    def __init__(self, param: DecodeBBoxParameter, shapes: Sequence[Shape], *, bbox_reg_param: BBoxRegParameter):
        super().__init__()
        if shapes[0][1:2] != (2 * COORDS,) or shapes[1][1:2] != (5,):
            raise ConfigError(
                f"bottoms of shape {tuple(shapes[0])} and {tuple(shapes[1])} must be (R, 8) and (R, 5)", field="bottom"
            )
        self.means, self.stds = spread(bbox_reg_param, each=False)
        self.most = param.gt_iou_thr

    def forward(self, boxes: Tensor, rois: Tensor, *matches: Tensor) -> Tensor:
        if boxes.is_meta:
            return rois.new_empty(rois.shape[0], 5, 1, 1)
        boxes, rois = boxes.detach().flatten(1), rois.detach().flatten(1)
        means, stds = (boxes.new_tensor(values) for values in (self.means, self.stds))
        found = decoded(boxes[:, COORDS:] * stds + means, rois[:, 1:])
        if self.training:
            good = (found[:, 2:] >= found[:, :2]).all(1)
            if matches:
                good &= matches[0].detach().flatten(1)[:, -1] < self.most
            if not good.any():
                raise DataError("none of the boxes is left: all are turned inside out, or match too well", field="bottom[0]")
            found, rois = found[good], rois[good]
        return torch.cat((rois[:, :1], found), 1)[:, :, None, None]


@layer("BoxOutput", origin="MS-CNN", bottoms=(1, None), tops=(1, 2), dynamic=True, waits=True)
class BoxOutput(nn.Module):
    """top 0 (R, 5, 1, 1) = the boxes of all maps that stand: picture, x1, y1, x2, y2; top 1 (R, 6, 1, 1) = with their scores

    A score is the best of the objects' less the background's, fg_thr at least. The max_nms_num best of a picture that are
    min_size wide and high enter the suppression, the max_post_nms_num best stay. No box: one from 1 to 10. No gradient.
    """

    def __init__(
        self, param: BoxOutputParameter, shapes: Sequence[Shape], *, bbox_reg_param: BBoxRegParameter, num_tops: int
    ):
        super().__init__()
        for name in ("field_h", "field_w", "downsample_rate"):
            if len(getattr(param, name)) != len(shapes):
                text = f"{name} is given {len(getattr(param, name))} times for {len(shapes)} maps: give one for each"
                raise ConfigError(text, field=f"box_output_param.{name}")
        if param.nms_type not in ("IOU", "IOMU", "IOFU"):
            text = f"unknown nms_type '{param.nms_type}': expected IOU, IOMU or IOFU"
            raise ConfigError(text, field="box_output_param.nms_type")
        if len({shape[:2] for shape in shapes}) != 1 or any(len(shape) != 4 for shape in shapes):
            raise ConfigError("all maps must be (N, classes + 4, H, W), with as many classes", field="bottom")
        self.fields = [
            Field(w, h, stride, param.field_xyr, param.field_whr)
            for w, h, stride in zip(param.field_w, param.field_h, param.downsample_rate, strict=True)
        ]
        self.means, self.stds = spread(bbox_reg_param, each=False)
        self.least, self.overlap, self.kind, self.smallest = param.fg_thr, param.iou_thr, param.nms_type, param.min_size
        self.before, self.after, self.num_tops = param.max_nms_num or None, param.max_post_nms_num or None, num_tops

    def forward(self, *maps: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if maps[0].is_meta:
            rows = maps[0].new_empty(len(maps[0]), 6, 1, 1)
            return rows[:, :5] if self.num_tops == 1 else (rows[:, :5], rows)
        candidates = [self._boxes(x.detach(), field) for x, field in zip(maps, self.fields, strict=True)]
        found = [self._of_picture(torch.cat([boxes[i] for boxes in candidates], 1), i) for i in range(len(maps[0]))]
        rows = torch.cat(found)
        if not len(rows):
            rois = maps[0].new_tensor([[0, 1, 1, 10, 10]])[:, :, None, None]
            return rois if self.num_tops == 1 else (rois, maps[0].new_zeros(1, 6, 1, 1))
        rows = rows[:, :, None, None]
        return rows[:, :5] if self.num_tops == 1 else (rows[:, :5].clone(), rows)

    def _boxes(self, x: Tensor, field: Field) -> Tensor:
        """x, y, width, height, score of each place, (N, 5, H W)."""
        scores = x[:, 1:-COORDS].amax(1) - x[:, 0]
        left, top, width, height = field.boxes(x[:, -COORDS:], self.means, self.stds)
        left, top = left.clamp(min=0), top.clamp(min=0)
        high, wide = (int(n * field.stride) for n in x.shape[2:])
        return torch.stack((left, top, width.minimum(wide - left), height.minimum(high - top), scores), 1).flatten(2)

    def _of_picture(self, boxes: Tensor, picture: int) -> Tensor:
        """Picture, corners and score of the boxes that stand, best first, (R, 6)."""
        boxes = boxes[:, (boxes[4] >= self.least) & (boxes[2] >= self.smallest) & (boxes[3] >= self.smallest)]
        order = boxes[4].flip(0).sort(stable=True, descending=True).indices  # of equal scores the last one is first
        boxes = boxes[:, boxes.shape[1] - 1 - order][:, : self.before].t()
        falls = lambda a, b: overlap(a.unbind(-1), b.unbind(-1), self.kind) > self.overlap  # noqa: E731
        boxes = boxes[standing(boxes[:, :4], falls)][: self.after]
        corners = torch.cat((boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]), 1)
        return torch.cat((boxes.new_full((len(boxes), 1), picture), corners, boxes[:, 4:]), 1)
