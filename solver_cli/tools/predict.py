"""What a trained net says of pictures: classes, boxes or a mask, told by the shape of its last output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from solver_cli import log
from solver_cli.caffe_pb2 import LabelMap
from solver_cli.errors import ConfigError, DataError, nearest
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.text.netspec import NetSpec
from solver_cli.tools import nets
from solver_cli.tools.deployed import Deployed, deployed
from solver_cli.tools.pictures import Prepared, Said, preparation

CORNERS = 7  # numbers of a detection: picture, label, score, xmin, ymin, xmax, ymax

Names = dict[int, str]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Class:
    """A class and its score."""

    label: int
    name: str
    score: float


@dataclass(frozen=True)
class Box:
    """An object and its corners, in pixels of the picture."""

    label: int
    name: str
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Prediction:
    """What the blob `blob` says of the picture `path`; `classes` are the best first, or, with a `mask`, those in it by the
    share of the pixels that they have.

    `mask`: a label for each pixel of the picture, 255 where the net does not see it.
    """

    path: str
    blob: str
    pixels: NDArray[np.uint8]
    classes: tuple[Class, ...] = ()
    boxes: tuple[Box, ...] | None = None
    mask: Mask | None = None


def predictions(
    spec: NetSpec, weights: str, pictures: Sequence[str], said: Said,
    *, blob: str | None, names: Names, top: int, threshold: float, device: torch.device, python_layers: bool,
) -> Iterator[Prediction]:  # fmt: skip
    """Ask a net in its state, for deployment or training, about picture after picture. Raises Error.

    `blob`: another than the last output; `top`: how many classes; `threshold`: the least score of a box.
    """
    found = deployed(spec, said.gray, said.crop)
    prepared = preparation(found, said)
    with log.silent():
        net = nets.build(found.spec, device, python_layers)
    nets.load(net, weights)
    ask = Asked(net, found, blob, names, top, threshold)
    for picture in pictures:
        yield ask(prepared.read(picture), picture)


class Asked:
    """Asks a deployed net about pictures that are ready for it.

    `boxes`, `mask`: whether its output is a list of detections, or has a number for each place.
    """

    def __init__(self, net: Net, found: Deployed, blob: str | None, names: Names, top: int, threshold: float):
        """Raises ConfigError where it has no such blob."""
        self.net, self.found, self.names, self.top, self.threshold = net, found, names, top, threshold
        node, self.name = _asked(net, blob, found.spec.file)
        shape = net.blob_shapes[self.name]
        self.boxes = node.kind.dynamic and len(shape) == 4 and shape[3] == CORNERS
        self.mask = not self.boxes and len(shape) == 4 and shape[2] * shape[3] > 1

    def __call__(self, ready: Prepared, path: str) -> Prediction:
        """What it says of a picture, which is called `path`."""
        blob = torch.from_numpy(ready.blob).to(self.net.device)
        with torch.no_grad():
            values = self.net({self.found.input: blob})[1][self.name].float().cpu().numpy()
        seen = Prediction(path, self.name, ready.pixels)
        if self.boxes:
            return replace(seen, boxes=_boxes(values.reshape(-1, CORNERS), ready, self.names, self.threshold))
        if self.mask:
            mask = _mask(values[0], ready, self.found.shape)
            return replace(seen, mask=mask, classes=_shares(mask, self.names))
        return replace(seen, classes=_best(values.ravel(), self.names, self.top))


def _asked(net: Net, blob: str | None, path: str) -> tuple[Node, str]:
    """The layer whose top is asked, and the blob's name: the last output, unless `blob` says which. Raises ConfigError."""
    if blob is not None and blob not in net.blob_shapes:
        raise ConfigError(f"{path}: the net has no blob '{blob}'{nearest(blob, net.blob_shapes)}")
    wanted = [blob] if blob is not None else net.outputs
    node, name = next((node, top) for node in reversed(net.nodes) for top in node.tops if top in wanted)
    others = [output for output in net.outputs if output != name]
    if blob is None and others:
        log.warning("predict", f"{path}: '{name}' is asked; the net's other outputs are {', '.join(others)} (--blob)")
    return node, name


def _best(values: NDArray[np.float32], names: Names, top: int) -> tuple[Class, ...]:
    order = np.argsort(-values, kind="stable")[:top]
    return tuple(Class(int(i), names.get(int(i), str(i)), float(values[i])) for i in order)


def _boxes(rows: NDArray[np.float32], ready: Prepared, names: Names, threshold: float) -> tuple[Box, ...]:
    """Detections, whose corners are shares of what the net saw, in pixels; a label below 0 stands for none."""
    left, top, right, bottom = ready.part
    height, width = ready.pixels.shape[:2]
    found = []
    for _, label, score, *corners in rows[np.argsort(-rows[:, 2], kind="stable")].tolist():
        if label < 0 or score < threshold:
            continue
        across = [min(max(left + x * (right - left), 0.0), float(width)) for x in corners[::2]]
        down = [min(max(top + y * (bottom - top), 0.0), float(height)) for y in corners[1::2]]
        number = int(label)
        found.append(Box(number, names.get(number, str(number)), score, across[0], down[0], across[1], down[1]))
    return tuple(found)


def _mask(values: NDArray[np.float32], ready: Prepared, shape: tuple[int, ...]) -> Mask:
    """The label of each pixel: of several channels the largest; of one its number, if all are whole, else whether above 0.5.

    An output more than half as large as the input, but not as large, is of the input's middle (convolutions without
    padding); a smaller one is coarser.
    """
    if len(values) > 1:
        labels = values.argmax(0)
    else:
        whole = (values[0] == np.round(values[0])).all()
        labels = values[0] if whole else values[0] > 0.5
    small: Mask = labels.astype(np.uint8)
    inner = [out if out * 2 > whole_side else whole_side for out, whole_side in zip(small.shape, shape[2:], strict=True)]
    left, top, right, bottom = ready.part
    across, down = (right - left) / shape[3], (bottom - top) / shape[2]
    left, top = left + (shape[3] - inner[1]) / 2 * across, top + (shape[2] - inner[0]) / 2 * down
    rows = _places(top, inner[0] * down, small.shape[0], ready.pixels.shape[0])
    columns = _places(left, inner[1] * across, small.shape[1], ready.pixels.shape[1])
    mask: Mask = np.full(ready.pixels.shape[:2], 255, np.uint8)
    inside = np.ix_(rows >= 0, columns >= 0)
    mask[inside] = small[np.ix_(rows[rows >= 0], columns[columns >= 0])]
    return mask


def _places(start: float, length: float, count: int, side: int) -> NDArray[np.int64]:
    """For each pixel of a side the number, of `count` that share `length` from `start` on, that it lies in; -1 for none."""
    at = np.floor((np.arange(side) + 0.5 - start) / length * count).astype(np.int64)
    return np.where((at >= 0) & (at < count), at, -1)


def _shares(mask: Mask, names: Names) -> tuple[Class, ...]:
    labels, counts = np.unique(mask[mask != 255], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(Class(int(labels[i]), names.get(int(labels[i]), str(labels[i])), counts[i] / counts.sum()) for i in order)


def read_names(path: str) -> Names:
    """The classes' names: a line each from label 0 on, or a label map of SSD's. Raises DataError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        if "item" in text and "{" in text:
            items = text_format.Parse(text, LabelMap()).item
            return {item.label: item.display_name or item.name for item in items}
    except UnicodeDecodeError:
        raise DataError(f"{path}: this is no text: a file of labels has a name in each line") from None
    except (OSError, text_format.ParseError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not text.strip():
        raise DataError(f"{path}: is empty: expected the name of a class on each line")
    return {i: line.strip() for i, line in enumerate(text.splitlines())}


def lines(found: Prediction) -> list[str]:
    """A prediction to be read; of classes in the words of Caffe's classification example."""
    head = f"---------- Prediction for {found.path} ----------"
    if found.boxes is not None:
        rows = [(box, f"{box.xmin:.0f} {box.ymin:.0f} {box.xmax:.0f} {box.ymax:.0f}") for box in found.boxes]
        return [head, *([f'{box.score:.4f} - "{box.name}" {corners}' for box, corners in rows] or ["nothing found"])]
    percent = found.mask is not None
    shown = [(f"{each.score:7.2%}" if percent else f"{each.score:.4f}", each.name) for each in found.classes]
    return [head, *(f'{score} - "{name}"' for score, name in shown)]


def plain(found: Prediction) -> dict[str, Any]:
    """A prediction as values that JSON has."""
    result: dict[str, Any] = {"picture": found.path, "blob": found.blob}
    if found.boxes is not None:
        return {**result, "boxes": [vars(box) for box in found.boxes]}
    return {**result, "mask" if found.mask is not None else "classes": [vars(each) for each in found.classes]}
