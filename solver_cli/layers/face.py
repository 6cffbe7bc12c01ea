"""Layers of forks for faces: CenterLoss, SphereFace's margin, NormFace's normalisation, AM-Softmax's margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, cast

import torch
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import (
    CenterLossParameter,
    LabelSpecificAddParameter,
    LayerParameter,
    MarginInnerProductParameter,
    NormFaceNormalizeParameter,
)
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape, canonical_axis, shape_of
from solver_cli.layers.counting import Counting
from solver_cli.layers.labels import guarded, labels_of, poisoned
from solver_cli.registry import Shapes, layer

LEAST = 1e-6  # NormFace adds it to a sum of squares or magnitudes


def _check_labels(bottoms: Sequence[Shape], outer: int) -> None:
    if prod(bottoms[1]) != outer:
        raise ConfigError(
            f"bottom 1 of shape {tuple(bottoms[1])} must hold one label for each of the {outer} rows of bottom 0",
            field="bottom[1]",
        )


@layer(
    "CenterLoss", origin="caffe-face",
    bottoms=2,
    loss=True,
    unweighted=True,
    no_gradient=(1,),
    spared=(1,),
    labels=lambda param, scores: (param.center_loss_param.num_output, None),
)
class CenterLoss(nn.Module):
    """top = 1 / 2N sum of |x - centre[label]|^2; blob: the centres (num_output, K), x the rows (N, K) of bottom 0.

    A centre's gradient is sum(centre - x) / (1 + count) over its class, whatever the loss's weight (not the derivative).
    """

    def __init__(self, param: CenterLossParameter, shapes: Sequence[Shape]):
        super().__init__()
        if param.num_output == 0:
            raise ConfigError("num_output must be positive", field="center_loss_param.num_output")
        if canonical_axis(param.axis, shapes[0], "center_loss_param.axis") != 1:
            raise ConfigError("axis must be 1: each record has one centre", field="center_loss_param.axis")
        _check_labels(shapes, shapes[0][0])
        self.centres = filled(param.center_filler, param.num_output, prod(shapes[0][1:]))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        rows, classes = x.flatten(1), len(self.centres)
        index = labels_of(rows.new_empty(()).expand(len(rows), classes), labels, 1).flatten()
        index, wrong = guarded(index, classes)
        loss = cast(Tensor, _ToCentres.apply(rows, self.centres, index))  # type: ignore[no-untyped-call]
        return poisoned(loss, wrong)


class _ToCentres(torch.autograd.Function):
    """1 / 2N sum of |x - centre|^2, by rows (N, K), centres (classes, K) and each row's class."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, centres: Tensor, index: Tensor) -> Tensor:
        away = x - centres.index_select(0, index)  # five times as fast as centres[index]
        ctx.save_for_backward(away, index)
        ctx.classes = len(centres)
        return away.square().sum() / (2 * len(x))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        away, index = ctx.saved_tensors
        counts = away.new_ones(ctx.classes).index_add_(0, index, away.new_ones(len(index)))
        sums = away.new_zeros(ctx.classes, away.shape[1]).index_add_(0, index, away)
        # of many classes a batch has few: only their rows are divided, each row's outcome the same for all its records
        means = sums.index_select(0, index).div_(-counts.index_select(0, index).unsqueeze(1))
        sums.index_copy_(0, index, means)
        return away * (grad / len(away)), sums, None


def _work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    return prod(tops[0]) * blobs[0][1]


@layer(
    "MarginInnerProduct", origin="SphereFace",
    bottoms=2,
    tops=(1, 2),
    in_place=False,
    no_gradient=(1,),
    spared=(1,),
    labels=lambda param, scores: (param.margin_inner_product_param.num_output, None),
    work=_work,
)
class MarginInnerProduct(Counting):
    """top 0 = bottom 0 times weight^T, whose rows get length 1 in every pass, with a margin at the label; top 1 = lambda.

    The label's score is (|x| psi(angle) + lambda x w) / (1 + lambda), psi(angle) about cos(m angle), m 1 to 4 by `type`,
    lambda = max(lambda_min, base (1 + gamma passes)^-power). The gradients are SphereFace's, not the derivatives.
    """

    rewrites = True

    def __init__(self, param: MarginInnerProductParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__(param.iteration)
        if param.num_output == 0:
            raise ConfigError("num_output must be positive", field="margin_inner_product_param.num_output")
        self.axis = canonical_axis(param.axis, shapes[0], "margin_inner_product_param.axis")
        _check_labels(shapes, prod(shapes[0][: self.axis]))
        self.num_tops, self.margin = num_tops, param.type
        self.base, self.gamma, self.power, self.least = param.base, param.gamma, param.power, param.lambda_min
        self.weight = filled(param.weight_filler, param.num_output, prod(shapes[0][self.axis :]))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, ...]:
        self.count(x)
        if not (x.is_meta or self.repeating):
            with torch.no_grad():
                self.weight.div_(self.weight.norm(dim=1, keepdim=True))
        rows = x.reshape(-1, self.weight.shape[1])
        index = labels_of(rows.new_empty(()).expand(len(rows), len(self.weight)), labels, 1)
        index, wrong = guarded(index, len(self.weight))
        passes = x.new_zeros(()) if x.is_meta else self.passes.to(x.dtype)
        share = (self.base * (1 + self.gamma * passes) ** -self.power).clamp(min=self.least)
        scores = cast(Tensor, _Margin.apply(rows, self.weight, index, share, self.margin))  # type: ignore[no-untyped-call]
        top = poisoned(scores, wrong).reshape(*x.shape[: self.axis], -1)
        return (top, share.reshape(1)) if self.num_tops == 2 else top


class _Margin(torch.autograd.Function):
    """Scores (M, N) of rows (M, K) and weights (N, K), those at `index` (M, 1) with a margin."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, index: Tensor, share: Tensor, margin: int) -> Tensor:
        scores = x @ weight.t()
        ctx.margin = margin
        if margin == MarginInnerProductParameter.SINGLE:
            ctx.save_for_backward(x, weight)
            return scores
        length = x.norm(dim=1, keepdim=True)
        own = scores.gather(1, index)
        psi, by_weight, by_x = MARGINS[margin](own / length)
        by_x = -by_x / length
        norm = torch.hypot(by_weight, by_x)
        ctx.save_for_backward(x, weight, index, share, by_weight / norm, by_x / norm)
        return scores.scatter_(1, index, (length * psi + share * own) / (1 + share))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, weight, *more = ctx.saved_tensors
        to_weight = grad.t() @ x
        if ctx.margin == MarginInnerProductParameter.SINGLE:
            return grad @ weight, to_weight, None, None, None
        index, share, by_weight, by_x = more
        own = grad.gather(1, index) / (1 + share)
        to_x = grad.scatter(1, index, own * (by_weight + share)) @ weight
        return to_x.addcmul_(own * by_x, x), to_weight, None, None, None


Psi = tuple[Tensor, Tensor, Tensor]  # psi of the cosine, and the factors of w and of -x / |x| in SphereFace's gradient


def _double(cos: Tensor) -> Psi:
    side = cos.sign()
    return 2 * side * cos**2 - 1, 4 * side * cos, 2 * side * cos**2 + 1


def _triple(cos: Tensor) -> Psi:
    side = (cos.abs() - 0.5).sign()
    step = cos.sign() * (1 + side) - 2
    return side * (4 * cos**3 - 3 * cos) + step, side * (12 * cos**2 - 3), 8 * side * cos**3 - step


def _quadruple(cos: Tensor) -> Psi:
    side = cos.sign() * (2 * cos**2 - 1).sign()
    step = 2 * cos.sign() + side - 3
    by_x = side * (24 * cos**4 - 8 * cos**2 - 1) - step
    return side * (8 * cos**4 - 8 * cos**2 + 1) + step, side * (32 * cos**3 - 16 * cos), by_x


MARGINS: dict[int, Callable[[Tensor], Psi]] = {
    MarginInnerProductParameter.DOUBLE: _double,
    MarginInnerProductParameter.TRIPLE: _triple,
    MarginInnerProductParameter.QUADRUPLE: _quadruple,
}


@layer("Normalize/normface", origin="NormFace", param="normalize_param", tops=(1, 2), in_place=False, apart=True)
class Normalize(nn.Module):
    """top 0 = bottom, divided at each place by its norm over the channels, L2 or L1; top 1 = the norm (N, 1, H, W).

    Tops have 4 axes. 1e-6 is added to the sum. The norm has a gradient with `bp_norm` only. With `fix_gradient` that of
    top 0 is not divided by the norm (not the derivative; NormFace's GPU code).
    """

    def __init__(self, param: NormFaceNormalizeParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__()
        if not 1 <= len(shapes[0]) <= 4:
            raise ConfigError(f"the input must have at most 4 axes, not the shape {tuple(shapes[0])}", field="bottom")
        if param.normalize_type not in ("L1", "L2"):
            raise ConfigError(
                f"normalize_type must be L1 or L2, not '{param.normalize_type}'", field="normalize_param.normalize_type"
            )
        self.squares, self.num_tops = param.normalize_type == "L2", num_tops
        self.bp_norm, self.fix_gradient = param.bp_norm, param.fix_gradient

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        x = x if x.dim() == 4 else x.reshape(x.shape + (1,) * (4 - x.dim()))
        norm = self._norm(x)
        if self.fix_gradient:
            times = torch.addcmul(x.detach(), norm.detach(), x - x.detach())  # x, with a gradient times the norm
            y = times / self._norm(times)
        else:
            y = x / norm
        return (y, norm if self.bp_norm else norm.detach()) if self.num_tops == 2 else y

    def _norm(self, x: Tensor) -> Tensor:
        sums = (x.square() if self.squares else x.abs()).sum(1, keepdim=True) + LEAST
        return sums.sqrt() if self.squares else sums


@layer(
    "LabelSpecificAdd", origin="NormFace",
    bottoms=2,
    tops=(1, 2),
    no_gradient=(1,),
    spared=(1,),
    apart=lambda param, bottoms: not param.label_specific_add_param.HasField("bias_base"),  # else passes count
    labels=lambda param, scores: (prod(scores[1:]), None),
)
class LabelSpecificAdd(Counting):
    """top 0 = bottom 0, in training with `bias` added to each label's score that is more than -bias; top 1 = the bias.

    With `bias_base`: bias = base + (1 + gamma passes)^power - 1, held between bias_min and bias_max. The gradient passes.
    """

    def __init__(self, param: LabelSpecificAddParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__(param.iteration)
        if len(shapes[0]) < 2:
            raise ConfigError(f"the scores must have at least 2 axes, not the shape {tuple(shapes[0])}", field="bottom[0]")
        _check_labels(shapes, shapes[0][0])
        if param.transform_test:
            log.info("label_specific_add.cpp", "transform_test does nothing, as in the fork: no bias is added in testing")
        self.bias, self.anneals, self.num_tops = param.bias, param.HasField("bias_base"), num_tops
        self.base, self.gamma, self.power = param.bias_base, param.bias_gamma, param.bias_power
        self.least, self.most = param.bias_min, param.bias_max

    def forward(self, x: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, ...]:
        bias = x.new_full((), self.bias)
        if self.training:
            if self.anneals:
                bias = self._annealed(x)
            rows = x.flatten(1)
            index, wrong = guarded(labels_of(rows, labels, 1), rows.shape[1])
            own = rows.detach().gather(1, index)
            added = torch.zeros_like(rows.detach()).scatter_(1, index, torch.where(own > -bias, bias, 0))
            x = poisoned((rows + added).reshape(shape_of(x)), wrong)
        return (x, bias.reshape(1)) if self.num_tops == 2 else x

    def _annealed(self, x: Tensor) -> Tensor:
        """The bias of this pass, which is counted."""
        if x.is_meta:
            return x.new_zeros(())
        passes = (self.passes - int(self.repeating)).to(x.dtype)
        self.count(x)
        return (self.base + (1 + self.gamma * passes) ** self.power - 1).clamp(min=self.least).clamp(max=self.most)
