"""`solver-tools plan`: what a solver asks for before it runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import click

from solver_cli.commands.options import FILE, Command, Parsed, options
from solver_cli.commands.running import reported
from solver_cli.solver.options import RunOptions, whole

EXAMPLES = """
solver-tools plan configs/caffenet/solver.prototxt --memory 8G
solver-tools plan solver.prototxt --batch 4 --set iter_size=8
"""
OPTIONS = ("memory", "level", "stage", "dialect", "settings", "layers", "schema", "accept", "python_layers")
MEMORY = "What the largest batch is to fit into.  [default: what is free]"


@click.command("plan", cls=Command, examples=EXAMPLES)
@click.argument("solver", type=FILE)
@click.option("--batch", type=Parsed(whole(1)), metavar="N", help="Plan with this batch size for the train net.")
@options(RunOptions, *OPTIONS, memory=MEMORY)
def command(solver: str, batch: int | None, **chosen: Any) -> None:
    """Say what the solver file SOLVER asks for: layers, memory, epochs, learning rate, noise, and what looks wrong.

    Nothing is trained and nothing is written.
    """
    run = RunOptions(**chosen)
    if conflict := replace(run, memory=None).conflict():  # here --memory needs no --fit
        raise click.UsageError(conflict)
    with reported(logging.WARNING):
        from solver_cli.commands import report, training
        from solver_cli.solver import building
        from solver_cli.solver.workers import none_outlives

        building.bring(run.schema, run.layers, run.python_layers)
        spec = training.effective(
            solver, level=run.level, stages=run.stages, settings=run.settings, dialect=run.dialect
        )
        spec = replace(spec, accept=run.accept)
        with none_outlives():
            lines = list(report.plan(spec, batch=batch, memory=run.memory, python_layers=run.python_layers))
        click.echo("\n".join(lines))
