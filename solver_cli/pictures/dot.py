"""Boxes and arrows in the language of Graphviz, and as pictures by its program `dot`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence

from solver_cli.errors import ConfigError
from solver_cli.pictures.boxes import Box
from solver_cli.pictures.folding import prefix

COLOURS = {  # light, so that black text stands out, and apart from each other for every eye
    "data": "#E2E2E2", "convolution": "#BFDDF2", "inner_product": "#DCCDEB", "pooling": "#FBDDB3", "neuron": "#CFEBD4",
    "normalization": "#F6F1B5", "fork_norm": "#F6F1B5", "loss": "#F4C3B8", "recurrent": "#DCCDEB", "lstm": "#DCCDEB",
}  # fmt: skip
OTHER = "#FFFFFF"
FONT = "Helvetica,Arial,sans-serif"


def text(name: str, boxes: Sequence[Box], rankdir: str = "TB") -> str:
    """The drawing of a net in Graphviz's language."""
    return "\n".join(_lines(name, boxes, rankdir)) + "\n"


def picture(source: str, kind: str) -> bytes:
    """A picture of the text `source`, of `kind` svg, png or pdf. Raises ConfigError where Graphviz is missing or fails."""
    try:
        done = subprocess.run(["dot", f"-T{kind}"], input=source.encode(), capture_output=True, check=False)
    except OSError:
        raise ConfigError(
            f"drawing as {kind} needs Graphviz's program dot on the PATH (apt install graphviz, brew install graphviz); "
            "--to FILE.svg does without"
        ) from None
    if done.returncode:
        raise ConfigError(f"Graphviz's dot failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _lines(name: str, boxes: Sequence[Box], rankdir: str) -> Iterator[str]:
    yield f"digraph {_quoted(name or 'net')} {{"
    yield f'  graph [rankdir={rankdir}, bgcolor=white, fontname="{FONT}", fontsize=12, nodesep=0.25, ranksep=0.35]'
    yield f'  node [shape=box, style="rounded,filled", fontname="{FONT}", fontsize=11, margin="0.12,0.06", color="#666666"]'
    yield f'  edge [fontname="{FONT}", fontsize=9, fontcolor="#444444", color="#666666", arrowsize=0.6]'
    for number, group in enumerate(dict.fromkeys(box.group for box in boxes)):
        if group:
            yield f"  subgraph cluster_{number} {{"
            label = f'label={_quoted(group)}, labeljust=l, style="rounded,filled", color="#AAAAAA", fillcolor="#F7F7F7"'
            yield f"    graph [{label}]"
        yield from (_node(i, box) for i, box in enumerate(boxes) if box.group == group)
        if group:
            yield "  }"
    told: set[tuple[int, str]] = set()
    for i, box in enumerate(boxes):
        for arrow in box.inputs:
            label = arrow.shape if (arrow.source, arrow.blob) not in told else ""  # once for a blob that many read
            told.add((arrow.source, arrow.blob))
            style = ", style=dashed, constraint=false" if arrow.minor else ""
            yield f"  n{arrow.source} -> n{i} [label={_quoted(f' {label} ' if label else '')}{style}]"
    yield "}"


def words_of(box: Box) -> list[str]:
    """The lines in a box: its name, without what stands on its frame, and what it does."""
    return [box.name.removeprefix(f"{prefix(box.name)}/") if box.group else box.name, *box.lines]


def _node(number: int, box: Box) -> str:
    style = ', style="rounded,filled,dashed"' if box.phases else ""
    label = _quoted("\n".join(words_of(box)))
    return f'    n{number} [label={label}, fillcolor="{COLOURS.get(box.family, OTHER)}"{style}]'


def _quoted(text: str) -> str:
    """The text as one string of Graphviz's language, in which a backslash begins an escape."""
    return '"' + text.replace("\\", "\\\\").replace('"', r"\"").replace("\n", "\\n") + '"'
