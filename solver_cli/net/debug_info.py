"""debug_info: mean absolute values of every blob, learned blob and gradient of a pass, layer by layer, in Caffe's lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.net.needs import asks_gradient, backward_needs
from solver_cli.net.net import Net
from solver_cli.net.plan import Node

Seen = list[tuple[Node, list[Tensor]]]


@contextmanager
def debug_info(net: Net, wanted: bool) -> Iterator[Callable[[], None] | None]:
    """If `wanted`, log the forward lines of what `net` runs inside; given is what logs the backward lines, or None."""
    debug = DebugInfo(net) if wanted else None
    try:
        yield debug.backward if debug else None
    finally:
        if debug:
            debug.close()


class DebugInfo:
    """Observes one pass of `net`: logs the forward lines as it runs, the backward lines when asked."""

    def __init__(self, net: Net):
        self.net = net
        self.seen: Seen = []
        self.needs = dict(zip(net.nodes, backward_needs(net.nodes, net.param.force_backward), strict=True))
        self.wanted = {
            blob
            for node, (need, down) in self.needs.items()
            for blob, want in zip(node.bottoms, down, strict=True)
            if need and want
        }
        self.asked: list[Tensor] = []  # tops that need no gradient but for their line
        self.before = net.observer
        net.observer = self.forward

    def forward(self, node: Node, bottoms: list[Tensor], tops: tuple[Tensor, ...]) -> None:
        """Log a layer's tops and learned blobs; keep its bottoms for the way back."""
        if self.before:
            self.before(node, bottoms, tops)
        for name, top in zip(node.tops, tops, strict=True):
            log.info("net.cpp:593", f"    [Forward] Layer {node.name}, top blob {name} data: {_mean(top)}")
        for index, blob in enumerate(node.blobs()):
            name = _display_name(node, index)
            log.info("net.cpp:605", f"    [Forward] Layer {node.name}, param blob {name} data: {_mean(blob)}")
        for bottom in bottoms:
            if bottom.requires_grad:
                bottom.retain_grad()
        if torch.is_grad_enabled():
            for name, top in zip(node.tops, tops, strict=True):
                if name in self.wanted and not top.requires_grad:  # nothing is learned below, but Caffe has a gradient
                    self.asked.append(top.requires_grad_())
        self.seen.append((node, bottoms))

    def backward(self) -> None:
        """Log the gradients of a backward pass that has run, from the last layer to the first."""
        force = self.net.param.force_backward
        for node, bottoms in reversed(self.seen):
            need, wanted = self.needs[node]
            if not need:
                continue
            for name, bottom, want in zip(node.bottoms, bottoms, wanted, strict=True):
                if want:
                    diff = _mean(_gradient(bottom))
                    log.info("net.cpp:621", f"    [Backward] Layer {node.name}, bottom blob {name} diff: {diff}")
            for index, learned in enumerate(node.learned):
                if asks_gradient(node, index, force):
                    diff = _mean(_gradient(learned.blob))
                    log.info("net.cpp:632", f"    [Backward] Layer {node.name}, param blob {index} diff: {diff}")
        log.error("net.cpp:721", f"    [Backward] All net params (data, diff): {_norms(self.net)}")
        for top in self.asked:  # a source may give the same again
            top.grad = None
            top.requires_grad_(False)
        self.seen, self.asked = [], []

    def close(self) -> None:
        """Stop observing."""
        self.net.observer = self.before


def _display_name(node: Node, index: int) -> str:
    params = node.param.param
    return (params[index].name if index < len(params) else "") or str(index)


def _gradient(tensor: Tensor) -> Tensor:
    return tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)


def _mean(tensor: Tensor) -> str:
    return log.number(float(tensor.detach().abs().mean()))


def _norms(net: Net) -> str:
    """L1 and L2 norms over all distinct learned blobs and their gradients."""
    none = torch.zeros(0, device=net.device)
    data = torch.cat([none, *(learned.blob.detach().flatten() for learned in net.learned)]).double()
    diff = torch.cat([none, *(_gradient(learned.blob).flatten() for learned in net.learned)]).double()
    l1 = f"({log.number(float(data.abs().sum()))}, {log.number(float(diff.abs().sum()))})"
    l2 = f"({log.number(float(data.norm()))}, {log.number(float(diff.norm()))})"
    return f"L1 norm = {l1}; L2 norm = {l2}"
