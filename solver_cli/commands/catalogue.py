"""What `solver-tools layers` says of each layer type: from the registry, the schema and the count of golden cases."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from solver_cli import schema
from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.net import plan as _plan  # noqa: F401 - registers every layer
from solver_cli.registry import LayerType, layer_types, lookup
from solver_cli.text.forks import means_something, values

WIDTH = 120
CASES = Path(__file__).parents[1] / "assets" / "golden_cases.json"
HEAD = """# Layer types

Made by `solver-tools layers --markdown`; `solver-tools layers TYPE` shows the types of all fields as well. Bottoms and tops:
how many blobs a layer takes and gives (`+`: or more, `=`: a top for each bottom). Cases: recorded runs of real Caffe that
the tests compare with. Origin: the Caffe that has it. Settings: fields and defaults; `[]` is repeated, `{}` a message of its
own.

"""
SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_DOUBLE: "double",
    FieldDescriptor.CPPTYPE_STRING: "string",
    FieldDescriptor.CPPTYPE_INT32: "int32",
    FieldDescriptor.CPPTYPE_INT64: "int64",
    FieldDescriptor.CPPTYPE_UINT32: "uint32",
    FieldDescriptor.CPPTYPE_UINT64: "uint64",
}


def golden_cases() -> dict[str, int]:
    """How many recorded runs of real Caffe each type is held against; types without any are left out."""
    counts: dict[str, int] = json.loads(CASES.read_text())
    return counts


def family(kind: LayerType) -> str:
    """The group of Caffe's layer catalogue, which is the file's name; data for whatever feeds a net."""
    package, _, name = kind.build.__module__.rpartition(".")
    return "data" if package.endswith((".data", ".net")) else name.removesuffix("_layer")


def messages(kind: LayerType) -> dict[str, Any]:
    """The type's settings: {field of LayerParameter: its message}."""
    fields = schema.wide(LayerParameter).DESCRIPTOR.fields_by_name
    names = [kind.param] if kind.param else []
    if not kind.source:
        names += [name for name in kind.asks if name in fields and fields[name].message_type is not None]
    if kind.transforms:
        names.append("transform_param")
    return {name: fields[name].message_type for name in names}


def settings(kind: LayerType) -> dict[str, list[FieldDescriptor]]:
    """{field of LayerParameter: the fields inside it that mean something to the type}; text/forks.py knows which do not."""
    found = {name: [f for f in m.fields if means_something(kind.name, m.name, f.name)] for name, m in messages(kind).items()}
    return {name: fields for name, fields in found.items() if fields}


def table() -> Iterator[str]:
    """A line for each type, as wide as a terminal, and below it the settings with their defaults."""
    kinds = list(_kinds())
    head = ("type", "family", "origin", "bottoms", "tops", "cases", "what it does")
    rows = [head, *((k.name, family(k), k.origin, count(k.bottoms), count(k.tops), _cases(k), plain(k.doc)) for k in kinds)]
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    for row, settings in zip(rows, [[], *map(short, kinds)], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        yield line if len(line) <= WIDTH else line[: WIDTH - 3].rstrip() + "..."
        for setting in settings:
            yield from textwrap.wrap(setting, WIDTH, initial_indent="    ", subsequent_indent="        ")


def page(name: str) -> Iterator[str]:
    """All about one type: blobs, what it does, every field with type and default. Raises ConfigError if it is unknown."""
    kind = lookup(name)
    yield f"{kind.name} ({family(kind)})"
    yield f"  origin: {kind.origin}"
    yield f"  bottoms: {count(kind.bottoms)}   tops: {count(kind.tops)}   golden cases: {_cases(kind) or 'none'}"
    if kind.loss:
        yield f"  a loss: loss_weight {0 if kind.unweighted else 1} on its first top unless told"
    if not kind.in_place:
        yield "  cannot work in place"
    yield ""
    for paragraph in (inspect.getdoc(kind.build) or "").split("\n\n"):
        yield from textwrap.wrap(plain(paragraph), WIDTH - 2, initial_indent="  ", subsequent_indent="  ")
    for message, fields in settings(kind).items():
        yield ""
        yield f"  {message} {{"
        width = max(len(f.name) for f in fields)
        for f in fields:
            yield f"    {f.name.ljust(width)}  {field_type(f)}{default(f, '  [default {}]')}"
        yield "  }"
    if not settings(kind):
        yield ""
        yield "  no settings"


def markdown() -> Iterator[str]:
    """The table of docs/layers.md."""
    yield from HEAD.splitlines()
    yield "| type | family | origin | bottoms | tops | cases | what it does | settings |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for kind in _kinds():
        settings = "<br>".join(f"`{line}`" for line in short(kind)).replace("|", "\\|")
        cells = (
            kind.name,
            family(kind),
            kind.origin,
            count(kind.bottoms),
            count(kind.tops),
            _cases(kind),
            plain(kind.doc, "\\|"),
            settings,
        )
        yield "| " + " | ".join(cells) + " |"


def short(kind: LayerType) -> Iterator[str]:
    """`power_param: power=1 scale=1 shift=0`, a line for each message."""
    for name, fields in settings(kind).items():
        yield f"{name}: " + " ".join(f.name + _mark(f) + default(f, "={}") for f in fields)


def field_type(field: FieldDescriptor) -> str:
    repeated = "repeated " if is_repeated(field) else ""
    if field.enum_type is not None:
        return repeated + " | ".join(values(field))
    return repeated + (field.message_type.name if field.message_type is not None else SCALARS[field.cpp_type])


def default(field: FieldDescriptor, form: str) -> str:
    """The declared default in `form`; nothing where none is declared."""
    if is_repeated(field) or not field.has_default_value:
        return ""
    value = field.default_value
    if field.enum_type is not None:
        return form.format(field.enum_type.values_by_number[value].name)
    if isinstance(value, bool):
        return form.format(str(value).lower())
    return form.format(f"{value:g}" if isinstance(value, float) else value)


def _mark(field: FieldDescriptor) -> str:
    return "[]" if is_repeated(field) else "{}" if field.message_type is not None else ""


def is_repeated(field: Any) -> bool:
    """`label` is going away in protobuf, `is_repeated` is young."""
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def count(blobs: tuple[int, int | None]) -> str:
    """A number of blobs: 2, 1-2, 1+; = for as many tops as bottoms."""
    least, most = blobs
    if least < 0:
        return "="
    return str(least) if least == most else f"{least}+" if most is None else f"{least}-{most}"


def plain(text: str, bar: str = "|") -> str:
    """A docstring's text on one line."""
    return " ".join(text.split()).replace("|", bar)


def _kinds() -> Sequence[LayerType]:
    return list(layer_types().values())


def _cases(kind: LayerType) -> str:
    return str(golden_cases().get(kind.name, ""))
