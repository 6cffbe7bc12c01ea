"""Fit: batches run as the memory allows (`--micro-batch`, `--recompute`, `--fit`), with what is learnt unchanged."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError, Error, OutOfMemory, out_of_memory
from solver_cli.net.carried import Carried
from solver_cli.net.net import Net
from solver_cli.net.plan import first_line
from solver_cli.passes.memory import available, batch_of, forecast, forecast_test, mebi
from solver_cli.passes.passes import Passes, forward, forward_backward
from solver_cli.passes.pieces import Pieces

Blobs = dict[str, Tensor]
Result = tuple[Tensor, Blobs]
T = TypeVar("T")
SPARE = 0.05  # part of the memory that a forecast leaves alone


@dataclass(frozen=True)
class Splitting:
    """How a batch runs.

    `micro_batch`  the most records that run at once (0: the whole batch)
    `recompute`    make activations once more on the way back instead of keeping them
    `window`       BatchNorm's statistics are those of all passes of an iteration (None: if they were in the snapshot's run)
    `offload`      blobs between the sections of a split net wait in the host's memory
    """

    micro_batch: int = 0
    recompute: bool = False
    window: bool | None = None
    offload: bool = False

    @classmethod
    def of(cls, micro_batch: int | None, recompute: bool, batch_norm_window: str | None, offload: bool) -> Splitting:
        """By the options of these names."""
        window = None if batch_norm_window is None else batch_norm_window == "iter_size"
        return cls(micro_batch or 0, recompute, window, offload)

    def train(self, net: Net) -> Pieces | None:
        """What runs the batches of the train net; None: they run whole and plainly. Raises ConfigError."""
        size = min(self.micro_batch or batch_of(net), batch_of(net))
        if size == batch_of(net) and not (self.recompute or self.window):
            return None
        store = torch.device("cpu") if self.offload else None
        return Pieces(net, size, store, self.recompute, bool(self.window))

    def test(self, net: Net) -> Pieces | None:
        """What runs the batches of a test net."""
        return Pieces(net, self.micro_batch) if 0 < self.micro_batch < batch_of(net) else None


class Fit:
    """Keeps a run inside its memory.

    `splitting`   how batches run now
    `search`      whether to choose and lower the micro-batch, so that it fits
    `budget`      bytes to stay within (None: what is free)
    """

    def __init__(
        self,
        passes: Passes,
        tests: Sequence[Net],
        param: SolverParameter,
        splitting: Splitting,
        search: bool = False,
        budget: int | None = None,
    ):
        """Raises ConfigError for a net that cannot be split, OutOfMemory where nothing fits."""
        self.passes, self.net, self.tests, self.param = passes, passes.net, tests, param
        self.search, self._budget = search, budget
        self.splitting = splitting
        self._tests: list[Pieces | None] = []
        self._needs: dict[Splitting, int] = {}
        self.use(self._choose(splitting) if search else splitting)

    @property
    def budget(self) -> int:
        """The bytes that may be used."""
        return available(self.net.device) if self._budget is None else self._budget

    def use(self, splitting: Splitting) -> None:
        """Run batches so from now on."""
        pieces, tests = splitting.train(self.net), [splitting.test(net) for net in self.tests]
        if self.param.debug_info and any([pieces, *tests]):
            raise ConfigError("debug_info shows whole blobs, which a split or recomputed batch does not keep: take one out")
        self.splitting, self._tests = splitting, tests
        self.passes.pieces, self.passes.window = pieces, bool(splitting.window)

    def look(self, net: Net) -> Result:
        """The loss and the outputs of the next batch of one of the nets, without gradients."""
        if net is self.net:
            return self.passes.look()
        return forward(net, net.next_batch(), self._tests[self.tests.index(net)])

    def run(self, net: Net, state: dict[str, Any], function: Callable[[], T]) -> T:
        """What `function` gives; once more from the net's `state` on if the memory runs out and smaller pieces are left.

        Raises OutOfMemory.
        """
        while True:
            try:
                return function()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                trouble = first_line(error)
            for learned in self.net.learned:
                learned.blob.grad = None
            if self.passes.graphs and self.passes.graphs.let_go():
                log.warning("solver.cpp", f"The memory ran out ({trouble}): once more without a CUDA graph")
            else:
                self.shrink(trouble)
            Carried(net).restore(state)

    # -- what it takes ----------------------------------------------------------------------------------------------

    def need(self, splitting: Splitting) -> int:
        """The forecast of the bytes that the run takes so, in training or in its largest test. Raises Error."""
        if splitting not in self._needs:
            self._needs[splitting] = self._forecast(splitting)
        return self._needs[splitting]

    def _forecast(self, splitting: Splitting) -> int:
        pieces, passes = splitting.train(self.net), self.param.iter_size if splitting.window else 1
        training = forecast(
            self.net, self.param, run=lambda net, batches: forward_backward(net, batches * passes, pieces, self.passes.run)
        )
        totals = [training.total]
        for net in self.tests:
            run = partial(forward, pieces=splitting.test(net))
            totals.append(forecast_test(net, self.net, training, run=run).total)
        return max(totals)

    def _sizes(self) -> list[int]:
        """Micro-batches, from one record on: the smallest for each number of pieces."""
        batch = batch_of(self.net)
        return sorted({-(-batch // pieces) for pieces in range(1, batch + 1)})

    def largest(self, splitting: Splitting, budget: int) -> Splitting | None:
        """`splitting` with the largest micro-batch that fits `budget` by forecast; None: not even one record does."""
        sizes = [size for size in self._sizes() if not 0 < splitting.micro_batch < size]

        def fits(size: int) -> bool:
            return self.need(replace(splitting, micro_batch=size)) <= budget

        if fits(sizes[-1]):
            return replace(splitting, micro_batch=sizes[-1])
        if not fits(sizes[0]):
            return None
        fitting = bisect_left(range(1, len(sizes) - 1), True, key=lambda i: not fits(sizes[i]))
        return replace(splitting, micro_batch=sizes[fitting])

    def _cheapest(self, splitting: Splitting, room: int) -> Splitting | None:
        """What takes the least time of what fits: whole; whole with --recompute, if pieces would run twice; pieces; both."""
        again = replace(splitting, recompute=True)
        if self.need(splitting) > room and self._joins() and self.need(again) <= room:
            return again
        return self.largest(splitting, room) or self.largest(again, room)

    def _joins(self) -> bool:
        """Whether a layer joins the records of a batch."""
        try:
            pieces = Splitting(micro_batch=1).train(self.net)
        except ConfigError:
            return True  # and has weights
        return pieces is not None and pieces.coupled

    def _choose(self, splitting: Splitting) -> Splitting:
        """The way to run that fits by forecast; logs it. Raises OutOfMemory."""
        budget = self.budget
        found = self._cheapest(splitting, int(budget * (1 - SPARE)))
        if found is None:
            raise OutOfMemory(f"--fit: {self._shortage(replace(splitting, micro_batch=1), budget)}")
        need = self.need(found)
        log.info(
            "solver.cpp",
            f"--fit: batches of {batch_of(self.net)} run {_words(found, batch_of(self.net))}: {mebi(need)} by forecast of "
            f"{mebi(budget)}, a margin of {100 * (budget - need) // budget} %; if it still runs out, the pieces are halved",
        )
        return found

    # -- when it runs out -------------------------------------------------------------------------------------------

    def shrink(self, trouble: str) -> None:
        """Halve the micro-batch after the memory ran out. Raises OutOfMemory where that is not wanted or not possible."""
        gc.collect()
        if self.net.device.type == "cuda":
            torch.cuda.empty_cache()
        size = min(self.splitting.micro_batch or batch_of(self.net), batch_of(self.net))
        if not self.search or size == 1:
            raise OutOfMemory(f"out of memory: {self._shortage(self.splitting, self.budget)} ({trouble})")
        self.use(replace(self.splitting, micro_batch=-(-size // 2)))
        log.warning("solver.cpp", f"--fit: the memory ran out ({trouble}): once more in micro-batches of {-(-size // 2)}")

    def _shortage(self, splitting: Splitting, budget: int) -> str:
        """What the run takes, and what would make it fit."""
        try:
            need = self.need(splitting)
            what = f"{_words(splitting, batch_of(self.net))} it takes {mebi(need)} by forecast"
            remedies = [self._remedy(replace(splitting, recompute=again), min(budget, need)) for again in (False, True)]
        except Error as error:
            return f"no forecast can be made ({error}): lower batch_size, and raise iter_size by as much"
        best = " or ".join(dict.fromkeys(filter(None, remedies))) or "smaller images or a smaller net: nothing else fits"
        spare = f", {100 * SPARE:.0f} % of them a reserve for what no forecast sees" if need <= budget else ""
        return f"{what}, {mebi(budget)} are free{spare}; try {best}"

    def _remedy(self, splitting: Splitting, budget: int) -> str:
        """The options with which it fits; "" if it does not."""
        found = self.largest(splitting, int(budget * (1 - SPARE)))
        if found is None:
            return ""
        size = f"--micro-batch {found.micro_batch}" if found.micro_batch < batch_of(self.net) else ""
        return " ".join(filter(None, ["--recompute" if found.recompute else "", size]))

    # -- snapshots --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """How batches run, as plain values."""
        return asdict(self.splitting)

    def restore(self, state: dict[str, Any]) -> None:
        """Run batches as the snapshot says, unless this run has its own options."""
        own = self.splitting
        if self.search or replace(own, window=None) != Splitting():
            saved = own
        else:
            saved = Splitting(int(state["micro_batch"]), bool(state["recompute"]), offload=bool(state["offload"]))
        saved = replace(saved, window=bool(state["window"] if own.window is None else own.window))
        if saved != replace(own, window=bool(own.window)):
            self.use(saved)
            log.info("solver.cpp", f"As in the snapshot's run, batches run {_words(saved, batch_of(self.net))}")


def _words(splitting: Splitting, batch: int) -> str:
    """`in 4 micro-batches of 16 with --recompute`"""
    size = min(splitting.micro_batch or batch, batch)
    how = "whole" if size == batch else f"in {-(-batch // size)} micro-batches of {size}"
    window = ", BatchNorm's statistics from all passes of an iteration" if splitting.window else ""
    return how + " with --recompute" * splitting.recompute + window
