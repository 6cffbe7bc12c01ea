"""Layers that count their passes, because something of theirs depends on how many there have been."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Counting(nn.Module):
    """`passes`, a number on the net's device; a run that is resumed goes on from there."""

    repeating = False  # the last forward runs once more
    passes: Tensor

    def __init__(self, start: int = 0):
        super().__init__()
        self.start = start
        self.register_buffer("passes", torch.tensor(start, device="cpu"), persistent=False)

    def reset(self) -> None:
        """Count from the start again."""
        self.passes.fill_(self.start)

    @property
    def state(self) -> tuple[Tensor, ...]:
        """What a later run needs to go on."""
        return (self.passes.clone(),)

    @state.setter
    def state(self, saved: Sequence[Tensor]) -> None:
        self.passes.copy_(saved[0])

    def count(self, like: Tensor) -> None:
        """One pass more, unless `like` has no values or the pass has been counted."""
        if not (like.is_meta or self.repeating):
            self.passes += 1
