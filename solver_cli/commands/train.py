"""`solver-train`: train a solver file."""

from __future__ import annotations

from typing import Any

import click

from solver_cli.commands.options import Command, options
from solver_cli.commands.running import leave, reported
from solver_cli.solver.options import RunOptions

EXAMPLES = """
solver-train configs/mnist/lenet_solver.prototxt
solver-train solver.prototxt --snapshot auto --fit --set base_lr=0.001 --set iter_size=8
"""


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("solver")
@options(RunOptions)
@click.version_option(package_name="solver-train")
def train(solver: str, **chosen: Any) -> None:
    """Train the Caffe solver file SOLVER.

    Paths inside the solver and net count from the working folder, as with Caffe.
    """
    run = RunOptions(**chosen)
    if conflict := run.conflict():
        raise click.UsageError(conflict)
    with reported():
        from solver_cli.commands import training

        leave(training.train(solver, run))
