"""`solver-tools data`: the databases of a data set."""

from __future__ import annotations

import click

from solver_cli.commands.options import FOLDER, Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools data mnist
solver-tools data mnist --full --to examples/mnist
"""


@click.command("data", cls=Command, examples=EXAMPLES)
@click.argument("name", type=click.Choice(["mnist"]))
@click.option("--to", "folder", type=FOLDER, metavar="FOLDER", help="Where to put the databases.  [default: configs/NAME]")
@click.option("--full", is_flag=True, help="Fetch the whole data set (60,000 + 10,000 digits) through torchvision.")
def command(name: str, folder: str | None, full: bool) -> None:
    """Build the train and test LMDBs of a data set, beside its config."""
    with reported():
        from solver_cli.commands import datasets

        train, test = datasets.mnist(folder or f"configs/{name}", full)
        click.echo(f"wrote {train} and {test}")
