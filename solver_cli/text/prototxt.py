"""Text format <-> messages, with the place of every field, so that any later error can name file:line:column."""

from __future__ import annotations

import itertools
import math
import os
import re
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from solver_cli import files, schema
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.elsewhere import has_field, has_type
from solver_cli.errors import ConfigError, Where, nearest
from solver_cli.text import gpus

M = TypeVar("M", bound=Message)


@dataclass
class Place:
    """Where a field stands, and where the fields inside it stand, by name, in the order of the file.

    `theirs`: (Message.field, file) of a field that only an added schema has, so that nothing here looks at it.
    """

    line: int = 0
    column: int = 0
    children: dict[str, list[Place]] = field(default_factory=dict)
    theirs: tuple[str, str] | None = None

    def find(self, path: str | None) -> Place:
        """The place of a field like `convolution_param.kernel_size` or `top[1]`; of the innermost field there is."""
        here = self
        for step in path.split(".") if path else ():
            name, _, index = step.partition("[")
            places = here.children.get(name, [])
            at = int(index[:-1]) if index else 0
            if at >= len(places):
                break
            here = places[at]
        return here

    def where(self, file: str, path: str | None = None) -> Where:
        """The place of the field `path` in `file`."""
        place = self.find(path)
        return Where(file, place.line, place.column)


def read(path: str, message_type: type[M], what: str) -> tuple[M, Place]:
    """Read the text file `path` into a message. `what` it should be ("solver", "net") is named when it is missing."""
    try:
        raw = files.read(path)
    except OSError as error:
        raise ConfigError(f"cannot read {what} file: {error.strerror}", Where(path)) from None
    except ValueError:
        raise ConfigError(f"cannot read {what} file: {unnameable(path)}", Where(path)) from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("this text is in UTF-16: save it as UTF-8", Where(path))
    if b"\0" in raw:
        raise ConfigError(f"this is a binary file, not the text of a {what}", Where(path))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # comments in other encodings; field values stay readable
        text = raw.decode("latin-1")
    message, place = parse(text, message_type, path)
    if not place.children:
        raise ConfigError(f"this file says nothing: expected the text of a {what}", Where(path))
    return message, place


def unnameable(path: str) -> str:
    """Why the system takes no such path, or nothing if it does."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return f"this locale has no such letters ({sys.getfilesystemencoding()}): set PYTHONUTF8=1"
    return "no file's name holds the character 0" if "\0" in path else ""


def parse(text: str, message_type: type[M], file: str = "<text>") -> tuple[M, Place]:
    """Parse `text`; return the message and the tree of its fields' places. Raises ConfigError.

    What only an added schema has is marked in the tree, and kept in the message, unseen: see `schema`.
    """
    plain, devices = gpus.taken_out(text) if message_type is SolverParameter else (text, [])
    message: Any = _parsed(plain, schema.wide(message_type), file)
    if devices:
        message.device_id = devices[0]
        message.device_ids.extend(devices if len(devices) > 1 else [])
    place = places(text)
    if differs := _differing(message.DESCRIPTOR, place, file, always=True):
        raise differs
    missing = message.FindInitializationErrors()
    if missing:
        path, _, name = missing[0].rpartition(".")
        raise ConfigError(f"required field '{name}' is missing here", place.where(file, path))
    for path, name, source in schema.found(message):
        place.find(path).theirs = name, source
    return schema.narrowed(message, message_type), place


def _parsed(text: str, message_type: type[M], file: str) -> M:
    message = message_type()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # how Python tells of an unknown escape; C++ refuses it
            text_format.Parse(text, message)
    except DeprecationWarning:
        words = "a text in quotes holds a '\\' that begins no escape: write '\\\\'"
        raise ConfigError(words, _odd_escape(text, file)) from None
    except text_format.ParseError as error:
        with suppress(IndexError, RecursionError):  # of a text that is not even well formed
            if differs := _differing(message.DESCRIPTOR, places(text), file, always=False):
                raise differs from None
        raise _explained(error, text, message.DESCRIPTOR, file) from None
    return message


def _differing(message: Any, place: Place, file: str, always: bool) -> ConfigError | None:
    """The error of the first field that an added schema has with a type other than ours; only if that `always` matters."""
    for name, found in place.children.items() if schema.SCHEMA.other else ():
        words, matters = schema.SCHEMA.other.get(f"{schema.name_of(message)}.{name}", ("", False))
        if words and (matters or not always):
            return ConfigError(f"{words}: ours counts, and does not take this", found[0].where(file))
        inner = message.fields_by_name[name].message_type if name in message.fields_by_name else None
        for one in found if inner is not None else ():
            if error := _differing(inner, one, file, always):
                return error
    return None


def to_text(message: Message) -> str:
    """The message in text format, as Caffe prints it: fields in the order of their numbers, whole floats without a point."""
    return re.sub(r"^(\s*\w+: -?\d+)\.0$", r"\1", text_format.MessageToString(schema.widened(message)), flags=re.M)


def check_numbers(message: Message, inside: str = "") -> None:
    """Refuse NaN, and infinity where it is no open bound; nets and blobs inside are left out. Raises ConfigError."""
    for kind, value in message.ListFields():
        if kind.message_type is None and not isinstance(kind.default_value, float | list):
            continue
        for index, one in enumerate(value if _repeated(kind) else [value]):
            path = f"{inside}{kind.name}" + (f"[{index}]" if _repeated(kind) else "")
            if isinstance(one, float) and not math.isfinite(one) and (math.isnan(one) or path not in OPEN):
                found = "is not a number" if math.isnan(one) else f"is {one:g}: expected a number of at most 3.4e38"
                raise ConfigError(f"{kind.name} {found}", field=path)
            if isinstance(one, Message) and one.DESCRIPTOR.name not in ("NetParameter", "BlobProto"):
                check_numbers(one, f"{path}.")


OPEN = ("clip_gradients", "clip_param.min", "clip_param.max", "threshold_param.threshold")  # infinity: no bound


def check_utf8(text: str, what: str) -> str:
    """`text`, which came from outside as bytes. Raises ConfigError where it was no UTF-8: messages hold no other."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{what} is not in UTF-8: '{text}'") from None
    return text


def set_field(message: Message, path: str, text: str) -> None:
    """Set one field, `momentum` or `train_state.level`, from text; a repeated field takes values separated by commas.

    A string may stand in quotes, as in a file. Raises ConfigError that says what was found and what was expected.
    """
    *parents, name = check_utf8(path, "the field's name").split(".")
    check_utf8(text, "the value")
    target = message
    for step in parents:
        if _field(target, step).message_type is None:
            raise ConfigError(f"'{step}' has no fields inside it")
        target = getattr(target, step)
        if not isinstance(target, Message):
            raise ConfigError(f"'{step}' is repeated; only fields of single messages can be set")
    kind = _field(target, name)
    several = _repeated(kind) and kind.message_type is None and text[:1] != "["
    found = type(target)()
    for value in text.split(",") if several else [text]:
        try:
            one = _parsed(_assignment(kind, value), type(target), "")
        except ConfigError as error:
            raise ConfigError(error.message) from None
        if [field.name for field, _ in one.ListFields()] != [name]:
            raise ConfigError(f"'{value}' is not one value")
        found.MergeFrom(one)
    target.ClearField(name)
    target.MergeFrom(found)


def _assignment(kind: FieldDescriptor, value: str) -> str:
    """Text that sets the field `kind`; strings need no quotes."""
    if kind.message_type is not None:
        return f"{kind.name} {{ {value} }}"
    quoted = len(value) > 1 and value[0] + value[-1] in ('""', "''", "[]" if _repeated(kind) else "")
    if kind.cpp_type == FieldDescriptor.CPPTYPE_STRING and not quoted:
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{kind.name}: {value}"


def _repeated(field: FieldDescriptor) -> bool:
    return bool(field.default_value == [])


def _field(message: Message, name: str) -> Any:
    known = message.DESCRIPTOR.fields_by_name
    if name not in known:
        raise ConfigError(f"{message.DESCRIPTOR.name} has no field '{name}'{nearest(name, known)}")
    return known[name]


# -- places ---------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>\[\]:;,-]|[^\s{}<>\[\]:;,#"'-][^\s{}<>\[\]:;,#"']*"""
)
Token = tuple[str, int, int]  # text, line, column
_OPEN = {"{": "}", "<": ">"}


def places(text: str) -> Place:
    """The places of all fields of `text`, which must be well formed."""
    return _fields(deque(_tokens(text)), Place(1, 1), None)


def _tokens(text: str) -> Iterator[Token]:
    """Everything but white space and comments."""
    line, start = 1, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup != "skip":
            yield token, line, match.start() - start + 1
        breaks = token.count("\n")
        if breaks:
            line += breaks
            start = match.start() + token.rindex("\n") + 1


def _fields(tokens: deque[Token], inside: Place, close: str | None) -> Place:
    """Put the places of the fields up to the token `close` under `inside`."""
    while tokens:
        name, line, column = tokens.popleft()
        if name == close:
            break
        if name in ",;":
            continue
        found = inside.children.setdefault(name, [])
        if tokens[0][0] == ":":
            tokens.popleft()
        if tokens[0][0] != "[":
            found.append(_value(tokens, Place(line, column)))
            continue
        tokens.popleft()
        while (token := tokens[0])[0] != "]":
            if token[0] == ",":
                tokens.popleft()
            else:
                found.append(_value(tokens, Place(token[1], token[2])))
        tokens.popleft()
    return inside


def _value(tokens: deque[Token], place: Place) -> Place:
    """Step over one value, a message, a number or strings side by side; its fields come under `place`."""
    token = tokens.popleft()[0]
    if token in _OPEN:
        return _fields(tokens, place, _OPEN[token])
    if token == "-":
        tokens.popleft()
    while token[0] in "\"'" and tokens and tokens[0][0][0] in "\"'":
        tokens.popleft()
    return place


# -- errors ---------------------------------------------------------------------------------------------------------


def _explained(error: text_format.ParseError, text: str, root: Any, file: str) -> ConfigError:
    """The parser's error as one line of ours, with the nearest name or the remedy where it is known."""
    message = _plain(str(error))
    where = Where(file, error.GetLine() or 1, error.GetColumn() or 1)
    if match := re.search(r'Message type "caffe\.([\w.]+)" has no field named "([^"]*)"', message):
        descriptor = _message_named(root, match[1])
        if several := _several_values(text, where, descriptor):
            return several
        near = has_field(match[2]) or (nearest(match[2], descriptor.fields_by_name) if descriptor else "")
        if match[2] == "transform_param" and match[1].endswith("DataParameter"):  # Caffe of August 2014 had it there
            near = ": it stands in the layer: move it out of these braces"
        near = near or _elsewhere(match[2], text, root, where)
        remedy = "" if near.startswith(" (did") or ":" in near or not match[2].isidentifier() else REMEDY
        return ConfigError(f"{match[1]} has no field '{match[2]}'{near}{remedy}", where)
    if match := re.search(r'Enum type "caffe\.([\w.]+)" has no value (?:named|with number) (\S+?)\.?$', message):
        values = _enum_values(root, match[1])
        if match[2].strip("\"'") != match[2]:
            return ConfigError(
                f"{match[2]} is a text, but a {match[1]} is a name without quotes{_old_layer(match[1])}", where
            )
        if fork := has_type(match[2]):
            return ConfigError(f"layer type '{match[2]}'{fork} is not there: --layers brings types of your own", where)
        return ConfigError(f"'{match[2]}' is no {match[1]}: expected {', '.join(values)}{nearest(match[2], values)}", where)
    if message.endswith(", not '['") and (several := _several_values(text, where)):
        return several
    if message.startswith('Expected "}"'):
        return ConfigError("the file ends inside a message: a '}' is missing", _unclosed(text, where))
    if message == "Expected identifier or number, got }.":
        return ConfigError("there is a '}' too many: no message is open here", where)
    if match := re.search(r'"caffe\.([\w.]+)" should not have multiple "(\w+)" fields', message):
        return ConfigError(f"field '{match[2]}' of {match[1]} is set twice: it takes one value", where)
    return ConfigError(message, where)


def _several_values(text: str, where: Where, descriptor: Any = None) -> ConfigError | None:
    """The error of `max_iter: 10,000` or `[0,1]`, for which the parser names the second number or the bracket at `where`.

    `descriptor`: the message around, where it is known. None where the text is wrong in another way.
    """
    tokens = list(itertools.takewhile(lambda token: token[1:] <= (where.line, where.column), _tokens(text)))
    if not tokens or not re.match(r"[\d.[]", tokens.pop()[0]):
        return None
    while tokens and re.match(r"[-+.,\d]", tokens[-1][0]):
        tokens.pop()
    if len(tokens) < 2 or tokens[-1][0] != ":":
        return None
    name, line, column = tokens[-2]
    field = descriptor.fields_by_name.get(name) if descriptor else None
    if field is not None and _repeated(field):
        words = f"takes several values in brackets: {name}: [1, 2]"
    else:
        words = "takes one value" + ("; several GPUs: device_id: [0, 1], or --gpu 0,1" if name == "device_id" else "")
    return ConfigError(f"field '{name}' {words}", Where(where.file, line, column))


def _odd_escape(text: str, file: str) -> Where:
    for token, line, column in _tokens(text):
        if token[0] in "\"'" and (found := re.search(r"(?<!\\)(?:\\\\)*\\[^abfnrtv\\?'\"0-7xXuU]", token)):
            return Where(file, line, column + found.start())
    return Where(file)


def _plain(message: str) -> str:
    """The parser's words without its own place and quotation of the line."""
    message = re.sub(r"^\d+:\d+ : ", "", message)
    message = " ".join(re.sub(r"^'.*?': (?=[A-Z])", "", message, flags=re.S).split())
    for found, words in _WORDS:
        message = re.sub(found, words, message)
    return message


REMEDY = ": --schema reads what the caffe.proto of a fork adds, --layers brings types of your own"
_WORDS = (
    ("missing ending quote: ", "without its closing quote: "),
    ("^Couldn't parse integer: ?(.*)", r"expected a whole number, not '\1'"),
    ("^Couldn't parse float: ?(.*)", r"expected a number, not '\1'"),
    ("^Value out of range: (-.*)", r"\1 is out of range: expected 0 or more"),
    ("^Value out of range: (.*)", r"\1 is out of range"),
    ("^Expected string but found: '(.*)'$", r"expected a text in quotes, not '\1'"),
    ("^Expected identifier or number, got /\\.?$", r"expected a field's name, not '/': a comment begins with #"),
    ("^Expected identifier or number, got ([^}]*)\\.$", r"expected a field's name, not '\1'"),
)


def _elsewhere(name: str, text: str, root: Any, where: Where) -> str:
    """What may be wrong where a message lacks the field `name`: a '}' forgotten, or the file is of another kind."""
    opened = _unclosed(text, where, (where.line, where.column))
    if opened is not where:
        known = name in root.fields_by_name
        return f": is a '}}' missing before it, for the '{{' at {opened.line}:{opened.column}?" if known else ""
    other = {"NetParameter": "SolverParameter", "SolverParameter": "NetParameter"}.get(root.name, "")
    if other and name in _message_named(root, other).fields_by_name:
        kinds = ("net", "solver") if root.name == "SolverParameter" else ("solver", "net")
        return ": this looks like a {}, where a {} is expected".format(*kinds)
    return ""


def _old_layer(enum: str) -> str:
    return " (with types in quotes, write `layer`, not `layers`)" if enum == "V1LayerParameter.LayerType" else ""


def _unclosed(text: str, fallback: Where, end: tuple[float, float] = (math.inf, 0)) -> Where:
    """The place of the innermost message that is still open at `end` of `text`."""
    stack: list[tuple[int, int]] = []
    for token, line, column in _tokens(text):
        if (line, column) >= end:
            break
        if token in _OPEN:
            stack.append((line, column))
        elif token in ("}", ">") and stack:
            stack.pop()
    return Where(fallback.file, *stack[-1]) if stack else fallback


def _message_named(root: Any, name: str) -> Any:
    return root.file.message_types_by_name.get(name)


def _enum_values(root: Any, name: str) -> list[str]:
    outer, _, inner = name.rpartition(".")
    scope = root.file.message_types_by_name[outer] if outer else root.file
    return list(scope.enum_types_by_name[inner].values_by_name)
