"""`solver-tools convert-imageset`: pictures to an LMDB or LevelDB."""

from __future__ import annotations

import os
from typing import Any

import click

from solver_cli.commands.options import TEXT, Command, Parsed
from solver_cli.commands.running import reported
from solver_cli.solver.options import whole

EXAMPLES = """
solver-tools convert-imageset --resize-width 256 --resize-height 256 pictures/ train.txt train_lmdb
solver-tools convert-imageset --val 0.2 flowers/ data/flowers_lmdb    a folder in flowers/ for each class
"""
SIDE = Parsed(whole())


@click.command("convert-imageset", cls=Command, examples=EXAMPLES)
@click.argument("paths", nargs=-1, type=TEXT, metavar="ROOTFOLDER [LISTFILE] DB_NAME")
@click.option("--gray", is_flag=True, help="Read the pictures as grey ones.")
@click.option("--shuffle", is_flag=True, help="Shuffle the pictures.")
@click.option("--backend", type=click.Choice(["lmdb", "leveldb"]), default="lmdb", show_default=True, help="The database.")
@click.option("--resize-width", "--resize_width", type=SIDE, default=0, metavar="N", help="Width to resize to.")
@click.option("--resize-height", "--resize_height", type=SIDE, default=0, metavar="N", help="Height to resize to.")
@click.option("--check-size", "--check_size", is_flag=True, help="Refuse pictures of several sizes.")
@click.option("--encoded", is_flag=True, help="Keep the pictures encoded, as their files are.")
@click.option("--encode-type", "--encode_type", default="", metavar="TYPE", help="Encode as this: png, jpg ...")
@click.option("--val", type=click.FloatRange(0, 1, True, True), default=None, metavar="SHARE",
              help="Split off this share of each class: databases DB_NAME_train_lmdb and DB_NAME_val_lmdb.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the shuffling and the share.")
@click.option("--workers", type=click.IntRange(1, 64), default=min(16, os.cpu_count() or 1), metavar="N",
              help="Pictures that are decoded at once.  [default: one a processor, at most 16]")  # fmt: skip
def command(
    paths: tuple[str, ...], backend: str, shuffle: bool, val: float | None, seed: int, workers: int, **manner: Any
) -> None:
    """Write the pictures that LISTFILE names below ROOTFOLDER (`name label`, a line each) to the database DB_NAME.

    Without a LISTFILE each folder in ROOTFOLDER is a class; the pictures are shuffled, and lists of them and of the classes'
    names are written beside the database. Pictures that cannot be read are left out, with a line each.
    """
    if len(paths) not in (2, 3):
        raise click.UsageError("give ROOTFOLDER, LISTFILE (unless each folder in ROOTFOLDER is a class) and DB_NAME")
    with reported():
        from solver_cli.commands.bar import counted
        from solver_cli.tools import folders
        from solver_cli.tools.imageset import Manner

        source = folders.classes(paths[0]) if len(paths) == 2 else folders.listed(paths[0], paths[1])
        written = folders.build(
            source, paths[-1], Manner(**manner), backend=backend, workers=workers, watch=counted, shuffle=shuffle,
            val=val or 0, seed=seed,
        )  # fmt: skip
        click.echo("wrote " + ", ".join(written))
