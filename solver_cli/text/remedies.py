"""Data sets that configs name and that are not there: how each is made."""

from __future__ import annotations

from pathlib import Path

HERE = Path("configs/mnist")  # where `solver-tools data mnist` writes unless told
MAKERS = {  # the beginning of a name: what makes the data
    "cells_": "python configs/unet/make_cells.py",
    "cifar10_": "solver-tools data cifar10",
    "mnist_siamese_": "solver-tools data siamese",
    "ilsvrc12_": "solver-tools convert-imageset (see configs/caffenet/README.md)",
    "imagenet_mean.": "solver-tools compute-mean",
}


def how_made(path: str | Path) -> str:
    """`: solver-tools data mnist makes it` for data of a known name that are missing at `path`, or nothing."""
    path = Path(path)
    if path.name in ("mnist_train_lmdb", "mnist_test_lmdb"):
        return f": solver-tools data mnist{'' if path.parent == HERE else f' --to {path.parent}'} makes it"
    maker = next((maker for name, maker in MAKERS.items() if path.name.startswith(name)), "")
    return f": {maker} makes it" if maker else ""
