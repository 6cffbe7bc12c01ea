"""`solver-tools time`: how long a net's layers take."""

from __future__ import annotations

import logging
from typing import Any

import click

from solver_cli.commands.options import FILE, Command, Parsed, options
from solver_cli.commands.running import reported
from solver_cli.commands.tools.test import one_net
from solver_cli.solver.options import RunOptions, whole

EXAMPLES = """
solver-tools time configs/mnist/lenet_train_test.prototxt --iterations 20
solver-tools time net.prototxt --gpu 0 --picture layers.png --table
"""


@click.command("time", cls=Command, examples=EXAMPLES)
@click.argument("net", type=FILE, required=False)
@click.option("--model", type=FILE, metavar="NET", help="The net's file, where it is not an argument.")
@click.option("--iterations", type=Parsed(whole(1)), default=50, show_default=True, metavar="N", help="Passes to time.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TRAIN", show_default=True, help="Phase of the net.")
@click.option("--picture", type=FILE, metavar="FILE", help="Draw bars by layer into this .png or .svg.")
@click.option("--table", "bare", is_flag=True, help="The table alone, without the lines of `caffe time`.")
@options(
    RunOptions, "gpu", "cpu", "level", "stage", "dialect", "precision", "python_layers",
    gpu="Run on this GPU; else on the CPU.", cpu="Run on the CPU, as without --gpu.",
    level="Level of the net's state.  [default: 0]", stage="Stages of the net's state.",
)  # fmt: skip
def command(
    net: str | None, model: str | None, iterations: int, phase: str, picture: str | None, bare: bool, **chosen: Any
) -> None:
    """Say how long each layer of the net file NET takes, forward and backward, its memory, and how fast it computes.

    The log's lines are those of `caffe time`; the table below them goes to the standard output.
    """
    run = RunOptions(**chosen)
    path = one_net(net, model)
    if conflict := run.conflict():
        raise click.UsageError(conflict)
    with reported(logging.WARNING if bare else logging.INFO):
        from solver_cli.commands import timing, timing_picture

        if picture:
            timing_picture.check(picture)
        found = timing.measure(path, iterations, run, phase)
        if picture:
            timing_picture.draw(found, picture)
        click.echo("\n".join(timing.table(found)))
