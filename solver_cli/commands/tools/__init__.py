"""`solver-tools`: one file a command, which is called like the file and defines `command`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import click

from solver_cli.commands.options import HELP, Examples

EXAMPLES = """
solver-tools data mnist
solver-tools plan configs/mnist/lenet_solver.prototxt
solver-tools time --help
"""


class Tools(Examples, click.Group):
    """The commands of this folder; a file is imported when its command is asked for."""

    examples = EXAMPLES

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name.replace("_", "-") for module in iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("_", "-")  # Caffe's tools have underscores
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__name__}.{name.replace('-', '_')}").command
        return command


@click.group(cls=Tools, context_settings=HELP)
@click.version_option(package_name="solver-train")
def tools() -> None:
    """Tools around Caffe's files: pictures, databases, weights, predictions."""
