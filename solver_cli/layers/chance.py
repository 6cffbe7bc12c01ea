"""What layers draw at random, where several ranks train together."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Dealt = tuple[int, int]  # the number of a rank, and how many there are
ALONE: Dealt = (0, 1)


def drawn(found: Tensor, dealt: Dealt, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """`found` as `draw` fills it. Of several ranks rank r takes rows r, r + size ... of what is drawn for all records.

    So a record meets what it would meet on one rank, if the ranks' generators are equal.
    """
    rank, size = dealt
    if size == 1 or not found.dim():
        return draw(found)
    rows, *rest = found.shape
    return draw(found.new_empty(rows * size, *rest))[rank::size].contiguous()
