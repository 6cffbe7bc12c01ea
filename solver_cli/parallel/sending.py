"""Gradients on their way to the other ranks while the last backward pass of an update still runs.

torch's DistributedDataParallel knows one backward pass over each blob; here the pieces and sections of a batch make several.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType

import torch
from torch import Tensor, nn

from solver_cli.parallel.ranks import RankError, Ranks, Sent, buckets, put


class Sending:
    """Makes the gradients of `blobs` their means over the ranks, bucket by bucket, those of the last layers first.

    Inside the context an update is made: `start(passes)` before its passes (again if they begin again), `open()` before the
    last one; behind it `arrive()`. A bucket leaves when each of its blobs has got as many gradients as in the update before,
    the others at the end. What then was too early is sent once more, so that nothing but time depends on that number. All
    ranks send the same buckets in the same order; one that fails sends zeros for the rest.

    `early`: how many buckets of the last update left during its backward pass. `counts`: how many numbers each pass asks the
    `total` of, before its forward pass. Alone nothing is sent.
    """

    def __init__(self, blobs: Sequence[nn.Parameter], ranks: Ranks):
        self.ranks = ranks
        self.early = self.counts = 0
        learned = [blob for blob in reversed(blobs) if blob.requires_grad] if ranks.size > 1 else []
        self.buckets: list[list[Tensor]] = list(buckets(learned))
        self._device = learned[0].device if learned else torch.device("cpu")
        self._added: dict[Tensor, int] = dict.fromkeys(learned, 0)  # how many gradients each has got in this update
        self._expected: dict[Tensor, int] | None = None
        self._lacking: list[int] = []  # how many blobs of each bucket still expect some
        self._sent: list[Sent] = []
        self._totals: list[Tensor] = []
        self._awaited = 1  # passes whose totals all ranks send
        self._open = self._stale = self._updating = False
        for number, bucket in enumerate(self.buckets):
            for blob in bucket:
                blob.register_post_accumulate_grad_hook(partial(self._add, number))  # type: ignore[no-untyped-call]

    def __enter__(self) -> Sending:
        self._sent, self._totals, self._awaited = [], [], 1
        self._stale = self._updating = False
        return self

    def total(self, number: int, own: Tensor) -> Tensor:
        """The sums over the ranks of what pass `number` counts; those of before if the passes have begun again."""
        if number == len(self._totals):
            self._totals.append(self.ranks.total(own))
        return self._totals[number]

    def start(self, passes: int) -> None:
        """The first of so many passes of the update begins; what has left before is not what will come."""
        self._awaited, self._updating = passes, True
        self._stale, self._open = bool(self._sent), False
        self._added = dict.fromkeys(self._added, 0)
        if (expected := self._expected) is not None:
            self._lacking = [sum(expected[blob] > 0 for blob in bucket) for bucket in self.buckets]

    def open(self) -> None:
        """The last pass of the update begins: from now on buckets may leave."""
        self._open = self._expected is not None
        self._leave()

    def _add(self, number: int, blob: Tensor) -> None:
        """A gradient has been added to a blob of bucket `number`."""
        self._added[blob] += 1
        self._stale = self._stale or number < len(self._sent)
        if self._expected is not None and self._added[blob] == self._expected[blob]:
            self._lacking[number] -= 1
            self._leave()

    def _leave(self) -> None:
        """Send the buckets that are complete, up to the first that is not."""
        while self._open and not self._stale and len(self._sent) < len(self.buckets) and not self._lacking[len(self._sent)]:
            self._send()

    @torch.no_grad()
    def _send(self) -> None:
        bucket = self.buckets[len(self._sent)]
        self._sent.append(self.ranks.send([torch.zeros_like(x) if x.grad is None else x.grad for x in bucket]))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open, self.early = False, len(self._sent)
        if error:
            for blob in self._added:
                blob.grad = None  # the memory may have run out
        with suppress(*[RankError] if error else []):  # then the others are gone, and `error` is to be told
            while error and self.counts and len(self._totals) < self._awaited:
                self.total(len(self._totals), torch.zeros(self.counts, dtype=torch.int64, device=self._device))
            while self._updating and len(self._sent) < len(self.buckets):
                self._send()

    @torch.no_grad()
    def arrive(self, loss: Tensor) -> None:
        """Wait for what the others have sent; the gradients and the loss become the means. Raises RankError."""
        if self.ranks.size == 1:
            return
        self.ranks.average([loss])
        stale = self.ranks.most(int(self._stale))
        for bucket, sent in zip(self.buckets, self._sent, strict=True):
            means = sent.means()
            for blob in bucket:
                blob.grad = torch.zeros_like(blob) if blob.grad is None else blob.grad
            if not stale:
                put(means, [blob.grad for blob in bucket if blob.grad is not None])
        if stale:
            self.ranks.average([blob.grad for blob in self._added if blob.grad is not None])
        self._expected, self._sent = self._added, []
