"""Activations that forks of Caffe have and BVLC has not: one number in, one number out."""

from __future__ import annotations

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import InsanityParameter
from solver_cli.errors import ConfigError
from solver_cli.layers.chance import ALONE, drawn
from solver_cli.registry import layer


@layer("Mish", origin="community", param=None, apart=True)
def mish(x: Tensor) -> Tensor:
    """top = bottom * tanh(log(1 + e^bottom))"""
    return F.mish(x)


@layer("HardSwish", origin="community", param=None, apart=True)
def hard_swish(x: Tensor) -> Tensor:
    """top = bottom * min(max(bottom + 3, 0), 6) / 6"""
    return F.hardswish(x)


layer("HSwish", origin="community", param=None, apart=True)(hard_swish)  # another name for it


@layer("Insanity", origin="NormFace", apart=True)
class Insanity(nn.Module):
    """top = bottom where it is positive, else bottom / a: a drawn between `lb` and `ub` in training, else their logarithmic
    mean (ub - lb) / (log |ub| - log |lb|) (NormFace: a leaky ReLU of random slopes).
    """

    generator: torch.Generator | None = None
    mask: Tensor | None = None  # drawn beforehand, for a batch that runs in pieces or more than once
    dealt = ALONE

    def __init__(self, param: InsanityParameter, shapes: list[tuple[int, ...]]):
        super().__init__()
        self.least, self.most = param.lb, param.ub
        if not self.least < self.most or self.least * self.most == 0 or self.least == -self.most:
            text = f"lb {self.least:g} must be below ub {self.most:g}, neither of them 0, nor one minus the other"
            raise ConfigError(text, field="insanity_param.lb")
        self.mean = (self.most - self.least) / (log(abs(self.most)) - log(abs(self.least)))

    @property
    def draws(self) -> bool:
        """Whether it goes by chance."""
        return self.training

    def draw(self, like: Tensor) -> Tensor:
        """Numbers to divide by, for a bottom of the shape of `like`, to use later."""
        found = torch.empty(like.shape, dtype=torch.float32, device=like.device)
        generator = None if like.is_meta else self.generator
        return drawn(found, self.dealt, lambda x: x.uniform_(self.least, self.most, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.leaky_relu(x, 1 / self.mean)
        by = (self.draw(x) if self.mask is None else self.mask).to(x.dtype)
        return torch.where(x > 0, x, x / by)
