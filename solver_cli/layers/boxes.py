"""Boxes as (..., 4) tensors xmin ymin xmax ymax: how they overlap, how prior boxes code them, which ones are kept."""

from __future__ import annotations

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import PriorBoxParameter
from solver_cli.errors import DataError

CORNER, CENTER_SIZE = PriorBoxParameter.CORNER, PriorBoxParameter.CENTER_SIZE
SMALLEST = 1e-5  # in area: mining passes over boxes below


def area(boxes: Tensor, edge: float = 0.0) -> Tensor:
    """Width times height, 0 if a box ends before it begins. `edge` is added to both: 1 where they count pixels."""
    size = boxes[..., 2:] - boxes[..., :2]
    return torch.where((size >= 0).all(-1), (size + edge).prod(-1), 0)


def overlap(a: Tensor, b: Tensor, edge: float = 0.0, areas: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Intersection over union of boxes, by the rules of broadcasting; boxes that do not meet: 0. `areas`: if known."""
    width = torch.minimum(a[..., 2], b[..., 2]).sub_(torch.maximum(a[..., 0], b[..., 0]))
    height = torch.minimum(a[..., 3], b[..., 3]).sub_(torch.maximum(a[..., 1], b[..., 1]))
    meet = torch.minimum(width, height) >= 0
    shared = width.add_(edge).mul_(height.add_(edge))
    one, other = areas or (area(a, edge), area(b, edge))
    union = (one + other).sub_(shared)
    return torch.where(meet & (shared > 0), shared / union, 0)  # an area may be infinite, or not be a number


def crosses_boundary(boxes: Tensor) -> Tensor:
    """Whether a box reaches out of the picture."""
    return ((boxes < 0) | (boxes > 1)).any(-1)


def priors_of(blob: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (P, 4) and variances (P, 4) of PriorBox's top (1, 2, 4 P)."""
    boxes, variances = blob.detach().reshape(2, -1, 4)
    return boxes, variances


def check_priors(priors: Tensor) -> None:
    """Refuse prior boxes (P, 4) that have no size, if they can be read without waiting. Raises DataError."""
    if priors.is_cpu and not (empty := priors[:, 2:] <= priors[:, :2]).any():
        return
    if priors.is_cpu:
        index = int(empty.any(1).nonzero()[0])
        box = ", ".join(f"{value:g}" for value in priors[index].tolist())
        raise DataError(f"prior box {index} ({box}) has no width or height, by which codes are divided")


def encode(boxes: Tensor, priors: Tensor, variances: Tensor | None, code: int) -> Tensor:
    """The codes of boxes by their prior boxes, divided by the variances if there are any."""
    size = priors[..., 2:] - priors[..., :2]
    if code == CORNER:
        codes = boxes - priors
    elif code == CENTER_SIZE:
        centre = (boxes[..., :2] + boxes[..., 2:]) / 2 - (priors[..., :2] + priors[..., 2:]) / 2
        codes = torch.cat((centre / size, ((boxes[..., 2:] - boxes[..., :2]) / size).log()), -1)
    else:
        codes = (boxes - priors) / torch.cat((size, size), -1)
    return codes if variances is None else codes / variances


def decode(codes: Tensor, priors: Tensor, variances: Tensor | None, code: int) -> Tensor:
    """The boxes that `encode` would give these codes."""
    if variances is not None:
        codes = codes * variances
    if code == CORNER:
        return priors + codes
    size = priors[..., 2:] - priors[..., :2]
    if code == CENTER_SIZE:
        centre = codes[..., :2] * size + (priors[..., :2] + priors[..., 2:]) / 2
        half = codes[..., 2:].exp() * size / 2
        return torch.cat((centre - half, centre + half), -1)
    return priors + codes * torch.cat((size, size), -1)


def suppress(boxes: Tensor, there: Tensor, threshold: float, eta: float = 1.0) -> Tensor:
    """Which boxes (L, K, 4) of L lists, best first, are kept (L, K) of those that are `there`: a box falls whose overlap
    with one that is kept before exceeds the threshold, which is multiplied by eta after each kept box while above 0.5.

    One box of every list is kept in each step, so a step's work serves all lists; on a GPU there are K steps.
    """
    lists, length = there.shape
    kept = torch.zeros_like(there)
    most = torch.zeros_like(boxes[..., 0])  # its greatest overlap with the kept ones
    limit = boxes.new_full((lists, 1), threshold)
    waiting, every, numbers = there, torch.arange(lists, device=boxes.device), torch.arange(length, device=boxes.device)
    boxes, areas = boxes.movedim(2, 0).contiguous().movedim(0, 2), area(boxes)  # each coordinate for itself: twice as fast
    for _ in range(length):
        first = waiting.to(torch.uint8).argmax(1)
        found = waiting[every, first]
        if boxes.is_cpu and not found.any():
            break
        kept[every, first] |= found
        best = boxes[every, first].unsqueeze(1), areas[every, first].unsqueeze(1)
        most = torch.maximum(most, overlap(best[0], boxes, areas=(best[1], areas)))
        if eta < 1:
            limit = torch.where(found.unsqueeze(1) & (limit > 0.5), limit * eta, limit)
        waiting = waiting & (numbers > first.unsqueeze(1)) & (most <= limit)
    return kept
