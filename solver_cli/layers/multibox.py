"""MultiBoxLoss: prior boxes matched with the objects of their pictures, and what their places and classes cost.

All pictures of a batch are worked on at once. Pairs of an object and a prior box are (G, P), the objects of all pictures
one after the other, each met with its own picture's boxes alone; on a GPU nothing is read back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import LossParameter, MultiBoxLossParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers import boxes
from solver_cli.layers.common import Shape
from solver_cli.layers.labels import poisoned
from solver_cli.layers.loss import BOUND, _Mean, _NegativeLogs
from solver_cli.registry import layer

LEAST = 1e-6  # an overlap of so little is none
FIELD = "multibox_loss_param"


@dataclass(frozen=True)
class Objects:
    """The ground truth: G objects, one a row; `there` says which count, the others have an empty box in picture 0."""

    picture: Tensor
    label: Tensor
    box: Tensor
    there: Tensor
    wrong: Tensor | None  # labels that are none, where nobody could say so


@layer("MultiBoxLoss", origin="SSD", bottoms=4, loss=True, once=True, no_gradient=(2, 3), spared=(1,))
class MultiBoxLoss(nn.Module):
    """top = (loc_weight sum of losses of matched boxes' codes + sum of losses of chosen boxes' classes) / normaliser

    Bottoms: codes (N, 4 P) or (N, 4 P classes), scores (N, P classes), prior boxes (1, 2, 4 P), objects (1, 1, G, 8), each
    picture, label, instance, xmin, ymin, xmax, ymax, difficult (picture -1: none).
    """

    def __init__(
        self,
        param: MultiBoxLossParameter,
        shapes: list[Shape],
        *,
        loss_param: LossParameter,
        propagate_down: tuple[bool, ...],
    ):
        super().__init__()
        _check(param, shapes)
        self.param = p = param
        self.normalization = _Mean.of(loss_param, LossParameter.VALID).mode
        self.counts = tuple(propagate_down)[:2] or (True, True)  # a part that is not to learn is left out of the value
        self.mining = p.mining_type
        self.background = p.background_label_id
        self.variances_apart = p.encode_variance_in_target
        self.own_groups = not p.share_location and not p.use_prior_for_matching
        nms = p.nms_param
        self.nms = (nms.nms_threshold, nms.top_k) if p.HasField("nms_param") and nms.nms_threshold > 0 else None
        self.size = (1 if p.share_location else p.num_classes, p.num_classes)

    def forward(self, loc: Tensor, conf: Tensor, prior_blob: Tensor, truth: Tensor) -> Tensor:
        priors, variances = boxes.priors_of(prior_blob)
        num, of = len(loc), len(priors)
        codes, scores = loc.reshape(num, of, self.size[0], 4), conf.reshape(num, of, self.size[1])
        objects = self._objects(truth.detach(), num)
        with torch.no_grad():
            own = None
            if not self.param.use_prior_for_matching or (self.nms and not self.param.use_prior_for_nms):
                boxes.check_priors(priors)
                own = self._decoded(codes.detach(), priors, variances)
            matched, best, crossing = self._match(objects, priors, own, num)
        rows, found = _rows(matched.flatten() >= 0)
        target = matched.flatten()[rows].clamp(min=0)
        losses, place = self._loc_losses(codes, objects, target, rows % of, priors, variances, own, found)
        positive, chosen = matched >= 0, None
        if self.mining != MultiBoxLossParameter.NONE:
            with torch.no_grad():
                loss = self._conf_losses(scores.detach(), self._labels(matched, objects, num))
                if self.mining == MultiBoxLossParameter.HARD_EXAMPLE:
                    loss = loss.flatten().index_add(0, place, losses.detach().sum(1)).view_as(loss)
                picked = self._mine(loss, positive, best, crossing, objects, priors, own)
            if self.mining == MultiBoxLossParameter.HARD_EXAMPLE:
                positive = positive & picked
                matched = matched.masked_fill(~positive, -1)
                losses = losses * positive.flatten()[rows].unsqueeze(1)
            chosen = positive | picked & ~crossing
        total = self._conf_loss(scores, matched, objects, chosen) if self.counts[1] else scores.new_zeros(())
        if self.counts[0]:
            total = total + self.param.loc_weight * losses.sum()
        return poisoned(total / self._normaliser(positive, num, of), objects.wrong)

    def _normaliser(self, positive: Tensor, num: int, of: int) -> Tensor | int:
        if self.normalization == LossParameter.VALID:
            return positive.sum().clamp(min=1)
        return max(1, {LossParameter.FULL: num * of, LossParameter.BATCH_SIZE: num}.get(self.normalization, 1))

    def _objects(self, truth: Tensor, num: int) -> Objects:
        """What bottom 3 says. Raises DataError for labels that are no class, where they can be read."""
        rows = truth.reshape(-1, 8)
        if not len(rows):
            rows = truth.new_full((1, 8), -1)
        picture, label = rows[:, 0].long(), rows[:, 1].long()
        some = picture != -1
        wrong = some & (label == self.background)
        if not self.param.map_object_to_agnostic:
            wrong |= some & ((label < 0) | (label >= self.param.num_classes))
        if rows.is_cpu and wrong.any():
            index = int(wrong.nonzero()[0])
            what = "is the background's" if label[index] == self.background else f"is not in 0..{self.param.num_classes - 1}"
            raise DataError(f"label {int(label[index])} of object {index} of the batch {what}")
        there = (picture >= 0) & (picture < num)
        if not self.param.use_difficult_gt:
            there &= rows[:, 7] == 0
        if self.size[0] > 1:
            there &= (label >= 0) & (label < self.size[0])
        label = label.masked_fill(wrong, 0).masked_fill(~there, 0)
        box = rows[:, 3:7].where(there.unsqueeze(1), 0)
        return Objects(picture.masked_fill(~there, 0), label, box, there, None if rows.is_cpu else wrong)

    def _decoded(self, codes: Tensor, priors: Tensor, variances: Tensor) -> Tensor:
        """The predicted boxes (N, P, 1 or classes, 4)."""
        by = None if self.variances_apart else variances.unsqueeze(1)
        return boxes.decode(codes, priors.unsqueeze(1), by, self.param.code_type)

    def _match(self, objects: Objects, priors: Tensor, own: Tensor | None, num: int) -> tuple[Tensor, Tensor, Tensor]:
        """The object of each box, or -1, and the greatest overlap, (N, P), for boxes of classes' own (N classes, P); the
        boxes (N, P) that are neither positive nor negative.
        """
        box, group, groups = priors.unsqueeze(0), objects.picture, num
        if not self.param.use_prior_for_matching:
            assert own is not None
            box = own[objects.picture, :, objects.label if self.own_groups else 0]
        if self.own_groups:
            group, groups = group * self.size[0] + objects.label, num * self.size[0]
        overlaps = boxes.overlap(objects.box.unsqueeze(1), box)
        overlaps = overlaps.where(overlaps > LEAST, 0)
        crossing = torch.zeros((), dtype=torch.bool, device=priors.device)
        if self.param.ignore_cross_boundary_bbox:
            overlaps = overlaps.masked_fill(boxes.crosses_boundary(box), 0)
            if not self.own_groups:
                crossing = boxes.crosses_boundary(
                    priors if own is None or self.param.use_prior_for_matching else own[:, :, 0]
                )
        best = _reduced(overlaps.new_zeros(groups, len(priors)), group, overlaps, "amax")
        per_prediction = self.param.match_type == MultiBoxLossParameter.PER_PREDICTION
        matched = _nearest(overlaps, best, group, self.param.overlap_threshold) if per_prediction else None
        if matched is None:
            matched = torch.full_like(best, -1, dtype=torch.long)
        won = bipartite(overlaps, group)
        slot = torch.where(won >= 0, group * len(priors) + won, matched.numel())  # what has won nothing falls behind the end
        flat = torch.cat((matched.flatten(), matched.new_zeros(1)))
        flat[slot] = torch.arange(len(slot), device=slot.device)
        return flat[:-1].view_as(matched), best, crossing

    def _loc_losses(
        self,
        codes: Tensor,
        objects: Objects,
        target: Tensor,
        prior: Tensor,
        priors: Tensor,
        variances: Tensor,
        own: Tensor | None,
        found: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """The losses (K, 4) of K matched codes, and which of all codes they are."""
        column = objects.label[target] if self.size[0] > 1 else 0
        place = (objects.picture[target] * len(priors) + prior) * self.size[0] + column
        predicted = codes.reshape(-1, 4).index_select(0, place)
        variance = variances[prior]
        wanted = boxes.encode(
            objects.box[target], priors[prior], None if self.variances_apart else variance, self.param.code_type
        )
        if self.param.bp_inside:
            box = priors[prior] if self.param.use_prior_for_matching or own is None else own.reshape(-1, 4)[place]
            wanted = torch.where((box < 0) | (box > 1), predicted.detach(), wanted)
        if found is not None:
            wanted = wanted.where(found.unsqueeze(1), predicted.detach())
        if self.variances_apart:  # the value is divided, but not the gradient
            predicted = predicted + (predicted / variance - predicted).detach()
            wanted = wanted / variance
        if self.param.loc_loss_type == MultiBoxLossParameter.L2:
            return 0.5 * (predicted - wanted).square(), place
        return F.smooth_l1_loss(predicted, wanted, reduction="none"), place

    def _labels(self, matched: Tensor, objects: Objects, num: int) -> Tensor:
        """The class (N, P) that each box should find; of several the last."""
        label = objects.label[matched.clamp(min=0)]
        if self.param.map_object_to_agnostic:
            label = torch.full_like(label, self.background + 1)
        label = label.masked_fill(matched < 0, -1).view(num, -1, matched.shape[1]).amax(1)
        return label.masked_fill(label < 0, self.background)

    def _conf_losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        """What the class of each box costs (N, P)."""
        if self.param.conf_loss_type == MultiBoxLossParameter.SOFTMAX:
            return scores.log_softmax(2).gather(2, labels.unsqueeze(2)).squeeze(2).neg_().clamp_(max=BOUND)
        hot = torch.zeros_like(scores).scatter_(2, labels.unsqueeze(2), 1)
        return F.binary_cross_entropy_with_logits(scores, hot, reduction="none").sum(2)

    def _mine(
        self,
        loss: Tensor,
        positive: Tensor,
        best: Tensor,
        crossing: Tensor,
        objects: Objects,
        priors: Tensor,
        own: Tensor | None,
    ) -> Tensor:
        """The boxes (N, P) that cost most: as many as the settings say, of those that may be taken."""
        if self.mining == MultiBoxLossParameter.MAX_NEGATIVE:
            able = ~positive & (best < self.param.neg_overlap) & ~crossing
            wanted = (positive.sum(1, dtype=torch.float32) * self.param.neg_pos_ratio).long()
        else:
            any_object = torch.zeros_like(loss[:, 0]).index_add_(0, objects.picture, objects.there.to(loss)) > 0
            able = any_object.unsqueeze(1).expand_as(loss)
            wanted = torch.full_like(able[:, 0], self.param.sample_size, dtype=torch.long)
        loss = loss.masked_fill(~able, -torch.inf)
        if self.nms is not None:
            threshold, top_k = self.nms
            values, order = (x if top_k < 0 else x[:, :top_k] for x in loss.sort(dim=1, descending=True, stable=True))
            box = priors[order]
            if own is not None and not self.param.use_prior_for_nms:
                box = own[:, :, 0].gather(1, order.unsqueeze(2).expand(-1, -1, 4))
            there = (values > -torch.inf) & (boxes.area(box) >= boxes.SMALLEST)
            taken = boxes.suppress(box, there, threshold)
            taken &= taken.cumsum(1) <= wanted.unsqueeze(1)
        else:
            most = min(int(wanted.max()), loss.shape[1]) if loss.is_cpu else loss.shape[1]
            values, order = loss.topk(most) if loss.is_cpu else loss.sort(1, descending=True)
            taken = (values > -torch.inf) & (torch.arange(most, device=loss.device) < wanted.unsqueeze(1))
        return torch.zeros_like(positive).scatter_(1, order, taken)

    def _conf_loss(self, scores: Tensor, matched: Tensor, objects: Objects, chosen: Tensor | None) -> Tensor:
        """The sum over the chosen boxes, or all."""
        num, of, classes = scores.shape
        labels = self._labels(matched, objects, num).flatten()
        flat, counted = scores.reshape(-1, classes), None
        if chosen is not None:
            rows, counted = _rows(chosen.flatten())
            flat, labels = (flat.index_select(0, rows), labels[rows]) if counted is None else (flat, labels)
        if self.param.conf_loss_type == MultiBoxLossParameter.SOFTMAX:
            total: Tensor = _NegativeLogs.apply(flat, labels.unsqueeze(1), counted)  # type: ignore[no-untyped-call]
            return total
        # All other targets are the background's number, 0 or not, and without mining no box has the background for a target.
        hot = torch.full_like(flat, self.background).detach()
        if chosen is not None:
            hot.scatter_(1, labels.unsqueeze(1), 1)
        else:
            hits = matched.view(num, -1, of) >= 0
            label = (
                objects.label[matched.clamp(min=0)] if not self.param.map_object_to_agnostic else matched.clamp(max=0) + 1
            )
            hot = hot.view(num, of, classes)
            for column in range(hits.shape[1]):
                which = label.view(num, -1, of)[:, column].clamp(0, classes - 1).unsqueeze(2)
                hot.scatter_(2, which, torch.where(hits[:, column].unsqueeze(2), 1, hot.gather(2, which)))
            hot = hot.view(-1, classes)
        weight = None if counted is None else counted.unsqueeze(1).to(flat)
        return F.binary_cross_entropy_with_logits(flat, hot, weight, reduction="sum")


def bipartite(overlaps: Tensor, group: Tensor) -> Tensor:
    """The box of each object (G) or -1: of the pairs (G, P) of one group again and again the one that overlaps most, of
    equal ones the first box's, then the first object's, and neither of the two once more.

    A pair that is the best of its object and of its box will be taken, whatever the others are: so many go at once.
    """
    won = torch.full_like(group, -1)
    names, left = torch.arange(len(group), device=group.device), overlaps.clone()
    for _ in range(0 if overlaps.is_meta else len(group)):
        best, at = left.max(1)
        same = group.unsqueeze(1) == group
        rivals = left[:, at]  # [h, g]: object h at the best box of g
        better = (rivals > best) | ((rivals == best) & (names.unsqueeze(1) < names))
        wins = (best > 0) & ~(same & better).any(0)
        won = won.scatter(0, names, torch.where(wins, at, won[names]))
        left.scatter_reduce_(1, at.expand(len(at), -1), rivals * ~(same & wins), "amin")
        left.masked_fill_(wins.unsqueeze(1), 0)
        if left.is_cpu:
            rest = ((best > 0) & ~wins).nonzero().squeeze(1)
            if not len(rest):
                break
            names, left, group = names[rest], left[rest], group[rest]
    return won


def _nearest(overlaps: Tensor, best: Tensor, group: Tensor, threshold: float) -> Tensor:
    """The first object that overlaps each box of a group most, or -1 below the threshold."""
    count = len(overlaps)
    hits = (overlaps == best[group]) & (overlaps >= threshold) & (overlaps > 0)
    names = torch.where(
        hits, torch.arange(count, device=group.device, dtype=best.dtype).unsqueeze(1), count
    )  # quicker as floats
    first = _reduced(torch.full_like(best, count), group, names, "amin").long()
    return first.masked_fill_(first == count, -1)


def _reduced(into: Tensor, group: Tensor, rows: Tensor, how: str) -> Tensor:
    """Each row (G, P) taken into the row of its group."""
    return into.scatter_reduce_(0, group.unsqueeze(1).expand_as(rows), rows, how)


def _rows(mask: Tensor) -> tuple[Tensor, Tensor | None]:
    """The rows that are meant; where counting them would mean waiting all rows, and which ones are meant."""
    if mask.is_cpu:
        return mask.nonzero().squeeze(1), None
    return torch.arange(len(mask), device=mask.device), mask


def _check(param: MultiBoxLossParameter, shapes: list[Shape]) -> None:
    """Refuse settings and shapes that do not go together. Raises ConfigError."""
    classes, none = param.num_classes, MultiBoxLossParameter.NONE
    softmax = param.conf_loss_type == MultiBoxLossParameter.SOFTMAX
    faults = [
        ("num_classes", classes < 1, "must be given: the number of classes, the background included"),
        ("background_label_id", softmax and param.background_label_id >= classes, f"must be one of the {classes} classes"),
        ("share_location", not param.share_location and param.mining_type != none,
         "may be false only without mining: set mining_type: NONE"),
        ("do_neg_mining", param.HasField("do_neg_mining") and param.do_neg_mining == (param.mining_type == none),
         "does not agree with mining_type: leave do_neg_mining out"),
        ("sample_size", param.mining_type == MultiBoxLossParameter.HARD_EXAMPLE and param.sample_size < 1,
         "must be positive"),
        ("map_object_to_agnostic", param.map_object_to_agnostic and (classes, param.background_label_id) != (2, 0),
         "needs num_classes: 2, the background 0 and the objects"),
    ]  # fmt: skip
    for field, wrong, why in faults:
        if wrong:
            raise ConfigError(f"{field} {why}", field=f"{FIELD}.{field}")
    check_bottoms(shapes, 1 if param.share_location else classes, classes)
    if len(shapes[3]) != 4 or shapes[3][3] != 8:
        raise ConfigError(f"the objects must be (1, 1, G, 8), not of shape {shapes[3]}", field="bottom[3]")


def check_bottoms(shapes: list[Shape], loc_classes: int, classes: int) -> None:
    """Refuse codes, scores and prior boxes whose numbers do not fit. Raises ConfigError."""
    prior = shapes[2]
    if len(prior) < 3 or prior[:2] != (1, 2) or prior[2] % 4:
        raise ConfigError(
            f"the prior boxes must be (1, 2, 4 P), as PriorBox makes them, not of shape {prior}", field="bottom[2]"
        )
    of = prior[2] // 4
    for i, (what, values) in enumerate((("codes", 4 * loc_classes), ("scores", classes))):
        if len(shapes[i]) < 2 or shapes[i][1] != of * values or shapes[i][0] != shapes[0][0]:
            raise ConfigError(
                f"{what} of shape {shapes[i]}: {of} prior boxes need ({shapes[0][0] if shapes[0] else 'N'}, {of * values}), "
                f"{values} for each box",
                field=f"bottom[{i}]",
            )
