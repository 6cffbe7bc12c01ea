"""Losses of forks of Caffe."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import LossParameter, SoftmaxParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape
from solver_cli.layers.loss import SoftmaxWithLoss, _ignored, _Mean
from solver_cli.registry import by_axis, layer


@dataclass(frozen=True)
class _PlainMean(_Mean):
    """SegNet's: of a batch in which no label counts the mean is 0 / 0."""

    def __call__(self, total: Tensor, outer: int, inner: int, valid: Tensor | None) -> Tensor:
        if self.mode == LossParameter.VALID and valid is not None:
            return total / valid.sum()
        return super().__call__(total, outer, inner, valid)


@layer(
    "SoftmaxWithLoss/segnet",
    param="softmax_param",
    bottoms=2,
    loss=True,
    no_gradient=(1,),
    spared=(1,),
    apart=lambda param, bottoms: (
        not param.loss_param.HasField("ignore_label") and by_axis("softmax_param.axis")(param, bottoms)  # see _PlainMean
    ),
    labels=lambda param, scores: (scores[param.softmax_param.axis], _ignored(param.loss_param)),
)
class WeightedSoftmaxWithLoss(SoftmaxWithLoss):
    """top = mean over the labels that count of -weight[label] log softmax(bottom 0)[label]

    The weights, one `class_weighting` a class, count with `weight_by_label_freqs`; the mean is by the number of labels.
    """

    def __init__(self, param: SoftmaxParameter, shapes: list[Shape], *, loss_param: LossParameter):
        super().__init__(param, shapes, loss_param=loss_param)
        self.mean = _PlainMean(self.mean.mode, self.mean.ignored)
        weights, classes = list(loss_param.class_weighting), shapes[0][self.axis]
        if not loss_param.weight_by_label_freqs:
            return
        if len(weights) != classes:
            raise ConfigError(
                f"{len(weights)} class_weighting for {classes} classes: give one for each",
                field="loss_param.class_weighting",
            )
        self.weight = torch.tensor(weights, device="cpu")
