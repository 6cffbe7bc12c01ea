"""Shapes as people type them."""

from __future__ import annotations

SHAPE = "Of an input, such as 1,3,224,224; once for each.  [default: the text's, or one record]"


def shape(text: str) -> tuple[int, ...]:
    """`1,3,224,224`; ValueError says what is expected."""
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ValueError("expected numbers above 0 with commas between them, such as 1,3,224,224")
    return tuple(map(int, parts))
