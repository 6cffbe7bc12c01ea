"""Single layers forward and backward between Blobs, and what the blobs were in a pass that the solver made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import FillerParameter
from solver_cli.errors import Error
from solver_cli.net.needs import backward_needs
from solver_cli.net.net import Net
from solver_cli.net.plan import Node, as_tuple
from solver_cli.pycaffe.blob import Blob, gradient
from solver_cli.pycaffe.python_layer import PythonLayer

SHARING = ("Split", "Reshape", "Flatten")  # their tops are their bottom's memory, as in Caffe


@dataclass
class Record:
    """What a layer's forward pass left for its backward pass."""

    bottoms: list[Tensor]
    tops: tuple[Tensor, ...]


class Pass:
    """Runs the layers of `net` one at a time. A layer reads its bottoms from their Blobs, and writes its tops to theirs.

    Backward, a layer reads its tops' diffs and replaces its bottoms', as Caffe's layers do; diffs of learned blobs add up.
    """

    def __init__(self, net: Net, blobs: Mapping[str, Blob]):
        self.net = net
        self.blobs = blobs
        self.needs = backward_needs(net.nodes, net.param.force_backward)
        self.records: dict[int, Record] = {}
        self.kept = kept_tops(net).keys()
        for node in net.nodes:
            for name, weight in zip(node.tops, node.loss_weights, strict=True):
                if weight and name:
                    blobs[name].set_diff(torch.full(blobs[name].shape, weight))

    def forward(self, index: int) -> float:
        """Run layer number `index`; return its part of the loss."""
        node = self.net.nodes[index]
        try:
            if node.run is None:
                self._read(node)
            elif isinstance(node.module, PythonLayer):
                self._run_python(node, "reshape", "forward")
            else:
                self._run(index, node)
        except Error as error:
            raise node.spec.locate(error) from None
        weighted = [(self.blobs[name], w) for name, w in zip(node.tops, node.loss_weights, strict=True) if w and name]
        return sum(float(blob.data_on(self.net.device).sum()) * weight for blob, weight in weighted)

    def forget(self) -> None:
        """Other weights have come: a backward pass without a new forward pass is that of the blobs as they are."""
        self.records.clear()

    def _read(self, node: Node) -> None:
        if node.source is not None:
            for name, tensor in zip(node.tops, node.source.next_batch(), strict=True):
                if name not in self.kept:
                    self.blobs[name].set_data(tensor.to(self.net.device))

    def _run_python(self, node: Node, *methods: str) -> None:
        bottoms, tops = self._blobs(node.bottoms), self._blobs(node.tops)
        for method in methods:
            getattr(node.module.instance, method)(bottoms, tops)  # type: ignore[union-attr]
        self._flush(node)

    def _run(self, index: int, node: Node) -> None:
        record = self._recorded(index, node)
        if self.needs[index][0]:
            self.records[index] = record
        taken = set() if node.param.type in SHARING else _storages(record.bottoms)
        for name, top, weight in zip(node.tops, record.tops, node.loss_weights, strict=True):
            if name:
                blob = self.blobs[name]
                fresh = tuple(top.shape) != blob.shape
                blob.set_data(_own(top.detach(), taken))
                if weight and fresh:
                    blob.set_diff(torch.full(blob.shape, weight))

    def _recorded(self, index: int, node: Node) -> Record:
        """Run a layer on its bottoms as they are; no blob changes."""
        need, wanted = self.needs[index]
        bottoms = []
        for name, want in zip(node.bottoms, wanted, strict=True):
            blob = self.blobs[name]
            tensor = blob.data_on(self.net.device).detach()
            if need and name in node.tops and blob.exposed:
                tensor = tensor.clone()  # the top will be written over it
            bottoms.append(tensor.requires_grad_(need and want))
        with torch.set_grad_enabled(need):
            return Record(bottoms, as_tuple(node.run(*bottoms)))  # type: ignore[misc]

    def backward(self, index: int) -> None:
        """Run layer number `index` backward, if Caffe would."""
        node = self.net.nodes[index]
        need, wanted = self.needs[index]
        if not need or node.run is None:
            return
        if isinstance(node.module, PythonLayer):
            node.module.instance.backward(self._blobs(node.tops), list(wanted), self._blobs(node.bottoms))  # type: ignore[attr-defined]
            self._flush(node)
            return
        record = self.records.get(index) or self._recorded(index, node)
        above = [(top, self._diff_above(node, i)) for i, top in enumerate(record.tops) if top.requires_grad]
        below = [(name, bottom) for name, bottom in zip(node.bottoms, record.bottoms, strict=True) if bottom.requires_grad]
        learned = list({id(x.blob): x.blob for x in node.learned if x.blob.requires_grad}.values())
        inputs = [*(bottom for _, bottom in below), *learned]
        if not above or not inputs:
            return
        tops, diffs = zip(*above, strict=True)
        grads = torch.autograd.grad(tops, inputs, diffs, allow_unused=True, retain_graph=True)
        taken = _storages(diffs)
        for (name, _), grad in zip(below, grads, strict=False):
            if grad is not None:
                self.blobs[name].set_diff(_own(grad, taken))
        for blob, grad in zip(learned, grads[len(below) :], strict=True):
            if grad is not None:
                gradient(blob).add_(grad)

    def _diff_above(self, node: Node, index: int) -> Tensor:
        """The diff of a top; of one that was made up, its weight in the loss."""
        if name := node.tops[index]:
            return self.blobs[name].diff_on(self.net.device)
        return torch.full((), node.loss_weights[index], device=self.net.device).expand(node.shapes[index])

    def reshape(self, index: int) -> None:
        """Give the tops of layer number `index` the shapes that follow from its bottoms'."""
        node = self.net.nodes[index]
        if node.run is None:
            return
        if isinstance(node.module, PythonLayer):
            self._run_python(node, "reshape")
            return
        for name, top in zip(node.tops, _on_meta(node, [blob.shape for blob in self._blobs(node.bottoms)]), strict=True):
            if name:
                self.blobs[name].reshape(*top.shape)

    def _blobs(self, names: Iterable[str]) -> list[Blob]:
        return [self.blobs[name] for name in names]

    def _flush(self, node: Node) -> None:
        for blob in node.module.instance.blobs:  # type: ignore[union-attr]
            blob.flush()


def _on_meta(node: Node, shapes: list[tuple[int, ...]]) -> tuple[Tensor, ...]:
    """The tops of a layer for bottoms of `shapes`, without numbers."""
    drawing = [m for m in node.module.modules() if getattr(m, "generator", None)] if node.module else []
    generators = [m.generator for m in drawing]
    for module in drawing:
        module.generator = None  # type: ignore[assignment]
    try:
        with torch.device("meta"), torch.no_grad():
            bottoms = tuple(torch.empty(shape) for shape in shapes)
            if node.module is None:
                return as_tuple(node.run(*bottoms))  # type: ignore[misc]
            learned = {name: torch.empty(shape) for name, shape in zip(node.blob_names, node.blob_shapes, strict=True)}
            return as_tuple(torch.func.functional_call(node.module, learned, bottoms))
    finally:
        for module, generator in zip(drawing, generators, strict=True):
            module.generator = generator


def _storages(tensors: Iterable[Tensor]) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}


def _own(tensor: Tensor, taken: set[int]) -> Tensor:
    """The tensor, or a copy where its memory is another blob's already."""
    at = tensor.untyped_storage().data_ptr()
    if at in taken:
        return tensor.clone()
    taken.add(at)
    return tensor


def kept_tops(net: Net) -> dict[str, Tensor]:
    """The tops of DummyData layers that a constant fills: filled once, and whoever writes into them later is heard."""
    kept: dict[str, Tensor] = {}
    for node in net.nodes:
        if node.param.type == "DummyData":
            fillers = list(node.param.dummy_data_param.data_filler) or [FillerParameter()]
            for name, shape, filler in zip(node.tops, node.shapes, fillers * len(node.tops), strict=False):
                if filler.type == "constant":
                    kept[name] = torch.full(shape, filler.value)
    return kept


class Captured:
    """The blobs of the last pass that somebody else, the solver, made with the net; Blobs take them when they are looked at.

    Such a pass reads what Blobs of Input layers, and of constants, hold.
    """

    def __init__(self, net: Net, blobs: Mapping[str, Blob]):
        self.net = net
        self.blobs = blobs
        self.fed = [*net.inputs, *kept_tops(net)]
        self.latest: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}
        self.watched: set[str] = set()  # a blob that a layer changes in place is known by the gradient of its first tensor
        self.taken: set[str] = set()  # whose memory is that of a pass
        self.sharing = {top for node in net.nodes if node.param.type in SHARING for top in node.tops}
        self.python = {top for node in net.nodes if isinstance(node.module, PythonLayer) for top in node.tops}
        self.before = net.observer
        net.observer = self.observe
        net.register_forward_pre_hook(self.begin)

    def begin(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[dict[str, Tensor]]:
        """Feed a pass that begins, and give back the memory of the last one where nobody holds it."""
        self.latest.clear()
        self.grads.clear()
        self.watched.clear()
        for name in self.taken:
            self.blobs[name].release()
        self.taken.clear()
        given = args[0] if args and args[0] is not None else {}
        return ({**given, **{name: self.blobs[name].data_on(self.net.device) for name in self.fed}},)

    def observe(self, node: Node, bottoms: list[Tensor], tops: tuple[Tensor, ...]) -> None:
        """Keep a layer's tops, and have their gradients kept."""
        if self.before:
            self.before(node, bottoms, tops)
        for name, top in zip(node.tops, tops, strict=True):
            if name and name not in self.fed:
                self.latest[name] = top
                if top.requires_grad and name not in self.watched:
                    self.watched.add(name)
                    top.register_hook(partial(self.grads.__setitem__, name))  # type: ignore[no-untyped-call]  # retain_grad copies

    def settle(self) -> None:
        """Let the Blobs take what has been captured."""
        if self.latest:
            latest, self.latest = self.latest, {}
            taken: set[int] = set()
            for name, tensor in latest.items():
                tensor = tensor.detach()
                if name in self.python:
                    self.blobs[name].copy_data(tensor)  # the layer goes on writing into its own memory
                else:
                    self.blobs[name].set_data(tensor if name in self.sharing else _own(tensor, taken))
                    self.taken.add(name)
        if self.grads:
            grads = self.grads.copy()
            self.grads.clear()
            taken = set()
            for name, grad in grads.items():
                self.blobs[name].set_diff(_own(grad, taken))
                self.taken.add(name)

    def finish(self) -> None:
        """The pass is over: arrays that were handed out follow it now, the others when they are asked for."""
        if any(blob.exposed for blob in self.blobs.values()):
            self.settle()
