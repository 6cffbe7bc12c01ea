"""The gradient noise scale: how large a batch pays, measured at no extra pass.

McCandlish, Kaplan, Amodei et al., "An Empirical Model of Large-Batch Training" (arXiv 1812.06162): tr(Sigma) / |G|^2, G the
gradient over all records and Sigma the covariance of one record's. As in its appendix A.1, both are estimated without bias
from gradients of two batch sizes, each is averaged over iterations for itself, and they are divided last.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from solver_cli import log
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import ALONE, Ranks

EVERY = 4  # one iteration in so many is measured, so that small batches do not pay for it
DECAY = 0.992  # of its weight in the averages, from one to the next: they reach back about 500 iterations
FEWEST = 10  # iterations measured before anything is said
Factors = tuple[float, float, float]
Sums = tuple[float, float, float]  # of contributions' shares s, of s^2, and of s^2 / n, n being their records
FAR = 4  # a batch this many times smaller or larger than the noise scale is far from it


class NoiseScale:
    """Measures the noise scale of a net whose gradient comes in several pieces an iteration: ranks, passes or micro-batches.

    An iteration is `start()`, `begin(...)` before every backward, `end()`; with several ranks then `arrived()`, where their
    gradients have become the mean. Nothing waits for the device but `log`.
    """

    def __init__(self, net: Net, every: int = EVERY, ranks: Ranks = ALONE):
        self.net = net
        self.ranks = ranks
        self.every = every
        self.batch = 0  # records of the last iteration
        self._count = 0  # of iterations
        self._blobs: list[Tensor] = []
        self._hooks: list[RemovableHandle] = []
        self._pieces: dict[Hashable, tuple[float, int]] = {}  # {piece: (share, records)}
        self._norms: list[Tensor] = []  # of each piece's gradient of each blob
        self._apart = True  # whether it is each piece's, and not all pieces'
        self._own: tuple[Sums, Tensor] | None = None  # what is measured here, where ranks are waited for
        self._pending: list[tuple[Factors, Tensor]] = []  # iterations since the last log; their norms are on the device
        self._averages = [0.0] * 5  # decayed sums of 1, |G|^2, |G|^4 and tr(Sigma); and of the squared weights

    def start(self, apart: bool = True) -> None:
        """Begin an iteration, or begin it again; look at the gradients of the blobs that are learned now, if it is one to be
        measured, which all ranks do in the same ones.

        `apart`: whether each piece's gradients come from records of its own; else all count as one piece.
        """
        self._stop()
        self._blobs, self._apart = [], apart
        if self._count % self.every == 0:
            self._blobs = [x.blob for x in self.net.learned if x.blob.requires_grad and x.lr_mult]
            blobs = self._blobs if apart else []
            self._hooks = [blob.register_hook(self._see) for blob in blobs]  # type: ignore[no-untyped-call]

    @property
    def watching(self) -> bool:
        """Whether this is an iteration to be measured."""
        return bool(self._hooks)

    def _stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._pieces, self._norms, self._own = [], {}, [], None

    def begin(self, piece: Hashable, share: float, records: int) -> None:
        """What comes now adds `share` times the mean gradient over `records` records of `piece` to the gradients.

        A piece may come in several backward calls, each of which brings other blobs' gradients.
        """
        self._pieces[piece] = share, records

    def end(self) -> None:
        """Take in the iteration, whose gradients are complete. One of a single piece tells nothing."""
        self._count += 1
        pieces = list(self._pieces.values())
        self.batch = sum(records for _, records in pieces)
        if not self._apart:
            pieces = [(sum(share for share, _ in pieces), self.batch)]
            self._norms = self._whole()
        if self._blobs and self.ranks.size > 1 and not self._norms:  # the others wait for it
            self._norms = [torch.zeros((), device=self.net.device)]
        own = (_sums(pieces), _norm(self._norms)) if self._norms else None
        self._stop()
        if self.ranks.size > 1:
            self._own = own
        elif own and len(pieces) > 1:
            self._take(*own)

    def arrived(self) -> None:
        """Take in the iteration, whose gradients are now the mean over the ranks. Raises RankError."""
        if self._own:
            sums, parts = self._own
            own, square = torch.tensor(sums, dtype=torch.float64), parts.square()
            self.ranks.average([own])
            self.ranks.average([square])  # each contribution counts once for all ranks
            total, alone, spread = own.tolist()
            size = self.ranks.size
            self._take((total, alone / size, spread / size), (square / size).sqrt())
        self._stop()

    def _take(self, sums: Sums, parts: Tensor) -> None:
        self._pending.append((_factors(sums), torch.stack([parts, _norm(self._whole())])))

    def _whole(self) -> list[Tensor]:
        """The norms of the gradients as they are now."""
        gradients = [blob.grad for blob in self._blobs if blob.grad is not None]
        return list(torch._foreach_norm(gradients)) if gradients else []

    def see(self, gradients: Sequence[Tensor]) -> None:
        """Take in what a piece adds to the gradients, where no hook sees it."""
        self._norms.extend(torch._foreach_norm(list(gradients)))

    def _see(self, gradient: Tensor) -> None:
        self._norms.append(torch.linalg.vector_norm(gradient))

    # -- what it comes to -------------------------------------------------------------------------------------------

    def known(self) -> bool:
        """Whether enough iterations have been measured to say something."""
        self._settle()
        weight, squares = self._averages[0], self._averages[4]
        return bool(weight) and weight * weight >= FEWEST * squares

    def log(self) -> None:
        """Log the noise scale beside the effective batch, once there is something to say."""
        if not self.known():
            return
        scale = self.scale()
        found = "too noisy to tell" if math.isnan(scale) else f"about {log.number(float(f'{scale:.2g}'))}"
        batch = self.batch * self.ranks.size
        log.info("solver.cpp", f"Effective batch {batch}, gradient noise scale {found}{_meaning(batch, scale)}")

    def scale(self) -> float:
        """The noise scale in records; NaN where |G|^2 does not stand out of its own noise."""
        self._settle()
        weight, signal, square, noise, squares = self._averages
        if not weight:
            return math.nan
        error = math.sqrt(max(square / weight - (signal / weight) ** 2, 0) * squares) / weight
        return max(noise / signal, 0.0) if signal / weight > 2 * error else math.nan

    def _settle(self) -> None:
        """Bring the iterations since the last time into the averages."""
        norms = torch.stack([norms for _, norms in self._pending]).double().square().tolist() if self._pending else []
        for ((a, b, c), _), (parts, whole) in zip(self._pending, norms, strict=True):
            signal = (whole - parts) * a
            noise = parts * b - signal * c
            if math.isfinite(signal) and math.isfinite(noise):
                new = [1.0, signal, signal * signal, noise, 1.0]
                decays = [DECAY] * 4 + [DECAY * DECAY]
                self._averages = [old * decay + x for old, decay, x in zip(self._averages, decays, new, strict=True)]
        self._pending = []

    def state(self) -> dict[str, Any]:
        """The averages, and what is still to come into them."""
        return {"averages": self._averages, "batch": self.batch, "count": self._count, "pending": list(self._pending)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.batch, self._count = int(state["batch"]), int(state["count"])
        averages = [float(x) for x in state["averages"]]
        if len(averages) != len(self._averages):
            raise ValueError(f"{len(averages)} averages")
        self._averages = averages
        pending = [([float(x) for x in factors], norms) for factors, norms in state["pending"]]
        self._pending = [((a, b, c), norms.to(self.net.device).reshape(2)) for (a, b, c), norms in pending]


def _sums(pieces: list[tuple[float, int]]) -> Sums:
    return sum(s for s, _ in pieces), sum(s * s for s, _ in pieces), sum(s * s / n for s, n in pieces)


def _factors(sums: Sums) -> Factors:
    """(a, b, c) such that |G|^2 = (W - P) a and tr(Sigma) = P b - |G|^2 c without bias, of contributions c_i of share s_i
    and n_i records, since in expectation

    P = sum |c_i|^2 = |G|^2 sum s_i^2   + tr(Sigma) sum s_i^2 / n_i
    W = |sum c_i|^2 = |G|^2 (sum s_i)^2 + tr(Sigma) sum s_i^2 / n_i.
    """
    total, alone, spread = sums
    return 1 / (total**2 - alone), 1 / spread, alone / spread


def _norm(norms: Sequence[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack(list(norms)))
    return norm


def _meaning(batch: int, scale: float) -> str:
    if math.isnan(scale):
        return ""
    if batch * FAR <= scale:
        return ": the batch is far below it, a larger one still pays nearly linearly (raise iter_size)"
    if batch >= scale * FAR:
        return ": the batch is far above it, a larger one would waste records (a smaller one trains with fewer)"
    return ": the batch is near it, a larger one saves iterations but takes more records"
