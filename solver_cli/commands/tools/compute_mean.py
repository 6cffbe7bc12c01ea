"""`solver-tools compute-mean`: the mean of a database's pictures."""

from __future__ import annotations

import click

from solver_cli.commands.options import TEXT, Command
from solver_cli.commands.running import reported


@click.command("compute-mean", cls=Command, examples="solver-tools compute-mean train_lmdb mean.binaryproto")
@click.argument("database", type=TEXT, metavar="DB")
@click.argument("target", type=TEXT, metavar="[OUT.binaryproto]", required=False)
@click.option("--backend", type=click.Choice(["lmdb", "leveldb"]), help="The database.  [default: as its folder tells]")
def command(database: str, target: str | None, backend: str | None) -> None:
    """Compute the mean picture of the database DB for a net's mean_file, and print its mean_value for each channel."""
    with reported():
        from solver_cli import log
        from solver_cli.commands.bar import counted
        from solver_cli.formats import blobproto
        from solver_cli.formats.atomic import check_place
        from solver_cli.tools.databases import opened
        from solver_cli.tools.mean import channel_means, mean_of

        if target:
            check_place(target)
        mean = mean_of(opened(database, backend or ""), database, counted)
        if target:
            log.info("compute_image_mean.cpp:108", f"Write to {target}")
            blobproto.write_mean(target, mean)
        values = [log.number(value) for value in channel_means(mean)]
        log.info("compute_image_mean.cpp:114", f"Number of channels: {len(values)}")
        for channel, value in enumerate(values):
            log.info("compute_image_mean.cpp:119", f"mean_value channel [{channel}]: {value}")
        click.echo(" ".join(f"mean_value: {value}" for value in values))
