"""What is in a file of Caffe's, or a database: a dict of plain values, and the same as lines to read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from solver_cli.caffe_pb2 import AnnotatedDatum, Datum
from solver_cli.data.datum import Datums
from solver_cli.data.source import by
from solver_cli.errors import DataError, SnapshotError, Where
from solver_cli.formats import blobproto, caffemodel, hdf5, identify, runstate, solverstate
from solver_cli.tools import databases, statistics
from solver_cli.tools.imageset import Watch
from solver_cli.tools.statistics import Statistics, bars, table

MOST = 40  # labels, shapes or layers' names that are shown one by one
WIDE = 30  # characters of the longest bar

Found = dict[str, Any]


def of(path: str, watch: Watch) -> Found:
    """What `path` holds, told by its bytes: `kind`, and the rest by kind. Raises Error."""
    if os.path.isdir(path):  # noqa: PTH112
        return _database(path, watch)
    kind = identify.kind(identify.map_file(path))
    if kind == identify.HDF5:
        with hdf5.reading(path) as file:
            kind = identify.kind_hdf5(file)
    if kind == identify.WEIGHTS:
        return _weights(path)
    if kind == identify.STATE:
        return _state(path)
    if kind == identify.MEAN:
        return _mean(path)
    if kind == identify.LMDB:
        raise SnapshotError(f"is part of an LMDB: name its folder, {Path(path).parent}", Where(path))
    raise SnapshotError(f"holds {kind}: weights, solver states, means, LMDBs and LevelDBs can be looked at", Where(path))


def _weights(path: str) -> Found:
    layers = [
        {"name": layer.name, "type": layer.type, "blobs": [None if b is None else statistics.of(b) for b in layer.blobs]}
        for layer in caffemodel.read(path).layers
    ]
    return {"kind": "weights", "layers": layers}


def _state(path: str) -> Found:
    state = solverstate.read(path)
    try:
        origin = runstate.loads(state.run).get("origin", {})
        learned = [f"{layer}[{index}]" for layer, index in origin.get("blobs", [])] or ["" for _ in state.history]
        told = {name: origin[name] for name in ("type", "file", "random_seed") if name in origin}
    except (ValueError, TypeError, AttributeError) as error:
        raise SnapshotError(f"the file is damaged: {error}", Where(path)) from None
    found = {"kind": "solver state", "iter": state.iter, "learned_net": state.learned_net, **told}
    if state.event:
        found |= {"minimum_loss": state.event[0], "iter_last_event": state.event[1]}
    history = [
        {"blob": learned[i % len(learned)], "slot": i // len(learned), **asdict(statistics.of(blob))}
        for i, blob in enumerate(state.history)
    ]
    return {**found, "current_step": state.current_step, "history": history}


def _mean(path: str) -> Found:
    blob = blobproto.read(path)
    channels = blob.reshape(-1, *blob.shape[-2:]) if blob.ndim > 2 else blob.reshape(1, -1)
    return {"kind": "blob or mean", "shape": list(blob.shape), "channels": [statistics.of(channel) for channel in channels]}


def _database(path: str, watch: Watch) -> Found:
    database = databases.opened(path)
    shapes: Counter[str] = Counter()
    labels: Counter[int] = Counter()
    boxes: Counter[int] = Counter()
    forms: Counter[str] = Counter()
    first = last = b""
    for key, value in watch(database.records(), database.count()):
        first, last = first or key, key
        datum, objects = parsed(bytes(value))
        boxes.update(objects)
        if datum is None:
            forms["no Datum"] += 1
            continue
        forms["encoded" if datum.encoded else "raw" if datum.data else "floats"] += 1
        if datum.HasField("label"):
            labels[datum.label] += 1
        if not datum.encoded:
            shapes[by((datum.channels, datum.height, datum.width))] += 1
    database.check()
    kind = "LevelDB" if (Path(path) / "CURRENT").is_file() else "LMDB"
    keys = [key.decode(errors="backslashreplace") for key in (first, last)]
    return {
        "kind": kind, "records": sum(forms.values()), "first_key": keys[0], "last_key": keys[1], "forms": dict(forms),
        "shapes": dict(shapes), "labels": dict(sorted(labels.items())), "boxes": dict(sorted(boxes.items())),
    }  # fmt: skip


def parsed(value: bytes) -> tuple[Datum | None, list[int]]:
    """The Datum in a value, or in an AnnotatedDatum of SSD's, with the labels of its boxes; None for anything else."""
    try:
        datum = Datum.FromString(value)
        if datum.data or datum.float_data:
            return datum, []
        annotated = AnnotatedDatum.FromString(value)
    except DecodeError:
        return None, []
    if not (annotated.datum.data or annotated.datum.float_data):
        return None, []
    return annotated.datum, [group.group_label for group in annotated.annotation_group for _ in group.annotation]


def pictures(path: str, count: int) -> Iterator[tuple[Any, str]]:
    """(the picture [channels, height, width], its label or "") of the first records of a database. Raises DataError."""
    datums = Datums(None, "")
    for key, value in islice(databases.opened(path).records(), count):
        datum, _ = parsed(bytes(value))
        name = f"record '{key.decode(errors='backslashreplace')}' of {path}"
        if datum is None:
            raise DataError(f"{name} is no Datum: it has no picture")
        yield datums.picture(datum, name), str(datum.label) if datum.HasField("label") else ""


def plain(found: Any) -> Any:
    """The same as values that JSON has."""
    if isinstance(found, Statistics):
        return asdict(found)
    if isinstance(found, dict):
        return {key: plain(value) for key, value in found.items()}
    return [plain(value) for value in found] if isinstance(found, list) else found


def lines(path: str, found: Found) -> list[str]:
    """What `of` has found, to be read."""
    return {"weights": _weights_lines, "solver state": _state_lines, "blob or mean": _mean_lines}.get(
        found["kind"], _database_lines
    )(path, found)


def _weights_lines(path: str, found: Found) -> list[str]:
    rows = [["layer", "type", "blob", *statistics.HEAD]]
    blobs = 0
    for layer in found["layers"]:
        for i, blob in enumerate(layer["blobs"]):
            words = ["(its owner's)", *[""] * 6] if blob is None else blob.words()
            rows.append(["" if i else layer["name"], "" if i else layer["type"] or "", str(i), *words])
            blobs += blob is not None
    count = sum(blob.count for layer in found["layers"] for blob in layer["blobs"] if blob)
    head = f"{path}: weights of {len(found['layers'])} layers: {count} numbers in {blobs} blobs"
    without = [layer["name"] for layer in found["layers"] if not layer["blobs"]]
    more = f" and {len(without) - MOST} more" if len(without) > MOST else ""
    rest = [f"without blobs: {', '.join(without[:MOST])}{more}"] if without else []
    return [head, *table(rows, range(4, 9)), *rest]


def _state_lines(path: str, found: Found) -> list[str]:
    said = {name: value for name, value in found.items() if name not in ("kind", "history")}
    rows = [["history", "slot", "blob", *statistics.HEAD]]
    for i, blob in enumerate(found["history"]):
        own = Statistics(**{name: blob[name] for name in Statistics.__dataclass_fields__})
        rows.append([str(i), str(blob["slot"]), blob["blob"], *own.words()])
    return [f"{path}: a solver state", *(f"{name}: {value}" for name, value in said.items()), *table(rows, range(4, 9))]


def _mean_lines(path: str, found: Found) -> list[str]:
    rows = [["channel", *statistics.HEAD]]
    rows += [[str(i), *channel.words()] for i, channel in enumerate(found["channels"])]
    return [f"{path}: a blob or mean of {by(found['shape'])}", *table(rows, range(2, 7))]


def _database_lines(path: str, found: Found) -> list[str]:
    forms = ", ".join(f"{count} {form}" for form, count in found["forms"].items())
    head = f"{path}: {found['kind']} of {found['records']} records ({forms})"
    keys = f"keys: {found['first_key']} ... {found['last_key']}"
    shapes = [f"shape: {shape} ({count} records)" for shape, count in list(found["shapes"].items())[:MOST]]
    return [head, keys, *shapes, *_counts("label", found["labels"]), *_counts("box of label", found["boxes"])]


def _counts(what: str, counts: dict[int, int]) -> list[str]:
    """A row for each of the first labels, or where there are more a row of blocks for all."""
    if not counts:
        return []
    if len(counts) > MOST:
        low, high = min(counts.values()), max(counts.values())
        many = f"{what}s: {len(counts)} from {min(counts)} to {max(counts)}, each {low} to {high} times"
        return [many, bars(list(counts.values())[:1000])]
    most = max(counts.values())
    rows = [[f"{what} {label}", str(count), "█" * (count * WIDE // most)] for label, count in counts.items()]
    return table(rows, (1,))
