"""The parts of a run that have a memory, by their names in a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

ALWAYS = ("train", "tests", "smoothed")  # in every snapshot of ours; the others are younger, or not in every run


class Part(Protocol):
    """Something that a resumed run must find again as it was."""

    def state(self) -> Any:
        """Plain values, bytes and tensors, which stay as they are while the run goes on."""

    def restore(self, state: Any) -> None:
        """Go on from `state`."""


class Parts(dict[str, Part]):
    """{name in the snapshot: part}: a feature with a memory is one entry. They are restored in their order."""

    def state(self) -> dict[str, Any]:
        """What Caffe's state leaves out."""
        return {name: part.state() for name, part in self.items()}

    def restore(self, run: Mapping[str, Any]) -> None:
        """Go on from the `state()` of a run, which may be an older version's. Raises whatever the parts raise."""
        for name, part in self.items():
            if name in run or name in ALWAYS:
                part.restore(run[name])


class Each:
    """Several parts as one, whose state is a list."""

    def __init__(self, parts: Sequence[Part]):
        self.parts = parts

    def state(self) -> list[Any]:
        return [part.state() for part in self.parts]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from `state`, as far as both lists reach: there may be more test nets now, or fewer."""
        for part, saved in zip(self.parts, state, strict=False):
            part.restore(saved)
