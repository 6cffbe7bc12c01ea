"""Data sets to begin with: MNIST, its pairs and CIFAR-10 as LMDBs, and what the configs' own scripts draw."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import Datum
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto
from solver_cli.tools import cifar
from solver_cli.tools.databases import opened, write_lmdb

if TYPE_CHECKING:
    from solver_cli.tools.imageset import Watch

TRAIN = 8000  # of the 10,000 digits in the package


def mnist(folder: str | Path, full: bool = False) -> list[Path]:
    """Write `mnist_train_lmdb` and `mnist_test_lmdb` into `folder`, replacing what stands there; their paths.

    Either the 10,000 digits of this package (8,000 to train on, 2,000 to test), or, if `full`, all 60,000 and 10,000,
    which torchvision fetches. Raw Datums 1 x 28 x 28, keys %08d. Raises ConfigError, DataError.
    """
    target, written = there(folder), []
    for name, images, labels in fetch(target) if full else packaged():
        written.append(target / f"mnist_{name}_lmdb")
        write_lmdb(written[-1], digits(images, labels))
    return written


def there(folder: str | Path) -> Path:
    """The folder, which must exist. Raises ConfigError."""
    target = Path(folder)
    if not target.exists():
        raise ConfigError(f"the folder '{target}' does not exist: run this where the configs are, or name one with --to")
    return target


def siamese(folder: str | Path, full: bool = False) -> list[Path]:
    """Write `mnist_siamese_train_lmdb` and `mnist_siamese_test_lmdb` into `folder`, of the digits that `mnist` takes.

    As many pairs as digits, drawn at random, always the same: Datums 2 x 28 x 28 with the label 1 for equal digits, else 0.
    Raises ConfigError, DataError.
    """
    target, written = there(folder), []
    for seed, (name, images, labels) in enumerate(fetch(target) if full else packaged()):
        pairs = np.random.default_rng(seed).integers(len(images), size=(len(images), 2))
        written.append(target / f"mnist_siamese_{name}_lmdb")
        write_lmdb(written[-1], digits(images[pairs], labels[pairs[:, 0]] == labels[pairs[:, 1]]))
    return written


def cifar10(folder: str | Path, archive: str | None, watch: Watch) -> list[Path]:
    """Write `cifar10_train_lmdb`, `cifar10_test_lmdb` and `mean.binaryproto` into `folder`, as Caffe's create_cifar10.sh.

    From the archive of the binary version, else through torchvision. Raises ConfigError, DataError.
    """
    from solver_cli.tools.mean import mean_of  # needs torch, which the digits do not

    target, written = there(folder), []
    for name, pictures, labels in cifar.archived(archive) if archive else cifar.fetched(target):
        written.append(target / f"cifar10_{name}_lmdb")
        write_lmdb(written[-1], cifar.records(pictures, labels))
    mean = mean_of(opened(str(written[0])), str(written[0]), watch)
    written.append(target / "mean.binaryproto")
    blobproto.write_mean(written[-1], mean)
    return written


def scripted(name: str, folder: str | Path, arguments: Sequence[str]) -> int:
    """Run the script make_*.py that stands in `folder`, or in configs/`name`, with these arguments; its exit code.

    Raises ConfigError where there is none: an installed package has no configs.
    """
    for place in (Path(folder), Path("configs") / name):
        if scripts := sorted(place.glob("make_*.py")):
            return subprocess.run([sys.executable, scripts[0], "--to", folder, *arguments], check=False).returncode
    raise ConfigError(
        f"configs/{name}/make_*.py is not here: it comes with a clone of solver-train, in which this is to be run; or name "
        "the folder that has it with --to"
    )


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
    """Key and Datum of each grey picture, or of several as channels of one."""
    height, width = images.shape[-2:]
    channels = images[0].size // (height * width)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        datum = Datum(channels=channels, height=height, width=width, data=image.tobytes(), label=int(label))
        yield b"%08d" % number, datum.SerializeToString()
