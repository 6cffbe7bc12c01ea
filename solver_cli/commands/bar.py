"""A progress bar around things that are gone through: on a terminal only, below the log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from solver_cli import log


def counted(items: Iterable[Any], total: int) -> Iterator[Any]:
    """The items, `total` of them; where stderr is a terminal a bar shows how many have been taken."""
    if not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    from solver_cli.commands.progress import AboveBar

    log.to_stderr(AboveBar())
    try:
        yield from tqdm(items, total=total, file=sys.stderr, dynamic_ncols=True)
    finally:
        log.to_stderr()
