"""The six update rules of Caffe's solvers, each one function over lists of tensors (one list a group of equal rates).

g: gradient after clipping, division by iter_size and decay; r: rate times lr_mult; w <- w - step, the step is returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.updates.settings import rectified

Tensors = list[Tensor]
Step = Callable[[Tensors, list[Tensors], float, SolverParameter, int], Tensors]


@dataclass(frozen=True)
class Rule:
    """A solver type: its step, and how many history blobs it keeps for each weight (which fixes the .solverstate).

    `squares`: the slots that hold sums of squares, which are never negative. `momentum`: whether it has one. `below_1`:
    fields that must be at least 0 and below 1, `up_to_1`: and 1 at the most. `delta`: whether it divides by a root plus it.
    """

    step: Step
    slots: int
    squares: frozenset[int] = frozenset()
    momentum: bool = True
    below_1: tuple[str, ...] = ()
    up_to_1: tuple[str, ...] = ()
    delta: bool = False

    def trouble(self, param: SolverParameter) -> tuple[str, str] | None:
        """(field, what is wrong) of the first setting with which it divides by 0 or takes roots of negative numbers."""
        if param.momentum and not self.momentum:
            return "momentum", f"{param.type} knows no momentum: take it out, or set it to 0 (found {param.momentum:g})"
        for name in self.below_1:
            if not 0 <= getattr(param, name) < 1:
                return name, f"{name} of {param.type} must be at least 0 and below 1, not {getattr(param, name):g}"
        for name in self.up_to_1:
            if not 0 <= getattr(param, name) <= 1:
                return name, f"{name} of {param.type} must be between 0 and 1, not {getattr(param, name):g}"
        if self.delta and param.delta < 0:
            return "delta", f"delta of {param.type} must be 0 or more, not {param.delta:g}"
        return None


RULES: dict[str, Rule] = {}


def rule(name: str, *, slots: int, squares: Iterable[int] = (), **limits: Any) -> Callable[[Step], Step]:
    """Register the update rule of the solver type `name`; `limits`: see Rule."""

    def register(step: Step) -> Step:
        RULES[name] = Rule(step, slots, frozenset(squares), **limits)
        return step

    return register


@rule("SGD", slots=1)
def sgd(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """v <- momentum v + r g;  step = v.  The rate is inside v, unlike torch.optim."""
    (v,) = history
    torch._foreach_mul_(v, param.momentum)
    torch._foreach_add_(v, g, alpha=rate)
    return v


@rule("Nesterov", slots=1)
def nesterov(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """v' = momentum v + r g;  step = (1 + momentum) v' - momentum v"""
    (v,) = history
    step = torch._foreach_mul(v, -param.momentum)
    torch._foreach_mul_(v, param.momentum)
    torch._foreach_add_(v, g, alpha=rate)
    torch._foreach_add_(step, v, alpha=1 + param.momentum)
    return list(step)


@rule("AdaGrad", slots=1, squares=[0], momentum=False, delta=True)
def adagrad(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- h + g g;  step = r g / (sqrt(h) + delta)"""
    (h,) = history
    torch._foreach_addcmul_(h, g, g)
    return _scaled_by_root(g, h, rate, param.delta)


@rule("RMSProp", slots=1, squares=[0], momentum=False, below_1=("rms_decay",), delta=True)
def rmsprop(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- d h + (1 - d) g g with d = rms_decay;  step = r g / (sqrt(h) + delta)"""
    (h,) = history
    _decay_squares(h, g, param.rms_decay)
    return _scaled_by_root(g, h, rate, param.delta)


@rule("AdaDelta", slots=2, squares=[0, 1], up_to_1=("momentum",), delta=True)
def adadelta(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- m h + (1 - m) g g;  u = g sqrt((h2 + delta) / (h + delta));  h2 <- m h2 + (1 - m) u u;  step = r u.
    m is the field momentum; h2 takes u without the rate."""
    h, h2 = history
    _decay_squares(h, g, param.momentum)
    u = torch._foreach_add(h2, param.delta)
    torch._foreach_div_(u, torch._foreach_add(h, param.delta))
    torch._foreach_sqrt_(u)
    torch._foreach_mul_(u, g)
    _decay_squares(h2, list(u), param.momentum)
    torch._foreach_mul_(u, rate)
    return list(u)


@rule("Adam", slots=2, squares=[1], below_1=("momentum", "momentum2"), delta=True)
def adam(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- m h + (1 - m) g;  v <- b v + (1 - b) g g;  step = r sqrt(1 - b^t) / (1 - m^t) h / (sqrt(v) + delta)
    with m = momentum, b = momentum2, t = iteration + 1.  delta is added to the uncorrected root.
    jolibrain's fields: gc takes the mean out of g; adabelief has (g - h)^2 in v; amsgrad lets no v fall; rectified makes it
    RAdam."""
    h, v = history
    m, b, t = param.momentum, param.momentum2, iteration + 1
    rate *= math.sqrt(1 - b**t) / (1 - m**t)
    if param.gc:
        torch._foreach_sub_(g, [x.mean() for x in g])
    torch._foreach_mul_(h, m)
    torch._foreach_add_(h, g, alpha=1 - m)
    before = torch._foreach_mul(v, 1.0) if param.amsgrad else v
    _decay_squares(v, list(torch._foreach_sub(g, h)) if param.adabelief else g, b)
    if param.amsgrad:
        torch._foreach_maximum_(v, before)
    if not rectified(param):
        return _scaled_by_root(h, v, rate, param.delta)
    factor = _rectification(b, t)
    return _scaled_by_root(h, v, rate * factor, param.delta) if factor else list(torch._foreach_mul(h, rate))


def _rectification(b: float, t: int) -> float:
    """RAdam's factor of the rate; 0 where the root of v varies too much yet to be divided by (Liu et al., ICLR 2020)."""
    last = 2 / (1 - b) - 1
    now = last - 2 * t * b**t / (1 - b**t)
    return math.sqrt((now - 4) * (now - 2) * last / ((last - 4) * (last - 2) * now)) if now > 4 else 0.0


def _decay_squares(h: Tensors, g: Tensors, decay: float) -> None:
    """h <- decay h + (1 - decay) g g"""
    torch._foreach_mul_(h, decay)
    torch._foreach_addcmul_(h, g, g, value=1 - decay)


def _scaled_by_root(g: Tensors, h: Tensors, rate: float, delta: float) -> Tensors:
    """rate * g / (sqrt(h) + delta)"""
    root = torch._foreach_sqrt(h)
    torch._foreach_add_(root, delta)
    step = torch._foreach_div(g, root)
    torch._foreach_mul_(step, rate)
    return list(step)
