"""A data layer that makes its part of a batch only, where several ranks divide it."""

from __future__ import annotations

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.errors import ConfigError
from solver_cli.registry import LayerType

FIELD = "batch_size"


def divided(param: LayerParameter, kind: LayerType, parts: int) -> LayerParameter:
    """The layer, a copy if `parts` is not 1, with its batch_size over `parts`. Raises ConfigError."""
    if parts == 1:
        return param
    own = type(param)()
    own.CopyFrom(param)
    for name in filter(None, (kind.param, *kind.reads)):
        message = getattr(own, name)
        if FIELD in message.DESCRIPTOR.fields_by_name and message.HasField(FIELD):
            message.batch_size = part(message.batch_size, parts, f"{name}.{FIELD}")
            return own
    raise ConfigError(f"sets no {FIELD} that could be divided among {parts} ranks: leave --split-batch out", field="type")


def part(size: int, parts: int, field: str) -> int:
    """`size` over `parts`. Raises ConfigError, which names the nearest sizes, where something is left."""
    if size % parts:
        less = size - size % parts
        near = f"{less} and {less + parts} can" if less else f"{parts} can"
        raise ConfigError(f"batch_size {size} cannot be divided among {parts} ranks (--split-batch): {near}", field=field)
    return size // parts
