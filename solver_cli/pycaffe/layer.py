"""Layer: the base class of layers written in Python, and what `net.layers` shows of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solver_cli.caffe_pb2 import LayerParameter, Phase
from solver_cli.pycaffe.blob import Blob, BlobVec


class PhaseNumber(int):
    """caffe.TRAIN or caffe.TEST; as text TRAIN or TEST, which layers written for other Caffes use as a key."""

    def __str__(self) -> str:
        return Phase.Name(self)  # type: ignore[no-any-return]


class Layer:
    """A layer written in Python: derive from it and define `setup`, `reshape`, `forward` and `backward`.

    `param_str`   the text of python_param.param_str
    `phase`       caffe.TRAIN or caffe.TEST
    `blobs`       learned blobs: `self.blobs.add_blob(*shape)` in `setup` adds one

    `bottom` and `top` are lists of Blobs. `reshape` gives every top its shape, `forward` writes the tops' data, `backward`
    the bottoms' diffs where `propagate_down` is true, and adds to the diffs of `blobs`.
    """

    type = "Python"
    param_str = ""
    phase = 0

    def __init__(self, param: LayerParameter | None = None):
        self.layer_param = param

    @property
    def param_str_(self) -> str:
        """The name of `param_str` in the Caffes before 1.0."""
        return self.param_str

    @property
    def blobs(self) -> BlobVec:
        """The learned blobs."""
        blobs: BlobVec = self.__dict__.setdefault("_blobs", BlobVec())
        return blobs

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Called once, when the net is built."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Called before every forward pass: give the tops their shapes."""


class NetLayer:
    """A layer of a net that is not written in Python: its type and its learned blobs."""

    def __init__(self, type: str, blobs: Sequence[Blob] = ()):
        self.type = type
        self.blobs = BlobVec(blobs)

    def setup(self, bottom: Any, top: Any) -> None:
        """The net has done that."""

    def reshape(self, bottom: Any, top: Any) -> None:
        """The net does that: see Net.reshape."""
