"""`solver-tools draw`: a net as a picture."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from solver_cli.commands.options import TEXT, Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools draw configs/googlenet/train_val.prototxt --phase TRAIN --to googlenet.svg
solver-tools draw net.prototxt --to net.dot --rankdir LR
"""


@click.command("draw", cls=Command, examples=EXAMPLES)
@click.argument("net", type=TEXT)
@click.option("--to", "path", type=TEXT, metavar="FILE", help="A .svg, .png, .pdf or .dot.  [default: NET's name with .svg]")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST", "ALL"]), default="ALL", help="Of which phase.  [default: ALL]")
@click.option("--rankdir", type=click.Choice(["TB", "LR", "BT", "RL"]), default="TB", help="Where it goes.  [default: TB]")
@click.option("--fold/--no-fold", default=None, help="Draw repeated blocks once and frame blocks.  [default: in big nets]")
@click.option("--no-python-layers", is_flag=True, help="Do not run the code of Python layers to find shapes.")
def command(net: str, path: str | None, phase: str, rankdir: str, fold: bool | None, no_python_layers: bool) -> None:
    """Draw the net file NET: a box for each layer, with those that work in place behind it, and shapes on the arrows."""
    with reported(logging.WARNING):
        from solver_cli.pictures import drawing

        target = path or f"{Path(net).stem}.svg"
        drawing.draw(net, target, phase, rankdir, fold, not no_python_layers)
        click.echo(f"wrote {target}")
