"""Fillers: how a learned blob starts. Random numbers come from the generator that is passed in."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import FillerParameter
from solver_cli.errors import ConfigError, nearest

Filler = Callable[[Tensor, FillerParameter, torch.Generator], None]


class FillerError(ConfigError):
    """A filler that does not suit its blob or is no filler; `field` stands in the message `filler`."""

    def __init__(self, message: str, field: str, filler: FillerParameter):
        super().__init__(message, field=field)
        self.filler = filler


def filled(filler: FillerParameter, *shape: int) -> nn.Parameter:
    """A learned blob of `shape` that remembers its filler; the net fills it once it is built (see `fill`).

    Raises FillerError for settings that the filler, or this shape, does not allow.
    """
    check(filler, shape)
    blob = nn.Parameter(torch.empty(shape))
    blob.filler = filler  # type: ignore[attr-defined]
    return blob


@torch.no_grad()
def fill(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """Fill `blob` (on the generator's device) as `filler` says. Raises FillerError."""
    check(filler, tuple(blob.shape))
    FILLERS[filler.type](blob, filler, generator)


def check(filler: FillerParameter, shape: tuple[int, ...]) -> None:
    """Refuse with a FillerError what Caffe's fillers refuse for a blob of `shape`."""
    kind = filler.type
    if kind not in FILLERS:
        raise FillerError(f"unknown filler type '{kind}'{nearest(kind, FILLERS)}", "type", filler)
    if math.prod(shape) == 0:
        raise FillerError(f"a blob of shape {shape} has no values to fill", "type", filler)
    if kind == "uniform" and not filler.min <= filler.max:
        raise FillerError(f"filler 'uniform': min {filler.min:g} is greater than max {filler.max:g}", "min", filler)
    if kind == "gaussian" and not filler.std > 0:
        raise FillerError(
            f"filler 'gaussian': std must be positive, not {filler.std:g}: for one value everywhere use type: \"constant\"",
            "std",
            filler,
        )
    if kind == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        raise FillerError(f"filler 'bilinear' needs four axes and square planes, not {shape}", "type", filler)
    for name, usual in (("scale", 1), ("alpha", 0)):
        if kind != "msra" and getattr(filler, name) != usual:
            raise FillerError(f"filler '{kind}' knows no {name}: only msra does", name, filler)
    if filler.sparse != -1:
        _check_sparse(filler, shape)


def _check_sparse(filler: FillerParameter, shape: tuple[int, ...]) -> None:
    if filler.type != "gaussian":
        raise FillerError(f"filler '{filler.type}' knows no sparse: only gaussian does", "sparse", filler)
    if not shape or not 0 <= filler.sparse <= shape[0]:
        first = shape[0] if shape else "none"
        raise FillerError(
            f"sparse {filler.sparse} must be -1 (off) or 0 to the first axis of the blob's shape {shape}, {first}",
            "sparse",
            filler,
        )


def fan(blob: Tensor, filler: FillerParameter) -> float:
    """n of xavier and msra: count / shape[0] (FAN_IN), count / shape[1] (FAN_OUT; count for one axis), or their mean."""
    fan_in = blob.numel() / blob.shape[0] if blob.dim() else 1
    fan_out = blob.numel() / blob.shape[1] if blob.dim() > 1 else blob.numel()
    if filler.variance_norm == FillerParameter.FAN_OUT:
        return fan_out
    return (fan_in + fan_out) / 2 if filler.variance_norm == FillerParameter.AVERAGE else fan_in


def constant(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """Every value is `value`."""
    blob.fill_(filler.value)


def uniform(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """U(min, max)"""
    blob.uniform_(filler.min, filler.max, generator=generator)


def gaussian(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """N(mean, std); with `sparse`, each value is kept with probability sparse / shape[0] and 0 otherwise."""
    blob.normal_(filler.mean, filler.std, generator=generator)
    if filler.sparse >= 0:
        keep = torch.full_like(blob, filler.sparse / blob.shape[0])
        blob.mul_(torch.bernoulli(keep, generator=generator))


def positive_unitball(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """U(0, 1), each slice along axis 0 divided by its sum."""
    rows = blob.uniform_(0, 1, generator=generator).view(blob.shape[0], -1)
    rows.div_(rows.sum(1, keepdim=True))


def gaussian_unitball(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """N(0, 1), each slice along axis 0 divided by the root of its sum of squares (NormFace)."""
    rows = blob.normal_(0, 1, generator=generator).view(blob.shape[0], -1)
    rows.div_((rows.square().sum(1, keepdim=True) + 1e-12).sqrt())


def xavier(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """U(-a, a), a = sqrt(3 / n), n from `fan`."""
    a = math.sqrt(3 / fan(blob, filler))
    blob.uniform_(-a, a, generator=generator)


def msra(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """N(0, scale sqrt(2 / n / (1 + alpha^2))), n from `fan`; scale is Intel's, alpha (a PReLU's slope) NormFace's."""
    std = filler.scale * math.sqrt(2 / fan(blob, filler) / (1 + filler.alpha**2))
    blob.normal_(0, std, generator=generator)


def bilinear(blob: Tensor, filler: FillerParameter, generator: torch.Generator) -> None:
    """Each plane is the outer product of the triangle 1 - |x / f - c| with itself: a Deconvolution that interpolates."""
    size = blob.shape[3]
    f = math.ceil(size / 2)
    c = (size - 1) / (2 * f)
    triangle = 1 - (torch.arange(size, dtype=torch.float64) / f - c).abs()
    blob.copy_(torch.outer(triangle, triangle).expand_as(blob))


FILLERS: dict[str, Filler] = {
    f.__name__: f
    for f in (constant, uniform, gaussian, positive_unitball, gaussian_unitball, xavier, msra, bilinear)
}
