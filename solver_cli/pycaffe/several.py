"""Several solvers that train one net, each in a process of its own: `caffe.NCCL`, by torch.distributed (gloo between CPUs).

As with `solver-train --ranks` the solver itself deals records, averages gradients and lets the first one log and write.
"""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import ExitStack
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import torch

from solver_cli import log
from solver_cli.parallel.launch import share_processors
from solver_cli.parallel.ranks import ALONE, Ranks, joined
from solver_cli.pycaffe import mode

MEETING = "SOLVER_TRAIN_MEETING"  # names the place where solvers meet to processes that are started after `new_uid`


class _Joined:
    """What this process trains with, once it has met the others."""

    ranks: Ranks | None = None
    folder: tempfile.TemporaryDirectory[str] | None = None


def ranks() -> Ranks:
    """What the next solver trains with: as many others as set_solver_count says. Raises RuntimeError, RankError."""
    size = mode.solver_count()
    if size == 1:
        return ALONE
    if _Joined.ranks is None:
        if not mode.multiprocess():
            raise RuntimeError(f"set_solver_count({size}): each solver is a process of its own here: set_multiprocess(True)")
        if MEETING not in os.environ:
            raise RuntimeError("several solvers meet where NCCL.new_uid() says: call it before their processes start")
        share_processors(size)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        if mode.solver_rank():
            log.logger.setLevel(logging.ERROR)
        stack, rank = ExitStack(), mode.solver_rank()
        _Joined.ranks = stack.enter_context(joined(mode.device(), Ranks(rank, size, rank), os.environ[MEETING]))
        Finalize(None, stack.close, exitpriority=0)
    return _Joined.ranks


class NCCL:
    """What lets solvers train together, for scripts that say so: the solvers do it without."""

    def __init__(self, solver: Any, uid: bytes):
        """`solver`: a pycaffe one. `uid`: from `new_uid`. Raises RuntimeError if it is another training's."""
        if uid.decode() != os.environ.get(MEETING):
            raise RuntimeError("NCCL: this uid is of another training; one NCCL.new_uid() serves all its processes")
        self.solver = solver

    @staticmethod
    def new_uid() -> bytes:
        """Where the solvers of one training meet, on this machine. Processes that are started later know it."""
        _Joined.folder = tempfile.TemporaryDirectory(prefix="solver-train-ranks-")
        os.environ[MEETING] = (Path(_Joined.folder.name) / "meeting").as_uri()
        return os.environ[MEETING].encode()

    def bcast(self) -> None:
        """Give all solvers the first one's weights. Raises RankError."""
        core = self.solver.core
        core.ranks.copy_first([learned.blob.detach() for learned in core.net.learned])

    def __call__(self, layer: int) -> None:
        """After a layer's backward pass: gradients are on their way already."""
