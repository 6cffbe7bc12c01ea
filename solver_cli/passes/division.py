"""What the losses of a rank's part of a batch count for, where the ranks divide one batch (`--split-batch`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.parallel.ranks import Ranks
from solver_cli.parallel.sending import Sending
from solver_cli.passes.records import adds_up, apart, counted, is_loss, label_counts
from solver_cli.passes.sections import label_paths, records, under_loss

Blobs = dict[str, Tensor]
Shares = dict[Node, Any]


class Division:
    """Shares of the losses, so that their mean over the ranks is the loss of the whole batch, and so are the gradients.

    A mean over the records is right as it is; a sum counts as many times as there are ranks; a mean over the labels that
    count has the share of those that the rank's part holds. Layers that join the records of a batch are named: they see the
    rank's part alone.
    """

    def __init__(self, net: Net, ranks: Ranks, sending: Sending):
        """Raises ConfigError for a layer that makes its batch by itself."""
        self.net, self.ranks, self.sending = net, ranks, sending
        for node in net.nodes:
            if node.kind.user_code and not node.bottoms:
                node.spec.fail("makes its batch by itself: --split-batch cannot divide it", "type")
        size, paths, leading = records(net), set(label_paths(net.nodes)), under_loss(net.nodes)
        joining = [n for n in net.nodes if n in leading and n.run and n.bottoms and not apart(n, n.below, size)]
        losses = [node for node in net.nodes if any(node.loss_weights) and node not in joining]
        self._counting = [node for node in losses if label_counts(node) and node not in paths]
        self._path = [node for node in net.nodes if node in paths and not label_counts(node)]
        self._fixed: Shares = {node: float(ranks.size) for node in losses if not is_loss(node) or adds_up(node)}
        sending.counts = len(self._counting)
        named = joining + [node for node in losses if label_counts(node) and node in paths]
        if named:
            first, *more = (node.fused or node for node in named)
            others = f", as {len(more)} more do" * bool(more)
            why = f"joins the records of a batch{others}: with --split-batch it sees those of each rank's part only"
            log.warning("parallel.cpp", f"{first.spec.where()}: layer '{first.name}' ({first.param.type}) {why}")

    @torch.no_grad()
    def shares(self, number: int, batch: Mapping[str, Tensor]) -> Shares:
        """The shares for the batch of pass `number` of an update. Raises RankError."""
        if not self._counting:
            return self._fixed
        blobs = dict(batch)
        self.net.run_plainly(self._path, blobs)
        own = torch.stack([counted(node, blobs[node.bottoms[1]]) for node in self._counting])
        parts = self.ranks.size * own.clamp(min=1) / self.sending.total(number, own).clamp(min=1)
        return {**self._fixed, **dict(zip(self._counting, parts.unbind(), strict=True))}


def shown(outputs: Blobs, shares: Shares) -> Blobs:
    """The outputs with losses as their shares have them."""
    by_name = {node.tops[0]: share for node, share in shares.items() if is_loss(node)}
    return {name: blob * by_name[name] if name in by_name else blob for name, blob in outputs.items()}
