"""Every number of a message, and the values at its ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from solver_cli.commands.catalogue import is_repeated

FLOATS = (math.nan, math.inf, -math.inf, 1e38, -1e38, -1.0, 0.0)
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
}
Path = tuple[FieldDescriptor, ...]


def numbers(descriptor: Descriptor, inside: Path = ()) -> Iterator[Path]:
    """The way to each number, through messages of its own."""
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.name not in ("NetParameter", "NetState"):
            yield from numbers(field.message_type, (*inside, field))
        elif values(field):
            yield (*inside, field)


def values(field: FieldDescriptor) -> tuple[float, ...]:
    """What to try: the ends, -1 and 0."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return FLOATS
    if field.cpp_type not in RANGES:
        return ()
    least, most = RANGES[field.cpp_type]
    return tuple(sorted({least, max(least, -1), 0, most}))


def put(message: Message, path: Path, value: float) -> None:
    """Set the number, the first of a repeated field."""
    target: Any = message
    for step in path[:-1]:
        inner = getattr(target, step.name)
        target = (inner[0] if len(inner) else inner.add()) if is_repeated(step) else inner
    name = path[-1].name
    if is_repeated(path[-1]):
        kept = list(getattr(target, name))[1:]
        target.ClearField(name)
        getattr(target, name).extend([value, *kept])
    else:
        setattr(target, name, value)
