"""Ranks: processes that train one net together, each on records of its own. The only user of torch.distributed.

As in Caffe each rank takes batch_size records a pass, gradients are averaged, and the rate stays what the file says.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from solver_cli import errors
from solver_cli.data.prefetch import Interrupted

T = TypeVar("T")
BUCKET = 1 << 25  # bytes that are sent at once: torch's DistributedDataParallel has as many
PATIENCE = 600  # seconds that ranks wait for each other, at the start and, unless somebody says otherwise, later
NOTHING = ("", "")  # what a rank that has not failed tells the others
LEAVE = 30  # seconds that a rank which is done waits for the others
LATE = 2.0  # seconds in which those who have waited in vain tell each other


class RankError(errors.Error):
    """A rank that has failed, is gone or does not answer."""


@dataclass(frozen=True)
class Ranks:
    """Rank `rank` of `size`, `local` of them on this machine before it. With a size of 1 nothing is sent and nothing waits.

    Whatever is called here, all ranks call, in the same order. `seed`: where their random numbers begin if no file says it.
    `watched`: whether somebody else tells of ranks that die. `divided`: whether they divide the batch of the file, of which
    else each takes a whole one. `patience`: seconds that they wait for each other.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    seed: int | None = None
    watched: bool = False
    divided: bool = False
    patience: int = PATIENCE

    @property
    def parts(self) -> int:
        """Of how many parts of a batch each rank takes one."""
        return self.size if self.divided else 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes, logs and draws."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor its mean over the ranks. Raises RankError."""
        if self.size == 1:
            return
        sent = [(bucket, self.send(bucket)) for bucket in buckets(tensors)]
        for bucket, means in sent:
            put(means.means(), bucket)

    def send(self, tensors: Sequence[Tensor]) -> Sent:
        """Let the other ranks have tensors of one type, without waiting for theirs. Raises RankError."""
        with self._waiting():
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            return Sent(self, flat, distributed.all_reduce(flat, async_op=True))

    def means(self, blobs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean of each blob over the ranks. Raises RankError."""
        if self.size == 1:
            return dict(blobs)
        copies = {name: blob.clone() for name, blob in blobs.items()}
        self.average(list(copies.values()))
        return copies

    def total(self, numbers: Tensor) -> Tensor:
        """The sums of the ranks' numbers. Raises RankError."""
        found = numbers.clone()
        with self._waiting():
            distributed.all_reduce(found)
        return found

    def most(self, number: int) -> int:
        """The greatest of the ranks' numbers. Raises RankError."""
        if self.size == 1:
            return number
        found = torch.tensor(number)
        with self._waiting():
            distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)

    def everybody(self, own: T) -> list[T]:
        """What each rank has, by rank. Raises RankError."""
        if self.size == 1:
            return [own]
        found: list[Any] = [None] * self.size
        with self._waiting():
            distributed.all_gather_object(found, own)
        return found

    def gathered(self, own: T) -> list[T]:
        """What each rank has, by rank, for the first rank; an empty list for the others. Raises RankError."""
        if self.size == 1:
            return [own]
        found: list[Any] | None = [None] * self.size if self.first else None
        with self._waiting():
            distributed.gather_object(own, found)
        return found or []

    def same(self, own: T) -> T:
        """What the first rank has. Raises RankError."""
        if self.size == 1:
            return own
        found: list[Any] = [own]
        with self._waiting():
            distributed.broadcast_object_list(found)
        return found[0]  # type: ignore[no-any-return]

    def copy_first(self, tensors: Sequence[Tensor]) -> None:
        """Give the tensors the first rank's values. Raises RankError."""
        for tensor in tensors if self.size > 1 else ():
            with self._waiting():
                distributed.broadcast(tensor, 0)

    @contextmanager
    def as_first(self, tensors: Sequence[Tensor]) -> Iterator[None]:
        """Inside, the tensors have the first rank's values; then their own again. Raises RankError."""
        own = [tensor.clone() for tensor in tensors] if self.size > 1 else []
        self.copy_first(tensors)
        try:
            yield
        finally:
            for tensor, values in zip(tensors, own, strict=False):
                tensor.copy_(values)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is raised inside on one rank is raised on all when they leave; all send what is sent inside (`Sending`)."""
        if self.size == 1:
            yield
            return
        try:
            yield
        except BaseException as error:
            with suppress(RankError):  # then the others know
                self.most(1)
                own = _told(error)
                before = self.everybody(own)[: self.rank]
                if isinstance(error, errors.Error):
                    error.told = own in before
            raise
        if self.most(0):
            told = self.everybody(NOTHING)
            raise _raised(*next(each for each in told if each != NOTHING))

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Trouble with other ranks is a RankError that names those who do not answer."""
        begun = time.monotonic()
        try:
            yield
        except RuntimeError as error:
            if errors.out_of_memory(error):
                raise
            late = time.monotonic() - begun > self.patience / 2
            lost = RankError(self._who() if late else "another rank has died: --snapshot auto goes on")
            lost.told = self.watched and not late
            raise lost from error

    def _who(self) -> str:
        """Who does not answer: those who do say so to each other."""
        silent: list[str] = []
        with suppress(RuntimeError):  # the rank that holds the store may be the silent one
            store = distributed.distributed_c10d._get_default_store()
            store.set(f"waiting {self.rank}", "")
            time.sleep(LATE)
            silent = [str(rank) for rank in range(self.size) if not store.check([f"waiting {rank}"])]
        names = f"rank{'s' * (len(silent) > 1)} {', '.join(silent)}" if silent else "a rank"
        return f"{names} did not answer for {self.patience} seconds: --snapshot auto goes on, --patience N waits longer"


@dataclass(frozen=True)
class Sent:
    """Values, in one row, on their way to be averaged over the ranks."""

    ranks: Ranks
    flat: Tensor
    arriving: Any

    def means(self) -> Tensor:
        """Wait for them. Raises RankError."""
        with self.ranks._waiting():
            self.arriving.wait()
        return self.flat.div_(self.ranks.size)


def put(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Give tensors the values that stand in one row."""
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    torch._foreach_copy_(list(tensors), [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)])


ALONE = Ranks()


@contextmanager
def joined(device: torch.device, ranks: Ranks, meeting: str = "env://") -> Iterator[Ranks]:
    """Be one of the ranks, which meet at `meeting` (see torch.distributed.init_process_group). Raises RankError."""
    if ranks.size == 1:
        yield ranks
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        found, _, _ = next(rendezvous(meeting, ranks.rank, ranks.size, timeout=timedelta(seconds=PATIENCE)))
        again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # torchrun may go on with the store of the ranks that died
        store = PrefixStore(f"start {again}", found)
        store.set(f"here {ranks.rank}", "")
        store.wait([f"here {rank}" for rank in range(ranks.size)], timedelta(seconds=PATIENCE))
        distributed.init_process_group(
            backend, store=store, rank=ranks.rank, world_size=ranks.size, timeout=timedelta(seconds=ranks.patience)
        )
    except (RuntimeError, ValueError) as error:
        raise RankError(f"the ranks do not find each other: {error}") from error
    try:
        yield replace(ranks, seed=ranks.same(secrets.randbits(31)))
        _take_leave(ranks)
    finally:
        distributed.destroy_process_group()


def _take_leave(ranks: Ranks) -> None:
    """Wait until nobody needs this rank any more: what it has sent last would go with it, if it was not read yet."""
    store = distributed.distributed_c10d._get_default_store()
    with suppress(RuntimeError):  # the rank that holds the store may have gone, once all had said so
        store.set(f"done {ranks.rank}", "")
        store.wait([f"done {rank}" for rank in range(ranks.size)], timedelta(seconds=LEAVE))


def from_environment() -> Ranks | None:
    """The rank that torchrun, or SLURM through it, says this process is; None if it says nothing. Raises RankError."""
    names = "RANK", "WORLD_SIZE", "LOCAL_RANK"
    if "RANK" not in os.environ:
        return None
    try:
        rank, size, local = (int(os.environ[name]) for name in names)
    except (KeyError, ValueError):
        raise RankError(f"RANK is set, but not all of {', '.join(names)} are numbers: torchrun sets them") from None
    return Ranks(rank, size, local)


def buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The tensors in groups of one type, of BUCKET bytes or a little more."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size >= BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket


def _told(error: BaseException) -> tuple[str, str]:
    """What other ranks hear of an error: its class and words."""
    return type(error).__name__, str(error)


def _raised(name: str, words: str) -> BaseException:
    """The error of another rank, of the same class if it is one of ours. It has been told where it arose."""
    if name == Interrupted.__name__:
        return Interrupted()
    kind = getattr(errors, name, None)
    error = kind(words) if isinstance(kind, type) and issubclass(kind, errors.Error) else RankError(words)
    error.told = True
    return error
