"""What makes the drawing of a large net legible: blocks that repeat are drawn once, and boxes of one block get a frame."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from solver_cli.pictures.boxes import Box

BIG = 40  # boxes from which on a net is folded unless told
LONGEST = 64  # boxes of a block
SAVED = 3  # boxes that folding a block must save
MUCH = 0.6  # of the boxes that folding by names leaves: folding anywhere is better if it leaves fewer
FRAMED = 3  # boxes that make a frame


def folded(boxes: Sequence[Box]) -> list[Box]:
    """The boxes without the repetitions of blocks that follow each other; the frame of what is left says how often.

    Blocks begin where names say that one begins, unless much more can be folded otherwise.
    """
    by_name, anywhere = _folded(boxes, by_name=True), _folded(boxes, by_name=False)
    return anywhere if len(anywhere) < MUCH * len(by_name) else by_name


def _folded(boxes: Sequence[Box], by_name: bool) -> list[Box]:
    instead = list(range(len(boxes)))  # the box that stands for each
    frames: dict[int, str] = {}
    at = 0
    while at < len(boxes):
        inside = by_name and at > 0 and prefix(boxes[at].name) == prefix(boxes[at - 1].name)
        size, times = (1, 1) if inside else _repetition(boxes, at)
        for copy in range(size * times):
            instead[at + copy] = at + copy % size
        if times > 1:
            names = boxes[at].name, boxes[at + size * (times - 1)].name
            first, last = names if prefix(names[0]) == prefix(names[1]) else map(prefix, names)
            words = f"{first} ... {last}: {times} ×"
            frames |= {at + i: words for i in range(size)}
        at += size * times
    kept = sorted(set(instead))
    number = {old: new for new, old in enumerate(kept)}
    found = []
    for old in kept:
        inputs = [replace(arrow, source=number[instead[arrow.source]]) for arrow in boxes[old].inputs]
        found.append(replace(boxes[old], inputs=inputs, group=frames.get(old, "")))
    return found


def without_long_arrows(boxes: Sequence[Box]) -> list[Box]:
    """The boxes with words in the place of the arrows from labels, which would cross all of the drawing."""
    found = []
    for box in boxes:
        read = dict.fromkeys(arrow.blob for arrow in box.inputs if arrow.minor)
        words = [f"reads {', '.join(read)}"] if read else []
        inputs = [arrow for arrow in box.inputs if not arrow.minor]
        found.append(replace(box, inputs=inputs, settings=[*box.settings, *words]))
    return found


def framed(boxes: Sequence[Box]) -> list[Box]:
    """The boxes with a group where several have the same prefix in their names, such as inception_3a/ or res2a_."""
    counts = Counter(prefix(box.name) for box in boxes)
    return [
        replace(box, group=box.group or (prefix(box.name) if counts[prefix(box.name)] >= FRAMED else "")) for box in boxes
    ]


def prefix(name: str) -> str:
    """The part of a layer's name that its block shares: up to the slash, or up to the underscore behind a number."""
    head, slash, _ = name.partition("/")
    if slash:
        return head
    match = re.match(r"([A-Za-z]+\d+[a-z]?\d*)(?=_|$)", name)
    return match[1] if match else name


def _repetition(boxes: Sequence[Box], at: int) -> tuple[int, int]:
    """(boxes, times) of the block at `at` whose repetitions save most; (1, 1) if none saves enough."""
    best = (1, 1)
    for size in range(1, min(LONGEST, (len(boxes) - at) // 2) + 1):
        times = 1
        while _same(boxes, at, at + times * size, size):
            times += 1
        if (times - 1) * size >= max(SAVED, (best[1] - 1) * best[0] + 1):
            best = (size, times)
    return best


def _same(boxes: Sequence[Box], a: int, b: int, size: int) -> bool:
    """Whether the blocks at `a` and `b` do the same with what comes from the same places before them."""
    return b + size <= len(boxes) and all(_signature(boxes, a + i) == _signature(boxes, b + i) for i in range(size))


def _signature(boxes: Sequence[Box], at: int) -> tuple[object, ...]:
    box = boxes[at]
    return box.lines, [(at - arrow.source, arrow.shape, arrow.minor) for arrow in box.inputs]
