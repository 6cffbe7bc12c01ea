"""`solver-tools plot`: the curves of training logs."""

from __future__ import annotations

import os
import shutil
import sys

import click

from solver_cli.commands.options import TEXT, Command, Parsed
from solver_cli.commands.running import reported
from solver_cli.pictures.curves import AXES
from solver_cli.solver.options import whole

EXAMPLES = """
solver-tools plot train.log
solver-tools plot a.log b.log --to both.svg --x images --y loss --y accuracy
"""
ROWS = 10  # of a panel in the terminal


@click.command("plot", cls=Command, examples=EXAMPLES)
@click.argument("logs", type=TEXT, nargs=-1, required=True, metavar="LOG...")
@click.option("--to", "path", type=TEXT, metavar="FILE", help="A .png, .svg or .pdf; - is the terminal.  [default: -]")
@click.option("--x", type=click.Choice(AXES), default=AXES[0], help="What it is drawn against.  [default: iterations]")
@click.option(
    "--y", "only", type=TEXT, multiple=True, metavar="NAME", help="Draw only this: loss, 'learning rate', an output."
)
@click.option("--smooth", type=Parsed(whole(1)), metavar="N", help="Smooth over N displays; 1: not at all.")
@click.option(
    "--batch", type=Parsed(whole(1)), metavar="N", default=0, help="Records in an iteration, if a log does not tell."
)
@click.option("--epoch", type=Parsed(whole(1)), metavar="N", default=0, help="Records in an epoch, for --x epochs.")
def command(
    logs: tuple[str, ...], path: str | None, x: str, only: tuple[str, ...], smooth: int | None, batch: int, epoch: int
) -> None:
    """Draw what training logs, of Caffe, its forks or solver-train, say: loss, test outputs, learning rate, noise scale.

    Several runs are drawn together. A long curve of the train net is drawn smoothed, above the raw one.
    """
    with reported():
        from solver_cli.pictures import curves, plot, runlog, terminal

        runs = runlog.read(logs)
        panels = curves.panels(runs, x, batch=batch, epoch=epoch, only=only, width=smooth)
        names = [run.name for run in runs]
        if path and path != "-":
            plot.write(path, panels, names, x)
            click.echo(f"wrote {path}")
            return
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = shutil.get_terminal_size().columns
        click.echo("\n".join(terminal.lines(panels, names, x, width, ROWS, colour)))
