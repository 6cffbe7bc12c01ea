"""Data sets to begin with: MNIST as two LMDBs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import Datum
from solver_cli.errors import ConfigError, DataError
from solver_cli.tools.databases import write_lmdb

TRAIN = 8000  # of the 10,000 digits in the package


def mnist(folder: str | Path, full: bool = False) -> list[Path]:
    """Write `mnist_train_lmdb` and `mnist_test_lmdb` into `folder`, replacing what stands there; their paths.

    Either the 10,000 digits of this package (8,000 to train on, 2,000 to test), or, if `full`, all 60,000 and 10,000,
    which torchvision fetches. Raw Datums 1 x 28 x 28, keys %08d. Raises ConfigError, DataError.
    """
    target, written = Path(folder), []
    if not target.exists():
        raise ConfigError(f"the folder '{target}' does not exist: run this where the configs are, or name one with --to")
    for name, images, labels in fetch(target) if full else packaged():
        written.append(target / f"mnist_{name}_lmdb")
        write_lmdb(written[-1], digits(images, labels))
    return written


def packaged() -> Iterator[tuple[str, NDArray[np.uint8], NDArray[Any]]]:
    """The digits of this package: (name, images, labels) of both parts."""
    with (files("solver_cli") / "assets" / "mnist10k.npz").open("rb") as file, np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    yield "train", images[:TRAIN], labels[:TRAIN]
    yield "test", images[TRAIN:], labels[TRAIN:]


def fetch(target: Path) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[Any]]]:
    """All of MNIST through torchvision: (name, images, labels) of both parts. Raises DataError."""
    try:
        from torchvision.datasets import MNIST
    except ImportError:
        raise DataError("the full MNIST needs torchvision: pip install torchvision (or leave --full out)") from None
    for name in ("train", "test"):
        try:
            part = MNIST(str(target), train=name == "train", download=True)
        except (OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[-1] if str(error) else type(error).__name__
            raise DataError(
                f"MNIST cannot be fetched ({reason}): is there a network? (leave --full out for 10,000 digits)"
            ) from None
        yield name, part.data.numpy(), part.targets.numpy()


def digits(images: NDArray[np.uint8], labels: NDArray[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Key and Datum of each grey picture."""
    height, width = images.shape[1:]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        datum = Datum(channels=1, height=height, width=width, data=image.tobytes(), label=int(label))
        yield b"%08d" % number, datum.SerializeToString()
