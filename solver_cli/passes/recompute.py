"""Activations made once more on the way back instead of being kept (`--recompute`), with the same numbers bit by bit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import accumulate, pairwise
from math import inf, prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.sections import Section

Blobs = dict[str, Tensor]
SIZES = 24  # sizes of segments that are weighed


class Recompute:
    """Runs the net's layers in segments: only the blobs between them are kept for the way back, on which each segment runs
    once more. Dropout's masks must have been drawn (`Pieces` does so); BatchNorm's statistics and the states of recurrent
    layers change the first time only."""

    def __init__(self, net: Net):
        self.net = net
        self._segments: dict[tuple[int, ...], list[Section]] = {}

    def __call__(
        self, nodes: Sequence[Node], blobs: Blobs, shares: Mapping[Node, Tensor | float] | None = None, keep: bool = True
    ) -> Tensor:
        """What Net.run does; blobs inside the segments are not kept."""
        if not torch.is_grad_enabled():
            return self.net.run(nodes, blobs, shares, keep)
        loss = torch.zeros((), device=self.net.device)
        *before, last = self._of(nodes)
        for segment in before:
            run = self._again if not any(node.kind.once for node in segment.nodes) else self._once
            loss = loss + run(segment, blobs, shares)
        return loss + self._once(last, blobs, shares)

    def _of(self, nodes: Sequence[Node]) -> list[Section]:
        key = tuple(map(id, nodes))
        if key not in self._segments:
            self._segments[key] = [Section(part, joins=False) for part in segments(nodes)]
        return self._segments[key]

    def _once(self, segment: Section, blobs: Blobs, shares: Mapping[Node, Tensor | float] | None) -> Tensor:
        return self.net.run(segment.nodes, blobs, shares, keep=False)

    def _again(self, segment: Section, blobs: Blobs, shares: Mapping[Node, Tensor | float] | None) -> Tensor:
        bottoms = segment.bottoms
        names: list[str] = []

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            local = dict(zip(bottoms, tensors, strict=True))
            loss = self.net.run(segment.nodes, local, shares, keep=False)
            names[:] = local
            return loss, *local.values()

        contexts = nullcontext(), repeating([node.module for node in segment.nodes])
        given = [blobs.pop(name) for name in bottoms]
        loss, *tops = checkpoint(run, *given, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: contexts)
        blobs.update(zip(names, tops, strict=True))
        return loss  # type: ignore[no-any-return]


@contextmanager
def repeating(modules: Iterable[Any]) -> Iterator[None]:
    """Let layers run as they did the last time, without counting the batch again."""
    counting = [module for module in modules if getattr(module, "repeating", None) is False]
    for module in counting:
        module.repeating = True
    try:
        yield
    finally:
        for module in counting:
            module.repeating = False


def segments(nodes: Sequence[Node]) -> list[list[Node]]:
    """Cut the layers where the blobs that stay and the largest part between two cuts take the least memory together."""
    made = [0, *accumulate(_bytes(node) for node in nodes)]
    alive = _alive(nodes)
    parting = _parting(nodes)
    cuts = [i for i in range(1, len(nodes)) if alive[i] <= min(alive[i - 1 : i + 2]) and i not in parting]
    best = best_cuts(made, alive, cuts)
    return [list(nodes[a:b]) for a, b in pairwise([0, *best, len(nodes)])]


def _parting(nodes: Sequence[Node]) -> set[int]:
    """Where a cut would part a layer that works in place from the one whose top it overwrites, or with which it is fused:
    on the way back the segment would begin with a blob that is no longer what it was."""
    makers: dict[str, int] = {}
    found: set[int] = set()
    for index, node in enumerate(nodes):
        for blob in set(node.bottoms).intersection(node.tops, makers):
            found.update(range(makers[blob] + 1, index + 1))
        makers.update(dict.fromkeys(node.tops, index))
    return found


def groups(net: Net, sections: Sequence[Section]) -> list[list[int]]:
    """The sections, by number, in groups of which each runs once more as a whole: only what lies between them is kept."""
    alive, between, kept = set[str](), [0], [0]
    for below, section in zip([None, *sections], sections, strict=False):
        again = below.tops if below is not None and below.joins else set()  # BatchNorm's tops are not kept
        kept.append(kept[-1] + _size(net, section.wants - again))
        alive = alive.difference(section.bottoms) | section.left
        between.append(_size(net, alive))
    once = {i for i, section in enumerate(sections) if any(node.kind.once for node in section.nodes)}
    best = best_cuts(kept, between, range(1, len(sections))) if not once else []
    return [list(range(a, b)) for a, b in pairwise([0, *best, len(sections)])]


def _size(net: Net, blobs: Iterable[str]) -> int:
    return 4 * sum(prod(net.blob_shapes[blob]) for blob in blobs)


def best_cuts(made: Sequence[int], alive: Sequence[int], cuts: Sequence[int]) -> list[int]:
    """Those of `cuts` with the least memory: what stays between the parts, and the largest part.

    `made`: the bytes made before each place, `alive`: those of them that are still to be read there.
    """
    sizes = sorted({made[-1] * i // SIZES for i in range(1, SIZES + 1)})
    return min((_cheapest(size, cuts, made, alive) for size in sizes), key=lambda found: found[0])[1]


def _bytes(node: Node) -> int:
    """What the layer's tops take."""
    return 0 if node.kind.view else 4 * sum(map(prod, node.shapes))


def _alive(nodes: Sequence[Node]) -> list[int]:
    """The bytes of the blobs that have been made and are still to be read, before each layer and after the last."""
    live: dict[str, int] = {}
    found = [0]
    for node in nodes:
        for blob in node.bottoms:
            live.pop(blob, None)
        live.update({top: 4 * prod(shape) for top, shape in zip(node.tops, node.shapes, strict=True) if top})
        found.append(sum(live.values()))
    return found


def _cheapest(size: int, cuts: Sequence[int], made: Sequence[int], alive: Sequence[int]) -> tuple[float, list[int]]:
    """The bytes of the blobs between parts of at most `size` bytes and of the largest part; the cuts with the fewest."""
    ends = [0, *cuts, len(made) - 1]
    cost, before = [0.0] + [inf] * (len(ends) - 1), [0] * len(ends)
    for j in range(1, len(ends)):
        first = bisect_left([made[e] for e in ends[:j]], made[ends[j]] - size)
        for i in range(first, j):
            if cost[i] + alive[ends[i]] * (i > 0) < cost[j]:
                cost[j], before[j] = cost[i] + alive[ends[i]] * (i > 0), i
    if cost[-1] == inf:
        return inf, []
    path = [len(ends) - 1]
    while path[-1]:
        path.append(before[path[-1]])
    chosen = [ends[i] for i in reversed(path)]
    largest = max(made[b] - made[a] for a, b in pairwise(chosen))
    return cost[-1] + largest, chosen[1:-1]
