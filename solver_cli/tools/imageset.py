"""Pictures to a database of Datums, record for record as Caffe's convert_imageset writes it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from solver_cli import log
from solver_cli.caffe_pb2 import Datum
from solver_cli.data.decode import decode, opencv, planes, read_file
from solver_cli.data.source import by
from solver_cli.errors import ConfigError, DataError
from solver_cli.tools.databases import TOGETHER, Put

T = TypeVar("T")
R = TypeVar("R")
Row = tuple[str, int]  # a picture's name below the root folder, its label
Watch = Callable[[Iterable[Any], int], Iterable[Any]]  # goes through so many items, and may show how far it is
AHEAD = 8  # pictures that a thread may be in advance


@dataclass(frozen=True)
class Manner:
    """How pictures become Datums: convert_imageset's flags. A size counts only if both sides are set, as there."""

    gray: bool = False
    resize_width: int = 0
    resize_height: int = 0
    check_size: bool = False
    encoded: bool = False
    encode_type: str = ""

    def check(self) -> None:
        """Raise ConfigError for what cannot work."""
        cv2 = opencv()
        for side in ("resize_width", "resize_height"):
            if getattr(self, side) < 0:
                raise ConfigError(f"{side} must be 0 (as it is) or more, not {getattr(self, side)}")
        if self.check_size and (self.encoded or self.encode_type):
            raise ConfigError("check_size looks at raw pixels, which encoded records do not hold: leave one of them out")
        if self.encode_type and not cv2.haveImageWriter(f"x.{self.encode_type}"):
            raise ConfigError(f"encode_type '{self.encode_type}': OpenCV cannot write such files (jpg and png it can)")
        if self.encode_type and not self.encoded:
            log.info("convert_imageset.cpp:92", "encode_type specified, assuming encoded=true.")
        if bool(self.resize_width) != bool(self.resize_height):
            log.warning("convert_imageset.cpp", "one side alone does nothing: give resize_width and resize_height")


def convert(root: str, rows: Sequence[Row], put: Put, manner: Manner, workers: int, watch: Watch) -> int:
    """Put the picture `root` + name of each row under the key `%08d_name` (the row's number, which a picture that cannot be
    read leaves out); how many there are. Raises DataError."""
    log.info("convert_imageset.cpp:89", f"A total of {len(rows)} images.")
    count = 0
    size: tuple[int, ...] = ()
    records = in_order(partial(read, root, manner), rows, workers)
    for number, (row, record) in enumerate(zip(rows, watch(records, len(rows)), strict=True)):
        if isinstance(record, DataError):
            log.error("io.cpp:80", f"Could not open or find file {root}{row[0]} ({record})")
            continue
        found = (record.channels, record.height, record.width)
        if manner.check_size and found != (size := size or found):
            raise DataError(f"{root}{row[0]}: is {by(found)}, the pictures before it are {by(size)} (--check-size)")
        put(b"%08d_" % number + os.fsencode(row[0]), record.SerializeToString())
        count += 1
        if count % TOGETHER == 0:
            log.info("convert_imageset.cpp:147", f"Processed {count} files.")
    if count % TOGETHER:
        log.info("convert_imageset.cpp:153", f"Processed {count} files.")
    _tell_bad(root, rows, count)
    return count


def _tell_bad(root: str, rows: Sequence[Row], count: int) -> None:
    """Say how many pictures are left out. Raises DataError if all are."""
    if not count:
        joined = root and not root.endswith("/") and os.path.isfile(f"{root}/{rows[0][0]}")  # noqa: PTH113
        remedy = f": the root folder is put in front as it is, write {root}/" if joined else ""
        raise DataError(f"none of the {len(rows)} pictures can be read{remedy}")
    if bad := len(rows) - count:
        log.warning("convert_imageset.cpp", f"{bad} of {len(rows)} pictures could not be read and are left out.")


def read(root: str, manner: Manner, row: Row) -> Datum | DataError:
    """The Datum of a picture, or why it cannot be read. Raises DataError if it cannot be encoded."""
    path, label = root + row[0], row[1]
    try:
        data = read_file(path, "")
        picture = decode(data, f"picture '{path}'", not manner.gray, "")
    except DataError as error:
        return error
    size = (manner.resize_width, manner.resize_height)
    kind = manner.encode_type or (row[0].rpartition(".")[2].lower() if manner.encoded else "")
    if kind and not any(size) and _matches(path, kind):
        return Datum(data=data, label=label, encoded=True)
    pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
    if all(size):
        pixels = opencv().resize(pixels, size)
    if kind:
        return Datum(data=encode(pixels, kind, path), label=label, encoded=True)
    channels, height, width = planes(pixels).shape
    data = planes(pixels).tobytes()
    return Datum(channels=channels, height=height, width=width, data=data, label=label, encoded=False)


def encode(pixels: Any, kind: str, path: str) -> bytes:
    """The pixels [height, width, channels] as a file of a kind such as png. Raises DataError."""
    cv2 = opencv()
    try:
        ok, encoded = cv2.imencode(f".{kind}", pixels)
    except cv2.error:
        ok = False
    if not ok:
        raise DataError(f"{path}: cannot be encoded as .{kind}: say how with --encode-type (jpg or png)")
    return bytes(encoded)


def _matches(path: str, kind: str) -> bool:
    """Whether a file of this name holds what `kind` means."""
    ending = path.rpartition(".")[2].lower()
    return ending == kind.lower() or (kind.lower() == "jpg" and ending == "jpeg")


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """What the builtin map gives, made by `workers` threads, a few items ahead: OpenCV lets go of Python's lock."""
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, "picture")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
