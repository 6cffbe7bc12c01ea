"""How right a net is, as forks count it: pixels of classes, and whole sequences of labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import SegAccuracyParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.labels import check_labels, guarded, poisoned, readable
from solver_cli.registry import Shape, layer

NO_LABEL = -(2**31)  # behind a sequence


@layer("SegAccuracy", origin="PSPNet", bottoms=2, no_gradient=(0, 1), spared=(0, 1), once=True)
class SegAccuracy(nn.Module):
    """top (1, 1, 1, 3) = share of pixels whose class scores best (the last of equals), mean of such shares by class over the
    classes that there are, mean of what is in both over what is in either (1 for a class that is in neither).

    Bottoms: scores (N, C, H, W), labels (N, 1, H, W). With `reset: false` the pixels of all batches count (DeepLab).
    """

    counts: Tensor  # [class, what scores best]
    ignored: Tensor

    def __init__(self, param: SegAccuracyParameter, shapes: Sequence[Shape]):
        super().__init__()
        scores, labels = shapes
        if len(scores) != 4 or tuple(labels) != (scores[0], 1, *scores[2:]):
            text = f"scores (N, C, H, W) and labels (N, 1, H, W) are wanted, not {tuple(scores)} and {tuple(labels)}"
            raise ConfigError(text, field="bottom")
        self.classes, self.reset_each = scores[1], param.reset
        ignored = torch.tensor(list(param.ignore_label), dtype=torch.long, device="cpu")
        self.register_buffer("ignored", ignored, persistent=False)
        counts = torch.zeros(self.classes, self.classes, dtype=torch.float64, device="cpu")
        self.register_buffer("counts", counts, persistent=False)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        if x.is_meta:
            return x.new_empty(1, 1, 1, 3)
        found = self.classes - 1 - x.detach().flip(1).argmax(1).flatten()
        target = labels.detach().long().flatten()
        counted = ~torch.isin(target, self.ignored)
        target = target.where(counted, 0)
        if readable(target):
            check_labels(target.view(labels.shape), self.classes)
        target, wrong = guarded(target, self.classes)
        before = torch.zeros_like(self.counts) if self.reset_each else self.counts
        places = target * self.classes + found
        self.counts = before.flatten().index_add(0, places, counted.to(before.dtype)).view_as(before)
        hits, actual, predicted = self.counts.diagonal(), self.counts.sum(1), self.counts.sum(0)
        either, seen = actual + predicted - hits, actual > 0
        share = hits.sum() / actual.sum().clamp(min=1)
        recall = (hits / actual.clamp(min=1)).sum() / seen.sum().clamp(min=1)  # no class has hits that is not seen
        jaccard = torch.where(hits == either, 1, hits / either.clamp(min=1)).mean()
        top = torch.stack([share, recall, jaccard]).to(x.dtype).view(1, 1, 1, 3)
        return poisoned(top, wrong)


@layer(
    "LabelsequenceAccuracy", origin="warp-ctc", param="labelsequence_accuracy_param", bottoms=2,
    no_gradient=(0, 1), spared=(0, 1),
)  # fmt: skip
def label_sequence_accuracy(x: Tensor, labels: Tensor, *, blank_label: int) -> Tensor:
    """top = share of records whose best scores, repeats and blanks left out, are just their labels without blanks

    Bottoms: scores (N, T, C), labels (N, L) (warp-ctc).
    """
    if x.dim() != 3 or labels.dim() < 2 or len(labels) != len(x):
        text = f"scores (N, T, C) and labels (N, L) are wanted, not {tuple(x.shape)} and {tuple(labels.shape)}"
        raise ConfigError(text, field="bottom")
    best, wanted = x.detach().argmax(2), labels.detach().flatten(1).long()
    before = torch.cat([torch.full_like(best[:, :1], blank_label), best[:, :-1]], 1)
    length = max(best.shape[1], wanted.shape[1])
    said = _packed(best, (best != before) & (best != blank_label), length)
    return (said == _packed(wanted, wanted != blank_label, length)).all(1).to(x.dtype).mean()


def _packed(rows: Tensor, kept: Tensor, length: int) -> Tensor:
    """What is kept of each row moved to its front, with a number behind that is no label."""
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    packed = rows.where(kept, NO_LABEL).gather(1, order)
    return torch.nn.functional.pad(packed, (0, length - packed.shape[1]), value=NO_LABEL)
