"""Runs as CSV tables, in files or as one text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from solver_cli.formats.atomic import atomic_write, make_folder
from solver_cli.pictures import rows
from solver_cli.pictures.runlog import Run
from solver_cli.pictures.runlog import read as read

Named = dict[str, str]  # {name of a table: its text}


def named(runs: Sequence[Run], only: str | None = None, everything: bool = False) -> Named:
    """The tables by the names that parse_log gives their files: NAME.train, NAME.test, and NAME.test1 of a second test net.

    `only`: "train" or "test"; `everything`: more columns than parse_log's.
    """
    found = {}
    for run in runs:
        kinds = ["train", *(f"test{index or ''}" for index in sorted(run.tests))]
        for kind, table in zip(kinds, run.tables, strict=True):
            shown = [row.cells(everything) for row in table if row.outputs or everything]
            if shown and kind.startswith(only or ""):
                found[f"{run.name}.{kind}"] = rows.csv_text(shown)
    return found


def listed(tables: Named) -> str:
    """All tables in one text; with several, each below its name."""
    if len(tables) == 1:
        return next(iter(tables.values()))
    return "\n".join(f"# {name}\n{text}" for name, text in tables.items())


def write(tables: Named, folder: str) -> Iterator[str]:
    """Write each table into `folder`, which is made if need be; a line for each file. Raises Error."""
    make_folder(folder)
    for name, text in tables.items():
        path = Path(folder) / name.replace("/", "_")
        with atomic_write(path) as file:
            file.write(text.encode())
        yield f"wrote {path}\n"


def as_json(runs: Sequence[Run]) -> str:
    """{"runs": [{"name", "train": [row ...], "test": [[row ...] of each test net]}]}; NaN and infinity are null."""
    found = []
    for run in runs:
        train, *tests = [[rows.plain(row.cells(everything=True)) for row in table] for table in run.tables]
        found.append({"name": run.name, "train": train, "test": tests})
    return json.dumps({"runs": found}, indent=1) + "\n"
