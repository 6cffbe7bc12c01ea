"""`solver-tools features`: blobs of a trained net, row by row."""

from __future__ import annotations

import logging
from typing import Any

import click

from solver_cli.commands.options import TEXT, Command, options
from solver_cli.commands.running import reported
from solver_cli.solver.options import RunOptions

EXAMPLES = """
solver-tools features --net train_val.prototxt --weights net.caffemodel --blob fc7,label --to fc7.npy,label.npy
solver-tools features net.caffemodel train_val.prototxt fc7,label fc7_lmdb,label_lmdb 10 lmdb    as extract_features
"""
ORDER = "WEIGHTS NET BLOB[,BLOB...] OUT[,OUT...] N_BATCHES [lmdb|leveldb] [CPU|GPU [DEVICE]]"


@click.command("features", cls=Command, examples=EXAMPLES)
@click.argument("words", nargs=-1, type=TEXT, metavar=f"[{ORDER}]")
@click.option("--net", type=TEXT, metavar="FILE", help="The net, whose data are read in the phase TEST.")
@click.option("--weights", type=TEXT, metavar="FILE", help="Its weights.")
@click.option("--blob", "blobs", type=TEXT, metavar="NAME[,NAME...]", help="The blobs to write.")
@click.option("--to", "targets", type=TEXT, metavar="OUT[,OUT...]",
              help="A place for each blob: FILE.npy, FILE.h5 (which may be one for all), or a new database.")  # fmt: skip
@click.option("--batches", type=click.IntRange(1, 2**31 - 1), metavar="N",
              help="Batches to take.  [default: once through the data]")  # fmt: skip
@click.option("--backend", type=click.Choice(["lmdb", "leveldb"]), help="The database.  [default: lmdb]")
@click.option("--gpu", type=click.IntRange(0), metavar="N", help="Run on this GPU.  [default: the CPU]")
@options(RunOptions, "level", "stage", "dialect", "python_layers", level="Level of the net's state.",
         stage="Stages of the net's state.")  # fmt: skip
def command(
    words: tuple[str, ...], net: str | None, weights: str | None, blobs: str | None, targets: str | None,
    batches: int | None, backend: str | None, gpu: int | None, **chosen: Any,
) -> None:  # fmt: skip
    """Write blobs of a trained net for each picture of its data, told by options or in the order of extract_features.

    A row of a blob becomes a row of an array (npy, HDF5), or a float Datum under a key of ten digits.
    """
    told = any(value is not None for value in (net, weights, blobs, targets, batches, backend, gpu))
    if words:
        weights, net, blobs, targets, batches, backend, gpu = _in_order(words)
        if told:
            raise click.UsageError(f"expected {ORDER}, without options that say the same")
    if not (weights and net and blobs and targets):
        raise click.UsageError(f"give --net, --weights, --blob and --to, or, in this order, {ORDER}")
    run = RunOptions(**chosen)
    with reported(logging.WARNING):
        from solver_cli.commands.bar import counted
        from solver_cli.text.netspec import read_test_net
        from solver_cli.tools import nets
        from solver_cli.tools.features import extract

        names, places = blobs.split(","), targets.split(",")
        if len(places) == 1 and places[0].endswith((".h5", ".hdf5")):
            places *= len(names)
        counts = extract(
            read_test_net(net, run.level, run.stages, run.dialect), weights, names, places, batches,
            backend=backend or "lmdb", device=nets.device(gpu), python_layers=run.python_layers, watch=counted,
        )  # fmt: skip
        for name, place, count in zip(names, places, counts, strict=True):
            click.echo(f"wrote {place}: {count} rows of blob '{name}'")


def _in_order(words: tuple[str, ...]) -> tuple[str, str, str, str, int, str, int | None]:
    """Weights, net, blobs, places, batches, backend and GPU of extract_features' arguments."""
    count = int(words[4]) if len(words) > 4 and words[4].isdecimal() else 0
    backend = words[5] if len(words) > 5 else "lmdb"
    device = words[6:]
    if not 1 <= count < 2**31 or backend not in ("lmdb", "leveldb") or len(device) > 2:
        raise click.UsageError(f"expected {ORDER}")
    if device and (device[0] not in ("CPU", "GPU") or not all(number.isdecimal() for number in device[1:])):
        raise click.UsageError(f"'{' '.join(device)}': expected CPU, GPU or GPU and its number")
    gpu = int(device[1]) if len(device) > 1 else 0
    weights, net, blobs, targets = words[:4]
    return weights, net, blobs, targets, count, backend, gpu if device and device[0] == "GPU" else None
