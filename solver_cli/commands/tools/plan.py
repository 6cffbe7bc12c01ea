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
solver-tools plan configs/resnet50/solver.prototxt --ranks 8 --machines 4 --memory 40G
"""
OPTIONS = ["gpu", "cpu", "ranks", "memory", "level", "stage", "dialect", "settings"]
OPTIONS += ["layers", "schema", "accept", "python_layers"]
HELP = {
    "memory": "What the largest batch is to fit into.  [default: what is free]",
    "gpu": "Plan for this GPU, or for several, each with batch_size records of its own; they need not be here.",
    "cpu": "Plan for the CPU, whatever solver_mode says.",
    "ranks": "Plan for N GPUs, or with --cpu for N processes.",
}


@click.command("plan", cls=Command, examples=EXAMPLES)
@click.argument("solver", type=FILE)
@click.option("--batch", type=Parsed(whole(1)), metavar="N", help="Plan with this batch size for the train net.")
@click.option("--machines", type=Parsed(whole(1)), default=1, metavar="N", help="On N machines that have as many each.")
@options(RunOptions, *OPTIONS, **HELP)
def command(solver: str, batch: int | None, machines: int, **chosen: Any) -> None:
    """Say what the solver file SOLVER asks for: layers, memory, epochs, learning rate, noise, and what looks wrong; of
    several GPUs also what they send, and how fast they may be.

    Nothing is trained and nothing is written.
    """
    run = RunOptions(**chosen)
    if conflict := replace(run, memory=None, ranks=1).conflict():  # here --memory needs no --fit, nor --ranks a machine
        raise click.UsageError(conflict)
    if run.gpu and run.ranks > 1:
        raise click.UsageError("--gpu 0,1 names the ranks: leave --ranks out, or say --ranks N alone")
    with reported(logging.WARNING):
        from solver_cli.commands import report, several, training
        from solver_cli.solver import building
        from solver_cli.solver.workers import none_outlives

        building.bring(run.schema, run.layers, run.python_layers)
        spec = training.effective(
            solver, level=run.level, stages=run.stages, settings=run.settings, dialect=run.dialect
        )
        spec = replace(spec, accept=run.accept)
        with none_outlives():
            ranks = several.wanted(run, training.ranks_wanted(solver, run), machines)
            plan = report.plan(spec, batch=batch, memory=run.memory, python_layers=run.python_layers, ranks=ranks)
            lines = list(plan)
        click.echo("\n".join(lines))
