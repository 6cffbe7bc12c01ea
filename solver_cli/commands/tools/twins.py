"""`solver-tools twins`: programs under the names of Caffe's."""

from __future__ import annotations

import click

from solver_cli.commands.options import FOLDER, Command
from solver_cli.commands.running import reported

EXAMPLES = """
solver-tools twins ~/caffe-tools && export PATH=~/caffe-tools:$PATH
solver-tools twins build/tools && ./examples/mnist/train_lenet.sh
"""


@click.command("twins", cls=Command, examples=EXAMPLES)
@click.argument("folder", type=FOLDER)
def command(folder: str) -> None:
    """Write programs called caffe, convert_imageset, parse_log.py ... into FOLDER, with the command lines of Caffe's.

    Scripts that call these tools run then, also by the path build/tools.
    """
    with reported():
        from solver_cli.commands import twins

        names = twins.write(folder)
        click.echo(f"wrote to {folder}: {', '.join(names)}")
