"""Greedy suppression: of boxes in order of their scores, each falls that overlaps an earlier one which stands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Falls = Callable[[Tensor, Tensor], Tensor]
BLOCK = 512  # boxes that are looked at together: their overlaps stay in a processor's cache


def standing(boxes: Tensor, falls: Falls, enough: int | None = None) -> Tensor:
    """Which of K boxes (K, 4), best first, stand: bool (K). Those behind the block in which there are `enough` do not.

    `falls` says of boxes (n, 1, 4) and (1, m, 4) which of the second fall by the first.
    """
    stand = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    kept = boxes[:0]
    for i in range(0, len(boxes), BLOCK):
        block = boxes[i : i + BLOCK]
        stand[i : i + BLOCK] = found = _settled(block, falls, ~falls(kept[:, None], block[None]).any(0))
        kept = torch.cat((kept, block[found]))
        if enough is not None and len(kept) >= enough:
            break
    return stand


def _settled(boxes: Tensor, falls: Falls, alive: Tensor) -> Tensor:
    """Which of the boxes that are alive stand.

    All are looked at again until nothing changes, which is after as many rounds as the longest chain of boxes that decide
    one another, seldom ten.
    """
    hits = falls(boxes[:, None], boxes[None]).triu(1)
    stand = alive
    while True:
        now = alive & ~hits[stand].any(0)
        if torch.equal(now, stand):
            return stand
        stand = now
