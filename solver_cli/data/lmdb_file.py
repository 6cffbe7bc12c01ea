"""The records of an LMDB's data file, read page by page.

liblmdb trusts its file: damage there, or a file that is cut short while it is read, ends the process. This reader looks at
every page before it believes it.

The format (mdb.c of LMDB 0.9, 64 bits, little endian): pages of one size, each with a head of 16 bytes. Pages 0 and 1 are
metas; that of the later transaction names the root of a tree of branches and leaves. A node of a leaf holds a key and its
value, or the number of the first of the pages in a row in which a large value lies.

No lock is taken, so that the file may lie on a read-only disk. A writer leaves alone all pages of the last two transactions:
what was copied before a third one was committed is whole, and reading goes on in the newest. So a writer beside us does no
harm, and what it adds behind the place of the reader comes in the same round.
"""

from __future__ import annotations

import os
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from operator import lt
from pathlib import Path
from struct import Struct

import numpy as np

from solver_cli import files
from solver_cli.formats.mapped import Mapped

HEAD = Struct("<QHHHH")  # page number, unused, kind, end of the nodes' places, start of the nodes
LARGE = Struct("<QHHI")  # the same of the first page of a large value, with the count of its pages
META = Struct("<II16xI44xIHH24xQQQQ")  # magic, version, page size, -, flags, depth, records, root, last page, transaction
NODE = Struct("<HHHH")  # in leaves: size (low, high), flags, size of the key; in branches the first three are a page number
MAGIC, VERSION = 0xBEEFC0DE, 1
BRANCH, LEAF, OVERFLOW, META_PAGE, KINDS = 1, 2, 4, 8, 0x6F
PAGE_NUMBER = Struct("<Q")
BIG = 1  # flag of a node whose value lies elsewhere
NOWHERE = 2**64 - 1
DEEPEST = 32  # levels of a tree
RUN = 64  # records that are taken before the metas are looked at again
PATIENCE = 100  # times that a run is taken anew because a writer was faster

Value = bytes | memoryview
Record = tuple[bytes, Value]


class Damaged(Exception):
    """What is wrong with the file, in words."""


@dataclass(frozen=True)
class Snapshot:
    """The database as a transaction left it. `told`: the bytes of both metas."""

    told: bytes
    page_size: int
    depth: int
    entries: int
    root: int
    end: int  # of its last page, in bytes
    transaction: int


@dataclass(frozen=True)
class Form:
    """Where the nodes of a leaf lie, the last first, and how long their keys and values are: one `struct` takes all of them.

    It gives the page's number, its `head`, and of each node what stands before its key (`nodes`), the key and the value.
    """

    size: int  # of the page
    head: bytes
    nodes: list[bytes]
    struct: Struct


class LmdbFile:
    """The data file of an LMDB, open for reading to any number of threads. Everything may raise OSError and Damaged."""

    def __init__(self, path: Path) -> None:
        self._file = files.reading(path)
        weakref.finalize(self, self._file.close)
        if not self._size():
            raise Damaged("cannot be opened as an LMDB: its data.mdb is empty")
        self._map()
        self._written, self._needed = False, 0
        self._form: Form | None = None
        self._told = self._metas()
        snapshot = self.snapshot()
        if self._size() < snapshot.end and self._all_used(snapshot):
            raise cut_short(self._size(), snapshot.end)
        self._needed = min(snapshot.end, self._size())

    def _map(self) -> None:
        self._mapped = Mapped(self._file)
        self._view = self._mapped.view

    def check(self) -> bool:
        """Raise Damaged if what was read may be zeros: the file is shorter, or cannot be read any more.

        Whether somebody has written to it since it was opened: values that were handed out before that was known may have
        changed; those that come later are copies.
        """
        self._check_whole()
        self._written = self._written or self._metas() != self._told
        return self._written

    def _check_whole(self) -> None:
        if (size := self._size()) < self._needed:
            raise cut_short(size, self._needed)
        if self._mapped.broken:
            raise Damaged("data.mdb cannot be read any more: its disk has failed, or it has been cut short")

    def snapshot(self, known: Snapshot | None = None) -> Snapshot:
        """The newest one; `known` itself if no other has been committed since."""
        told = self._metas()
        if known and told == known.told:
            return known
        while told != (again := self._metas()):  # one was being written
            told = again
        half = len(told) // 2
        first, second = self._parsed(told[:half]), self._parsed(told[half:])
        page_size, flags, depth, entries, root, last_page, transaction = max(first, second, key=lambda meta: meta[-1])
        if flags:
            raise Damaged(f"its keys have an order, or several values, that Caffe does not know (flags {flags:#x})")
        empty = root == NOWHERE
        if empty != (not entries) or empty != (not depth) or depth > DEEPEST:
            raise Damaged(f"damaged: {entries} records, {depth} levels deep, from page {root} on")
        return Snapshot(told, page_size, depth, entries, root, (last_page + 1) * page_size, transaction)

    def records(self, start: bytes = b"") -> Iterator[Record]:
        """(key, value) of every record from the key `start` on."""
        snapshot, whole, found, tries = self.snapshot(), not start, 0, 0
        runs = self._runs(snapshot, start)
        while True:
            copied = self._written
            run, damage = attempted(runs)
            last: Record | None = None
            now = self.snapshot(snapshot)
            if now is not snapshot:
                self._written = True
                if not follows(now, snapshot) or tries == PATIENCE:
                    raise Damaged("has been replaced, or is written to faster than it can be read")
                if not copied or now.transaction > snapshot.transaction + 1:
                    run, tries = [], tries + 1
            for record in run:
                if self._written is not copied:
                    break
                yield record
                last = record
            if last:
                start, tries, found = last[0] + b"\0", 0, found + len(run)
            if now is not snapshot or self._written is not copied:
                snapshot, whole = self.snapshot(), False
                runs = self._runs(snapshot, start)
            elif damage:
                self._check_whole()
                raise damage
            elif not run:
                break
        if whole and found != snapshot.entries:
            raise Damaged(f"damaged: it has {found} records of {snapshot.entries}")

    def _runs(self, snapshot: Snapshot, start: bytes) -> Iterator[list[Record]]:
        """The records from the key `start` on, RUN or a few more at a time."""
        last = b""
        keys: list[bytes] = []
        values: list[Value] = []
        try:
            for number in self._leaves(snapshot, snapshot.root, snapshot.depth, start):
                if not self._read_alike(snapshot, number, keys, values):
                    self._read_leaf(snapshot, number, keys, values)
                if keys and keys[0] < start:
                    before = bisect_left(keys, start)
                    del keys[:before], values[:before]
                if len(keys) >= RUN:
                    yield joined(last, keys, values)
                    last = keys[-1]
                    keys, values = [], []
        except Damaged:
            if keys:
                yield joined(last, keys, values)
            raise
        if keys:
            yield joined(last, keys, values)

    def _read_alike(self, snapshot: Snapshot, number: int, keys: list[bytes], values: list[Value]) -> bool:
        """Do as `_read_leaf` if the leaf is of the form of the one before; whether it is."""
        form, at, end = self._form, number * snapshot.page_size, (number + 1) * snapshot.page_size
        if form is None or form.size != snapshot.page_size or end > snapshot.end or end > len(self._view):
            return False
        found, head, *nodes = form.struct.unpack_from(self._view, at)
        if found != number or head != form.head or nodes[::3] != form.nodes:
            return False
        keys.extend(nodes[-2::-3])
        values.extend(nodes[-1::-3])
        return True

    def _read_leaf(self, snapshot: Snapshot, number: int, keys: list[bytes], values: list[Value]) -> None:
        """Add the keys and values of a leaf."""
        page, places = self._page(snapshot, number, LEAF)
        size, large = len(page), False
        for at in places:
            low, high, flags, length = NODE.unpack_from(page, at)
            middle = at + 8 + length
            length = low | high << 16
            if flags == 0 and middle + length <= size:
                value: Value = page[middle : middle + length]
            elif flags == BIG and middle + 8 <= size:
                (where,) = PAGE_NUMBER.unpack_from(page, middle)
                value, large = self._large(snapshot, where, length), True
            else:
                raise Damaged(f"damaged: page {number} has a record of flags {flags:#x} and {length} bytes at {at}")
            keys.append(page[at + 8 : middle])
            values.append(value)
        self._form = None if large else form_of(page, places)

    def _leaves(self, snapshot: Snapshot, number: int, depth: int, start: bytes) -> Iterator[int]:
        """The numbers of the leaves below a page that is `depth` levels high, from that of the key `start` on."""
        if depth < 2:
            yield from (number,)[:depth]
            return
        page, places = self._page(snapshot, number, BRANCH)
        first = 0
        if start:  # the first child's key stands for all that are smaller
            first = bisect_right(places, start, 1, key=lambda at: key_of(page, at)) - 1
        if any(at % 2 for at in places):
            raise Damaged(f"damaged: page {number} has a node at an odd place")
        below = children(page, places[first:])
        if depth == 2:
            yield from below
            return
        for child in below:
            yield from self._leaves(snapshot, child, depth - 1, start)
            start = b""

    def _page(self, snapshot: Snapshot, number: int, kind: int) -> tuple[bytes, tuple[int, ...]]:
        """The page with a number, if it is of that kind, and where its nodes begin."""
        at, end = number * snapshot.page_size, (number + 1) * snapshot.page_size
        view = self._view
        if number < 2 or end > snapshot.end or end > len(view):
            view = self._reaching(snapshot, number, end)
        page = bytes(view[at:end])
        found, _, kinds, lower, upper = HEAD.unpack_from(page)
        if found == number and kinds & KINDS == kind and HEAD.size < lower <= upper <= len(page) and not lower % 2:
            places = numbers((lower - HEAD.size) // 2).unpack_from(page, HEAD.size)
            if max(places) <= len(page) - NODE.size:
                return page, places
        raise Damaged(f"damaged: page {number} is no {'leaf' if kind == LEAF else 'branch'} of the tree")

    def _large(self, snapshot: Snapshot, number: int, length: int) -> Value:
        """The value of `length` bytes that begins on a page."""
        at = number * snapshot.page_size
        start, end = at + LARGE.size, at + LARGE.size + length
        view = self._view
        if number < 2 or end > snapshot.end or end > len(view):
            view = self._reaching(snapshot, number, end)
        found, _, kinds, count = LARGE.unpack_from(view, at)
        if found != number or kinds & KINDS != OVERFLOW or at + count * snapshot.page_size < end:
            raise Damaged(f"damaged: page {number} does not begin a value of {length} bytes")
        return bytes(view[start:end]) if self._written else view[start:end]

    def _reaching(self, snapshot: Snapshot, number: int, end: int) -> memoryview:
        """The file's bytes, if the page with a number is one of the tree's, up to `end` at least."""
        if number < 2 or end > snapshot.end:
            raise Damaged(f"damaged: it points to page {number} and bytes up to {end}, where it has none")
        if end > len(self._view):
            if end > self._size():
                raise cut_short(self._size(), end)
            self._map()  # it has grown
        return self._view

    def _all_used(self, snapshot: Snapshot) -> bool:
        """Whether the tree reaches beyond the file's end: pages that are free may be missing there."""
        try:
            return sum(map(len, self._runs(snapshot, b""))) != snapshot.entries
        except Damaged:
            return True

    def _metas(self) -> bytes:
        """The heads and contents of both metas, one behind the other."""
        view, size = self._view, HEAD.size + META.size
        first = bytes(view[:size])
        second = self._parsed(first)[0]  # the page's size, at which the other one begins
        return b"".join((first, view[second : second + size]))

    def _parsed(self, meta: bytes) -> tuple[int, ...]:
        try:
            return parsed(meta)
        except Damaged:
            self._check_whole()
            raise

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size


@lru_cache(8)
def parsed(meta: bytes) -> tuple[int, ...]:
    """Page size, flags, depth, records, root, last page, transaction of a meta page. Raises Damaged."""
    if len(meta) < HEAD.size + META.size or HEAD.unpack_from(meta)[2] & KINDS != META_PAGE:
        raise Damaged("cannot be opened as an LMDB: its data.mdb does not begin with two meta pages")
    magic, version, page_size, _, *rest = META.unpack_from(meta, HEAD.size)
    if magic != MAGIC or version != VERSION:
        raise Damaged(f"cannot be opened as an LMDB: its data.mdb is of another kind ({magic:#x}, version {version})")
    if page_size & (page_size - 1) or not 256 <= page_size <= 1 << 16:
        raise Damaged(f"cannot be opened as an LMDB: its data.mdb claims pages of {page_size} bytes")
    return page_size, *rest


def form_of(page: bytes, places: tuple[int, ...]) -> Form | None:
    """The form of a leaf without large values; None if its nodes do not lie as usual, each before the one added earlier."""
    end = HEAD.size + 2 * len(places)
    nodes, layout = [], [f"<Q{end - PAGE_NUMBER.size}s"]
    for at in reversed(places):
        low, high, _, key = NODE.unpack_from(page, at)
        if at < end:
            return None
        layout.append(f"{at - end}x{NODE.size}s{key}s{low | high << 16}s")
        nodes.append(page[at : at + NODE.size])
        end = at + NODE.size + key + (low | high << 16)
    return Form(len(page), page[PAGE_NUMBER.size : HEAD.size + 2 * len(places)], nodes, compiled("".join(layout)))


def key_of(page: bytes, at: int) -> bytes:
    """The key of a branch's node."""
    return page[at + NODE.size : at + NODE.size + NODE.unpack_from(page, at)[3]]


def children(page: bytes, places: tuple[int, ...]) -> list[int]:
    """The pages to which nodes of a branch lead."""
    words, first = np.frombuffer(page, "<u2"), np.array(places) // 2
    low, high, top = (words[first + i].astype(np.int64) for i in range(3))
    pages: list[int] = (low | high << 16 | top << 32).tolist()
    return pages


@lru_cache(1000)
def compiled(layout: str) -> Struct:
    return Struct(layout)


def joined(last: bytes, keys: list[bytes], values: list[Value]) -> list[Record]:
    """Keys and values together, if each key comes after the one before and the first after `last`."""
    for before, key in pairwise((last, *keys)) if not all(map(lt, (last, *keys), keys)) else ():
        if key <= before:
            raise Damaged(f"damaged: it has key {key[:40]!r} behind {before[:40]!r}")
    return list(zip(keys, values, strict=True))


@cache
def numbers(count: int) -> Struct:
    """`count` numbers of two bytes."""
    return Struct(f"<{count}H")


def follows(later: Snapshot, earlier: Snapshot) -> bool:
    """Whether a writer may have left `later` after `earlier`; the metas differ already while the next is written."""
    same = replace(later, told=earlier.told) == earlier
    return later.transaction > earlier.transaction or same


def cut_short(size: int, needed: int) -> Damaged:
    return Damaged(f"cut short: data.mdb has {size} bytes of {needed}")


def attempted(runs: Iterator[list[Record]]) -> tuple[list[Record], Damaged | None]:
    """The next run, or what is in its way."""
    try:
        return next(runs, []), None
    except Damaged as error:
        return [], error
