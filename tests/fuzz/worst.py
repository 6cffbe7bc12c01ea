"""The worst inputs there are for memory and time: forged sizes, endless counts, deep nesting.

As a program: read them all, and print for each its reader, name, bytes, seconds, the growth of the process in bytes, error.
"""

from __future__ import annotations

import gc
import json
import logging
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from fuzz.readers import FOUND, READERS, attempt, lmdb_seeds
from solver_cli.caffe_pb2 import Datum
from solver_cli.formats.wire import message, number_field, varint

SIZE = 200_000  # bytes, about, of an input that is long


def field(number: int, content: bytes) -> bytes:
    return b"".join(bytes(piece) for piece in message(number, [content]))


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def shape(*dims: int) -> bytes:
    return field(7, field(1, b"".join(map(varint, dims))))


def inputs() -> Iterator[tuple[str, str, bytes]]:
    """(reader, name, content)"""
    for path in sorted(FOUND.glob("*/*")):
        yield path.parent.name, path.name, path.read_bytes()
    empty = field(7, shape(0))
    layer = field(1, b"ip") + field(2, b"InnerProduct")
    for name, blob in {
        "10^12 numbers": shape(10**6, 10**6),
        "2^31 numbers": shape(2**31),
        "2^126 numbers": shape(2**63 - 1, 2**63 - 1),
        "no numbers of 2^62 rows": shape(2**62, 0),
        "four old axes of 2^31": b"".join(number_field(i, 2**31) for i in (1, 2, 3, 4)),
        "many axes": field(7, field(1, b"\1" * SIZE)),
        "many pieces": field(5, b"\0\0\0\0") * (SIZE // 6),
        "loose numbers": shape(SIZE // 5) + b"\x2d\0\0\0\0" * (SIZE // 5),
        "doubles": shape(SIZE // 8) + field(8, bytes(SIZE // 8 * 8)),
    }.items():
        yield "caffemodel", name, field(100, layer + field(7, blob))
        yield "solverstate", name, number_field(1, 5) + field(3, blob)
        yield "mean", name, blob
    yield "caffemodel", "many layers", field(100, b"") * (SIZE // 3)
    yield "caffemodel", "many blobs", field(100, layer + empty * (SIZE // len(empty)))
    yield "caffemodel", "many layers of a blob", field(100, empty) * (SIZE // (len(empty) + 3))
    yield "caffemodel", "long name", field(100, field(1, b"\xff" * SIZE) + field(7, shape(3)))
    yield "caffemodel", "length of 2^63", varint(100 << 3 | 2) + varint(2**63) + b"x"
    yield "caffemodel", "deep", field(2, field(1, field(1, field(1, b"\x0a\1" * (SIZE // 2)))))
    yield "solverstate", "many blobs", number_field(1, 5) + field(3, shape(0)) * (SIZE // 9)
    yield "solverstate", "run of odd bytes", number_field(1, 5) + field(1000, b"\xff" * SIZE) + number_field(1001, 3)
    yield "runstate", "deep lists", b'{"train":' + b"[" * SIZE
    yield "runstate", "deep objects", b'{"a":' * (SIZE // 5)
    yield "runstate", "many digits", b'{"train":' + b"9" * SIZE + b"}"
    array = {"array": "AAAA", "dtype": "float32", "shape": [10**6, 10**6]}
    yield "runstate", "array of 10^12", json.dumps({"train": array}).encode()
    yield "runstate", "array of wide texts", json.dumps({"train": {**array, "dtype": "U500000000", "shape": [1]}}).encode()
    yield "runstate", "many lists", b'{"train":[' + b"[]," * (SIZE // 3) + b"0]}"
    forged = Datum(channels=2**31 - 1, height=2**31 - 1, width=2**31 - 1, data=b"abc")
    yield "datum", "2^93 pixels", forged.SerializeToString()
    yield (
        "datum",
        "numbers",
        Datum(channels=1, height=1, width=SIZE // 5, float_data=[1.0] * (SIZE // 5)).SerializeToString(),
    )
    yield "datum", "picture of 2^40 pixels", Datum(encoded=True, data=png(2**20, 2**20)).SerializeToString()
    for width, height in ((2**31 - 1, 2**31 - 1), (2**20, 2**20), (30_000, 30_000), (11_500, 11_500)):
        yield "image", f"{width} x {height}", png(width, height)
    yield from (("lmdb", name, content) for name, content in lmdbs())
    yield "image_list", "one line", b"a" * SIZE
    yield "image_list", "lines", b"a 1\n" * (SIZE // 4)
    yield "image_list", "empty lines", b"\n" * SIZE
    yield "window_file", "10^9 windows", b"# 0\na.png\n3 5 5\n1000000000\n" + b"1 1 0 0 1 1\n" * (SIZE // 12)
    yield "window_file", "one word", b"#" * SIZE
    yield "hdf5_list", "one word", b"a" * SIZE
    yield "hdf5_list", "words", b"a\n" * (SIZE // 2)
    head = b'layer { name: "l" type: "Input" top: "x" input_param { shape { '
    for name, text in {
        "deep": b"layer { " * (SIZE // 8),
        "brackets": b"input: " + b"[" * SIZE,
        "angles": b"layer < " * (SIZE // 8),
        "numbers": b"input_dim: [" + b"1," * (SIZE // 2) + b"1]",
        "fields": b"input_dim:1 " * (SIZE // 12),
        "long name": b'name: "' + b"a" * SIZE + b'"',
        "strings side by side": b"name: " + b'"a" ' * (SIZE // 4),
        "many digits": b"input_dim: " + b"1" * SIZE,
        "comment": b"#" * SIZE,
        "many axes": head + b"dim:1 " * (SIZE // 6) + b"} } }",
        "2^63 numbers": head + b"dim: 9223372036854775807 } } }",
        "layers": b'layer{name:"a"type:"Input"top:"a"}' * (SIZE // 34),
    }.items():
        yield "net", name, text
        yield "solver", name, b"net_param { " + text + b" }"


def lmdbs() -> Iterator[tuple[str, bytes]]:
    """(name, content): a database whose metas, branches and nodes claim what it has not."""
    whole = lmdb_seeds()[1]
    for name, at, claim in (
        ("2^60 records", 16 + 72 + 32, 2**60),
        ("2^60 pages", 16 + 120, 2**60),
        ("32 levels", 16 + 72 + 6, 32),
        ("pages of 64 KiB", 16 + 24, 1 << 16),
    ):
        size = 8 if at >= 104 else 2 if name == "32 levels" else 4
        content = bytearray(whole)
        for meta in (0, 4096):
            content[meta + at : meta + at + size] = claim.to_bytes(size, "little")
        yield name, bytes(content)
    for name, kind, claim in (("values of 2^32 bytes", 2, b"\xff" * 4), ("children that are one page", 1, b"\3\0\0\0\0\0")):
        content = bytearray(whole)
        for page in range(2 * 4096, len(content), 4096):
            _, _, found, lower = struct.unpack_from("<QHHH", content, page)
            for place in struct.unpack_from(f"<{(lower - 16) // 2}H", content, page + 16) if found == kind else ():
                content[page + place : page + place + len(claim)] = claim
        yield name, bytes(content)


def _memory(key: str) -> int:
    """VmRSS or VmHWM (its peak) in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def main() -> None:
    logging.getLogger("solver_cli").setLevel(logging.CRITICAL)
    torch.set_num_threads(1)
    for reader in READERS.values():  # what is imported and made but once
        attempt(reader, b'name: "a"' if reader.text else reader.seeds()[0])
    gc.freeze()
    for name, what, content in inputs():
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, begun = _memory("VmRSS"), time.process_time()
        error = attempt(READERS[name], content)
        seconds = time.process_time() - begun
        print(json.dumps([name, what, len(content), round(seconds, 2), _memory("VmHWM") - before, error[-200:]]), flush=True)


if __name__ == "__main__":
    main()
