"""The rate of each blob: lr_mult times the run's, or by the norms of weights and gradient; and decays beside the gradient.

The norms stay on the device: nobody waits for them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.updates.settings import decay_restarts

Tensors = list[Tensor]


def decay(param: SolverParameter, factor: float, weights: Tensors, gradients: Tensors) -> None:
    """Add `factor` times the weights (L2) or their signs (L1) to the gradients."""
    if factor:
        added = torch._foreach_sign(weights) if param.regularization_type == "L1" else weights
        torch._foreach_add_(gradients, added, alpha=factor)


def rate_and_decay(
    param: SolverParameter, mults: tuple[float, float], weights: Tensors, gradients: Tensors, rate: float, iteration: int
) -> tuple[float, float]:
    """The rate and the decay of blobs with these lr_mult and decay_mult. Where each has a rate of its own, or SGD decays
    beside the gradient, the gradients are made the step without momentum, and 1 and 0 are returned."""
    lr_mult, decay_mult = mults
    lr, factor = rate * lr_mult, param.weight_decay * decay_mult
    if lr_mult > 0 and (param.larc or param.local_lr_auto):
        rates = _larc if param.larc else _local_lr_auto
        torch._foreach_mul_(gradients, list(rates(param, factor, weights, gradients, rate).unbind()))
        return 1.0, 0.0
    if param.regularization_type == "decoupled":
        lr, factor = (x * decay_restarts(param, iteration + 1) for x in (lr, factor))
        if param.type == "SGD":
            torch._foreach_mul_(gradients, lr)
            decay(param, factor, weights, gradients)
            return 1.0, 0.0
    return lr, factor


def _larc(param: SolverParameter, factor: float, weights: Tensors, gradients: Tensors, rate: float) -> Tensor:
    """NVCaffe's rates: (1 - momentum) larc_eta |w| / |g| with the decay in g; larc_policy says how it meets the run's."""
    decay(param, factor, weights, gradients)
    w, g = _norms(weights), _norms(gradients)
    local = _ratio(w, g, (1 - param.momentum) * param.larc_eta * w, g)
    return rate * local if param.larc_policy == "scale" else local.clamp(max=rate)


def _local_lr_auto(param: SolverParameter, factor: float, weights: Tensors, gradients: Tensors, rate: float) -> Tensor:
    """Intel's rates: local_gw_ratio |w| / (|g| + weight_decay |w|) with g before the decay, whatever decay_mult is."""
    w, g = _norms(weights), _norms(gradients)
    decay(param, factor, weights, gradients)
    return rate * _ratio(w, g, param.local_gw_ratio * w, g + param.weight_decay * w)


def _norms(tensors: Tensors) -> Tensor:
    return torch.stack(torch._foreach_norm(tensors))


def _ratio(w: Tensor, g: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """above / below; 1 where weights or gradient are 0."""
    return torch.where((w > 0) & (g > 0), above / below, torch.ones_like(w))
