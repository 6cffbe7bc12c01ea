"""DetectionOutput: what a detection net finds, from codes and scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import DetectionOutputParameter
from solver_cli.errors import ConfigError
from solver_cli.layers import boxes
from solver_cli.layers.common import Shape
from solver_cli.layers.detection_files import DetectionFiles
from solver_cli.layers.multibox import check_bottoms
from solver_cli.registry import layer


@layer("DetectionOutput", origin="SSD", bottoms=(3, 4), dynamic=True, no_gradient=(0, 1, 2))
class DetectionOutput(nn.Module):
    """top (1, 1, n, 7) = picture, class, score, xmin, ymin, xmax, ymax of what is found, by picture, class, falling score

    Bottoms: codes (N, 4 P) or (N, 4 P classes), probabilities (N, P classes), prior boxes (1, 2, 4 P). Where nothing is
    found in the whole batch: a row for each picture, its number and then -1.
    """

    def __init__(self, param: DetectionOutputParameter, shapes: list[Shape]):
        super().__init__()
        self.classes = param.num_classes
        if self.classes < 1:
            raise ConfigError("num_classes must be given: the number of classes, the background included",
                              field="detection_output_param.num_classes")  # fmt: skip
        if param.visualize:
            raise ConfigError(
                "visualize draws into a window, for which there is none here: take it out (with visualize_threshold and "
                "save_file); the boxes are the layer's top, as configs/ssd/draw_boxes.py draws them",
                field="detection_output_param.visualize",
            )
        nms = param.nms_param
        for field, wrong, what in (
            ("nms_threshold", not nms.nms_threshold >= 0, "0 or more"),
            ("eta", not 0 < nms.eta <= 1, "above 0 and at most 1"),
        ):
            if wrong:
                raise ConfigError(f"{field} must be {what}, not {getattr(nms, field):g}",
                                  field=f"detection_output_param.nms_param.{field}")  # fmt: skip
        check_bottoms(shapes, 1 if param.share_location else self.classes, self.classes)
        self.columns = 1 if param.share_location else self.classes
        self.found = [c for c in range(self.classes) if c != param.background_label_id]
        self.code, self.in_target = param.code_type, param.variance_encoded_in_target
        self.least = param.confidence_threshold if param.HasField("confidence_threshold") else -torch.inf
        self.threshold, self.eta = nms.nms_threshold, nms.eta
        self.top_k = nms.top_k if nms.HasField("top_k") and nms.top_k >= 0 else None
        self.keep_top_k = param.keep_top_k if param.keep_top_k >= 0 else None
        self.files = DetectionFiles.of(param)

    @property
    def state(self) -> tuple[Tensor, ...] | None:
        """How far the files are, for a resumed run."""
        return (torch.tensor(self.files.at), self.files.rows) if self.files is not None else None

    @state.setter
    def state(self, state: tuple[Tensor, ...]) -> None:
        if self.files is not None:
            self.files.at, self.files.rows = int(state[0]), state[1].cpu()

    def reset(self) -> None:
        """Begin with the first picture again."""
        if self.files is not None:
            self.state = torch.tensor(0), self.files.rows[:0]

    def forward(self, loc: Tensor, conf: Tensor, prior_blob: Tensor, *pictures: Tensor) -> Tensor:
        if loc.is_meta:
            return loc.new_empty(1, 1, 1, 7)
        priors, variances = boxes.priors_of(prior_blob)
        boxes.check_priors(priors)
        num, of = len(loc), len(priors)
        codes = loc.detach().reshape(num, of, self.columns, 4)
        box = boxes.decode(codes, priors.unsqueeze(1), None if self.in_target else variances.unsqueeze(1), self.code)
        scores = conf.detach().reshape(num, of, self.classes)[:, :, self.found].transpose(1, 2).flatten(0, 1)  # (lists, P)
        lists, prior = self._best(scores)
        picture, label = lists // len(self.found), torch.tensor(self.found, device=loc.device)[lists % len(self.found)]
        box = box[picture, prior, label if self.columns > 1 else 0]
        kept = self._kept(lists, box, len(scores))
        score = scores[lists, prior]
        if self.keep_top_k is not None:
            kept = kept[_first(picture[kept], score[kept], num, self.keep_top_k)]
        top = torch.cat((torch.stack((picture[kept].to(box), label[kept].to(box), score[kept]), 1), box[kept]), 1)
        if self.files is not None:
            self.files.add(top, num)
        if not len(kept):
            log.info("detection_output_layer.cpp", "Couldn't find any detections")
            top = loc.new_full((num, 7), -1)
            top[:, 0] = torch.arange(num)
        return top.view(1, 1, -1, 7)

    def _best(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The list and the prior box of the scores that count, list by list, the greatest first, `top_k` of each list."""
        counts = scores > self.least
        if self.top_k is not None and self.top_k < scores.shape[1]:
            many = (counts.sum(1) > self.top_k).nonzero().squeeze(1)
            if (
                len(many) and self.top_k
            ):  # sorting few is quicker, and what is as great as the last of them is sorted out below
                last = scores[many].topk(self.top_k, 1).values[:, -1:]
                counts[many] &= scores[many] >= last
        lists, prior = counts.nonzero(as_tuple=True)
        order = _by(lists, scores[lists, prior])
        lists, prior = lists[order], prior[order]
        if self.top_k is not None:
            taken = _place(lists, len(scores)) < self.top_k
            lists, prior = lists[taken], prior[taken]
        return lists, prior

    def _kept(self, lists: Tensor, box: Tensor, many: int) -> Tensor:
        """Which boxes of sorted lists survive each other."""
        if not len(lists):
            return lists
        place = _place(lists, many)
        used, row = torch.unique_consecutive(lists, return_inverse=True)  # type: ignore[no-untyped-call]
        shape = len(used), int(place.max()) + 1
        padded, there = box.new_zeros(*shape, 4), torch.zeros(shape, dtype=torch.bool, device=box.device)
        padded[row, place], there[row, place] = box, True
        return boxes.suppress(padded, there, self.threshold, self.eta)[row, place].nonzero().squeeze(1)


def _by(group: Tensor, score: Tensor) -> Tensor:
    """The order by group, then by falling score, then as they came."""
    order = score.sort(dim=0, descending=True, stable=True).indices
    return order[group[order].sort(dim=0, stable=True).indices]


def _place(group: Tensor, groups: int) -> Tensor:
    """Where each entry stands within its group, entries being sorted by group."""
    sizes = torch.bincount(group, minlength=groups)
    return torch.arange(len(group), device=group.device) - (sizes.cumsum(0) - sizes)[group]


def _first(group: Tensor, score: Tensor, groups: int, count: int) -> Tensor:
    """The `count` entries of each group with the greatest scores, in the order they have."""
    order = _by(group, score)
    return order[_place(group[order], groups) < count].sort().values
