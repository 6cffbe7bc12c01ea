"""One net of a file, without a solver: what `solver-tools test` and `solver-tools time` run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace

import torch

from solver_cli.net.layout import keep_memory, lay_out
from solver_cli.net.net import Net, in_state
from solver_cli.passes.precision import HALVES, Precision
from solver_cli.solver.building import find_modules
from solver_cli.solver.options import RunOptions
from solver_cli.solver.workers import none_outlives
from solver_cli.text.netspec import read_net


@contextmanager
def single(path: str, phase: str, run: RunOptions, device: torch.device) -> Iterator[tuple[Net, torch.dtype | None]]:
    """The net of the file `path` in the phase, level and stages of `run`, run as a solver would: its data are read ahead,
    it works in the precision of `run`, and memory on the CPU stays. With it the type of halves, if it works on them.

    Raises Error.
    """
    spec = in_state(replace(read_net(path), dialect=run.dialect), phase, run.level, tuple(run.stages))
    find_modules(path, spec)
    kept = keep_memory() if device.type == "cpu" else nullcontext()
    with kept, none_outlives(), closing(Net(spec, device=device, python_layers=run.python_layers)) as net:
        lay_out(net)
        net.read_ahead()
        precision = Precision(run.precision, net)
        yield net, HALVES.get(precision.name)
