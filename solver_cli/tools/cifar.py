"""CIFAR-10: the archive of its binary version, or what torchvision fetches, as the databases of Caffe's example."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solver_cli import files, log
from solver_cli.caffe_pb2 import Datum
from solver_cli.errors import DataError

MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of cifar-10-binary.tar.gz, by https://www.cs.toronto.edu/~kriz/cifar.html
PARTS = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
SHAPE = (3, 32, 32)  # red first, unlike in other databases of Caffe's: its example copies them as they are
RECORD = 1 + 3 * 32 * 32  # bytes: the label, the pixels
LARGEST = 1 << 26  # bytes of a file in the archive
WHOLE = 60_000  # records of the published archive
CLASSES = 10

Part = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]  # its name, pictures [n, 3, 32, 32], labels [n]


def archived(path: str) -> list[Part]:
    """The pictures and labels in the archive `path`: train, test. Raises DataError, also for a damaged one."""
    try:
        content = files.read(path)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            held = {Path(member.name).name: member for member in archive if member.isfile()}
            parts = [_part(archive, held, name, path) for name in PARTS]
    except (OSError, ValueError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as an archive: {getattr(error, 'strerror', None) or error}") from None
    count = sum(len(labels) for _, _, labels in parts)
    if (found := hashlib.md5(content, usedforsecurity=False).hexdigest()) != MD5:
        found = f"{path}: its MD5 is {found}, that of the published archive {MD5}"
        if count == WHOLE:
            raise DataError(f"{found}: damaged on its way, fetch it again")
        log.warning("convert_cifar_data.cpp", f"{found}: another one, of {count} pictures")
    return parts


def _part(archive: tarfile.TarFile, held: dict[str, tarfile.TarInfo], part: str, path: str) -> Part:
    contents = []
    for name in PARTS[part]:
        if name not in held:
            raise DataError(f"{path}: holds no {name}: the binary version of CIFAR-10 is wanted, cifar-10-binary.tar.gz")
        file = archive.extractfile(held[name])
        content = file.read(LARGEST + 1) if file else b""
        if len(content) > LARGEST or len(content) % RECORD or not content:
            raise DataError(f"{path}: its {name} has {len(content)} bytes, not a multiple of {RECORD}")
        contents.append(content)
    rows = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, RECORD)
    labels, pictures = rows[:, 0], rows[:, 1:].reshape(-1, *SHAPE)
    if labels.max() >= CLASSES:
        raise DataError(f"{path}: a label in {part} is {labels.max()}: they are 0 to {CLASSES - 1}")
    return part, pictures, labels


def fetched(folder: Path) -> Iterator[Part]:
    """The same through torchvision, which keeps its archive in `folder` and looks at its checksum. Raises DataError."""
    remedy = "fetch cifar-10-binary.tar.gz and give it with --from"
    try:
        from torchvision.datasets import CIFAR10
    except (ImportError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"CIFAR-10 needs torchvision, which cannot be used here ({reason}): {remedy}") from None
    for name in PARTS:
        try:
            part = CIFAR10(str(folder), train=name == "train", download=True)
        except (OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[-1] if str(error) else type(error).__name__
            raise DataError(f"CIFAR-10 cannot be fetched ({reason}): {remedy}") from None
        yield name, np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)), np.array(part.targets, np.uint8)


def records(pictures: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Iterator[tuple[bytes, bytes]]:
    """Key (five digits) and Datum of each picture."""
    channels, height, width = SHAPE
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        datum = Datum(channels=channels, height=height, width=width, data=picture.tobytes(), label=int(label))
        yield b"%05d" % number, datum.SerializeToString()
