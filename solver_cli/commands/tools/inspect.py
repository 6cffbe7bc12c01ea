"""`solver-tools inspect`: what is in weights, solver states, means and databases."""

from __future__ import annotations

import json
import logging

import click

from solver_cli.commands.options import TEXT, Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools inspect lenet_iter_1000.caffemodel
solver-tools inspect configs/mnist/mnist_train_lmdb --sheet digits.png
"""


@click.command("inspect", cls=Command, examples=EXAMPLES)
@click.argument("file", type=TEXT)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, on one line.")
@click.option("--sheet", type=TEXT, metavar="FILE.png", help="Draw the first pictures of a database with their labels.")
@click.option("--count", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Pictures on the sheet.")
def command(file: str, as_json: bool, sheet: str | None, count: int) -> None:
    """Say what is in FILE: a .caffemodel, .solverstate, their .h5 forms, a mean's .binaryproto, an LMDB or a LevelDB.

    Of each blob: its shape, norm, least, mean and largest number, and a histogram from the least to the largest; of a
    database its shapes and how often each label is there.
    """
    with reported(logging.WARNING):
        from solver_cli.commands.bar import counted
        from solver_cli.errors import ConfigError
        from solver_cli.tools import contents

        found = contents.of(file, counted)
        if sheet:
            from solver_cli.tools import sheet as sheets

            if not sheet.lower().endswith(".png"):
                raise ConfigError(f"--sheet {sheet}: expected a name that ends in .png")
            if "records" not in found:
                raise ConfigError(f"--sheet: {file} is no database: it has no pictures")
            pictures = list(contents.pictures(file, count))
            sheets.write_png(sheet, sheets.sheet(pictures, min(10, len(pictures))))
        click.echo(json.dumps(contents.plain(found)) if as_json else "\n".join(contents.lines(file, found)))
