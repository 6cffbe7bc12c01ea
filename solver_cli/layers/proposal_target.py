"""MS-CNN's ProposalTarget: which rois are learned from, and what."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import BBoxRegParameter, ProposalTargetParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers.common import Shape
from solver_cli.layers.fields import COORDS, overlap, spread
from solver_cli.registry import layer

FEWEST = 32  # pixels of a side of a roi that is made up


@layer("ProposalTarget", origin="MS-CNN", bottoms=2, tops=(6, 7), dynamic=True, once=True, no_gradient=(0, 1), spared=(0, 1))
class ProposalTarget(nn.Module):
    """tops = rois (R, 5), labels, targets, inside and outside weights (R, 4 classes, or 8 unless cls_aware), matches (R, 6)

    Of the rois (bottom 0) and the objects (bottom 1: picture, corners, class, ignored) at most fg_fraction of batch_size
    with an overlap of fg_thr, the rest from bg_thr_lw to bg_thr_hg, drawn where there are more; others, then made-up ones
    fill up (batch_size -1: all that fit). Targets are centre and log size from the roi; a match is class, corners and
    overlap, 0 without an object. top 6: weights of the classes, by which objects count fg_fraction together.
    """

    generator: torch.Generator | None = None  # what it draws rois from

    def __init__(
        self, param: ProposalTargetParameter, shapes: Sequence[Shape], *, bbox_reg_param: BBoxRegParameter, num_tops: int
    ):
        super().__init__()
        if shapes[0][1:2] != (5,) or shapes[1][1:2] != (7,):
            raise ConfigError(
                f"bottoms of shape {tuple(shapes[0])} and {tuple(shapes[1])} must be (R, 5) and (G, 7)", field="bottom"
            )
        if param.batch_size < 1 and param.batch_size != -1:
            raise _wrong(f"batch_size must be positive, or -1 for all, not {param.batch_size}", "batch_size")
        if param.fg_thr < param.bg_thr_hg:
            raise _wrong(f"fg_thr {param.fg_thr:g} must be bg_thr_hg {param.bg_thr_hg:g} or more", "fg_thr")
        if min(param.img_width, param.img_height) <= FEWEST:
            raise _wrong(f"img_width and img_height must be more than {FEWEST}", "img_width")
        self.means, self.stds = spread(bbox_reg_param)
        self.width, self.each = COORDS * (param.cls_num if bbox_reg_param.cls_aware else 2), bbox_reg_param.cls_aware
        self.size, self.share, self.pictures = param.batch_size, param.fg_fraction, param.num_img_per_batch
        self.fore, self.least, self.most = param.fg_thr, param.bg_thr_lw, param.bg_thr_hg
        self.plane, self.by_overlap = (param.img_width, param.img_height), param.iou_weighted
        self.classes, self.num_tops = param.cls_num, num_tops

    def forward(self, rois: Tensor, objects: Tensor) -> tuple[Tensor, ...]:
        if rois.is_meta:
            count = max(1, rois.shape[0]) if self.size == -1 else self.size
            sizes = (5, 1, self.width, self.width, self.width, 6, 1)[: self.num_tops]
            return tuple(rois.new_empty(count, size, 1, 1) for size in sizes)
        like, rois, objects = rois, *(x.detach().flatten(1).cpu() for x in (rois, objects))
        boxes = torch.cat((_sides(rois), _sides(objects)))
        picture = torch.cat((rois[:, 0], objects[:, 0]))
        self._check(picture, objects)
        best, match = self._overlaps(boxes, picture, objects)
        boxes, picture, kept, positive = self._chosen(boxes, picture, best, match, objects)
        objects, best = objects[match[kept[:positive]]], best[kept[:positive]]
        tops = self._tops(boxes[kept], picture[kept], objects, best)
        return tuple(top[:, :, None, None].to(like.device) for top in tops[: self.num_tops])

    def _check(self, picture: Tensor, objects: Tensor) -> None:
        if picture.max() >= self.pictures:
            raise DataError(
                f"picture {int(picture.max())}: num_img_per_batch says that there are {self.pictures}", field="bottom"
            )
        label = objects[:, 5]
        if self.each and label.max() >= self.classes:
            raise DataError(f"class {int(label.max())} of an object: there are {self.classes}", field="bottom[1]")

    def _overlaps(self, boxes: Tensor, picture: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
        """The largest overlap of each box with an object of its picture, 0 without one, and the object's number, or -1."""
        sides = _sides(objects)
        found = overlap([x[:, None] for x in boxes.unbind(1)], [x[None] for x in sides.unbind(1)])
        found = found.where(picture[:, None] == objects[None, :, 0], -1.0)
        best, match = found.max(1)
        return best.clamp(min=0), match.where(best >= 0, -1)

    def _chosen(
        self, boxes: Tensor, picture: Tensor, best: Tensor, match: Tensor, objects: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        """Boxes and pictures, made-up ones behind; the numbers of those that are learned from, and how many are objects."""
        ignored = (match >= 0) & (objects[match.clamp(min=0), 6] != 0)
        is_fore = best >= self.fore
        fore = (is_fore & ~ignored).nonzero().flatten()
        is_back = ~is_fore & (best >= self.least) & (best < self.most)
        back, rest = is_back.nonzero().flatten(), (~is_fore & ~is_back).nonzero().flatten()
        size = len(fore) + len(back) if self.size == -1 else self.size
        fore = self._some(fore, len(fore) if self.size == -1 else math.floor(self.share * size + 0.5))
        missing = size - len(fore)
        back = self._some(back, missing) if len(back) > missing else torch.cat((back, rest[: missing - len(back)]))
        kept = torch.cat((fore, back))
        if (count := size - len(kept)) > 0:
            made, theirs = self._made_up(count, objects)
            kept = torch.cat((kept, torch.arange(len(boxes), len(boxes) + count)))
            boxes, picture = torch.cat((boxes, made)), torch.cat((picture, theirs))
        return boxes, picture, kept, len(fore)

    def _some(self, numbers: Tensor, count: int) -> Tensor:
        """At most `count` of the numbers, drawn."""
        if len(numbers) <= count:
            return numbers
        return numbers[torch.randperm(len(numbers), generator=self.generator, device=self._device()).cpu()[:count]]

    def _device(self) -> torch.device | None:
        return None if self.generator is None else self.generator.device

    def _made_up(self, count: int, objects: Tensor) -> tuple[Tensor, Tensor]:
        """So many boxes (x, y, width, height) anywhere that match no object, and their pictures."""
        boxes, pictures = torch.empty(0, COORDS), torch.empty(0)
        while len(boxes) < count:
            u = torch.rand(count, 5, generator=self.generator, device=self._device()).cpu()
            limit = torch.tensor(self.plane, dtype=torch.float32)
            at = (u[:, 1:3] * (limit - FEWEST)).floor()
            side = (u[:, 3:] * (limit - at)).floor().clamp(min=FEWEST)
            drawn, picture = torch.cat((at, side), 1), (u[:, 0] * self.pictures).floor()
            free = self._overlaps(drawn, picture, objects)[0] < self.fore
            boxes, pictures = torch.cat((boxes, drawn[free])), torch.cat((pictures, picture[free]))
        return boxes[:count], pictures[:count]

    def _tops(self, boxes: Tensor, picture: Tensor, theirs: Tensor, best: Tensor) -> tuple[Tensor, ...]:
        """All seven, of which the first rois match the objects `theirs` by the overlaps `best`."""
        count, positive = len(boxes), len(theirs)
        rois = torch.cat((picture[:, None], boxes[:, :2], boxes[:, :2] + boxes[:, 2:] - 1), 1)
        labels, targets, weights, matches = (boxes.new_zeros(count, n) for n in (1, self.width, self.width, 6))
        labels[:positive, 0] = theirs[:, 5].trunc()
        sides, own = _sides(theirs), boxes[:positive]
        centre, mine = (b[:, :2] + b[:, 2:] / 2 for b in (sides, own))
        target = torch.cat(((centre - mine) / own[:, 2:], (sides[:, 2:] / own[:, 2:]).log()), 1)
        target = (target - boxes.new_tensor(self.means)) / boxes.new_tensor(self.stds)
        kind = labels[:positive, 0].long() if self.each else torch.ones(positive, dtype=torch.long)
        at = kind[:, None] * COORDS + torch.arange(COORDS)
        targets[:positive].scatter_(1, at, target)
        weights[:positive].scatter_(1, at, 1.0)
        matches[:positive] = torch.cat((labels[:positive], theirs[:, 1:5], best[:, None]), 1)
        return rois, labels, targets, weights, weights.clone(), matches, self._of_classes(count, best)

    def _of_classes(self, count: int, best: Tensor) -> Tensor:
        """What each label counts for, (R, 1): the objects, which come first, fg_fraction together, if there are any."""
        weights, positive = best.new_ones(count, 1), len(best)
        if self.by_overlap:
            weights[:positive, 0] = best
        if positive:
            up, down = weights[:positive].sum(), weights[positive:].sum()
            weights[:positive] *= self.share * count / up
            weights[positive:] *= (1 - self.share) * count / down
        return weights


def _sides(rows: Tensor) -> Tensor:
    """x, y, width and height, (R, 4), of rows of picture, x1, y1, x2, y2 in whole pixels."""
    return torch.cat((rows[:, 1:3], rows[:, 3:5] - rows[:, 1:3] + 1), 1)


def _wrong(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"proposal_target_param.{field}")
