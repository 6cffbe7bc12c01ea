"""Suppression of boxes, many at once, beside one box after the other."""

from __future__ import annotations

import pytest
import torch

from solver_cli.layers.boxes import overlap
from solver_cli.layers.suppression import BLOCK, standing


def one_by_one(boxes: torch.Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in range(len(boxes)):
        if not kept or not (overlap(boxes[kept], boxes[i]) > threshold).any():
            kept.append(i)
    return kept


@pytest.mark.parametrize("count", [0, 1, BLOCK, 2 * BLOCK + 77])
def test_the_same_boxes_stand_as_one_by_one(count: int) -> None:
    torch.manual_seed(count)
    corner = torch.rand(count, 2) * 3
    boxes = torch.cat((corner, corner + torch.rand(count, 2)), 1)
    stand = standing(boxes, lambda a, b: overlap(a, b) > 0.3)
    wanted = one_by_one(boxes, 0.3)
    assert stand.nonzero().flatten().tolist() == wanted and (count < 2 or len(wanted) < count)
    few = standing(boxes, lambda a, b: overlap(a, b) > 0.3, enough=20)
    assert few.nonzero().flatten().tolist()[:20] == wanted[:20]
    assert not few[BLOCK:].any()  # all 20 stand in the first block
