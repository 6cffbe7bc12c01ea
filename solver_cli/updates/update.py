"""One update of the learned blobs: clipping, division by the passes, decay, update rule, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.net import Net
from solver_cli.updates import local, settings
from solver_cli.updates.clipping import Clipping
from solver_cli.updates.kernels import Kernel, Work, kernel
from solver_cli.updates.loss_scale import LossScale
from solver_cli.updates.rules import RULES


class Update:
    """Updates the learned blobs of `net` by the rule and settings of `param`.

    `history`: one tensor for each slot of the rule and learned blob, slot by slot; with lookahead then the slow weights.
    `steps`: the last step of each blob by its id, kept for snapshot_diff only. `scale`: the scale of the loss, if it has
    one: an update whose gradients are not finite is left out.
    """

    def __init__(self, net: Net, param: SolverParameter, scale: LossScale | None = None):
        self.net = net
        self.scale = scale
        self.param = param
        self.rule = RULES[param.type]
        slots = self.rule.slots + param.lookahead
        self.history = [torch.zeros_like(x.blob) for _ in range(slots) for x in net.learned]
        self.slow = self.history[self.rule.slots * len(net.learned) :]
        self.groups = _groups(net, self.history[: self.rule.slots * len(net.learned)])
        self.steps: dict[int, Tensor] = {}
        self.clipped = Clipping("Gradient"), Clipping("Weight")

    @torch.no_grad()
    def __call__(self, rate: float, iteration: int, passes: int) -> None:
        """Change the weights by their gradients, which are summed over `passes` passes."""
        gradients = _gradients([learned.blob for learned in self.net.learned])
        if not gradients:  # torch takes no empty lists
            return
        bad = self.scale.unscale(gradients) if self.scale else None
        clip_gradients, clip_weights = self.clipped
        clip_gradients(gradients, self.param.clip_gradients * (passes / self.param.iter_size))
        if passes > 1:
            torch._foreach_mul_(gradients, 1 / passes)
        now = settings.at(self.param, iteration, rate)
        at_once = None if now.snapshot_diff else kernel(now, self.net.device.type)
        for group in self.groups:
            own = [gradients[i] for i in group.indices]
            lr, decay = local.rate_and_decay(now, group.mults, group.weights, own, rate, iteration)
            if at_once and _alike(own, group.weights, *group.history):
                self._at_once(at_once, group, Turn(own, lr, decay, iteration, now, bad))
            else:
                self._in_turn(group, Turn(own, lr, decay, iteration, now, bad))
        weights: list[Tensor] = [learned.blob for learned in self.net.learned]
        clip_weights(weights, self.param.clip_weights)
        self._clamp(weights)
        if self.slow:
            self._look_ahead(weights, iteration + 1)

    def log_clipping(self) -> None:
        """The lines of clippings since the last time."""
        for clipping in self.clipped:
            clipping.log()

    def _clamp(self, weights: list[Tensor]) -> None:
        """NormFace's bounds of all weights, if either is given."""
        param = self.param
        if param.HasField("clamp_weights_lower") or param.HasField("clamp_weights_upper"):
            torch._foreach_clamp_min_(weights, param.clamp_weights_lower)
            torch._foreach_clamp_max_(weights, param.clamp_weights_upper)

    def _look_ahead(self, weights: list[Tensor], update: int) -> None:
        """Take the slow weights of jolibrain's lookahead, from the first update on, a part of the way to the weights every
        lookahead_steps updates, and go on from there."""
        if update == 1:
            torch._foreach_copy_(self.slow, weights)
        if update % self.param.lookahead_steps == 0:
            torch._foreach_lerp_(self.slow, weights, self.param.lookahead_alpha)
            torch._foreach_copy_(weights, self.slow)

    def _at_once(self, run: Kernel, group: Group, turn: Turn) -> None:
        """Decay, rule and weights in one pass over the memory; signs (L1) are added before."""
        decay = turn.decay
        if turn.now.regularization_type == "L1":
            local.decay(turn.now, decay, group.weights, turn.gradients)
            decay = 0.0
        if not group.weights[0].is_meta:  # where memory is counted; this takes none
            blobs = (group.weights, turn.gradients, *group.history)
            weights, gradients, *history = (list(map(_as_it_lies, x)) for x in blobs)
            run(Work(weights, gradients, history, turn.rate, decay, turn.iteration, turn.bad), turn.now)

    def _in_turn(self, group: Group, turn: Turn) -> None:
        """Decay, rule and weights one after the other."""
        bad, gradients, decoupled = turn.bad, turn.gradients, turn.now.regularization_type == "decoupled"
        before = group.copies() if bad is not None else []
        if not decoupled:
            local.decay(turn.now, turn.decay, group.weights, gradients)
        steps = self.rule.step(gradients, group.history, turn.rate, turn.now, turn.iteration)
        if decoupled and turn.decay:
            steps = list(torch._foreach_add(steps, group.weights, alpha=turn.decay))
        torch._foreach_sub_(group.weights, steps)
        if bad is not None:
            group.put_back(before, bad)
            steps = [step.where(bad == 0, 0) for step in steps]
        if self.param.snapshot_diff:
            self.steps.update((id(w), step) for w, step in zip(group.weights, steps, strict=True))


@dataclass(frozen=True)
class Turn:
    """What is done to a group in an update: its gradients, rate and decay, and the settings of the iteration."""

    gradients: list[Tensor]
    rate: float
    decay: float
    iteration: int
    now: SolverParameter
    bad: Tensor | None


class Group:
    """Learned blobs with equal multipliers, which are updated together."""

    def __init__(self, net: Net, history: list[Tensor], indices: list[int]):
        first = net.learned[indices[0]]
        self.indices = indices
        self.mults = first.lr_mult, first.decay_mult
        self.weights: list[Tensor] = [net.learned[i].blob for i in indices]
        slots = len(history) // len(net.learned)  # of the rule
        self.history = [[history[slot * len(net.learned) + i] for i in indices] for slot in range(slots)]

    def copies(self) -> list[Tensor]:
        """Copies of the weights and their history."""
        return [x.clone() for blobs in (self.weights, *self.history) for x in blobs]

    def put_back(self, copies: list[Tensor], bad: Tensor) -> None:
        """Make weights and history what they were, where the device says that an update was `bad`."""
        own = [x for blobs in (self.weights, *self.history) for x in blobs]
        for x, before in zip(own, copies, strict=True):
            x.copy_(torch.where(bad == 0, x, before))


def _groups(net: Net, history: list[Tensor]) -> list[Group]:
    by_multipliers: dict[tuple[float, float], list[int]] = {}
    for index, learned in enumerate(net.learned):
        by_multipliers.setdefault((learned.lr_mult, learned.decay_mult), []).append(index)
    return [Group(net, history, indices) for indices in by_multipliers.values()]


def _alike(*blobs: list[Tensor]) -> bool:
    """Whether the tensors of each blob lie in memory in the same order."""
    first, *others = ([x.is_contiguous() or x.stride() for x in tensors] for tensors in blobs)
    return all(strides == first for strides in others)


def _as_it_lies(x: Tensor) -> Tensor:
    """A view in the order of the memory; torch's kernels copy other tensors on a CPU, which takes four times as long."""
    return x if x.is_contiguous() else x.permute(0, *range(2, x.dim()), 1)


def _gradients(blobs: Sequence[Tensor]) -> list[Tensor]:
    """The gradients; zeros where the loss does not reach a blob, such as statistics: in one piece, so that a net with many
    of them does not keep a GPU busy with making zeros."""
    given = [blob.grad for blob in blobs]
    if all(gradient is not None for gradient in given):
        return [gradient for gradient in given if gradient is not None]
    found = {id(blob): torch.zeros_like(blob) if blob.grad is None else blob.grad for blob in blobs if not _plain(blob)}
    missing = [blob for blob in blobs if _plain(blob)]
    if missing:
        sizes = [blob.numel() for blob in missing]
        parts = torch.split(missing[0].new_zeros(sum(sizes)), sizes)
        found.update((id(blob), part.view_as(blob)) for blob, part in zip(missing, parts, strict=True))
    return [found[id(blob)] for blob in blobs]


def _plain(blob: Tensor) -> bool:
    """Whether it has no gradient, and zeros for one may lie in a row with others."""
    return blob.grad is None and blob.is_contiguous()
