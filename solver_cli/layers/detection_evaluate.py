"""DetectionEvaluate: which detections are right."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import DetectionEvaluateParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers import boxes
from solver_cli.layers.common import Shape
from solver_cli.layers.detection_files import picture_sizes, to_pixels
from solver_cli.registry import layer

FIELD = "detection_evaluate_param"


@layer("DetectionEvaluate", origin="SSD", bottoms=2, dynamic=True, once=True, no_gradient=(0, 1))
class DetectionEvaluate(nn.Module):
    """top (1, 1, classes + n, 5) = for each class -1, class, objects, -1, -1; then picture, class, score, hit, miss

    Bottoms: detections (1, 1, D, 7) as DetectionOutput gives them, objects (1, 1, G, 8) as for MultiBoxLoss. A detection
    counts for the object that it overlaps most; the first one there is a hit. With `name_size_file` boxes are compared in
    pixels, and `at` is the next picture's line of that file.
    """

    def __init__(self, param: DetectionEvaluateParameter, shapes: list[Shape]):
        super().__init__()
        if not param.num_classes:
            raise ConfigError("num_classes must be given, the background included", field=f"{FIELD}.num_classes")
        if not param.overlap_threshold > 0:
            raise ConfigError(
                f"overlap_threshold must be positive, not {param.overlap_threshold:g}", field=f"{FIELD}.overlap_threshold"
            )
        for i, width in enumerate((7, 8)):
            if len(shapes[i]) != 4 or (*shapes[i][:2], shapes[i][3]) != (1, 1, width):
                raise ConfigError(f"bottom {i} must be (1, 1, n, {width}), not of shape {shapes[i]}", field=f"bottom[{i}]")
        self.background, self.threshold = param.background_label_id, param.overlap_threshold
        self.classes = [c for c in range(param.num_classes) if c != self.background]
        self.difficult = param.evaluate_difficult_gt
        self.sizes = picture_sizes(param.name_size_file, f"{FIELD}.name_size_file") if param.name_size_file else []
        self.resize = param.resize_param if param.HasField("resize_param") else None
        self.at = 0

    @property
    def state(self) -> tuple[Tensor, ...] | None:
        """Which picture comes next, for a resumed run."""
        return (torch.tensor(self.at),) if self.sizes else None

    @state.setter
    def state(self, state: tuple[Tensor, ...]) -> None:
        self.at = int(state[0])

    def reset(self) -> None:
        """Begin with the first picture again."""
        self.at = 0

    def forward(self, detections: Tensor, truth: Tensor) -> Tensor:
        found, objects = detections.detach().reshape(-1, 7), truth.detach().reshape(-1, 8)
        if found.is_meta:
            return found.new_empty(1, 1, len(self.classes) + len(found), 5)
        objects = objects[(objects[:, 0].long() != -1).long().cumprod(0) > 0]  # the first row of picture -1 ends them
        found = found[found[:, 0].long() != -1]
        for what, rows in (("detections", found), ("objects", objects)):
            if (rows[:, 1].long() == self.background).any():
                raise DataError(f"there are {what} of the background's label {self.background}")
        found, objects = self._scaled(found, objects)
        found = found[found[:, 1].long() != -1]
        group = _key(objects)
        counted = objects[:, 7] == 0 if not self.difficult else torch.ones_like(group, dtype=torch.bool)
        here = torch.isin(_key(found), group)
        order = found[:, 2].where(here, 0).sort(dim=0, descending=True, stable=True).indices  # unsorted where nothing is
        order = order[_key(found)[order].sort(dim=0, stable=True).indices]
        found = found[order]
        hit, miss = self._judged(found, objects, group, counted)
        rows = torch.stack((found[:, 0].trunc(), found[:, 1].trunc(), found[:, 2], hit.to(found), miss.to(found)), 1)
        labels = objects[counted, 1].long()
        heads = [[-1.0, c, float((labels == c).sum()), -1.0, -1.0] for c in self.classes]
        return torch.cat((found.new_tensor(heads).view(-1, 5), rows)).view(1, 1, -1, 5)

    def _judged(self, found: Tensor, objects: Tensor, group: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each detection, the best of a group first, is a hit or a miss; neither on a difficult object left out."""
        if not len(objects):
            none = torch.zeros(len(found), dtype=torch.bool, device=found.device)
            return none, ~none
        overlap = boxes.overlap(found[:, 3:7].unsqueeze(1), objects[:, 3:7], 1.0 if self.sizes else 0.0)
        most, which = overlap.masked_fill(_key(found).unsqueeze(1) != group, -1).max(1)
        meets = most >= self.threshold
        aims = meets & counted[which]
        ranks = torch.arange(len(found), device=found.device)
        first = ranks.new_full((len(objects),), len(found))
        first.scatter_reduce_(0, which[aims], ranks[aims], "amin")
        hit = aims & (first[which] == ranks)
        return hit, ~hit & (aims | ~meets)

    def _scaled(self, found: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
        """Both in pixels, if there are sizes: each picture that has detections, by its number, takes the next line."""
        if not self.sizes:
            return found, objects
        found, objects = found.clone(), objects.clone()
        for picture in sorted(set(found[:, 0].long().tolist())):
            _, height, width = self.sizes[self.at]
            for rows in (found, objects):
                of = rows[:, 0].long() == picture
                rows[of, 3:7] = to_pixels(rows[of, 3:7], height, width, self.resize)
            self.at = (self.at + 1) % len(self.sizes)
        return found, objects


def _key(rows: Tensor) -> Tensor:
    """One number for picture and label, in their order."""
    return rows[:, 0].long() * 2**31 + rows[:, 1].long()
