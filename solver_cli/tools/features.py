"""Blobs of a trained net written out batch by batch: Caffe's extract_features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from solver_cli import log
from solver_cli.caffe_pb2 import Datum
from solver_cli.errors import ConfigError, nearest
from solver_cli.formats import hdf5
from solver_cli.formats.atomic import atomic_write
from solver_cli.net.net import Net
from solver_cli.text.netspec import NetSpec
from solver_cli.tools import nets
from solver_cli.tools.databases import Put, refuse, writing
from solver_cli.tools.imageset import Watch

TOLD = 1000  # rows between two lines of the log
NPY, HDF5 = (".npy",), (".h5", ".hdf5")

Rows = NDArray[np.float32]
Keep = Callable[[Rows], None]  # takes the rows of a blob, [rows, ...], batch after batch


def extract(
    spec: NetSpec, weights: str, blobs: Sequence[str], targets: Sequence[str], batches: int | None,
    *, backend: str, device: torch.device, python_layers: bool, watch: Watch,
) -> list[int]:  # fmt: skip
    """Run a net in its state and write each row of `blobs` to `targets`; how many rows of each.

    A target is FILE.npy or FILE.h5 (several blobs may share one; a dataset each, of the blob's name), whose rows keep the
    blob's axes, or the folder of a new database: a float Datum a row, keys %010d. `batches` None: one round through the
    data. Nothing is there under a target's name until all is. Raises Error.
    """
    if len(blobs) != len(targets):
        raise ConfigError(f"{len(blobs)} blobs and {len(targets)} places to write to: there must be as many of both")
    with log.silent():
        net = nets.build(spec, device, python_layers)
    counts = [0] * len(blobs)
    try:
        for blob in blobs:
            if blob not in net.blob_shapes:
                raise ConfigError(f"{spec.file}: the net has no blob '{blob}'{nearest(blob, net.blob_shapes)}")
        nets.load(net, weights)
        count = batches if batches is not None else one_round(net, spec.file)
        with keeping(blobs, targets, backend) as keeps, torch.no_grad():
            for _ in watch(range(count), count):
                _, found = net()
                for i, (blob, keep) in enumerate(zip(blobs, keeps, strict=True)):
                    rows = found[blob].float().cpu().numpy()
                    keep(rows if rows.ndim else rows[None])
                    before, counts[i] = counts[i], counts[i] + (len(rows) if rows.ndim else 1)
                    if counts[i] // TOLD > before // TOLD:
                        _tell(counts[i], blob)
    finally:
        net.close()
    for blob, number in zip(blobs, counts, strict=True):
        _tell(number, blob)
    return counts


def _tell(count: int, blob: str) -> None:
    log.info("extract_features.cpp:165", f"Extracted features of {count} query images for feature blob {blob}")


def one_round(net: Net, path: str) -> int:
    """The batches that take each record of the net's data once, the last one filled with some from the start again.

    Raises ConfigError where the data do not tell their number.
    """
    for node in net.nodes:
        records, shapes = getattr(node.source, "records", None), node.shapes
        if node.source is not None and records:
            return -(-int(records) // shapes[0][0])
    raise ConfigError(f"{path}: its data do not tell how many records they have: say how many batches to take")


@contextmanager
def keeping(blobs: Sequence[str], targets: Sequence[str], backend: str) -> Iterator[list[Keep]]:
    """What keeps the rows of each blob; all is written when the block ends without an error. Raises Error."""
    for target in dict.fromkeys(targets):
        refuse(Path(target))
        if targets.count(target) > 1 and not target.endswith(HDF5):
            raise ConfigError(f"{target}: several blobs go into one file of HDF5 (.h5) only")
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        keeps: list[Keep] = []
        for blob, target in zip(blobs, targets, strict=True):
            if target.endswith(NPY):
                keeps.append(stack.enter_context(_npy(target)))
            elif target.endswith(HDF5):
                if target not in files:
                    files[target] = stack.enter_context(hdf5.writing(stack.enter_context(atomic_write(target))))
                keeps.append(_dataset(files[target], blob))
            else:
                log.info("extract_features.cpp:125", f"Opening dataset {target}")
                keeps.append(_datums(stack.enter_context(writing(Path(target), backend))))
        yield keeps


@contextmanager
def _npy(target: str) -> Iterator[Keep]:
    """An array of all rows, which are held in memory until the end."""
    kept: list[Rows] = []
    with atomic_write(target) as out:
        yield kept.append
        np.save(out, np.concatenate(kept))


def _dataset(file: Any, blob: str) -> Keep:
    """A dataset that grows."""

    def keep(rows: Rows) -> None:
        if blob not in file:
            file.create_dataset(blob, data=rows, maxshape=(None, *rows.shape[1:]), chunks=True)
            return
        dataset = file[blob]
        dataset.resize(len(dataset) + len(rows), 0)
        dataset[-len(rows) :] = rows

    return keep


def _datums(put: Put) -> Keep:
    """Float Datums without a label, of the blob's last three axes."""
    count = 0

    def keep(rows: Rows) -> None:
        nonlocal count
        if rows.ndim > 4:
            raise ConfigError(f"a Datum has three axes, a row of this blob {rows.ndim - 1}: write it to FILE.npy or FILE.h5")
        channels, height, width = (*rows.shape[1:], 1, 1, 1)[:3]
        for row in rows:
            datum = Datum(channels=channels, height=height, width=width, float_data=row.ravel())
            put(b"%010d" % count, datum.SerializeToString())
            count += 1

    return keep
