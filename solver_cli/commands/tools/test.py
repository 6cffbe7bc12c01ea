"""`solver-tools test`: a net with learned weights, scored."""

from __future__ import annotations

from typing import Any

import click

from solver_cli.commands.options import FILE, Command, Parsed, options
from solver_cli.commands.running import reported
from solver_cli.solver.options import RunOptions, whole

EXAMPLES = """
solver-tools test configs/mnist/lenet_train_test.prototxt --weights lenet_iter_1000.caffemodel --iterations 20
solver-tools test --model net.prototxt --weights snap_iter_500.caffemodel.h5 --gpu 0
"""
WEIGHTS = "The learned weights, .caffemodel or .caffemodel.h5."


@click.command("test", cls=Command, examples=EXAMPLES)
@click.argument("net", type=FILE, required=False)
@click.option("--model", type=FILE, metavar="NET", help="The net's file, where it is not an argument.")
@click.option("--iterations", type=Parsed(whole(1)), default=50, show_default=True, metavar="N", help="Batches to score.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True, help="Phase of the net.")
@options(
    RunOptions, "weights", "gpu", "cpu", "level", "stage", "dialect", "precision", "python_layers",
    weights=WEIGHTS, gpu="Run on this GPU; else on the CPU.", cpu="Run on the CPU, as without --gpu.",
    level="Level of the net's state.  [default: 0]", stage="Stages of the net's state.",
)  # fmt: skip
def command(net: str | None, model: str | None, iterations: int, phase: str, **chosen: Any) -> None:
    """Score the net file NET with learned weights: its outputs batch by batch, and their means.

    The log's lines are those of `caffe test`. Paths inside the net count from the working folder.
    """
    run = RunOptions(**chosen)
    path = one_net(net, model)
    if not run.weights:
        raise click.UsageError("give the learned weights: --weights FILE")
    if conflict := run.conflict():
        raise click.UsageError(conflict)
    with reported():
        from solver_cli.commands import scoring

        scoring.score(path, run.weights, iterations, run, phase)


def one_net(net: str | None, model: str | None) -> str:
    """The net's file, given once. Raises UsageError."""
    if bool(net) == bool(model):
        raise click.UsageError("give the net's file once, as NET or as --model" if net else "give the net's file")
    return net or model or ""
