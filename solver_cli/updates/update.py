"""One update of the learned blobs: clipping, division by the passes, decay, update rule, weights."""

from __future__ import annotations

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.net.net import Net
from solver_cli.updates.kernels import Kernel, Work, kernel
from solver_cli.updates.loss_scale import LossScale
from solver_cli.updates.rules import RULES

LOGGED_AT_ONCE = 1000  # clippings whose lines may wait for a display


class Update:
    """Updates the learned blobs of `net` by the rule and settings of `param`.

    `history`: one tensor for each slot of the rule and learned blob, slot by slot. `steps`: the last step of each blob by
    its id, kept for snapshot_diff only. `scale`: the scale of the loss, if it has one: an update whose gradients are not
    finite is left out.
    """

    def __init__(self, net: Net, param: SolverParameter, scale: LossScale | None = None):
        self.net = net
        self.scale = scale
        self.param = param
        self.rule = RULES[param.type]
        self.history = [torch.zeros_like(x.blob) for _ in range(self.rule.slots) for x in net.learned]
        self.groups = _groups(net, self.history)
        self.steps: dict[int, Tensor] = {}
        self._norms: list[tuple[float, Tensor]] = []  # (limit, norm) of summed gradients; still on the device

    @torch.no_grad()
    def __call__(self, rate: float, iteration: int, passes: int) -> None:
        """Change the weights by their gradients, which are summed over `passes` passes."""
        gradients = [_gradient(learned.blob) for learned in self.net.learned]
        if not gradients:  # torch takes no empty lists
            return
        bad = self.scale.unscale(gradients) if self.scale else None
        self._clip(gradients, self.param.clip_gradients * (passes / self.param.iter_size))
        if passes > 1:
            torch._foreach_mul_(gradients, 1 / passes)
        at_once = None if self.param.snapshot_diff else kernel(self.param, self.net.device.type)
        for group in self.groups:
            own = [gradients[i] for i in group.indices]
            lr = rate * group.lr_mult
            if at_once and all(map(_alike, own, group.weights, *group.history)):
                self._at_once(at_once, group, own, lr, iteration, bad)
            else:
                self._in_turn(group, own, lr, iteration, bad)

    def _clip(self, gradients: list[Tensor], limit: float) -> None:
        """Scale the summed gradients down where their common L2 norm is above `limit`; the device decides."""
        if limit < 0:
            return
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        scale = torch.where(norm > limit, limit / norm, torch.ones_like(norm))
        torch._foreach_mul_(gradients, scale)
        self._norms.append((limit, norm))
        if norm.device.type == "cpu" or len(self._norms) == LOGGED_AT_ONCE:
            self.log_clipping()

    def log_clipping(self) -> None:
        """The lines of clippings since the last time; on a GPU they wait for a display, so as not to wait for the GPU."""
        norms = torch.stack([norm for _, norm in self._norms]).tolist() if self._norms else []
        for (limit, _), norm in zip(self._norms, norms, strict=True):
            if norm > limit:
                log.info(
                    "sgd_solver.cpp:93",
                    f"Gradient clipping: scaling down gradients (L2 norm {log.number(norm)} > {log.number(limit)}) "
                    f"by scale factor {log.number(limit / norm)}",
                )
        self._norms.clear()

    def _at_once(
        self, run: Kernel, group: Group, gradients: list[Tensor], rate: float, iteration: int, bad: Tensor | None
    ) -> None:
        """Decay, rule and weights in one pass over the memory; signs (L1) are added before."""
        decay = self.param.weight_decay * group.decay_mult
        if self.param.regularization_type != "L2":
            self._decay(group, gradients)
            decay = 0.0
        if not group.weights[0].is_meta:  # where memory is counted; this takes none
            weights, gradients, *history = (list(map(_as_it_lies, x)) for x in (group.weights, gradients, *group.history))
            run(Work(weights, gradients, history, rate, decay, iteration, bad), self.param)

    def _in_turn(self, group: Group, gradients: list[Tensor], rate: float, iteration: int, bad: Tensor | None) -> None:
        """Decay, rule and weights one after the other."""
        before = group.copies() if bad is not None else []
        self._decay(group, gradients)
        steps = self.rule.step(gradients, group.history, rate, self.param, iteration)
        torch._foreach_sub_(group.weights, steps)
        if bad is not None:
            group.put_back(before, bad)
            steps = [step.where(bad == 0, 0) for step in steps]
        if self.param.snapshot_diff:
            self.steps.update((id(w), step) for w, step in zip(group.weights, steps, strict=True))

    def _decay(self, group: Group, gradients: list[Tensor]) -> None:
        """Add weight_decay times the weights (L2) or their signs (L1)."""
        decay = self.param.weight_decay * group.decay_mult
        if decay:
            weights = group.weights if self.param.regularization_type == "L2" else torch._foreach_sign(group.weights)
            torch._foreach_add_(gradients, weights, alpha=decay)


class Group:
    """Learned blobs with equal multipliers, which are updated together."""

    def __init__(self, net: Net, history: list[Tensor], indices: list[int]):
        first = net.learned[indices[0]]
        self.indices = indices
        self.lr_mult, self.decay_mult = first.lr_mult, first.decay_mult
        self.weights: list[Tensor] = [net.learned[i].blob for i in indices]
        slots = len(history) // len(net.learned)
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


def _alike(gradient: Tensor, *others: Tensor) -> bool:
    """Whether the tensors lie in memory in the same order."""
    return all(gradient.stride() == other.stride() for other in others)


def _as_it_lies(x: Tensor) -> Tensor:
    """A view in the order of the memory; torch's kernels copy other tensors on a CPU, which takes four times as long."""
    return x if x.is_contiguous() else x.movedim(1, -1)


def _gradient(blob: Tensor) -> Tensor:
    """A blob's gradient; zeros where the loss does not reach it."""
    return blob.grad if blob.grad is not None else torch.zeros_like(blob)
