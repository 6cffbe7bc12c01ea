"""The messages that texts are read with: Caffe's own (caffe_pb2) and, by name, what schemas of forks have beside them.

What is added stands for the whole process, as the registry's types do. A text is parsed with the merged messages, and then
handed on in our own classes, which keep what they do not know; `widened` makes it readable again for who asks for it. Ours
win where both know a name. Added fields and values get numbers of their own, since forks reuse Caffe's and each other's.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal import builder
from google.protobuf.message import Message

from solver_cli import caffe_pb2
from solver_cli.errors import ConfigError, Where

M = TypeVar("M", bound=Message)
Field = FieldDescriptorProto
FRESH = 400001  # numbers of added fields and values, from here on
PACKAGE = "caffe"
WHOLE = (Field.TYPE_INT32, Field.TYPE_INT64, Field.TYPE_UINT32, Field.TYPE_UINT64, Field.TYPE_SINT32, Field.TYPE_SINT64)
NUMBERS = (*WHOLE, Field.TYPE_FLOAT, Field.TYPE_DOUBLE)
SIMPLE = {bool: Field.TYPE_BOOL, int: Field.TYPE_INT64, float: Field.TYPE_FLOAT, str: Field.TYPE_STRING}


class Schema:
    """Caffe's messages with what has been added.

    `theirs`   {Message.field, or Enum.VALUE: the file that has it}
    `other`    {Message.field that both know: (how its type differs, whether every text is meant otherwise)}
    `unset`    {message: {field whose default differs: (theirs, ours or "nothing", the file)}}
    """

    def __init__(self) -> None:
        self.file = FileDescriptorProto()
        caffe_pb2.DESCRIPTOR.CopyToProto(self.file)
        self.theirs: dict[str, str] = {}
        self.other: dict[str, tuple[str, bool]] = {}
        self.unset: dict[str, dict[str, tuple[str, str, str]]] = {}
        self._moved: dict[str, str] = {}
        self._classes: dict[str, Any] = {}

    def merge(self, theirs: FileDescriptorProto, source: str) -> None:
        """Add what `theirs` has beside ours. Raises ConfigError where no set of messages can hold both."""
        before = FileDescriptorProto()
        before.CopyFrom(self.file)
        self._enums(self.file, theirs, "", source)
        self._messages(self.file.message_type, theirs.message_type, "", source)
        for field in _all_fields(self.file.message_type):
            if field.type_name in self._moved:
                field.type_name = self._moved[field.type_name]
        try:
            self._classes = _classes(self.file)
        except TypeError as error:
            self.file = before
            raise ConfigError(f"this schema cannot be joined with Caffe's: {error}", Where(source)) from None

    def wide(self, kind: type[M]) -> type[M]:
        """The merged class of one of our messages."""
        found: type[M] = self._classes.get(kind.DESCRIPTOR.name, kind)
        return found

    def _messages(self, ours: Any, theirs: Iterable[DescriptorProto], inside: str, source: str) -> None:
        known = {message.name: message for message in ours}
        for message in theirs:
            if message.name in known:
                self._fields(known[message.name], message, inside + message.name, source)
            else:
                ours.add().CopyFrom(message)

    def _fields(self, ours: DescriptorProto, theirs: DescriptorProto, name: str, source: str) -> None:
        known = {field.name: field for field in ours.field}
        numbers = count(max([FRESH - 1, *(field.number for field in ours.field)]) + 1)
        for field in theirs.field:
            key = f"{name}.{field.name}"
            if field.name not in known:
                ours.field.add().MergeFrom(field)
                ours.field[-1].number = next(numbers)
                ours.field[-1].ClearField("oneof_index")
                self.theirs[key] = source
            elif words := _difference(known[field.name], field):
                hint = f"'{field.name}' of {name} is {_type(known[field.name])} here and {_type(field)} in {source}"
                self.other[key] = hint, words == "always"
            elif key not in self.theirs and (defaults := _defaults(known[field.name], field)):
                self.unset.setdefault(name, {})[field.name] = *defaults, source
        self._enums(ours, theirs, f"{name}.", source)
        self._messages(ours.nested_type, theirs.nested_type, f"{name}.", source)

    def _enums(self, ours: Any, theirs: Any, inside: str, source: str) -> None:
        """Enums of a file or a message. A new one whose values' names are taken there gets a message around it."""
        known = {enum.name: enum for enum in ours.enum_type}
        taken = {value.name for enum in ours.enum_type for value in enum.value}
        for enum in theirs.enum_type:
            if enum.name in known:
                for value in _add_values(known[enum.name], enum, taken):
                    self.theirs[f"{inside}{enum.name}.{value}"] = source
                continue
            holder = ours
            if not taken.isdisjoint(value.name for value in enum.value):
                holder = (ours.nested_type if inside else ours.message_type).add(name=f"{enum.name}_")
                self._moved[f".{PACKAGE}.{inside}{enum.name}"] = f".{PACKAGE}.{inside}{enum.name}_.{enum.name}"
            holder.enum_type.add().CopyFrom(enum)
            taken.update(value.name for value in enum.value)


def _add_values(ours: EnumDescriptorProto, theirs: EnumDescriptorProto, taken: set[str]) -> Iterator[str]:
    """Give our enum the values of theirs whose names are not `taken` where it stands; their names."""
    numbers = count(max([FRESH - 1, *(value.number for value in ours.value)]) + 1)
    for value in theirs.value:
        if value.name not in taken:
            ours.value.add(name=value.name, number=next(numbers))
            taken.add(value.name)
            yield value.name


def _difference(ours: FieldDescriptorProto, theirs: FieldDescriptorProto) -> str:
    """Nothing, "always" where texts mean something else to both, "sometimes" where ours may not take one of theirs."""
    if ours.type != theirs.type and not (ours.type in NUMBERS and theirs.type in NUMBERS):
        return "always"
    differs = (ours.type, ours.type_name) != (theirs.type, theirs.type_name)
    several = (theirs.label == Field.LABEL_REPEATED) > (ours.label == Field.LABEL_REPEATED)
    return "sometimes" if differs or several else ""


def _defaults(ours: FieldDescriptorProto, theirs: FieldDescriptorProto) -> tuple[str, str] | None:
    """Their default and ours, where they differ."""
    if not theirs.HasField("default_value") or ours.label == Field.LABEL_REPEATED:
        return None
    values = theirs.default_value, ours.default_value
    if theirs.type in NUMBERS:  # of 0.1, one has what is left of it in a float
        one, other = (f"{float(value or 0):g}" for value in values)
    elif theirs.type == Field.TYPE_BOOL:
        one, other = (value or "false" for value in values)
    else:
        one, other = values
    return (one, other if ours.HasField("default_value") else "nothing") if one != other else None


def _type(field: FieldDescriptorProto) -> str:
    """`repeated float`, `FillerParameter`: a field's type as a schema says it."""
    name = field.type_name.rpartition(".")[2] or Field.Type.Name(field.type).removeprefix("TYPE_").lower()
    return "repeated " * (field.label == Field.LABEL_REPEATED) + name


def _all_fields(messages: Iterable[DescriptorProto]) -> Iterator[FieldDescriptorProto]:
    for message in messages:
        yield from message.field
        yield from _all_fields(message.nested_type)


def _classes(file: FileDescriptorProto) -> dict[str, Any]:
    """The classes of a file's messages, in a descriptor pool of their own."""
    found: dict[str, Any] = {}
    descriptor = DescriptorPool().AddSerializedFile(file.SerializeToString())
    builder.BuildMessageAndEnumDescriptors(descriptor, found)
    builder.BuildTopDescriptorsAndMessages(descriptor, __name__, found)
    return found


# -- what is added --------------------------------------------------------------------------------------------------

SCHEMA = Schema()
_added: set[Path] = set()


def add(path: str) -> None:
    """Add the messages, fields and enum values of the schema file `path`, once. Raises ConfigError."""
    if not Path(path).is_file():
        raise ConfigError(f"this schema {'is no file' if Path(path).exists() else 'does not exist'}", Where(path))
    if (resolved := Path(path).resolve()) not in _added:
        SCHEMA.merge(_compiled(resolved, path), path)
        _added.add(resolved)


def declare(message: str, field: str, settings: Mapping[str, tuple[type, bool, Any]], source: str) -> None:
    """Add a message of {name: (bool, int, float or str; repeated; default or None)}, and LayerParameter's `field` for it."""
    file = FileDescriptorProto()
    declared = file.message_type.add(name=message)
    for number, (name, (kind, repeated, default)) in enumerate(settings.items(), 1):
        label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
        one = declared.field.add(name=name, number=number, type=SIMPLE[kind], label=label)
        if default is not None and not repeated:
            one.default_value = str(default).lower() if kind is bool else str(default)
    layer = file.message_type.add(name="LayerParameter")
    layer.field.add(name=field, number=1, type=Field.TYPE_MESSAGE, label=Field.LABEL_OPTIONAL,
                    type_name=f".{PACKAGE}.{message}")  # fmt: skip
    SCHEMA.merge(file, source)


def wide(kind: type[M]) -> type[M]:
    """The class that texts of this message are parsed with."""
    return SCHEMA.wide(kind)


def widened(message: M) -> M:
    """One of our messages with all that its text says, in the merged class."""
    return narrowed(message, SCHEMA.wide(type(message)))


def narrowed(message: Message, kind: type[M]) -> M:
    """The message in the class `kind` of the same name, which keeps unseen what it has no field for."""
    if isinstance(message, kind):
        return message
    result = kind()
    result.MergeFromString(message.SerializePartialToString())
    return result


def found(message: Message, inside: str = "", source: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, Message.field or Message.field: VALUE, file) of each field, or value, that is set and only a schema has.

    `source`: the file that has the message itself.
    """
    for field, value in message.ListFields():
        name = f"{name_of(message.DESCRIPTOR)}.{field.name}"
        file = source or SCHEMA.theirs.get(name, "")
        several = hasattr(value, "MergeFrom") and not isinstance(value, Message)
        for i, one in enumerate(value if several else [value]):
            path = f"{inside}{field.name}[{i}]"
            if file:
                yield path, name, file
            elif field.enum_type is not None and one >= FRESH:
                value_name = field.enum_type.values_by_number[one].name
                yield path, f"{name}: {value_name}", SCHEMA.theirs[f"{name_of(field.enum_type)}.{value_name}"]
            if isinstance(one, Message):
                yield from found(one, f"{path}.", file)


def name_of(descriptor: Any) -> str:
    """`PoolingParameter`, `PoolingParameter.PoolMethod`: what a schema calls a message or an enum."""
    return str(descriptor.full_name).removeprefix(f"{PACKAGE}.")


# -- files ----------------------------------------------------------------------------------------------------------


def _compiled(path: Path, shown: str) -> FileDescriptorProto:
    """What protoc makes of a schema file, what it imports included, all in our package. Raises ConfigError."""
    with TemporaryDirectory() as folder:
        out = Path(folder, "schema")
        told = [f"-I{path.parent}", f"--descriptor_set_out={out}", "--include_imports", str(path)]
        done = subprocess.run(
            [*_protoc(), *told], cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise _refused(done.stderr, shown)
        files = FileDescriptorSet.FromString(out.read_bytes()).file
    merged = FileDescriptorProto()
    packages = sorted((f".{file.package}." if file.package else "." for file in files), key=len, reverse=True)
    for file in files:
        merged.message_type.extend(file.message_type)
        merged.enum_type.extend(file.enum_type)
    for field in _all_fields(merged.message_type):
        field.json_name = f"{field.name}_"  # which nobody reads, and which may not be like one of ours
        if field.type_name:
            package = next(package for package in packages if field.type_name.startswith(package))
            field.type_name = f".{PACKAGE}.{field.type_name[len(package) :]}"
    return merged


def _protoc() -> list[str]:
    if importlib.util.find_spec("grpc_tools"):
        return [sys.executable, "-m", "grpc_tools.protoc"]
    if program := shutil.which("protoc"):
        return [program]
    raise ConfigError("--schema reads a fork's schema with protoc, which is not here: pip install 'solver-train[schema]'")


def _refused(complaints: str, path: str) -> ConfigError:
    """protoc's first complaint, `caffe.proto:12:3: words`, with the path as the user gave it."""
    if match := re.search(r"^(.*):(\d+):(\d+): (.*)$", complaints, re.MULTILINE):
        name = path if Path(match[1]).name == Path(path).name else match[1]
        return ConfigError(match[4], Where(name, int(match[2]), int(match[3])))
    return ConfigError(complaints.strip().rpartition("\n")[2] or "protoc refused it", Where(path))
