"""Write solver_cli/caffe_pb2.py and .pyi from caffe.proto: `python protos/generate.py [folder]` (needs grpcio-tools).

protoc's own Python output refuses every protobuf older than the protoc that wrote it. The module written here holds the
serialized schema and lets the installed protobuf, 4 to 7, build the classes. They live in a descriptor pool of their own, so
that Caffe's own module, with messages of the same names, may be imported beside it.
"""

from __future__ import annotations

import keyword
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc  # type: ignore[import-untyped]

HERE = Path(__file__).resolve().parent
HEAD = "Made from protos/caffe.proto by protos/generate.py: do not edit."
MODULE = '''"""The messages of Caffe's files. {head}"""

from google.protobuf import descriptor_pool
from google.protobuf.internal import builder

DESCRIPTOR = descriptor_pool.DescriptorPool().AddSerializedFile(
{schema}
)
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, __name__, globals())
'''
STUB = '''"""The messages of Caffe's files. {head} Enum values are ints."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

DESCRIPTOR: FileDescriptor
'''
Field = FieldDescriptorProto
SCALARS = {
    Field.TYPE_BOOL: "bool",
    Field.TYPE_BYTES: "bytes",
    Field.TYPE_DOUBLE: "float",
    Field.TYPE_ENUM: "int",
    Field.TYPE_FLOAT: "float",
    Field.TYPE_INT32: "int",
    Field.TYPE_INT64: "int",
    Field.TYPE_STRING: "str",
    Field.TYPE_UINT32: "int",
}


def compiled(proto: Path) -> FileDescriptorProto:
    """The schema as protoc understands it."""
    with TemporaryDirectory() as folder:
        out = Path(folder, "schema")
        if protoc.main(["protoc", f"-I{proto.parent}", f"--descriptor_set_out={out}", proto.name]):
            raise SystemExit(f"{proto}: protoc refused it")
        (file,) = FileDescriptorSet.FromString(out.read_bytes()).file
    for field in (field for message in file.message_type for field in message.field):
        field.ClearField("json_name")
    return file


def module(file: FileDescriptorProto) -> str:
    """The text of caffe_pb2.py."""
    data = file.SerializeToString(deterministic=True)
    lines = (f"    {data[i : i + 80]!r}" for i in range(0, len(data), 80))
    return MODULE.format(head=HEAD, schema="\n".join(lines))


def stub(file: FileDescriptorProto) -> str:
    """The text of caffe_pb2.pyi."""
    lines = [line for enum in file.enum_type for line in enum_stub(enum)]
    for message in file.message_type:
        lines += ["", *message_stub(message)]
    return STUB.format(head=HEAD) + "\n".join(["", *lines, ""])


def enum_stub(enum: EnumDescriptorProto) -> Iterator[str]:
    """The enum itself, for its Name() and Value(), and its values beside it."""
    yield f"class {enum.name}(int, metaclass=EnumTypeWrapper):"
    for value in enum.value:
        yield f"    {value.name}: ClassVar[int]"
    yield ""
    for value in enum.value:
        yield f"{value.name}: int"


def message_stub(message: DescriptorProto) -> Iterator[str]:
    """A class with a typed attribute and a keyword argument for each field."""
    yield f"class {message.name}(Message):"
    for enum in message.enum_type:
        text = list(enum_stub(enum))
        values = text.index("") + 1
        yield from (f"    {line}" for line in text[: values - 1])
        yield from (f"    {line.replace(': int', ': ClassVar[int]')}" for line in text[values:])
    for field in message.field:
        yield f"    {field.name.upper()}_FIELD_NUMBER: ClassVar[int]"
    fields = [field for field in message.field if not keyword.iskeyword(field.name)]  # lambda: by getattr() only
    yield from map(attribute, fields)
    yield "    def __init__("
    yield "        self,"
    yield from ["        *,"] * bool(fields)
    yield from map(argument, fields)
    yield "    ) -> None: ..."


def kind(field: FieldDescriptorProto) -> str:
    """The Python type of one value."""
    return SCALARS[field.type] if field.type in SCALARS else field.type_name.rpartition(".")[2]


def attribute(field: FieldDescriptorProto) -> str:
    composite = field.type == Field.TYPE_MESSAGE
    if field.label == Field.LABEL_REPEATED:
        container = "RepeatedCompositeFieldContainer" if composite else "RepeatedScalarFieldContainer"
        return f"    {field.name}: {container}[{kind(field)}]"
    if composite:  # cannot be assigned, only filled
        return f"    @property\n    def {field.name}(self) -> {kind(field)}: ..."
    return f"    {field.name}: {kind(field)}"


def argument(field: FieldDescriptorProto) -> str:
    taken = kind(field)
    if field.type == Field.TYPE_ENUM:
        taken += " | str"
    elif field.type == Field.TYPE_MESSAGE:
        taken += " | Mapping[str, Any]"
    if field.label == Field.LABEL_REPEATED:
        taken = f"Iterable[{taken}]"
    return f"        {field.name}: {taken} | None = ...,"


def write(folder: Path) -> None:
    """Write both files into `folder`."""
    file = compiled(HERE / "caffe.proto")
    Path(folder, "caffe_pb2.py").write_text(module(file), encoding="utf-8")
    Path(folder, "caffe_pb2.pyi").write_text(stub(file), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "solver_cli")
