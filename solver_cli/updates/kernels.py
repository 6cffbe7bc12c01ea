"""Update rules in one pass over the memory: decay, rule and weights by torch's fused optimizers, set so as to be Caffe's.

There is none for AdaDelta, and none for some settings; then the rule of rules.py is followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.updates.settings import rectified

Tensors = list[Tensor]
TINY = 1e-30  # a rate that moves nothing, for one of 0 by which is divided
LATE = 2.0**40  # a step at which Adam's powers of factors below 1 are 0, and so its corrections of the bias 1


@dataclass(frozen=True)
class Work:
    """What is to be updated, and how.

    `weights`, `gradients` (changed on the way), `history`: a list for each slot; the tensors of a blob have equal strides.
    `rate` times lr_mult, `decay`: the factor of the L2 decay. `bad`: if given, nothing is done where the device has a 1.
    """

    weights: Tensors
    gradients: Tensors
    history: list[Tensors]
    rate: float
    decay: float
    iteration: int
    bad: Tensor | None

    def scalar(self, value: float) -> Tensor:
        """A number beside the weights, which nobody waits for."""
        return torch.full((), value, device=self.weights[0].device)


Kernel = Callable[[Work, SolverParameter], None]
Serves = Callable[[SolverParameter, str], bool]
KERNELS: dict[str, tuple[Serves, Kernel]] = {}


def kernel(param: SolverParameter, device: str) -> Kernel | None:
    """What does an update by these settings in one pass on this type of device, if anything does."""
    serves, run = KERNELS.get(param.type, (None, None))
    return run if serves and serves(param, device) else None


def fused(name: str, serves: Serves) -> Callable[[Kernel], Kernel]:
    """Register the kernel of the solver type `name`, for the settings and devices that it serves."""

    def register(run: Kernel) -> Kernel:
        KERNELS[name] = serves, run
        return run

    return register


def _has_momentum(param: SolverParameter, device: str) -> bool:
    return param.momentum > 0  # without it torch keeps no history


def _has_adagrad(param: SolverParameter, device: str) -> bool:
    return device != "cuda" or torch._C._dispatch_has_kernel_for_dispatch_key("aten::_fused_adagrad_", "CUDA")


@fused("SGD", _has_momentum)
def sgd(x: Work, param: SolverParameter) -> None:
    """torch's v <- momentum v + (1 - dampening) g;  w <- w - v, with the rate in the dampening and not in front of v."""
    _sgd(x, param.momentum, dampening=1 - x.rate)


@fused("Nesterov", _has_momentum)
def nesterov(x: Work, param: SolverParameter) -> None:
    """torch's g <- g / scale;  v <- momentum v + g;  w <- w - (g + momentum v).  With scale = 1 / r this is Caffe's step,
    (1 + momentum) v' - momentum v."""
    _sgd(x, param.momentum, decay=x.rate, nesterov=True, scale=x.scalar(1 / x.rate if x.rate else math.inf))


def _sgd(
    x: Work,
    momentum: float,
    *,
    dampening: float = 0.0,
    decay: float = 1.0,
    nesterov: bool = False,
    scale: Tensor | None = None,
) -> None:
    torch._fused_sgd_(
        x.weights, x.gradients, x.history[0], weight_decay=decay * x.decay, momentum=momentum, lr=1.0, dampening=dampening,
        nesterov=nesterov, maximize=False, is_first_step=False, grad_scale=scale, found_inf=x.bad,
    )  # fmt: skip


@fused("AdaGrad", _has_adagrad)
def adagrad(x: Work, param: SolverParameter) -> None:
    """torch's is the same. Its kernel for GPUs is younger than the others."""
    torch._fused_adagrad_(
        x.weights, x.gradients, x.history[0], [x.scalar(1)] * len(x.weights), lr=x.rate, lr_decay=0.0, weight_decay=x.decay,
        eps=param.delta, maximize=False, found_inf=x.bad,
    )  # fmt: skip


@fused("RMSProp", lambda param, device: 0 <= param.rms_decay < 1)
def rmsprop(x: Work, param: SolverParameter) -> None:
    """Adam whose mean of the gradients is the gradient itself, and lies in its memory."""
    _adam(x, x.gradients, x.history[0], (0.0, param.rms_decay), x.rate, param.delta)


def _is_plain(param: SolverParameter, device: str) -> bool:
    other = param.amsgrad or param.gc or param.adabelief or rectified(param)
    return not other and 0 <= param.momentum < 1 and 0 <= param.momentum2 < 1


@fused("Adam", _is_plain)
def adam(x: Work, param: SolverParameter) -> None:
    """The corrections of the bias are in the rate: torch would add delta to the corrected root. torch's decoupled decay is
    multiplied by the rate, jolibrain's is not."""
    (h, v), m, b, t = x.history, param.momentum, param.momentum2, x.iteration + 1
    rate = x.rate * math.sqrt(1 - b**t) / (1 - m**t)
    if param.regularization_type == "decoupled":
        rate = rate or TINY
        x = replace(x, decay=x.decay / rate)
    _adam(x, h, v, (m, b), rate, param.delta, param.regularization_type == "decoupled")


def _adam(
    x: Work, h: Tensors, v: Tensors, betas: tuple[float, float], rate: float, delta: float, decoupled: bool = False
) -> None:
    """w <- w - rate h / (sqrt(v) + delta) by torch's kernel, which finds nothing to correct."""
    run = torch._fused_adamw_ if decoupled else torch._fused_adam_
    run(
        x.weights, x.gradients, h, v, [], [x.scalar(LATE)] * len(x.weights), lr=rate, beta1=betas[0], beta2=betas[1],
        weight_decay=x.decay, eps=delta, amsgrad=False, maximize=False, found_inf=x.bad,
    )  # fmt: skip
