"""Greedy suppression: of boxes in order of their scores, each falls that overlaps an earlier one which stands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ROWS = 1 << 24  # pairs of boxes whose overlaps are held at once


def standing(boxes: Tensor, falls: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Which of K boxes (K, 4), best first, stand: bool (K).

    `falls` says of boxes (n, 1, 4) and (1, K, 4) which of the second fall by the first. All boxes are looked at again until
    nothing changes, which is after as many rounds as the longest chain of boxes that decide one another, seldom ten.
    """
    count = len(boxes)
    if count == 0:
        return torch.ones(0, dtype=torch.bool, device=boxes.device)
    step = max(1, ROWS // count)
    hits = torch.cat([falls(boxes[i : i + step, None], boxes[None]).triu(i + 1) for i in range(0, count, step)])
    stand = torch.ones(count, dtype=torch.bool, device=boxes.device)
    while True:
        now = ~hits[stand].any(0)
        if torch.equal(now, stand):
            return stand
        stand = now
