"""Losses, and Accuracy. All but the elementwise ones see their scores as (outer, classes, inner), cut at the class axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import HingeLossParameter, InfogainLossParameter, LayerParameter, LossParameter, SoftmaxParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.common import Shape, canonical_axis, shape_of
from solver_cli.layers.labels import check_labels, guarded, integers, labels_of, poisoned
from solver_cli.registry import Shapes, by_axis, layer

FLT_MIN = 1.1754943508222875e-38  # SoftmaxWithLoss counts no probability as less, so no loss exceeds
BOUND = -math.log(FLT_MIN)  # 87.3365
LOG_THRESHOLD = 1e-20  # the same for InfogainLoss and MultinomialLogisticLoss
SMALL = 1 << 19  # scores: beyond, our own way is as fast, and faster with the channels last
NO_LABEL = 1 - 2**62  # what no label can be, for float numbers hold no such value


class _Held(torch.autograd.Function):
    """x held between two bounds, with the gradient of x alone: Caffe bounds what it reports, not what it learns from."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad, None, None


def _held(x: Tensor, low: float = -math.inf, high: float = math.inf) -> Tensor:
    return cast(Tensor, _Held.apply(x, low, high))  # type: ignore[no-untyped-call]


def _same_batch(*bottoms: Tensor) -> None:
    """Refuse bottoms whose first axes differ."""
    first, *rest = map(shape_of, bottoms)
    for i, shape in enumerate(rest, 1):
        if not first or shape[:1] != first[:1]:
            raise ConfigError(
                f"bottom 0 of shape {first} and bottom {i} of shape {shape} must agree in axis 0, the batch",
                field=f"bottom[{i}]",
            )


def _legacy_shape(x: Tensor, bottom: int) -> Shape:
    """The shape as num, channels, height, width: missing axes are 1."""
    if x.dim() > 4:
        raise ConfigError(
            f"bottom {bottom} of shape {shape_of(x)} has more than the four axes that this layer takes",
            field=f"bottom[{bottom}]",
        )
    return shape_of(x) + (1,) * (4 - x.dim())


def _one_label_each(labels: Tensor, bottom: int = 1) -> None:
    """Refuse labels that are not one value for each item of the batch."""
    shape = _legacy_shape(labels, bottom)
    if prod(shape[1:]) != 1:
        raise ConfigError(
            f"bottom {bottom} of shape {shape_of(labels)} must hold one label for each item, in axis 0",
            field=f"bottom[{bottom}]",
        )


def _ignored(param: LossParameter) -> int | None:
    """The label that does not count."""
    return param.ignore_label if param.HasField("ignore_label") else None


@dataclass(frozen=True)
class _Mean:
    """What `loss_param` says: the label that does not count, and what a sum of losses is divided by.

    Read once, when the layer is built: torch.compile cannot look into messages.
    """

    mode: int
    ignored: int | None
    fixed: float = 1.0  # what PRE_FIXED divides by

    @staticmethod
    def of(loss_param: LossParameter, default: int) -> _Mean:
        """The old `normalize` counts where `normalization` is not given."""
        mode = default
        if loss_param.HasField("normalization"):
            mode = loss_param.normalization
        elif loss_param.HasField("normalize"):
            mode = LossParameter.VALID if loss_param.normalize else LossParameter.BATCH_SIZE
        return _Mean(mode, _ignored(loss_param), loss_param.pre_fixed_normalizer)

    def valid(self, labels: Tensor) -> Tensor | None:
        """Which labels count; None: all."""
        return None if self.ignored is None else labels != self.ignored

    def __call__(self, total: Tensor, outer: int, inner: int, valid: Tensor | None) -> Tensor:
        """`total` over at least 1, without waiting for the device where the labels decide."""
        if self.mode == LossParameter.VALID and valid is not None:
            return total / valid.sum().clamp(min=1)
        if self.mode in (LossParameter.VALID, LossParameter.FULL):
            return total / max(1, outer * inner)
        if self.mode == LossParameter.PRE_FIXED:
            return total / max(1.0, self.fixed)
        return total / max(1, outer) if self.mode == LossParameter.BATCH_SIZE else total


class _NegativeLogs(torch.autograd.Function):
    """The sum of -log softmax(scores)[target], none of them more than BOUND; its gradient is that without the bound.

    Scores (outer, classes[, inner]), target (outer, 1[, inner]), valid (outer, inner) or None, weight (classes) or None. By
    hand: autograd would write a gradient of all log-probabilities, nearly all zero, and read it again.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, target: Tensor, valid: Tensor | None, weight: Tensor | None = None) -> Tensor:
        logs = scores.log_softmax(1)
        losses = logs.gather(1, target).neg_().clamp_(max=BOUND)
        if valid is not None:
            losses = losses.masked_fill_(~valid.view_as(losses), 0)
        if weight is not None:
            losses *= weight[target]
        ctx.save_for_backward(logs, target, valid, weight)
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        logs, target, valid, weight = ctx.saved_tensors
        diff = logs.exp()
        diff.scatter_(1, target, diff.gather(1, target).sub_(1))
        if valid is not None:
            diff.masked_fill_(~valid.view_as(target), 0)
        if weight is not None:
            diff *= weight[target]
        return diff.mul_(grad), None, None, None


@layer(
    "SoftmaxWithLoss",
    param="softmax_param",
    bottoms=2,
    loss=True,
    no_gradient=(1,),
    spared=(1,),
    apart=by_axis("softmax_param.axis"),
    labels=lambda param, scores: (scores[param.softmax_param.axis], _ignored(param.loss_param)),
    overflow=BOUND,
)
class SoftmaxWithLoss(nn.Module):
    """top = mean of -log softmax(bottom 0)[label], over the labels that count

    With `label_smoothing` s (NVCaffe) the gradient, not the value, is that of 1 - s for the label and s / (classes - 1), the
    values of all places counting as classes, for each other.
    """

    weight: Tensor | None  # what a label of each class counts for

    def __init__(self, param: SoftmaxParameter, shapes: list[Shape], *, loss_param: LossParameter):
        super().__init__()
        self.axis = canonical_axis(param.axis, shapes[0], "softmax_param.axis")
        self.mean = _Mean.of(loss_param, LossParameter.VALID)
        self.register_buffer("weight", None, persistent=False)
        self.smoothing = loss_param.label_smoothing
        if not 0 <= self.smoothing <= 1:
            text = f"label_smoothing must be from 0 to 1, not {self.smoothing:g}"
            raise ConfigError(text, field="loss_param.label_smoothing")

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        if self.smoothing:
            return self._smoothed(x, labels)
        return self._plain(x, labels)

    def _smoothed(self, x: Tensor, labels: Tensor) -> Tensor:
        """The plain loss, whose gradient is NVCaffe's: p - s / (dim - 1), less 1 - s at the label, where labels count."""
        loss = self._plain(x.detach(), labels)
        target = labels.detach().long().reshape(*x.shape[: self.axis], 1, *x.shape[self.axis + 1 :])
        valid = self.mean.valid(target)
        target = target if valid is None else target.where(valid, 0)
        own = x.gather(self.axis, target.clamp(0, x.shape[self.axis] - 1))
        dim = prod(x.shape[self.axis :])
        pull = x.logsumexp(self.axis, keepdim=True) - (1 - self.smoothing) * own
        pull = pull - self.smoothing / max(1, dim - 1) * x.sum(self.axis, keepdim=True)
        pull = pull if valid is None else pull * valid
        inner = prod(x.shape[self.axis + 1 :])
        total = self.mean(pull.sum(), target.numel() // inner, inner, valid)
        return loss + (total - total.detach())

    def _plain(self, x: Tensor, labels: Tensor) -> Tensor:
        if self.axis and self.weight is None and x.numel() < SMALL and x.is_cpu and not torch.compiler.is_compiling():
            loss = self._by_torch(x.flatten(0, self.axis - 1), labels)
            if loss is not None:
                return loss
        _same_batch(x, labels)
        ignored = self.mean.ignored
        target = labels_of(x, labels, self.axis, ignored)
        outer, inner = target.shape
        classes = x.shape[self.axis]
        target, wrong = guarded(target, classes, ignored)
        valid = self.mean.valid(target)
        target = target if valid is None else target.where(valid, 0)
        scores = x.reshape((outer, classes) if inner == 1 else (outer, classes, inner))  # the last axis has faster kernels
        target = target if inner == 1 else target.unsqueeze(1)
        total = _NegativeLogs.apply(scores, target, valid, self.weight)  # type: ignore[no-untyped-call]
        return poisoned(self.mean(total, outer, inner, valid), wrong)

    def _by_torch(self, x: Tensor, labels: Tensor) -> Tensor | None:
        """The same by a function that looks at the labels by itself: half the time for a small blob.

        None where a loss may exceed BOUND, or where something is wrong: the other way says what.
        """
        unknown = self.mean.ignored if self.mean.ignored is not None else NO_LABEL
        try:
            target = labels.long().reshape(x.shape[:1] + x.shape[2:])
            total = F.cross_entropy(x, target, ignore_index=unknown, reduction="sum")
        except (IndexError, ValueError, RuntimeError):
            return None
        if not (total.item() < BOUND or _within_bound(x)):
            return None
        return self.mean(total, len(x), prod(x.shape[2:]), self.mean.valid(target))


def _within_bound(scores: Tensor) -> bool:
    """Whether no loss of scores (N, classes, ...) can exceed BOUND: it is at most high - low + log classes."""
    low, high = scores.detach().aminmax()
    return high.item() - low.item() < BOUND - math.log(scores.shape[1])


def _infogain_apart(param: LayerParameter, bottoms: Shapes) -> bool:
    """Apart unless the matrix is a blob, which is no row of records."""
    return len(bottoms) == 2 and by_axis("infogain_loss_param.axis")(param, bottoms)


@layer(
    "InfogainLoss",
    bottoms=(2, 3),
    tops=(1, 2),
    loss=True,
    no_gradient=(1, 2),
    spared=(1,),
    apart=_infogain_apart,
    labels=lambda param, scores: (scores[param.infogain_loss_param.axis], _ignored(param.loss_param)),
)
class InfogainLoss(nn.Module):
    """top 0 = mean of -sum_k H[label, k] log softmax(bottom 0)[k], top 1 = the softmax; H is bottom 2 or from `source`."""

    matrix: Tensor | None

    def __init__(self, param: InfogainLossParameter, shapes: list[Shape], *, loss_param: LossParameter, num_tops: int):
        super().__init__()
        if loss_param.HasField("normalize"):
            raise ConfigError("InfogainLoss does not know normalize: give normalization", field="loss_param.normalize")
        self.axis = canonical_axis(param.axis, shapes[0], "infogain_loss_param.axis")
        self.mean = _Mean.of(loss_param, LossParameter.VALID)
        self.num_tops = num_tops
        self.register_buffer("matrix", _read_matrix(param) if len(shapes) == 2 else None, persistent=False)

    def forward(self, x: Tensor, labels: Tensor, matrix: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        _same_batch(x, labels)
        target = labels_of(x, labels, self.axis, self.mean.ignored)
        target, wrong = guarded(target, x.shape[self.axis], self.mean.ignored)
        valid = self.mean.valid(target)
        outer, inner = target.shape
        logs = x.reshape(outer, x.shape[self.axis], inner).log_softmax(1)
        gains = self._matrix(matrix, x)[target if valid is None else target.where(valid, 0)]
        if valid is not None:
            gains = gains * valid.unsqueeze(2)
        total = -(gains.transpose(1, 2) * _held(logs, low=math.log(LOG_THRESHOLD))).sum()
        loss = poisoned(self.mean(total, outer, inner, valid), wrong)
        return (loss, logs.detach().exp().reshape(x.shape)) if self.num_tops == 2 else loss

    def _matrix(self, given: Tensor | None, x: Tensor) -> Tensor:
        """H[label, class]"""
        matrix = self.matrix if given is None else given.detach()
        assert matrix is not None
        classes = x.shape[self.axis]
        if matrix.numel() != classes**2:
            raise ConfigError(
                f"the infogain matrix of shape {shape_of(matrix)} is not {classes} x {classes}, the classes of scores of "
                f"shape {shape_of(x)} along axis {self.axis}",
                field="infogain_loss_param" if given is None else "bottom[2]",
            )
        return matrix.to(x).reshape(classes, classes)


def _read_matrix(param: InfogainLossParameter) -> Tensor:
    if not param.HasField("source"):
        raise ConfigError("the infogain matrix is missing: give it as bottom 2 or as source", field="infogain_loss_param")
    from solver_cli.formats import blobproto

    return torch.from_numpy(blobproto.read(param.source))


def _of_record(param: LayerParameter, scores: Shape) -> tuple[int, None]:
    """As many classes as a record has scores, and no label that is ignored."""
    return prod(scores[1:]), None


@layer(
    "MultinomialLogisticLoss",
    param=None,
    bottoms=2,
    loss=True,
    no_gradient=(1,),
    spared=(1,),
    apart=True,
    labels=_of_record,
)
def multinomial_logistic_loss(x: Tensor, labels: Tensor) -> Tensor:
    """top = mean of -log bottom 0[label], bottom 0 being probabilities"""
    _same_batch(x, labels)
    _legacy_shape(x, 0)
    _one_label_each(labels)
    scores = x.reshape(x.shape[0], -1)
    index, wrong = guarded(labels_of(scores, labels, 1), scores.shape[1])
    return poisoned(-_held(scores.gather(1, index), low=LOG_THRESHOLD).log().sum() / x.shape[0], wrong)


@layer("HingeLoss", bottoms=2, loss=True, no_gradient=(1,), spared=(1,), apart=True, labels=_of_record)
def hinge_loss(x: Tensor, labels: Tensor, *, norm: int) -> Tensor:
    """top = 1 / N sum of max(0, 1 - y bottom 0), or of its square, y = 1 for the label's class, -1 for the others"""
    _same_batch(x, labels)
    _legacy_shape(x, 0)
    scores = x.reshape(x.shape[0], -1)
    index, wrong = guarded(labels_of(scores, labels, 1), scores.shape[1])
    margins = (1 + scores * torch.ones_like(scores).scatter_(1, index, -1)).relu()
    if norm == HingeLossParameter.L2:
        margins = margins.square()
    return poisoned(margins.sum() / x.shape[0], wrong)


@layer("SigmoidCrossEntropyLoss", param=None, bottoms=2, loss=True, no_gradient=(1,), spared=(1,), apart=True)
class SigmoidCrossEntropyLoss(nn.Module):
    """top = 1 / N sum of -(t log p + (1 - t) log(1 - p)), p = sigmoid(bottom 0), t = bottom 1, any value"""

    def __init__(self, param: LayerParameter, shapes: list[Shape], *, loss_param: LossParameter):
        super().__init__()
        self.mean = _Mean.of(loss_param, LossParameter.BATCH_SIZE)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        _same_batch(x, target)
        if x.numel() != target.numel():
            raise ConfigError(
                f"bottom 0 of shape {shape_of(x)} and bottom 1 of shape {shape_of(target)} must have equal counts",
                field="bottom[1]",
            )
        target = target.detach().reshape(x.shape)
        valid = self.mean.valid(target.trunc())
        weight = None if valid is None else valid.to(x.dtype)
        total = F.binary_cross_entropy_with_logits(x, target, weight, reduction="sum")
        return self.mean(total, x.shape[0], prod(x.shape[1:]), valid)


@layer("EuclideanLoss", param=None, bottoms=2, loss=True, apart=True)
def euclidean_loss(x: Tensor, target: Tensor) -> Tensor:
    """top = 1 / 2N sum of (bottom 0 - bottom 1)^2"""
    _same_batch(x, target)
    if prod(_legacy_shape(x, 0)) != prod(_legacy_shape(target, 1)):
        raise ConfigError(
            f"bottom 0 of shape {shape_of(x)} and bottom 1 of shape {shape_of(target)} must have equal counts behind axis 0",
            field="bottom[1]",
        )
    return F.mse_loss(x, target.reshape(x.shape), reduction="sum") / (2 * x.shape[0])


class _Distance(torch.autograd.Function):
    """|x| of each row, whose gradient is Caffe's x / (|x| + 1e-4), finite at 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        distance = x.square().sum(1).sqrt()
        ctx.save_for_backward(x, distance)
        return distance

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, distance = ctx.saved_tensors
        return cast(Tensor, x * (grad / (distance + 1e-4)).unsqueeze(1))


@layer("ContrastiveLoss", bottoms=3, loss=True, spared=(2,), apart=True)
def contrastive_loss(a: Tensor, b: Tensor, similar: Tensor, *, margin: float, legacy_version: bool) -> Tensor:
    """top = 1 / 2N sum of d^2 where similar, else of max(margin - d, 0)^2 (legacy: max(margin - d^2, 0)), d = |a - b|"""
    _same_batch(a, b, similar)
    _one_label_each(similar, 2)
    if _legacy_shape(a, 0)[1:] != _legacy_shape(b, 1)[1:] or prod(_legacy_shape(a, 0)[2:]) != 1:
        raise ConfigError(
            f"bottom 0 of shape {shape_of(a)} and bottom 1 of shape {shape_of(b)} must be equal and (N, C): one "
            "vector for each item",
            field="bottom[1]",
        )
    diff = (a.reshape(b.shape) - b).reshape(a.shape[0], -1)
    squares = diff.square().sum(1)
    distance = cast(Tensor, _Distance.apply(diff))  # type: ignore[no-untyped-call]
    apart = (margin - squares).relu() if legacy_version else (margin - distance).relu().square()
    return torch.where(similar.reshape(-1).trunc() != 0, squares, apart).sum() / (2 * a.shape[0])


def _accuracy_labels(param: LayerParameter, scores: Shape) -> tuple[int, int | None]:
    settings = param.accuracy_param
    return scores[settings.axis], settings.ignore_label if settings.HasField("ignore_label") else None


@layer("Accuracy", bottoms=2, tops=(1, 2), no_gradient=(0, 1), labels=_accuracy_labels)
def accuracy(
    x: Tensor, labels: Tensor, *, top_k: int, axis: int, ignore_label: int | None, min_is_better: bool, num_tops: int
) -> Tensor | tuple[Tensor, Tensor]:
    """top 0 = share of labels whose score is among the top_k, an equal rival counting as better; top 1 = by class

    With `min_is_better` (NormFace) the lowest scores, such as distances, are the best.
    """
    axis = canonical_axis(axis, x, "accuracy_param.axis")
    classes = x.shape[axis]
    target = integers(x, labels, axis)
    if top_k > classes:
        raise ConfigError(
            f"top_k {top_k} is more than the {classes} classes along axis {axis} of scores of shape {shape_of(x)}",
            field="accuracy_param.top_k",
        )
    target, wrong = guarded(target, classes, ignore_label)
    valid = None if ignore_label is None else target != ignore_label
    if valid is not None:
        target = target.where(valid, 0)
    scores = x.detach().reshape(target.shape[0], classes, -1)
    scores = -scores if min_is_better else scores
    try:
        own = scores.gather(1, target.unsqueeze(1))
    except RuntimeError:
        check_labels(target.reshape(labels.shape), classes)
        raise
    better = torch.ge(scores, own, out=torch.empty_like(scores, dtype=torch.float32))  # numbers add up faster than bools
    hits = better.sum(1).le_(top_k)  # itself and its rivals
    if valid is None:
        share = hits.mean()
    else:
        hits *= valid
        share = hits.sum() / valid.sum().clamp(min=1)
    share = poisoned(share, wrong).to(x.dtype)
    if num_tops == 1:
        return share
    valid = torch.ones_like(hits) if valid is None else valid
    by_class, of_class = (
        x.new_zeros(classes).index_add_(0, target.flatten(), n.flatten().to(x.dtype)) for n in (hits, valid)
    )
    return share, by_class / of_class.clamp(min=1)
