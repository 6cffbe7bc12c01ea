"""Pictures in a folder for each class: their names, labels, and parts to train on and to test on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from solver_cli import log
from solver_cli.data.image import read_list
from solver_cli.errors import DataError
from solver_cli.formats.atomic import atomic_write
from solver_cli.tools.databases import LMDB, refuse, writing
from solver_cli.tools.imageset import Manner, Row, Watch, convert

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".pnm", ".tif", ".tiff", ".jp2", ".gif"}
TRAIN, VAL = "train", "val"


@dataclass(frozen=True)
class Source:
    """What to convert: rows below a root folder, and the classes' names where folders gave the labels."""

    root: str
    rows: list[Row]
    names: tuple[str, ...] = ()


def listed(root: str, path: str) -> Source:
    """The rows of a list file, for the root folder as it is written. Raises DataError."""
    return Source(root, read_list(path, root))


def classes(folder: str) -> Source:
    """The pictures below `folder`: each folder in it is a class, labelled 0, 1, ... in the order of their names.

    Files whose name has no picture's ending are passed over, with a line in the log. Raises DataError.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{folder}: no such folder: it is to have a folder of pictures for each class")
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise DataError(f"{folder}: has no folders: give a LISTFILE, or put the pictures of each class into a folder")
    rows, others = [], 0
    for label, name in enumerate(names):
        files = sorted(path.relative_to(root).as_posix() for path in (root / name).rglob("*") if path.is_file())
        found = [file for file in files if Path(file).suffix.lower() in ENDINGS]
        others += len(files) - len(found)
        rows += [(file, label) for file in found]
        if not found:
            log.warning("convert_imageset.cpp", f"{root / name}: class {label} has no pictures")
    if odd := next((text for text in [*names, *(file for file, _ in rows)] if "\n" in text), None):
        raise DataError(f"{folder}: {odd!r}: a list cannot hold a name with a line break")
    if not rows:
        raise DataError(f"{folder}: its folders hold no pictures ({', '.join(sorted(ENDINGS))})")
    if others:
        log.warning("convert_imageset.cpp", f"{others} files are passed over: their names are no pictures'")
    return Source(f"{folder.rstrip('/')}/", rows, tuple(names))


def shuffled(rows: Sequence[Row], *seed: int) -> list[Row]:
    """The rows in the order that `seed` stands for."""
    return [rows[i] for i in np.random.default_rng([abs(number) for number in seed]).permutation(len(rows))]


def split(rows: Sequence[Row], share: float, seed: int) -> dict[str, list[Row]]:
    """The rows to train on and those to test on, in their order: `share` of each label's, rounded, goes to the latter.

    Raises DataError if one of both is left without any.
    """
    by_label: dict[int, list[Row]] = {}
    for row in rows:
        by_label.setdefault(row[1], []).append(row)
    held: set[Row] = set()
    for label, own in by_label.items():
        held.update(shuffled(own, seed, label)[: round(share * len(own))])
    parts = {TRAIN: [row for row in rows if row not in held], VAL: [row for row in rows if row in held]}
    if not all(parts.values()):
        raise DataError(f"{share:g} of {len(rows)} pictures leaves none to {'train' if parts[VAL] else 'test'} on")
    return parts


def build(
    source: Source, database: str, manner: Manner, *, backend: str, workers: int, watch: Watch, shuffle: bool = False,
    val: float = 0, seed: int = 1,
) -> list[str]:  # fmt: skip
    """Write the database, or with a share `val` two, NAME_train_lmdb and NAME_val_lmdb; what has been written.

    With classes, or two parts, lists stand beside: NAME.txt (or NAME_train.txt, NAME_val.txt) as `listed` reads them, and
    NAME_classes.txt with the classes' names in the order of their labels. Pictures of classes are shuffled always, for a
    net that sees one class after the other learns little. Raises ConfigError, DataError.
    """
    manner.check()
    rows = source.rows
    if shuffle or source.names:
        log.info("convert_imageset.cpp:86", "Shuffling data")
        rows = shuffled(rows, seed)
    name = database.rstrip("/").removesuffix(f"_{backend}")
    parts = {f"{name}_{part}_{backend}": own for part, own in split(rows, val, seed).items()} if val else {database: rows}
    texts: dict[Path, list[str]] = {}
    if source.names:
        texts[Path(f"{name}_classes.txt")] = list(source.names)
    if source.names or val:
        for path, own in parts.items():
            texts[Path(f"{path.rstrip('/').removesuffix(f'_{backend}')}.txt")] = [f"{file} {label}" for file, label in own]
    for place in (*texts, *map(Path, parts)):
        refuse(place)
    for path, own in parts.items():
        with writing(Path(path), backend) as put:
            log.info(f"db_{backend}.cpp:{35 if backend == LMDB else 18}", f"Opened {backend} {path}")
            convert(source.root, own, put, manner, workers, watch)
    for place, lines in texts.items():
        with atomic_write(place) as out:
            out.write(b"".join(os.fsencode(line) + b"\n" for line in lines))
    return [*parts, *map(str, texts)]
