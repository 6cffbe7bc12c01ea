"""The layers as compiled functions (`--compile`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from solver_cli.errors import DeviceError
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.sections import Section
from solver_cli.registry import LayerType

Blobs = dict[str, Tensor]
Shares = Mapping[Node, Any] | None
VARIANTS = 64  # of one function: nets, stretches, phases, sizes of pieces; torch's own limit is 8


def compile_nets(nets: Sequence[Net]) -> None:
    """Let the nets run compiled from now on; the compiling itself is done in the first iteration. Raises DeviceError."""
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler):
        raise DeviceError(f"--compile: there is no C++ compiler '{compiler}': install one, or name one in CXX")
    for net in nets:
        net.run = Compiled(net)


def plain(kind: LayerType) -> bool:
    """Whether layers of this type cannot be part of a graph."""
    return kind.dynamic or kind.once


class Compiled:
    """Runs each stretch of layers as one function that torch.compile has made; on a GPU, where it is the whole net, as one
    CUDA graph.

    Layers that cannot be part of a graph (`plain`) run as they are between the stretches, and so does the whole net for an
    observer. `options`: those of torch.compile.
    """

    def __init__(self, net: Net, **options: Any):
        self.net, self.options = net, options
        self.run = net.run
        self._parts: dict[tuple[int, ...], list[tuple[bool, Section]]] = {}
        self._functions: dict[tuple[Section, tuple[Node, ...]], Callable[..., Any]] = {}
        torch._dynamo.config.recompile_limit = max(VARIANTS, torch._dynamo.config.recompile_limit)

    def __call__(self, nodes: Sequence[Node], blobs: Blobs, shares: Shares = None, keep: bool = True) -> Tensor:
        """What Net.run does; it runs plainly where blobs are to be kept."""
        once = self.net.training and nodes is self.net.nodes and not torch.is_grad_enabled()  # the last display's
        if self.net.observer or keep or once or self.net.device.type == "meta":
            return self.run(nodes, blobs, shares, keep)
        loss = torch.zeros((), device=self.net.device)
        for alone, part in self._of(nodes):
            loss = loss + (self.run(part.nodes, blobs, shares, keep) if alone else self._compiled(part, blobs, shares))
        return loss

    def _of(self, nodes: Sequence[Node]) -> list[tuple[bool, Section]]:
        key = tuple(map(id, nodes))
        if key not in self._parts:
            running = (node for node in nodes if node.run is not None)
            groups = groupby(running, lambda node: plain(node.kind) or node.holds(node.kind.waits))
            self._parts[key] = [(alone, Section(list(part), joins=False)) for alone, part in groups]
        return self._parts[key]

    def _compiled(self, part: Section, blobs: Blobs, shares: Shares) -> Tensor:
        """Run a stretch on its bottoms; masks that layers draw, and what part of a mean losses are, are inputs as well."""
        parts = {node: self._there(shares[node]) for node in part.nodes if node in shares} if shares else {}
        names = list(dict.fromkeys(part.bottoms))
        key = part, tuple(parts)
        graph = self.net.device.type == "cuda" and part.nodes == [node for node in self.net.nodes if node.run is not None]
        if key not in self._functions:
            options: dict[str, Any] = {"mode": "reduce-overhead"} if graph else {}
            self._functions[key] = torch.compile(self._function(part, names, list(parts)), **{**options, **self.options})
        if graph and torch.is_grad_enabled():
            self._make_gradients()
        drawing = [node for node in part.nodes if node.drawing]
        masks = [node.drawing.mask for node in drawing]
        given = [_mask(node, self.net.device) for node in drawing]
        try:
            loss, tops = self._functions[key]([blobs.pop(name) for name in names], list(parts.values()), given)
        finally:
            for node, mask in zip(drawing, masks, strict=True):
                node.drawing.mask = mask
        blobs.update({name: x.clone() for name, x in tops.items()} if graph else tops)
        return loss.clone() if graph else loss  # type: ignore[no-any-return]

    def _there(self, share: Tensor | float) -> Tensor:
        """A share on the net's device: with an input on the CPU there is no CUDA graph. A GPU is not waited for."""
        return share if isinstance(share, Tensor) else torch.full((), share, device=self.net.device)

    def _function(self, part: Section, names: list[str], shared: list[Node]) -> Callable[..., tuple[Tensor, Blobs]]:
        """The stretch as a function of tensors."""
        drawing = [node.drawing for node in part.nodes if node.drawing]

        def function(given: list[Tensor], shares: list[Tensor], masks: list[Tensor]) -> tuple[Tensor, Blobs]:
            blobs = dict(zip(names, given, strict=True))
            for module, mask in zip(drawing, masks, strict=True):
                module.mask = mask
            loss = self.run(part.nodes, blobs, dict(zip(shared, shares, strict=True)), keep=False)
            return loss, blobs

        return function

    def _make_gradients(self) -> None:
        """Gradients in memory of their own, to which a pass adds: that of a CUDA graph is overwritten by the next pass."""
        for learned in self.net.learned:
            if learned.blob.requires_grad and learned.blob.grad is None:
                learned.blob.grad = torch.zeros_like(learned.blob)


def _mask(node: Node, device: torch.device) -> Tensor:
    """The mask that has been drawn for the layer, or a new one."""
    module = node.drawing
    mask: Tensor = module.draw(torch.empty((), device=device).expand(node.shapes[0])) if module.mask is None else module.mask
    return mask
