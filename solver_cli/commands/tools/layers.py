"""`solver-tools layers`: the layer types and their settings."""

from __future__ import annotations

import logging

import click
from click.shell_completion import CompletionItem

from solver_cli.commands.options import Command, Parsed, options
from solver_cli.commands.running import reported
from solver_cli.solver.options import RunOptions, text

EXAMPLES = """
solver-tools layers
solver-tools layers Convolution
"""


def names(typed: str) -> list[CompletionItem]:
    """The layer types that begin as typed."""
    from solver_cli.net import plan as _plan  # noqa: F401 - registers every layer
    from solver_cli.registry import layer_types

    return [CompletionItem(name) for name in layer_types() if name.startswith(typed)]


@click.command("layers", cls=Command, examples=EXAMPLES)
@click.argument("name", type=Parsed(text, names), metavar="[TYPE]", required=False)
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
