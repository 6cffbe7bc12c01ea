"""`solver-tools upgrade`: old formats brought to today's."""

from __future__ import annotations

import sys

import click

from solver_cli.commands.options import FILE, Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools upgrade old_train_val.prototxt train_val.prototxt
solver-tools upgrade old.caffemodel new.caffemodel
"""


@click.command("upgrade", cls=Command, examples=EXAMPLES)
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
def command(source: str, target: str) -> None:
    """Bring the net, solver or weights file SOURCE, of any Caffe generation, to today's form in TARGET."""
    with reported():
        from solver_cli.commands import upgrading

        ok = upgrading.upgrade_file(source, target)
    sys.exit(0 if ok else 1)
