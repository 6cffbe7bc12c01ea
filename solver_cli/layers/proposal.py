"""Proposal: regions of interest from a region proposal network, as the C++ layers after py-faster-rcnn's compute them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import ProposalParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, shape_of
from solver_cli.layers.suppression import standing
from solver_cli.registry import layer


def anchors(base: int, ratios: Sequence[float], scales: Sequence[float]) -> Tensor:
    """Boxes (ratios scales, 4) of x1, y1, x2, y2 around the middle of a base x base square; a ratio is height / width."""
    rows = []
    for ratio in ratios:
        width = math.floor(math.sqrt(base * base / ratio) + 0.5)
        height = math.floor(width * ratio + 0.5)
        for scale in scales:
            half = (width * scale - 1) / 2, (height * scale - 1) / 2
            rows.append([sign * n + (base - 1) / 2 for sign in (-1, 1) for n in half])
    return torch.tensor(rows, dtype=torch.float32, device="cpu")


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Of boxes in whole pixels: the last ones are inside."""
    width, height = (torch.minimum(a[..., i + 2], b[..., i + 2]) - torch.maximum(a[..., i], b[..., i]) + 1 for i in (0, 1))
    shared = width.clamp_(min=0) * height.clamp_(min=0)
    areas = [(box[..., 2:] - box[..., :2] + 1).prod(-1) for box in (a, b)]
    return shared / (areas[0] + areas[1] - shared)


@layer("Proposal", origin="NormFace", bottoms=3, tops=(1, 2), dynamic=True)
class Proposal(nn.Module):
    """top 0 = the post_nms_topn best boxes of each picture (R, 5): picture, x1, y1, x2, y2; top 1 = their scores (R)

    Bottoms: scores (N, 2 A, H, W), of which the second half are those of objects; deltas (N, 4 A, H, W) of centre and log
    size of A anchors, each ratio with each scale, every feat_stride pixels; height, width, scale (or scale_h, scale_w) of
    the pictures, (N, 3), (N, 4) or one row for all. Boxes are cut to the picture; sides below min_size times scale score 0.
    The pre_nms_topn best enter the suppression, where an overlap above nms_thresh falls. There is no gradient.
    """

    anchors: Tensor

    def __init__(self, param: ProposalParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__()
        for field in ("ratio", "scale"):
            if not getattr(param, field) or min(getattr(param, field)) <= 0:
                raise _wrong(f"{field}: give at least one, all positive", field)
        for field in ("feat_stride", "base_size", "pre_nms_topn", "post_nms_topn"):
            if getattr(param, field) == 0:
                raise _wrong(f"{field} must be positive", field)
        self.register_buffer("anchors", anchors(param.base_size, param.ratio, param.scale), persistent=False)
        self.stride, self.smallest = param.feat_stride, param.min_size
        self.before, self.after, self.overlap = param.pre_nms_topn, param.post_nms_topn, param.nms_thresh
        self.num_tops = num_tops

    def forward(self, scores: Tensor, deltas: Tensor, info: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        n, count = scores.shape[0], len(self.anchors)
        for i, (x, channels) in enumerate(((scores, 2 * count), (deltas, 4 * count))):
            if x.dim() != 4 or x.shape[1] != channels or x.shape[2:] != scores.shape[2:] or len(x) != n:
                raise ConfigError(
                    f"bottom {i} of shape {shape_of(x)} must be (N, {channels}, H, W) for {count} anchors",
                    field=f"bottom[{i}]",
                )
        if info.numel() not in (3, 4, 3 * n, 4 * n) or info.dim() == 0:
            raise ConfigError(
                f"bottom 2 of shape {shape_of(info)} must hold height, width and one or two scales of {n} pictures",
                field="bottom[2]",
            )
        if scores.is_meta:
            rois, best = scores.new_empty(n * self.after, 5), scores.new_empty(n * self.after)
            return rois if self.num_tops == 1 else (rois, best)
        rows = info.detach().reshape(-1, info.numel() if info.numel() < 5 else info.numel() // n).expand(n, -1)
        found = [self._of_picture(scores[i].detach(), deltas[i].detach(), rows[i]) for i in range(n)]
        boxes = torch.cat([torch.nn.functional.pad(box, (1, 0), value=i) for i, (box, _) in enumerate(found)])
        return boxes if self.num_tops == 1 else (boxes, torch.cat([best for _, best in found]))

    def _of_picture(self, scores: Tensor, deltas: Tensor, info: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (R, 4) and their scores (R), the best first."""
        height, width = scores.shape[1:]
        count = len(self.anchors)
        limit, smallest = info[:2].flip(0) - 1, info[2:].expand(2).flip(0) * self.smallest
        x, y = (torch.arange(size, device=scores.device) * self.stride for size in (width, height))
        at = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).repeat(1, 1, 2)
        boxes = (at[:, :, None] + self.anchors).reshape(-1, 4)
        moves = deltas.reshape(count, 4, height, width).permute(2, 3, 0, 1).reshape(-1, 4)
        size = boxes[:, 2:] - boxes[:, :2] + 1
        centre, half = boxes[:, :2] + size / 2 + moves[:, :2] * size, moves[:, 2:].exp() * size / 2
        low, high = (corner.clamp(min=0).minimum(limit).clamp(min=0) for corner in (centre - half, centre + half))
        large = (high - low + 1 >= smallest).all(1)
        best, order = (scores[count:].permute(1, 2, 0).flatten() * large).sort(stable=True, descending=True)
        best, boxes = best[: self.before], torch.cat([low, high], 1)[order[: self.before]]
        stands = standing(boxes, lambda a, b: _overlap(a, b) > self.overlap, self.after).nonzero().flatten()[: self.after]
        return boxes[stands], best[stands]


def _wrong(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"proposal_param.{field}")
