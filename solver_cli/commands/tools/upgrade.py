"""`solver-tools upgrade`: old formats brought to today's."""

from __future__ import annotations

import sys

import click

from solver_cli.commands.options import TEXT, Command
from solver_cli.commands.running import reported


@click.command("upgrade", cls=Command)
@click.argument("source", type=TEXT)
@click.argument("target", type=TEXT)
def command(source: str, target: str) -> None:
    """Bring the net, solver or weights file SOURCE, of any Caffe generation, to today's form in TARGET."""
    with reported():
        from solver_cli.commands import upgrading

        ok = upgrading.upgrade_file(source, target)
    sys.exit(0 if ok else 1)
