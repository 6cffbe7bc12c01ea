"""Which records a rank takes, where several read the same data."""

from __future__ import annotations


class Dealing:
    """The records of one rank of `size`.

    In training rank r takes records r, r + size, r + 2 size ... as with Caffe's Data layer: a batch each, of size batches.
    Of a test of `batches` batches it takes the whole batches r, r + size ..., so that each stays what it is on one rank.
    """

    def __init__(self, rank: int = 0, size: int = 1, batches: int = 0):
        self.rank, self.size, self.batches = rank, size, batches
        self.restart()

    def restart(self) -> None:
        """The next batch is of the beginning of a test."""
        self._gone, self._next = 0, self.rank  # batches of the test: that all stand behind, and the next of this rank
        self._before = self._gone, self._next

    def undo(self) -> None:
        """The last turn comes again."""
        self._gone, self._next = self._before

    def block(self, batch_size: int) -> int:
        """How many records are dealt at once: those of a turn of all ranks, or the batch of a test."""
        return batch_size if self.batches else batch_size * self.size

    def turn(self, record: int, batch_size: int) -> tuple[range, int]:
        """The numbers of the rank's next batch_size records, where all ranks stand before `record`; and before which they
        stand then. A rank that has had its last batch of a test goes on to the next test."""
        if not self.batches:
            end = record + self.size * batch_size
            return range(record + self.rank, end, self.size), end
        self._before = self._gone, self._next
        first = record + (self._next - self._gone) * batch_size
        following, gone = self._next + self.size, self._gone
        self._gone, self._next = (self._next + 1, following) if following < self.batches else (self.batches, following)
        end = record + (self._gone - gone) * batch_size
        if self._gone == self.batches:
            self._gone, self._next = 0, self.rank
        return range(first, first + batch_size), end
