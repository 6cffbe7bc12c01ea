"""Batches in pieces that fit the memory (`--micro-batch`), with the gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.recompute import Recompute, groups, repeating
from solver_cli.passes.records import is_loss, label_counts, share, statistics
from solver_cli.passes.sections import Section, check_window, cut, records, uncut

Blobs = dict[str, Tensor]
Shares = Mapping[Node, Any]
Run = Callable[..., Tensor]  # Net.run, or what stands for it


class Pieces:
    """Runs batches of the net in pieces of at most `size` records, and adds up the gradients of the whole batches.

    Layers that keep the records of a batch apart run piece by piece, each loss weighted so that the sum is that of the
    whole batch by the layer's own normalisation. Where a layer joins the records (BatchNorm in training, ...), all pieces
    first run up to it without gradients, and the blobs there are kept; it runs on the whole batch; and on the way back the
    pieces run once more, with gradients. Dropout's masks are drawn for whole batches, as they would be without pieces.

    With `window` it is called with several batches, and BatchNorm takes its statistics from all of them; everything else
    sees them one by one. With `recompute` fewer blobs are kept, and more of the way is run once more. `store`: where the
    blobs between the sections are kept (None: the net's device). Raises ConfigError for a net that cannot be split.
    """

    def __init__(
        self, net: Net, size: int, store: torch.device | None = None, recompute: bool = False, window: bool = False
    ):
        self.net = net
        self.size = size
        self.store = store or net.device
        self.run: Run = Recompute(net) if recompute else net.run
        self.on_piece: Callable[[int, range, range], None] | None = None  # before a backward pass: index, piece, batch
        self.cuts = cut(net) if window or size < records(net) else uncut(net)
        if window:
            check_window(net, self.cuts)
        self._sections = [_Joint(self, part) if part.joins else _Apart(self, part) for part in self.cuts.sections]
        for below, section in zip(self._sections, self._sections[1:], strict=False):
            section.below = below if isinstance(below, _Joint) and below.statistics else None
        numbers = groups(net, self.cuts.sections) if recompute else [list(range(len(self._sections)))]
        self._groups = [[self._sections[i] for i in group] for group in numbers]
        for group in self._groups:
            group[0].below = None
        self._first = next(node for node in net.nodes if node.run is None).tops[0]
        self.pieces: list[tuple[range, range]] = []  # records, and those of the batch that they are part of
        self.order: list[int] = []  # the pieces that run
        self.shares: Shares = {}
        self._masks: dict[Node, Tensor] = {}

    @property
    def coupled(self) -> bool:
        """Whether a layer joins the records, so that the pieces run twice."""
        return len(self._sections) > 1

    @property
    def single(self) -> bool:
        """Whether there is one piece only, which need not be a batch's rows."""
        return len(self.pieces) == 1

    def __call__(self, batches: Sequence[Mapping[str, Tensor]], shares: Shares | None = None) -> tuple[Tensor, Blobs]:
        """Add the gradients of the batches' losses; return the sum of the losses, and the outputs for the last batch.

        `shares`: what losses count for.
        """
        self.shares = shares or {}
        blobs = self._joined(batches)
        self._masks = self._draw_masks(blobs[self._first])
        grads: Blobs = {}
        *before, (*own, last) = self._groups
        starts: list[Blobs] = []
        try:
            loss = torch.zeros((), device=self.net.device)
            for group in before:
                starts.append(dict(blobs))
                for section in group:
                    loss = loss + section.forward(blobs)
                    section.clear()
            for section in own:
                loss = loss + section.forward(blobs)
            loss = loss + last.both(blobs, grads)
            outputs = self._outputs(blobs)
            blobs.clear()
            for section in reversed(own):
                section.backward(grads)
            for group in reversed(before):
                self._again(group, starts.pop(), grads)
        finally:
            self._clear()
        return loss, outputs

    def _again(self, group: Sequence[_Apart | _Joint], blobs: Blobs, grads: Blobs) -> None:
        """Run a group of sections once more, then backward."""
        with repeating([node.module for section in group for node in section.section.nodes]):
            for section in group:
                section.forward(blobs)
        blobs.clear()
        for section in reversed(group):
            section.backward(grads)

    @torch.no_grad()
    def test(self, batch: Mapping[str, Tensor], shares: Shares | None = None) -> tuple[Tensor, Blobs]:
        """The loss and the outputs of one batch, without gradients."""
        self.shares = shares or {}
        blobs = self._joined([batch])
        self._masks = self._draw_masks(blobs[self._first])
        try:
            loss = torch.zeros((), device=self.net.device)
            for section in self._sections:
                loss = loss + section.forward(blobs)
                section.clear()
            return loss, self._outputs(blobs)
        finally:
            self._clear()

    def _joined(self, batches: Sequence[Mapping[str, Tensor]]) -> Blobs:
        """The batches as one, cut into pieces."""
        self.pieces, start = [], 0
        for batch in batches:
            records = range(start, start + len(batch[self._first]))
            self.pieces += [(records[i : i + self.size], records) for i in range(0, len(records), self.size)]
            start = records.stop
        self.order = list(range(len(self.pieces)))
        if batches[0][self._first].is_meta:  # a forecast: what is between takes no more memory
            self.order = sorted({0, min(1, self.order[-1]), self.order[-1]})
        if len(batches) == 1:
            return dict(batches[0])
        return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}

    def _draw_masks(self, data: Tensor) -> dict[Node, Tensor]:
        """The masks of all layers that draw, batch by batch in the layers' order, where `data` are."""
        masks: dict[Node, list[Tensor]] = {node: [] for node in self.net.nodes if node.drawing}
        for batch in dict.fromkeys(batch for _, batch in self.pieces):
            for node, drawn in masks.items():
                shape = node.shapes[0]
                size = len(batch) if shape[:1] == (self.cuts.records,) else shape[0]
                drawn.append(node.drawing.draw(data.new_empty(()).expand(size, *shape[1:])))
        return {node: torch.cat(drawn) for node, drawn in masks.items()}

    def _outputs(self, blobs: Blobs) -> Blobs:
        """Run the layers that no loss depends on; the outputs of the last batch."""
        batch = self.pieces[-1][1]
        blobs = {name: self.at(x, batch) if x.shape[:1] == (batch.stop,) else x for name, x in blobs.items()}
        with torch.no_grad():
            self.net.run(self.cuts.last, blobs, keep=False)
        return {name: blobs[name] for name in self.net.outputs if name in blobs}

    def _clear(self) -> None:
        self.use_masks(self._masks, None)
        self._masks = {}
        for section in self._sections:
            section.clear()

    def use_masks(self, nodes: Iterable[Node], rows: range | None) -> None:
        """Let the layers among `nodes` that draw use their masks for these records; None: no masks."""
        for node in nodes:
            if node in self._masks:
                mask = self._masks[node]
                node.drawing.mask = None if rows is None else self.at(mask, rows)

    def at(self, blob: Tensor, rows: range) -> Tensor:
        """These records of a blob of the whole batch, on the net's device."""
        return self.here(blob if self.single else blob[rows.start : rows.stop])

    def here(self, blob: Tensor) -> Tensor:
        """A blob on the net's device."""
        return blob if blob.is_meta else blob.to(self.net.device, non_blocking=True)

    def whole(self, like: Tensor) -> Tensor:
        """Room for a blob of the whole batch, of which `like` is a piece."""
        pinned = self.store.type == "cpu" and like.is_cuda
        shape = (self.pieces[-1][1].stop, *like.shape[1:])
        device = like.device if like.is_meta else self.store
        # in another layout each layer would turn it
        last = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        return torch.empty(shape, dtype=like.dtype, device=device, memory_format=layout, pin_memory=pinned)


class _Apart:
    """A section that runs piece by piece. `below`: the layer under it if its tops can be had again on the way back."""

    def __init__(self, pieces: Pieces, section: Section):
        self.pieces, self.section = pieces, section
        self.below: _Joint | None = None
        self.losses = {top: node for node in section.nodes if is_loss(node) for top in node.tops[:1]}
        self.bottoms: Blobs = {}

    def clear(self) -> None:
        """Let go of all blobs."""
        self.bottoms = {}

    def forward(self, blobs: Blobs) -> Tensor:
        """Take the bottoms from `blobs` and put there what is read later; the loss. Without gradients."""
        self.bottoms = self._take(blobs)
        with torch.no_grad():
            loss = self._each(lambda i: self._run(i, blobs)[0])
        if self.below is not None:
            self.bottoms = {name: x for name, x in self.bottoms.items() if name not in self.below.section.tops}
        return loss

    def both(self, blobs: Blobs, grads: Blobs) -> Tensor:
        """`forward` and `backward`, piece by piece at once."""
        self.bottoms = self._take(blobs)
        return self._each(lambda i: self._down(i, {}, grads, blobs))

    def backward(self, grads: Blobs) -> None:
        """Take the gradients of the tops from `grads` and put those of the bottoms there."""
        if self.below is not None:
            self.bottoms.update(self.below.again())
        above = {name: grads.pop(name) for name in self.section.tops if name in grads}
        self._each(lambda i: self._down(i, above, grads, None))
        self.bottoms = {}

    def _take(self, blobs: Blobs) -> Blobs:
        return {name: blobs.pop(name) for name in self.section.bottoms}

    def _each(self, run: Callable[[int], Tensor]) -> Tensor:
        """The sum of the pieces' losses."""
        loss = torch.zeros((), device=self.pieces.net.device)
        for index in self.pieces.order:
            loss = loss + run(index).detach()
        return loss

    def _run(self, index: int, blobs: Blobs | None) -> tuple[Tensor, Blobs, Blobs]:
        """The loss of a piece, the tops that are read later, and the bottoms whose gradients are wanted."""
        piece, batch = self.pieces.pieces[index]
        local = {name: self.pieces.at(x, piece) for name, x in self.bottoms.items()}
        leaves: Blobs = {}
        if torch.is_grad_enabled():
            leaves = {name: local[name].detach().requires_grad_() for name in self.section.wants}
            local.update(leaves)
        shares = {node: share(node, self._labels(node, piece == batch), piece, batch) for node in self.losses.values()}
        whole = self.pieces.shares
        self.pieces.use_masks(self.section.nodes, piece)
        count = {**whole, **{node: part * whole.get(node, 1.0) for node, part in shares.items()}}
        loss = self.pieces.run(self.section.nodes, local, count, keep=False)
        if blobs is not None:
            self._keep(index, local, blobs, shares)
        return loss, local, leaves

    def _labels(self, node: Node, whole: bool) -> Tensor | None:
        """The labels that decide the share of a piece that is not the whole batch."""
        return self.bottoms[node.bottoms[1]] if label_counts(node) and not whole else None

    def _keep(self, index: int, local: Blobs, blobs: Blobs, shares: Mapping[Node, Tensor | float]) -> None:
        """Put a piece's tops where those of the whole batch are; losses add up."""
        piece, batch = self.pieces.pieces[index]
        places: dict[tuple[object, ...], str] = {}
        for name, x in local.items():
            if self.pieces.single:
                blobs[name] = x.detach()
            elif name in self.losses:
                part = x.detach() * shares[self.losses[name]]
                blobs[name] = part if piece.start == batch.start else blobs[name] + part
            else:
                place = x.untyped_storage()._cdata, x.storage_offset(), x.shape
                twin = places.setdefault(place, name)  # the tops of a Split are one blob
                if index == 0:
                    blobs[name] = self.pieces.whole(x) if twin == name else blobs[twin]
                if twin == name:
                    blobs[name][piece.start : piece.stop] = x.detach()

    def _down(self, index: int, above: Blobs, grads: Blobs, blobs: Blobs | None) -> Tensor:
        """Run a piece forward and backward; the gradients of its bottoms go into `grads`."""
        piece, batch = self.pieces.pieces[index]
        loss, local, leaves = self._run(index, blobs)
        roots = [(local[name], self.pieces.at(grad, piece)) for name, grad in above.items() if local[name].requires_grad]
        if self.pieces.on_piece:
            self.pieces.on_piece(index, piece, batch)
        _backward(loss, roots)
        for name, leaf in leaves.items():
            if index == 0:
                grads[name] = self.pieces.whole(leaf)
            grads[name][piece.start : piece.stop] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        return loss


class _Joint:
    """A layer that joins the records of the batch and runs on all of them.

    Of BatchNorm only the bottom is kept for the way back, where it runs once more without a change of its statistics.
    """

    def __init__(self, pieces: Pieces, section: Section):
        self.pieces, self.section = pieces, section
        self.below: _Joint | None = None
        self.statistics = statistics(section.nodes[0])
        self.clear()

    def clear(self) -> None:
        """Let go of all blobs."""
        self.bottoms: Blobs = {}
        self.leaves: Blobs = {}
        self.tops: Blobs = {}
        self.loss = torch.zeros(())

    def forward(self, blobs: Blobs) -> Tensor:
        """Take the bottoms from `blobs` and put the tops there; the loss."""
        self.bottoms = {name: blobs.pop(name) for name in self.section.bottoms}
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.statistics is None):
            self._run()
        blobs.update({name: x.detach() for name, x in self.tops.items()})
        if self.statistics is not None:
            self.tops = {}
        return self.loss.detach()

    def both(self, blobs: Blobs, grads: Blobs) -> Tensor:
        """`forward` and `backward` of the last section."""
        loss = self.forward(blobs)
        self.backward(grads)
        return loss

    def backward(self, grads: Blobs) -> None:
        """Take the gradients of the tops from `grads` and put those of the bottoms there."""
        if not self.tops and self.statistics is not None:
            self.again()
        above = [(x, self.pieces.here(grads.pop(name))) for name, x in self.tops.items() if name in grads]
        _backward(self.loss, [(x, grad) for x, grad in above if x.requires_grad])
        for name, leaf in self.leaves.items():
            grads[name] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        self.clear()

    def again(self) -> Blobs:
        """The tops, made once more."""
        assert self.statistics is not None
        with repeating([self.statistics]):
            self._run()
        return {name: x.detach() for name, x in self.tops.items()}

    def _run(self) -> None:
        local = {name: self.pieces.here(x) for name, x in self.bottoms.items()}
        if torch.is_grad_enabled():
            self.leaves = {name: local[name].detach().requires_grad_() for name in self.section.wants}
            local.update(self.leaves)
        self.pieces.use_masks(self.section.nodes, range(self.pieces.pieces[-1][1].stop))
        self.loss = self.pieces.run(self.section.nodes, local, keep=False)
        self.tops = local


def _backward(loss: Tensor, roots: list[tuple[Tensor, Tensor]]) -> None:
    """Run the backward pass of a loss and of blobs whose gradients are known."""
    tensors = [x for x, _ in roots]
    gradients: list[Tensor | None] = [grad for _, grad in roots]
    if loss.requires_grad:
        tensors, gradients = [loss, *tensors], [None, *gradients]
    if tensors:
        torch.autograd.backward(tensors, gradients)
