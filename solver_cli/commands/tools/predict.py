"""`solver-tools predict`: what a trained net says of pictures."""

from __future__ import annotations

import json
import logging
import math
import re
from typing import Any

import click

from solver_cli.commands.options import TEXT, Command, Parsed, options
from solver_cli.commands.running import reported
from solver_cli.solver.options import RunOptions, whole

EXAMPLES = """
solver-tools predict deploy.prototxt --weights net.caffemodel --mean 104,117,123 --labels synset_words.txt cat.jpg
solver-tools predict configs/mnist/lenet_train_test.prototxt --weights lenet_iter_1000.caffemodel --draw out *.png
"""


def _size(text: str) -> tuple[int, int]:
    """`256` or `240x320`, height before width."""
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if not found:
        raise ValueError("expected a side, or height x width, such as 256 or 240x320")
    return whole(1)(found[1]), whole(1)(found[2] or found[1])


def _finite(text: str) -> float:
    try:
        if math.isfinite(value := float(text)):
            return value
    except ValueError:
        pass
    raise ValueError("expected a number")


def _order(text: str) -> tuple[int, ...]:
    """`2,1,0`"""
    if not re.fullmatch(r"\d(,\d)*", text):
        raise ValueError("expected the numbers of the channels, such as 2,1,0")
    return tuple(map(int, text.split(",")))
NUMBER = Parsed(_finite)


@click.command("predict", cls=Command, examples=EXAMPLES)
@click.argument("net", type=TEXT)
@click.argument("pictures", nargs=-1, required=True, type=TEXT, metavar="PICTURE...")
@click.option("--weights", type=TEXT, required=True, metavar="FILE", help="The net's weights.")
@click.option("--labels", type=TEXT, metavar="FILE", help="The classes' names: a line each, or a label map of SSD's.")
@click.option("--blob", type=TEXT, metavar="NAME", help="What to ask for.  [default: the net's last output]")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, metavar="N", help="Classes to tell.")
@click.option("--threshold", type=NUMBER, default=0.5, show_default=True, metavar="SCORE", help="Least score of a box.")
@click.option("--json", "as_json", is_flag=True, help="JSON, a line for each picture.")
@click.option("--draw", type=TEXT, metavar="FOLDER", help="Draw the pictures with what is said of them into FOLDER.")
@click.option("--mean", type=TEXT, metavar="FILE|VALUES", help="What to subtract: a .binaryproto, a .npy, or 104,117,123.")
@click.option("--scale", type=NUMBER, metavar="X", help="What to multiply by, after the mean.")
@click.option("--resize", type=Parsed(_size), metavar="HxW", help="The size that pictures are brought to.")
@click.option("--crop", type=Parsed(_size), metavar="HxW", help="The size of their middle that the net is given.")
@click.option("--channel-swap", type=Parsed(_order), metavar="2,1,0", help="Another order than blue, green, red.")
@click.option("--gray/--no-gray", default=None, help="Read grey pictures.  [default: as the net's input has channels]")
@click.option("--gpu", type=click.IntRange(0), metavar="N", help="Run on this GPU.  [default: the CPU]")
@options(RunOptions, "level", "stage", "dialect", "python_layers", level="Level of the net's state.",
         stage="Stages of the net's state.")  # fmt: skip
def command(
    net: str, pictures: tuple[str, ...], weights: str, labels: str | None, blob: str | None, top: int, threshold: float,
    as_json: bool, draw: str | None, mean: str | None, scale: float | None, resize: tuple[int, int] | None,
    crop: tuple[int, int] | None, channel_swap: tuple[int, ...] | None, gray: bool | None, gpu: int | None,
    **chosen: Any,
) -> None:  # fmt: skip
    """Ask NET, a deploy net or one that trains, about each PICTURE: its classes, its boxes (nets that end in a detection
    layer), or the class of each pixel (nets whose output is an image).

    Pictures are prepared as the net's own data layer does it in the phase TEST, brought to the size of its records; for a
    deploy net they are resized to its input, unless the options say otherwise.
    """
    run = RunOptions(**chosen)
    with reported(logging.WARNING):
        from pathlib import Path

        from solver_cli.formats.atomic import make_folder
        from solver_cli.text.netspec import read_test_net
        from solver_cli.tools import drawing, nets, predict
        from solver_cli.tools.pictures import Said

        if draw:
            make_folder(draw)
        said = Said(mean, scale, resize, crop, channel_swap, gray)
        names = predict.read_names(labels) if labels else {}
        taken: set[str] = set()
        for found in predict.predictions(
            read_test_net(net, run.level, run.stages, run.dialect), weights, pictures, said, blob=blob, names=names, top=top,
            threshold=threshold, device=nets.device(gpu), python_layers=run.python_layers,
        ):  # fmt: skip
            paths = drawing.draw(found, Path(draw), taken) if draw else []
            if as_json:
                click.echo(json.dumps({**predict.plain(found), **({"drawn": paths} if draw else {})}))
            else:
                click.echo("\n".join(predict.lines(found)))
