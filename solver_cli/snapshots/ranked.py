"""What the ranks of a run hold each for itself, in one snapshot."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import Ranks

OWN = ("train", "tests")  # parts that differ from rank to rank: data, draws, states of layers


class Ranked:
    """The state of a run on several ranks is the first rank's, with the others' own parts and BatchNorm statistics."""

    def __init__(self, net: Net, ranks: Ranks):
        self.net, self.ranks = net, ranks
        self._statistics: list[Tensor] = [learned.blob for learned in net.learned if learned.statistic]

    def collected(self, state: dict[str, Any]) -> dict[str, Any]:
        """`state` with that of the other ranks, for the first one, which writes it. Raises RankError."""
        if self.ranks.size == 1:
            return state
        own = {name: state[name] for name in OWN} | {"statistics": [x.detach().cpu() for x in self._statistics]}
        return {**state, "ranks": self.ranks.gathered(own)[1:]}

    def _with_own_draws(self, train: dict[str, Any]) -> dict[str, Any]:
        """The first rank's state of the train net; random numbers that are not dealt shall be others on each rank."""
        dealt = all(hasattr(module, "dealt") for module in self.net.layers.modules() if hasattr(module, "generator"))
        return train if self.net.draws is None or dealt else {**train, "generator": self.net.draws.get_state()}

    @torch.no_grad()
    def own(self, run: dict[str, Any]) -> dict[str, Any]:
        """This rank's part of what a snapshot tells of its run; BatchNorm's statistics are copied into the net."""
        others = run.get("ranks", [])
        if not isinstance(others, list):
            raise ValueError(f"ranks {others!r}")
        if len(others) + 1 != self.ranks.size:
            told = f"the snapshot's run had {len(others) + 1} rank(s), this one has {self.ranks.size}: each record is still "
            exact = "read once a round, but not in the same batches, and layers draw other masks"
            log.warning("solver.cpp", told + exact)
            return run if self.ranks.first else {**run, "train": self._with_own_draws(run["train"])}
        if self.ranks.first:
            return run
        own = others[self.ranks.rank - 1]
        for blob, saved in zip(self._statistics, own["statistics"], strict=True):
            blob.copy_(saved.view_as(blob))
        return {**run, **{name: own[name] for name in OWN}}
