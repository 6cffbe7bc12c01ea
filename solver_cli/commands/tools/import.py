"""`solver-tools import`: weights of PyTorch in Caffe's files."""

from __future__ import annotations

import logging

import click

from solver_cli.commands.options import TEXT, Command, Parsed
from solver_cli.commands.running import reported
from solver_cli.commands.shapes import SHAPE, shape

NAMES = "Lines of two names, the file's and the net's, such as conv1.weight."
EXAMPLES = """
solver-tools import vgg16-397923af.pth --net vgg_deploy.prototxt --to vgg.caffemodel --torchvision vgg16
solver-tools import mine.safetensors --net deploy.prototxt --to mine.caffemodel --map names.txt
"""


@click.command("import", cls=Command, examples=EXAMPLES)
@click.argument("file", type=TEXT)
@click.option("--net", type=TEXT, metavar="FILE", required=True, help="The net whose layers the weights are for.")
@click.option("--to", type=TEXT, metavar="FILE", required=True, help="The .caffemodel, or .caffemodel.h5, to write.")
@click.option("--map", "names", type=TEXT, metavar="FILE", help=NAMES)
@click.option("--torchvision", metavar="MODEL", type=TEXT, help="The names are those of torchvision's model, such as vgg16.")
@click.option("--shape", "shapes", type=Parsed(shape), multiple=True, metavar="N,C,H,W", help=SHAPE)
@click.option("--stage", "stages", type=TEXT, multiple=True, metavar="NAME", help="A stage of the TEST net.")
@click.option("--dialect", type=TEXT, metavar="NAME", help="Whose layer types are meant, where the text does not tell.")
def command(
    file: str,
    net: str,
    to: str,
    names: str | None,
    torchvision: str | None,
    shapes: tuple[tuple[int, ...], ...],
    stages: tuple[str, ...],
    dialect: str | None,
) -> None:
    """Write the state dict FILE (.safetensors, .pt, .pth) as Caffe weights of a net; no code in it is run."""
    if names and torchvision:
        raise click.UsageError("give --map or --torchvision, but not both")
    with reported(logging.WARNING):
        from solver_cli.export import nets
        from solver_cli.text.netspec import read_test_net

        text = read_test_net(net, stages=stages, dialect=dialect)
        unused = nets.bring_in(file, text, to, shapes, names, torchvision)
        for name in unused:
            click.echo(f"not used: {name}", err=True)
        click.echo(f"wrote {to}")
