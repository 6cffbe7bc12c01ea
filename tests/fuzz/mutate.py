"""Changes to inputs, drawn from a `random.Random`: bytes, words of texts, fields of protobuf, and texts by the grammar."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Kind

from solver_cli.caffe_pb2 import NetParameter, SolverParameter

NUMBERS = (0, 1, 2, 7, -1, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**12)
WORDS = [b"nan", b"inf", b"-inf", b"1e400", b"1e39", b"0x7fffffff", b'""', b"{", b"}", b"[", b"]", b":", b",", b"\\", b'"',
         b"'", b"#", b"\n", b"\r", b"\0", b" ", b"\xff", b"\xed\xa0\x80", b"..", b"/", b".", b"null", b"true", b"-", b"<",
         b"9" * 5000, b'"\\000"', b'"\\377"', b'"\\n"', b"[" * 3000, b"{" * 3000, b"a" * 4000]  # fmt: skip
TOKEN = re.compile(rb"\s+|\"(?:\\.|[^\"\\])*\"?|[-+.\w]+|.", re.S)


def mutate(content: bytes, others: list[bytes], random: Random, text: bool = False, most: int = 1 << 16) -> bytes:
    """One to six changes; `others` are spliced in."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        kinds = [_flip, _cut, _insert, _number, _repeat, _splice] + ([_word] * 6 + [_swap] * 2 if text else [_field] * 4)
        content = random.choice(kinds)(content, others, random)[:most]
    return content


def _span(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(content))
    return start, min(len(content), start + int(2 ** random.uniform(0, 10)))


def _flip(content: bytes, others: list[bytes], random: Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(content: bytes, others: list[bytes], random: Random) -> bytes:
    start, end = _span(content, random)
    return content[:start] if random.random() < 0.4 else content[:start] + content[end:]


def _insert(content: bytes, others: list[bytes], random: Random) -> bytes:
    at, _ = _span(content, random)
    piece = random.randbytes(random.randint(1, 12)) if random.random() < 0.5 else random.choice(WORDS)
    return content[:at] + piece + content[at:]


def _number(content: bytes, others: list[bytes], random: Random) -> bytes:
    """Some bytes become a number of interest: little or big endian, a varint, or digits."""
    at, _ = _span(content, random)
    value, size = random.choice(NUMBERS) & (1 << 64) - 1, random.choice((1, 2, 4, 8))
    written = random.choice(((value % 256**size).to_bytes(size, random.choice(("little", "big"))), varint(value)))
    return content[:at] + written + content[at + len(written) :]


def _repeat(content: bytes, others: list[bytes], random: Random) -> bytes:
    start, end = _span(content, random)
    return content[:end] + content[start:end] * random.choice((1, 2, 30)) + content[end:]


def _splice(content: bytes, others: list[bytes], random: Random) -> bytes:
    other = random.choice(others or [b""])
    start, end = _span(other, random)
    at, _ = _span(content, random)
    return content[:at] + other[start:end] + content[at:]


def _word(content: bytes, others: list[bytes], random: Random) -> bytes:
    """A word becomes a number of interest, an odd word or another word."""
    words = TOKEN.findall(content) or [b""]
    at = random.choice([i for i, word in enumerate(words) if word.strip()] or [0])
    draw = random.random()
    if draw < 0.4:
        words[at] = str(random.choice(NUMBERS)).encode()
    elif draw < 0.6:
        words[at] = random.choice(WORDS)
    elif draw < 0.8:
        words[at] = random.choice(words)
    else:
        words.insert(at, words[at])
    return b"".join(words)


def _swap(content: bytes, others: list[bytes], random: Random) -> bytes:
    """Two lines change places, or one goes or comes twice."""
    lines = content.split(b"\n")
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    lines[i], lines[j] = random.choice(((lines[j], lines[i]), (lines[j], lines[j]), (b"", lines[j])))
    return b"\n".join(lines)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(content: bytes, others: list[bytes], random: Random) -> bytes:
    """A field of a protobuf message goes, comes twice, gets another number, or is itself changed, with lengths that fit."""
    spans = fields(content)
    if not spans or len(content) > 1 << 17:
        return _insert(content, others, random)
    at, head, end, tag = random.choice(spans)
    draw = random.random()
    if draw < 0.15:
        return content[:at] + content[end:]
    if draw < 0.3:
        return content[:end] + content[at:end] * random.choice((1, 2, 50)) + content[end:]
    if draw < 0.45:
        return (
            content[:at]
            + varint(random.choice((1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 50, 100, 1000, 1001)) << 3 | tag & 7)
            + (content[head:end] if tag & 7 != 2 else varint(end - head) + content[head:end])
            + content[end:]
        )
    if tag & 7 == 0:
        return content[:at] + varint(tag) + varint(random.choice(NUMBERS) & (1 << 64) - 1) + content[end:]
    if tag & 7 == 2:
        inner = (
            _field(content[head:end], others, random) if random.random() < 0.8 else _flip(content[head:end], others, random)
        )
        return content[:at] + varint(tag) + varint(len(inner)) + inner + content[end:]
    return _flip(content, others, random)


def fields(content: bytes) -> list[tuple[int, int, int, int]]:
    """(start, start of the payload, end, tag) of the fields, as far as they can be told."""
    found, at = [], 0
    while at < len(content) and len(found) < 200:
        tag, head = _varint(content, at)
        kind = tag & 7
        if kind == 0:
            end = _varint(content, head)[1]
        elif kind == 2:
            size, head = _varint(content, head)
            end = head + size
        elif kind in (1, 5):
            end = head + (8 if kind == 1 else 4)
        else:
            break
        if not tag >> 3 or end > len(content):
            break
        found.append((at, head, end, tag))
        at = end
    return found


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 70:
        byte = content[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            break
    return value, at


# -- pages of an LMDB ------------------------------------------------------------------------------------------------

PAGE, HEAD = 4096, 16


def pages(content: bytes, random: Random) -> bytes:
    """One to four changes where the structure of an LMDB stands: heads of pages and nodes, places of nodes, whole pages."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = PAGE * random.randrange(max(1, len(changed) // PAGE))
        draw = random.random()
        if draw < 0.1:
            other = PAGE * random.randrange(max(1, len(changed) // PAGE))
            changed[at : at + PAGE] = changed[other : other + PAGE]
            continue
        if draw < 0.15:
            return bytes(changed[: at + random.choice((0, 0, 1, 100, 4000))])
        inside = random.randrange(152 if at < 2 * PAGE else HEAD + 40)
        if draw > 0.6 and at >= 2 * PAGE:  # a node, where one of the places points to
            place = HEAD + 2 * random.randrange(20)
            inside = int.from_bytes(changed[at + place : at + place + 2], "little") % PAGE + random.randrange(17)
        size = random.choice((1, 1, 2, 4, 8))
        if random.random() < 0.4:
            new = bytes(byte ^ 1 << random.randrange(8) for byte in changed[at + inside : at + inside + 1])
        elif random.random() < 0.5:
            new = (random.choice(NUMBERS) % 256**size).to_bytes(size, "little")
        else:
            new = random.randrange(16).to_bytes(size, "little")  # the number of a page, or of a kind
        changed[at + inside : at + inside + len(new)] = new
    return bytes(changed)


# -- texts by the grammar -------------------------------------------------------------------------------------------

TYPES: list[str] = []
BLOBS = ("x", "y", "z", "data", "label", "", "é", "a\\nb", "x\\000", "x_d_0_split_0")


def text(random: Random, solver: bool = False) -> bytes:
    """A net or solver of fields that the schema knows, with values that are mostly odd."""
    if solver:
        return "\n".join(_some(SolverParameter.DESCRIPTOR, random, 6, 0)).encode()
    lines = [
        'layer { name: "d" type: "Input" top: "x" top: "y" top: "z" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }'
    ]
    for _ in range(random.randint(1, 3)):
        lines.append("layer { " + " ".join(_layer(random)) + " }")
    if random.random() < 0.2:
        lines += _some(NetParameter.DESCRIPTOR, random, 3, 0)
    return "\n".join(lines).encode()


def _layer(random: Random) -> list[str]:
    from solver_cli.registry import layer_types, lookup

    TYPES[:] = TYPES or sorted(layer_types())
    kind = random.choice(TYPES)
    words = [f'name: "{random.choice(BLOBS)}" type: "{kind}"']
    words += [f'bottom: "{random.choice(BLOBS[:3])}"' for _ in range(random.choice((lookup(kind).bottoms[0], 0, 1, 2, 3)))]
    words += [f'top: "t{i}"' for i in range(random.choice((max(0, lookup(kind).tops[0]), 1, 1, 2)))]
    if name := lookup(kind).param:
        inner = NetParameter.DESCRIPTOR.fields_by_name["layer"].message_type.fields_by_name[name].message_type
        words.append(f"{name} {{ {' '.join(_some(inner, random, 4, 0))} }}")
    return words


def _some(message: Any, random: Random, most: int, depth: int) -> list[str]:
    chosen = random.sample(list(message.fields), min(len(message.fields), random.randint(0, most)))
    return [f"{field.name}{_value(field, random, depth)}" for field in chosen]


def _value(field: Any, random: Random, depth: int) -> str:
    if field.message_type is not None:
        return f" {{ {' '.join(_some(field.message_type, random, 3, depth + 1)) if depth < 4 else ''} }}"
    if field.enum_type is not None:
        return f": {random.choice([value.name for value in field.enum_type.values])}"
    if field.cpp_type == Kind.CPPTYPE_STRING:
        return f': "{random.choice((*BLOBS, *TYPES, "xavier", "fixed", "step", "/", ".", "sparse"))}"'
    if field.cpp_type == Kind.CPPTYPE_BOOL:
        return f": {random.choice(('true', 'false'))}"
    if field.cpp_type in (Kind.CPPTYPE_FLOAT, Kind.CPPTYPE_DOUBLE):
        return f": {random.choice(('0', '1', '-1', '0.5', 'nan', 'inf', '-inf', '1e38', '1e-45'))}"
    signed = field.cpp_type in (Kind.CPPTYPE_INT32, Kind.CPPTYPE_INT64)
    bits = 32 if field.cpp_type in (Kind.CPPTYPE_INT32, Kind.CPPTYPE_UINT32) else 64
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    small = [str(value) for value in (0, 1, 2, 3, 4, 5) for _ in range(2)]
    return f": {random.choice([*small, str(high), str(low), *(str(x) for x in NUMBERS if low <= x <= high)])}"
