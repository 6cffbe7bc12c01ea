"""Passes: forward and backward over fresh batches, whole or in pieces, whose gradients add up to those of one iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import ALONE, Ranks
from solver_cli.parallel.sending import Sending
from solver_cli.passes.division import Division, Shares, shown
from solver_cli.passes.graphed import CudaRecorder, Graphs, Recorder, why_not
from solver_cli.passes.noise import NoiseScale
from solver_cli.passes.pieces import Pieces, Run

Blobs = dict[str, Tensor]


class Passes:
    """Runs the train net on batches of its data.

    `batch`   the last batch, and `draws` the net's random generator before it: to look again at a pass that went wrong
    `pieces`  runs each batch in pieces, if one is set; with `window` set the batches of an iteration share BatchNorm's
              statistics
    `graphs`  runs whole batches as CUDA graphs, if it is set
    `noise`   sees the gradients of passes and pieces where there are several of them, if it is set
    `sending` takes the gradients to the other `ranks`, from the last pass on
    `check`   if set, told the loss of every pass on the CPU, where that costs no waiting
    """

    def __init__(self, net: Net, ranks: Ranks = ALONE, cuda_graphs: bool = False):
        self.net, self.ranks = net, ranks
        self.sending = Sending([learned.blob for learned in net.learned], ranks)
        self.division = Division(net, ranks, self.sending) if ranks.parts > 1 else None
        self.check: Callable[[float], object] = lambda loss: None
        self.run: Run = net.run
        self.pieces: Pieces | None = None
        self.graphs: Graphs | None = None
        self.window = False
        self.noise: NoiseScale | None = None
        self.batch: Blobs = {}
        self.draws: Tensor | None = None
        self._statistics: list[Tensor] = [x.blob for x in net.learned if x.statistic]
        if cuda_graphs and ranks.size == 1 and net.device.type == "cuda":
            self.record(CudaRecorder(net.device, net.draws))

    def __call__(self, count: int, after: Callable[[], None] | None = None) -> tuple[Tensor, Blobs]:
        """Add the gradients of `count` passes; return the mean of their losses, and the outputs of the last one.

        `after` is called when a pass is done. Whatever is raised, the learned blobs are as they were.
        """
        total = torch.zeros((), device=self.net.device)
        apart = self._independent(count)
        noise = self.noise if apart or self.ranks.size > 1 else None
        if noise:
            noise.start(apart)
        sizes = [count] if self.window else [1] * count
        self.sending.start(len(sizes))
        with self._kept():
            for index, size in enumerate(sizes):
                batches = [self._next() for _ in range(size)]
                shares = self._shares(index)
                if index == len(sizes) - 1:
                    self.sending.open()
                if noise:
                    self._watch(noise, index, apart)
                loss, outputs = self._forward_backward(batches, noise, shares)
                total += loss
                if self.net.device.type == "cpu":
                    self.check(float(loss))
                if after:
                    after()
        if noise:
            noise.end()
        return total / count, outputs

    def arrive(self, loss: Tensor) -> None:
        """Make the gradients and the loss those of all ranks. Raises RankError."""
        self.sending.arrive(loss)
        if self.noise:
            self.noise.arrived()

    def look(self) -> tuple[Tensor, Blobs]:
        """The loss and the outputs of the next batch, without gradients."""
        batch = self._next()
        return forward(self.net, batch, self.pieces, self._shares(0))

    def record(self, recorder: Recorder) -> None:
        """Run whole batches as graphs of `recorder` from now on; a line in the log where the net does not let it."""
        if why := why_not(self.net):
            log.info("solver.cpp", f"Passes run without a CUDA graph: {why}")
        else:
            self.graphs = Graphs(self.net, lambda batch: forward_backward(self.net, [batch], run=self.run), recorder)

    def _forward_backward(
        self, batches: Sequence[Blobs], noise: NoiseScale | None, shares: Shares
    ) -> tuple[Tensor, Blobs]:
        if self.graphs is None or self.pieces or self.net.observer:
            return forward_backward(self.net, batches, self.pieces, self.run, shares)
        return self.graphs(batches[0], noise.see if noise and noise.watching else None)

    def _shares(self, number: int) -> Shares:
        """What the losses of the last batch, that of pass `number`, count for."""
        return self.division.shares(number, self.batch) if self.division else {}

    def _next(self) -> Blobs:
        self.batch = self.net.next_batch()
        self.draws = self.net.draws.get_state() if self.net.draws is not None else None
        return self.batch

    def _independent(self, count: int) -> bool:
        """Whether the gradients come in several parts, each from records of its own alone."""
        return not self.pieces.coupled if self.pieces else count > 1 and bool(self.net.sources or self.net.inputs)

    def _watch(self, noise: NoiseScale, index: int, apart: bool) -> None:
        """Tell `noise` what part the gradients of pass `index`, or of its pieces, have in the sum over the passes."""
        if self.pieces and apart:
            self.pieces.on_piece = lambda i, piece, batch: noise.begin((index, i), len(piece) / len(batch), len(piece))
        else:
            noise.begin(index, 1.0, len(next(iter(self.batch.values()))))

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Put statistics (BatchNorm's) back if an error comes."""
        before = torch.cat([blob.detach().flatten() for blob in self._statistics]) if self._statistics else None
        try:
            yield
        except BaseException:
            if before is None:
                raise
            sizes = [blob.numel() for blob in self._statistics]
            for blob, values in zip(self._statistics, torch.split(before, sizes), strict=True):
                blob.data.copy_(values.view_as(blob))
            raise


def forward_backward(
    net: Net,
    batches: Sequence[Mapping[str, Tensor]],
    pieces: Pieces | None = None,
    run: Run | None = None,
    shares: Shares | None = None,
) -> tuple[Tensor, Blobs]:
    """The loss of one batch, or of several in `pieces`, and the outputs; its gradients are added to those there are.

    `run`: what runs the layers, Net.run if None. `shares`: what losses count for.
    """
    if pieces is not None:
        loss, outputs = pieces(batches, shares)
        return loss, shown(outputs, shares or {})
    blobs: Blobs = dict(*batches)
    loss = (run or net.run)(net.nodes, blobs, shares, keep=net.observer is not None)
    outputs = shown({name: blob.detach() for name, blob in net.outputs_of(blobs).items()}, shares or {})
    blobs.clear()
    if loss.requires_grad:
        torch.autograd.backward(loss)
    return loss.detach(), outputs


@torch.no_grad()
def forward(
    net: Net, batch: Mapping[str, Tensor], pieces: Pieces | None = None, shares: Shares | None = None
) -> tuple[Tensor, Blobs]:
    """The loss and the outputs of a batch, without gradients."""
    if pieces is not None:
        loss, outputs = pieces.test(batch, shares)
        return loss, shown(outputs, shares or {})
    blobs = dict(batch)
    loss = net.run(net.nodes, blobs, shares, keep=net.observer is not None)
    return loss, shown(net.outputs_of(blobs), shares or {})
