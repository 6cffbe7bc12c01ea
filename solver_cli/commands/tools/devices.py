"""`solver-tools devices`: what there is to compute on."""

from __future__ import annotations

import click

from solver_cli.commands.options import Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools devices
"""


@click.command("devices", cls=Command, examples=EXAMPLES)
def command() -> None:
    """Show the GPUs with their memory and compute capability, the CPU, and the versions of torch and CUDA."""
    with reported():
        from solver_cli.commands import devices

        click.echo("\n".join(devices.describe()))
