"""`solver-tools export`: what a net has learned, in the forms that others read."""

from __future__ import annotations

import logging

import click

from solver_cli.commands.options import TEXT, Command, Parsed
from solver_cli.commands.running import reported
from solver_cli.commands.shapes import SHAPE, shape

ENDINGS = (".onnx", ".py", ".safetensors", ".pt", ".pth")
TO = f"What to write; the ending says in which form: {', '.join(ENDINGS)}."
MODEL = "Name the weights as torchvision's MODEL does, such as vgg16."
EXAMPLES = """
solver-tools export deploy.prototxt --weights lenet_iter_1000.caffemodel --to lenet.onnx
solver-tools export train_val.prototxt --weights resnet.caffemodel --to resnet.py
solver-tools export vgg_deploy.prototxt --weights vgg.caffemodel --to vgg.pt --torchvision vgg16
"""


@click.command("export", cls=Command, examples=EXAMPLES)
@click.argument("net", type=TEXT)
@click.option("--weights", type=TEXT, metavar="FILE", required=True, help="The .caffemodel, or .caffemodel.h5.")
@click.option("--to", type=TEXT, metavar="FILE", required=True, help=TO)
@click.option("--torchvision", metavar="MODEL", type=TEXT, help=MODEL)
@click.option("--solver", metavar="FILE", type=TEXT, help="With .py: write a loop that trains as this solver says.")
@click.option("--shape", "shapes", type=Parsed(shape), multiple=True, metavar="N,C,H,W", help=SHAPE)
@click.option("--stage", "stages", type=TEXT, multiple=True, metavar="NAME", help="A stage of the TEST net.")
@click.option("--dialect", type=TEXT, metavar="NAME", help="Whose layer types are meant, where the text does not tell.")
def command(
    net: str,
    weights: str,
    to: str,
    torchvision: str | None,
    solver: str | None,
    shapes: tuple[tuple[int, ...], ...],
    stages: tuple[str, ...],
    dialect: str | None,
) -> None:
    """Write the net NET (of a train net its deploy net) with its weights as ONNX or as a state dict, or all of it as a
    PyTorch module (.py) and a state dict for that."""
    if not to.endswith(ENDINGS):
        raise click.UsageError(f"--to {to}: the name must end in one of {', '.join(ENDINGS)}")
    if torchvision and to.endswith((".onnx", ".py")):
        raise click.UsageError("--torchvision names the weights of a state dict: .pt or .safetensors")
    if solver and not to.endswith(".py"):
        raise click.UsageError("--solver goes with --to FILE.py")
    with reported(logging.WARNING):
        from solver_cli.export import nets
        from solver_cli.text.netspec import read_test_net

        written = nets.export(read_test_net(net, stages=stages, dialect=dialect), weights, to, shapes, torchvision, solver)
        click.echo(f"wrote {' and '.join(written)}")
