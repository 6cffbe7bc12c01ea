"""How long a net's layers take, one at a time as `caffe time` runs them, and whole passes as training makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import Error
from solver_cli.net.needs import backward_needs
from solver_cli.net.net import Net
from solver_cli.net.plan import Node, as_tuple
from solver_cli.passes.memory import Tracker
from solver_cli.passes.precision import full, in_half
from solver_cli.registry import Shape
from solver_cli.updates.update import Update


@dataclass
class Timed:
    """One layer: milliseconds forward and backward, all iterations together; what it works on and leaves in memory."""

    node: Node
    forward: float = 0.0
    backward: float = 0.0
    learned: int = 0  # bytes of its learned blobs
    kept: int = 0  # bytes that its forward pass leaves: tops, and what its backward pass reads
    bottoms: list[Shape] = field(default_factory=list)
    tops: list[Shape] = field(default_factory=list)
    products: int = 0  # of the gradients, of bottoms and of weights, how many the backward pass makes


@dataclass
class Whole:
    """Milliseconds of whole passes, all iterations together: forward, backward and update as training makes them."""

    forward: float = 0.0
    backward: float = 0.0
    update: float = 0.0


class Clock:
    """Marks moments in the work of a device; on a GPU by events, which cost its work nothing."""

    def __init__(self, device: torch.device):
        self.device, self.cuda = device, device.type == "cuda"

    def mark(self) -> Any:
        """This moment: on a GPU when what has been asked of it so far is done."""
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event

    def settle(self) -> None:
        """Wait until all marks are behind: `between` may be asked then."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def between(self, begin: Any, end: Any) -> float:
        """The milliseconds from one mark to another."""
        return float(begin.elapsed_time(end)) if self.cuda else (end - begin) * 1e3


class ByLayer:
    """Runs passes of `net` layer by layer, each layer cut off from the others, and adds up the times in `layers`.

    `loss`: that of the last pass.
    """

    def __init__(self, net: Net, half: torch.dtype | None = None):
        """`half`: what the layers that can work on halves work in."""
        self.net = net
        self.half = half
        self.clock = Clock(net.device)
        self.layers = [Timed(node) for node in net.nodes]
        self.needs = backward_needs(net.nodes, net.param.force_backward)
        self.loss = 0.0

    def look(self) -> None:
        """One pass that is not timed: it warms up, and finds shapes and memory."""
        known = {learned.blob.untyped_storage()._cdata for learned in self.net.learned}
        tracker = Tracker()
        tracker.count(learned.blob for learned in self.net.learned)

        def observe(timed: Timed, bottoms: list[Tensor], tops: tuple[Tensor, ...]) -> None:
            tracker.count(tops)
            timed.kept, seen[0] = tracker.live - seen[0], tracker.live
            timed.bottoms, timed.tops = [tuple(x.shape) for x in bottoms], [tuple(x.shape) for x in tops]
            own = {x.blob.untyped_storage()._cdata: x.blob.untyped_storage().nbytes() for x in timed.node.learned}
            timed.learned = sum(size for key, size in own.items() if key in known)
            known.difference_update(own)

        seen = [tracker.live]
        with tracker:
            passed = self._forward(observe)
        self.loss = float(sum(weight * float(top.detach().sum()) for top, weight in passed.losses))
        self._backward(passed)

    def run(self) -> float:
        """One timed pass forward and backward; its milliseconds, which count in `layers`."""
        begin = self.clock.mark()
        passed = self._forward()
        forward_done = self.clock.mark()
        marks = self._backward(passed)
        self.clock.settle()
        self._add("forward", [begin, *passed.marks], self.layers)
        self._add("backward", [forward_done, *marks], self.layers[::-1])
        return self.clock.between(begin, marks[-1] if marks else forward_done)

    def _add(self, name: str, marks: list[Any], layers: list[Timed]) -> None:
        for timed, begin, end in zip(layers, marks, marks[1:], strict=False):
            setattr(timed, name, getattr(timed, name) + self.clock.between(begin, end))

    def _forward(self, observe: Callable[[Timed, list[Tensor], tuple[Tensor, ...]], None] | None = None) -> Passed:
        passed = Passed()
        for timed, (need, wanted) in zip(self.layers, self.needs, strict=True):
            node = timed.node
            bottoms = [
                passed.blobs[name].detach().requires_grad_(need and want)
                for name, want in zip(node.bottoms, wanted, strict=True)
            ]
            halves = self.half is not None and in_half(node)
            try:
                with torch.set_grad_enabled(need), torch.autocast(self.net.device.type, self.half, halves, False):
                    if self.half and not halves:
                        bottoms = [full(bottom) for bottom in bottoms]
                    tops = as_tuple(node.run(*bottoms)) if node.run else self._read(node)
            except Error as error:
                raise node.spec.locate(error) from None
            passed.records.append((bottoms, tops))
            passed.blobs.update({name: top for name, top in zip(node.tops, tops, strict=True) if name})
            passed.losses += [(top, weight) for top, weight in zip(tops, node.loss_weights, strict=True) if weight]
            if observe:
                observe(timed, bottoms, tops)
            passed.marks.append(self.clock.mark())
        return passed

    def _read(self, node: Node) -> tuple[Tensor, ...]:
        """The next batch of a data layer; zeros of an Input layer."""
        tensors = node.source.next_batch() if node.source else map(torch.zeros, node.shapes)
        return tuple(tensor.to(self.net.device, non_blocking=True) for tensor in tensors)

    def _backward(self, passed: Passed) -> list[Any]:
        """The way back of a pass; the moments behind each layer, the last one first. Gradients of weights stay in them."""
        diffs: dict[str, Tensor] = {}
        marks = []
        for timed, (need, _) in zip(reversed(self.layers), reversed(self.needs), strict=True):
            bottoms, tops = passed.records.pop()
            if need and timed.node.run:
                timed.products = _back(timed.node, bottoms, tops, diffs)
            marks.append(self.clock.mark())
        return marks


@dataclass
class Passed:
    """What the way forward leaves: blobs by name; bottoms and tops, and the moment behind, of each layer."""

    blobs: dict[str, Tensor] = field(default_factory=dict)
    records: list[tuple[list[Tensor], tuple[Tensor, ...]]] = field(default_factory=list)
    losses: list[tuple[Tensor, float]] = field(default_factory=list)
    marks: list[Any] = field(default_factory=list)


def _back(node: Node, bottoms: list[Tensor], tops: tuple[Tensor, ...], diffs: dict[str, Tensor]) -> int:
    """Take the gradients of a layer's tops out of `diffs` and put its bottoms' in; how many kinds of gradients there are."""
    above = []
    for name, top, weight in zip(node.tops, tops, node.loss_weights, strict=True):
        diff = diffs.pop(name, None) if name else None
        if diff is None:
            diff = torch.full_like(top, weight)
        if top.requires_grad:
            above.append((top, diff.to(top.dtype)))
    below = [(name, bottom) for name, bottom in zip(node.bottoms, bottoms, strict=True) if bottom.requires_grad]
    learned = list({id(x.blob): x.blob for x in node.learned if x.blob.requires_grad}.values())
    if not above or not (below or learned):
        return 0
    inputs = [*(bottom for _, bottom in below), *learned]
    outputs, given = zip(*above, strict=True)
    grads = torch.autograd.grad(outputs, inputs, given, allow_unused=True)
    for (name, _), grad in zip(below, grads, strict=False):
        if grad is not None:
            diffs[name] = grad
    for blob, grad in zip(learned, grads[len(below) :], strict=True):
        blob.grad = grad
    return bool(below) + bool(learned)


def whole(net: Net, iterations: int) -> Whole:
    """Time passes and updates as training makes them, layers that run as one included, after one that is not timed."""
    clock, total = Clock(net.device), Whole()
    update = Update(net, SolverParameter(type="SGD", momentum=0.9))
    for index in range(-1, iterations):
        batch = dict(net.next_batch())
        marks = list(_train(net, batch, update, clock))
        clock.settle()
        if index >= 0:
            for name, begin, end in zip(("forward", "backward", "update"), marks, marks[1:], strict=False):
                setattr(total, name, getattr(total, name) + clock.between(begin, end))
    return total


def _train(net: Net, blobs: dict[str, Tensor], update: Update, clock: Clock) -> Iterator[Any]:
    for learned in net.learned:
        learned.blob.grad = None
    yield clock.mark()
    loss = net.run(net.nodes, blobs, keep=False)
    blobs.clear()
    yield clock.mark()
    if loss.requires_grad:
        torch.autograd.backward(loss)
    yield clock.mark()
    update(0.0, 0, 1)  # at a rate of 0, so weights stay as they are
    yield clock.mark()
