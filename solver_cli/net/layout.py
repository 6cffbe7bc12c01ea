"""What makes training on a CPU faster: memory that stays, and weights laid out for its convolutions."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from solver_cli.data.transform import Transform
from solver_cli.net.net import Net
from solver_cli.net.plan import Learned, Node

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>


@contextmanager
def keep_memory() -> Iterator[None]:
    """Let the C library keep what is freed meanwhile: the kernel takes time to clear each page that it gives out again.

    A pass frees and takes again all its blobs and gradients. Nothing happens where the library is not glibc.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt = getattr(library, "mallopt", None)
    if library is None or mallopt is None:
        yield
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        mallopt(M_MMAP_MAX, 65536)  # what glibc begins with
        mallopt(M_TRIM_THRESHOLD, 128 * 1024)
        library.malloc_trim(0)


def lay_out(net: Net) -> None:
    """Store a CPU's weights of 2-D convolutions with their channels last, and so all blobs behind them.

    Shapes and values stay. oneDNN's convolutions and torch's pooling are the faster for it, nets by 5 to 80 %. Decoded
    pictures that only they read are left in that order, which is theirs already.
    """
    if net.device.type != "cpu":
        return
    for learned in net.learned:
        if learned.blob.dim() == 4 and all(_takes(node, learned) for node in net.nodes):
            learned.blob.data = learned.blob.data.to(memory_format=torch.channels_last)
    for node in net.nodes:
        transform = getattr(node.source, "transform", None)
        if isinstance(transform, Transform):
            readers = [other for other in net.nodes if node.tops[0] in other.bottoms]
            transform.channels_last = bool(readers) and all(map(_is_last, readers))


def _is_last(node: Node) -> bool:
    """Whether the layer convolves with channels last, whatever the order of its bottom."""
    if not node.kind.convolves or node.learned[0].blob.dim() != 4:
        return False
    return node.learned[0].blob.is_contiguous(memory_format=torch.channels_last)


def _takes(node: Node, learned: Learned) -> bool:
    """Whether the layer, if it has this blob, convolves with it as it is: a view in another shape needs the usual layout."""
    shapes = [shape for entry, shape in zip(node.learned, node.blob_shapes, strict=True) if entry is learned]
    return all(node.kind.convolves and shape == tuple(learned.blob.shape) for shape in shapes)
