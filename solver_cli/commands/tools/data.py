"""`solver-tools data`: the data of a config."""

from __future__ import annotations

import sys

import click

from solver_cli.commands.options import FOLDER, TEXT, Command
from solver_cli.commands.running import reported

DIGITS, ARCHIVED, SCRIPTED = ("mnist", "siamese"), ("cifar10",), ("unet", "ssd", "segnet", "faster_rcnn")
EXAMPLES = """
solver-tools data mnist
solver-tools data cifar10 --from cifar-10-binary.tar.gz
solver-tools data unet -- --train 50 --seed 2
"""


@click.command("data", cls=Command, examples=EXAMPLES)
@click.argument("name", type=click.Choice([*DIGITS, *ARCHIVED, *SCRIPTED]))
@click.argument("arguments", nargs=-1, type=TEXT, metavar="[-- ARGS]")
@click.option("--to", "folder", type=FOLDER, metavar="FOLDER", help="Where to put the data.  [default: configs/NAME]")
@click.option("--full", is_flag=True, help="Fetch all 60,000 + 10,000 digits through torchvision (mnist, siamese).")
@click.option("--from", "archive", type=TEXT, metavar="FILE",
              help="The archive cifar-10-binary.tar.gz.  [default: torchvision fetches CIFAR-10]")  # fmt: skip
def command(name: str, arguments: tuple[str, ...], folder: str | None, full: bool, archive: str | None) -> None:
    """Make the data of the config NAME beside it: databases of digits (mnist, siamese) or of CIFAR-10, or what the config's
    script draws (unet, ssd, segnet, faster_rcnn; in a clone)."""
    for given, option, names in ((full, "--full", DIGITS), (archive, "--from", ARCHIVED), (arguments, "ARGS", SCRIPTED)):
        if given and name not in names:
            raise click.UsageError(f"{option} is for {', '.join(names)}, not for {name}")
    with reported():
        from solver_cli.commands import datasets
        from solver_cli.commands.bar import counted

        place = folder or f"configs/{name}"
        if name in SCRIPTED:
            sys.exit(datasets.scripted(name, place, arguments))
        if name in ARCHIVED:
            written = datasets.cifar10(place, archive, counted)
        else:
            written = (datasets.mnist if name == "mnist" else datasets.siamese)(place, full)
        click.echo(f"wrote {', '.join(map(str, written[:-1]))} and {written[-1]}")
