"""Losses and measures as PyTorch's functions: expressions of their bottoms, from the layers' text."""

from __future__ import annotations

from collections.abc import Callable

from solver_cli.caffe_pb2 import LayerParameter, LossParameter
from solver_cli.export.pieces import Writer, number
from solver_cli.export.reading import refuse
from solver_cli.registry import Shape

ACCURACY = '''
def accuracy(scores: Tensor, labels: Tensor, top_k: int = 1, ignored: int | None = None) -> Tensor:
    """The share of labels among the `top_k` scores; an equal rival counts as better."""
    target = labels.long().reshape(scores.shape[:1] + scores.shape[2:])
    valid = torch.ones_like(target, dtype=torch.bool) if ignored is None else target != ignored
    own = scores.gather(1, target.where(valid, 0).unsqueeze(1))
    hits = ((scores >= own).sum(1) <= top_k) & valid
    return hits.sum() / valid.sum().clamp(min=1)
'''
CONTRASTIVE = '''
def contrastive_loss(a: Tensor, b: Tensor, similar: Tensor, margin: float) -> Tensor:
    """Half the mean of d^2 where similar, else of max(margin - d, 0)^2, for d = |a - b|.

    The gradient of d is Caffe's (a - b) / (d + 1e-4), which is finite where a = b.
    """
    squares = (a - b).square().flatten(1).sum(1)
    d = squares.detach().sqrt()
    d = d + (squares - squares.detach()) / (2 * (d + 1e-4))
    apart = F.relu(margin - d).square()
    return torch.where(similar.flatten().long() != 0, squares, apart).sum() / (2 * len(a))
'''
Rule = Callable[[LayerParameter, list[str], Shape, Writer], str]  # (layer, bottoms, shape of bottom 0, writer)
BOUND = "Caffe reports no loss of a record above 87.34 (its gradient knows no bound)."
RULES: dict[str, Rule] = {}


def says(kind: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES[kind] = rule
        return rule

    return register


def mode(param: LayerParameter, default: int) -> int:
    """What the sum is divided by."""
    told = param.loss_param
    if told.HasField("normalization"):
        return told.normalization
    if told.HasField("normalize"):
        return LossParameter.VALID if told.normalize else LossParameter.BATCH_SIZE
    return default


@says("SoftmaxWithLoss")
def softmax_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    if param.softmax_param.axis != 1:
        refuse("has its classes on another axis than 1: Permute its scores", "softmax_param.axis")
    scores, labels = ins
    target = (
        f"{labels}.long().flatten()" if len(shape) == 2 else f"{labels}.long().reshape(len({scores}), *{scores}.shape[2:])"
    )
    ignored = f", ignore_index={param.loss_param.ignore_label}" if param.loss_param.HasField("ignore_label") else ""
    chosen = mode(param, LossParameter.VALID)
    w.comment(BOUND)
    if chosen in (LossParameter.VALID, LossParameter.FULL) and not ignored:
        return f"F.cross_entropy({scores}, {target})"
    total = f'F.cross_entropy({scores}, {target}{ignored}, reduction="sum")'
    if chosen == LossParameter.VALID:
        return f"{total} / ({labels} != {param.loss_param.ignore_label}).sum().clamp(min=1)"
    return total + _divisor(chosen, scores, f"{labels}.numel()")


@says("SoftmaxWithLoss/segnet")
def weighted_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    """Divided by the number of labels that count, where PyTorch divides by the sum of their weights."""
    told, (scores, labels) = param.loss_param, ins
    if param.softmax_param.axis != 1:
        refuse("has its classes on another axis than 1: Permute its scores", "softmax_param.axis")
    target = f"{labels}.long().reshape(len({scores}), *{scores}.shape[2:])"
    w.comment(BOUND)
    weight = f", {scores}.new_tensor([{', '.join(map(number, told.class_weighting))}])" if told.weight_by_label_freqs else ""
    ignored = f", ignore_index={told.ignore_label}" if told.HasField("ignore_label") else ""
    chosen, count = mode(param, LossParameter.VALID), f"{labels}.numel()"
    if chosen == LossParameter.VALID:
        chosen, count = LossParameter.FULL, f"({labels} != {told.ignore_label}).sum()" if ignored else count
    total = f'F.cross_entropy({scores}, {target}{weight}{ignored}, reduction="sum")'
    return total + _divisor(chosen, scores, count)


def _divisor(chosen: int, scores: str, count: str) -> str:
    names = {LossParameter.BATCH_SIZE: f" / len({scores})", LossParameter.FULL: f" / {count}", LossParameter.NONE: ""}
    if chosen not in names:
        refuse("is normalised in a way that only this program knows: use VALID, FULL, BATCH_SIZE or NONE", "loss_param")
    return names[chosen]


@says("SigmoidCrossEntropyLoss")
def sigmoid_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    if param.loss_param.HasField("ignore_label"):
        refuse("ignores a label, which PyTorch's does not: mask it in a layer of your own", "loss_param.ignore_label")
    scores, target = ins
    total = f'F.binary_cross_entropy_with_logits({scores}, {target}.reshape({scores}.shape), reduction="sum")'
    chosen = mode(param, LossParameter.BATCH_SIZE)
    chosen = LossParameter.FULL if chosen == LossParameter.VALID else chosen
    return total + _divisor(chosen, scores, f"{scores}.numel()")


@says("EuclideanLoss")
def euclidean_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    found, target = ins
    return f'F.mse_loss({found}, {target}.reshape({found}.shape), reduction="sum") / (2 * len({found}))'


@says("ContrastiveLoss")
def contrastive_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    if param.contrastive_loss_param.legacy_version:
        refuse("is Caffe's old, wrong version: take legacy_version out", "contrastive_loss_param.legacy_version")
    w.helpers["contrastive_loss"] = CONTRASTIVE
    return f"contrastive_loss({', '.join(ins)}, margin={number(param.contrastive_loss_param.margin)})"


@says("Accuracy")
def accuracy(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    told = param.accuracy_param
    if told.axis != 1 or len(param.top) > 1:
        refuse("has its classes on another axis than 1, or a second top", "accuracy_param")
    w.helpers["accuracy"] = ACCURACY
    more = [f"top_k={told.top_k}"] * (told.top_k != 1)
    more += [f"ignored={told.ignore_label}"] * told.HasField("ignore_label")
    return f"accuracy({', '.join([*ins, *more])})"
