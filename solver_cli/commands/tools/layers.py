"""`solver-tools layers`: the layer types and their settings."""

from __future__ import annotations

import click

from solver_cli.commands.options import TEXT, Command
from solver_cli.commands.running import reported


@click.command("layers", cls=Command)
@click.argument("name", type=TEXT, metavar="[TYPE]", required=False)
@click.option("--markdown", is_flag=True, help="The table of docs/layers.md.")
def command(name: str | None, markdown: bool) -> None:
    """List the supported layer types, or say all about one TYPE: its blobs and settings, with types and defaults."""
    with reported():
        from solver_cli.commands import catalogue

        lines = catalogue.page(name) if name else catalogue.markdown() if markdown else catalogue.table()
        click.echo("\n".join(lines))
