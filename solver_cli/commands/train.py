"""`solver-train`: train a solver file."""

from __future__ import annotations

import os
from typing import Any

import click

from solver_cli.commands.options import FILE, Command, options
from solver_cli.commands.running import leave, reported
from solver_cli.solver.options import RunOptions

EXAMPLES = """
solver-train configs/mnist/lenet_solver.prototxt
solver-train solver.prototxt --snapshot auto --fit --set base_lr=0.001 --set iter_size=8
"""


class Train(Command):
    """Explains what people type who know the `caffe` command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            if hint := _slip(given, {name for param in self.params for name in param.opts}):
                raise click.UsageError(hint, ctx) from None
            raise


def _slip(args: list[str], known: set[str]) -> str:
    """What is meant by the first of the arguments that `caffe` would take and this command does not; "" for nothing."""
    from solver_cli.caffe_pb2 import SolverParameter

    for arg in args:
        name, _, value = arg.lstrip("-").partition("=")
        option, field = "--" + name.replace("_", "-"), name.replace("-", "_")
        if arg == "train" and arg is args[0]:
            return "'train' is what `caffe` is told; here it is left out: solver-train solver.prototxt"
        if not arg.startswith("-") or len(name) < 2 or (arg.startswith(("--" + name,)) and "--" + name in known):
            continue
        if name == "solver":
            return f"{arg}: the solver file is an argument without a name: solver-train solver.prototxt"
        if option in known:
            return f"{arg}: options have two dashes here: {option}{' ' + value if value else ''}"
        if field in SolverParameter.DESCRIPTOR.fields_by_name:
            return f"{arg}: this is a field of the solver file; --set {field}={value or 'VALUE'} sets it for this run"
    return ""


@click.command(cls=Train, examples=EXAMPLES)
@click.argument("solver", type=FILE)
@options(RunOptions)
@click.version_option(package_name="solver-train")
def train(solver: str, **chosen: Any) -> None:
    """Train the Caffe solver file SOLVER.

    Paths inside the solver and net count from the working folder, as with Caffe.
    """
    run = RunOptions(**chosen)
    if conflict := run.conflict():
        raise click.UsageError(conflict)
    with reported(quiet=run.quiet, rank=os.environ.get("RANK", "0")):
        from solver_cli.commands import training

        leave(training.train(solver, run))
