"""A net file drawn into a picture's file."""

from __future__ import annotations

import shutil
from pathlib import Path

from solver_cli.errors import ConfigError, Where
from solver_cli.formats.atomic import atomic_write
from solver_cli.pictures import dot, folding, layered
from solver_cli.pictures.boxes import boxes
from solver_cli.text.netspec import read_net
from solver_cli.text.user_code import look_in

KINDS = ("svg", "png", "pdf", "dot")


def draw(
    net: str, target: str, phase: str = "ALL", rankdir: str = "TB", fold: bool | None = None, python_layers: bool = True
) -> None:
    """Draw the net file `net` into `target`. Raises Error.

    `phase`: TRAIN, TEST or ALL; `rankdir`: Graphviz's word for where it goes; `fold`: whether repeated blocks are drawn once
    and blocks framed, None: if there are many boxes; `python_layers`: whether code of the user's runs to find shapes.
    """
    kind = Path(target).suffix[1:].lower()
    if kind not in KINDS:
        raise ConfigError(f"a drawing's name ends with .svg, .png, .pdf or .dot, not '{Path(target).suffix}'", Where(target))
    spec = read_net(net)
    look_in(Path(net).parent)
    found = boxes(spec, phase, python_layers)
    if fold or (fold is None and len(found) >= folding.BIG):
        found = folding.framed(folding.folded(folding.without_long_arrows(found)))
    if kind == "svg" and not shutil.which("dot"):
        data = layered.svg(found, rankdir).encode()
    else:
        text = dot.text(spec.param.name, found, rankdir)
        data = text.encode() if kind == "dot" else dot.picture(text, kind)
    with atomic_write(target) as file:
        file.write(data)
