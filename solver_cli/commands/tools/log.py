"""`solver-tools log`: training logs as tables."""

from __future__ import annotations

import click

from solver_cli.commands.options import TEXT, Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools log train.log > tables.csv
solver-tools log first.log resumed.log --to tables --all
"""


@click.command("log", cls=Command, examples=EXAMPLES)
@click.argument("logs", type=TEXT, nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--to", "folder", type=TEXT, metavar="FOLDER", help="Write files there, called as by parse_log: LOG.train, LOG.test."
)
@click.option("--table", type=click.Choice(["train", "test"]), help="Only the displays, or only the tests.  [default: both]")
@click.option("--all", "everything", is_flag=True, help="Also smoothed loss, test loss, noise scale, images/s, classes.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
def command(logs: tuple[str, ...], folder: str | None, table: str | None, everything: bool, as_json: bool) -> None:
    """Read training logs, of Caffe, its forks or solver-train, as CSV tables with the columns of Caffe's parse_log.py.

    A resumed run is joined to the one that it goes on from. With several tables on the standard output each has a line
    such as `# LOG.train` above it.
    """
    with reported():
        from solver_cli.pictures import tables

        runs = tables.read(logs)
        if as_json:
            text = tables.as_json(runs)
        else:
            named = tables.named(runs, table, everything)
            text = "".join(tables.write(named, folder)) if folder else tables.listed(named)
        click.echo(text, nl=False)
