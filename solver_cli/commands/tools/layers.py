"""`solver-tools layers`: the layer types and their settings."""

from __future__ import annotations

import logging

import click

from solver_cli.commands.options import TEXT, Command, options
from solver_cli.commands.running import reported
from solver_cli.solver.options import RunOptions


@click.command("layers", cls=Command)
@click.argument("name", type=TEXT, metavar="[TYPE]", required=False)
@options(RunOptions, "layers", "schema")
@click.option("--markdown", is_flag=True, help="The table of docs/layers.md.")
def command(name: str | None, markdown: bool, layers: tuple[str, ...], schema: tuple[str, ...]) -> None:
    """List the supported layer types, or say all about one TYPE: its blobs and settings, with types and defaults."""
    with reported(logging.WARNING):
        from solver_cli.commands import catalogue
        from solver_cli.solver.building import bring

        bring(schema, layers)
        lines = catalogue.page(name) if name else catalogue.markdown() if markdown else catalogue.table()
        click.echo("\n".join(lines))
