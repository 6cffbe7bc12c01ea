"""`solver-tools deploy`: the net as it is used, from the net as it is trained."""

from __future__ import annotations

import logging

import click

from solver_cli.commands.options import TEXT, Command, Parsed
from solver_cli.commands.running import reported
from solver_cli.commands.shapes import SHAPE, shape

EXAMPLES = """
solver-tools deploy configs/mnist/lenet_train_test.prototxt deploy.prototxt --shape 1,1,28,28
solver-tools deploy train_val.prototxt deploy.prototxt --weights resnet.caffemodel --fold-batch-norm
"""


@click.command("deploy", cls=Command, examples=EXAMPLES)
@click.argument("train_val", type=TEXT)
@click.argument("out", type=TEXT)
@click.option("--shape", "shapes", type=Parsed(shape), multiple=True, metavar="N,C,H,W", help=SHAPE)
@click.option("--weights", type=TEXT, metavar="FILE", help="Write them as well, beside OUT, as OUT's name .caffemodel.")
@click.option("--fold-batch-norm", is_flag=True, help="Multiply BatchNorm, Scale and Bias into the weights before them.")
@click.option("--stage", "stages", type=TEXT, multiple=True, metavar="NAME", help="A stage of the TEST net.")
@click.option("--dialect", type=TEXT, metavar="NAME", help="Whose layer types are meant, where the text does not tell.")
def command(
    train_val: str,
    out: str,
    shapes: tuple[tuple[int, ...], ...],
    weights: str | None,
    fold_batch_norm: bool,
    stages: tuple[str, ...],
    dialect: str | None,
) -> None:
    """Write the deploy net of the train net TRAIN_VAL to OUT: data layers become Input, losses what they end in."""
    if fold_batch_norm and weights is None:
        raise click.UsageError("--fold-batch-norm changes weights: give --weights FILE")
    with reported(logging.WARNING):
        from solver_cli.export import nets
        from solver_cli.text.netspec import read_test_net

        net = read_test_net(train_val, stages=stages, dialect=dialect)
        click.echo(f"wrote {' and '.join(nets.write_deploy(out, net, shapes, weights, fold_batch_norm))}")
