"""The events of `--tensorboard`, in the protobuf messages of the package tensorboard: the extra of this name."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Iterator
from math import ceil, isfinite, sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from solver_cli.errors import ConfigError, Where
from solver_cli.formats.atomic import reason
from solver_cli.net.net import Net
from solver_cli.pictures.rows import Row
from solver_cli.solver.recording import TRAIN, Recorder, Watched, name_of
from solver_cli.solver.watchers import Displayed

BINS = 64  # of a histogram
SIDE = 24  # pixels that a filter is enlarged to, about
SHARE = 0.005  # of the time, at most, for histograms and filters


class TensorBoard(Recorder):
    """One file of events for each process that trains: scalars, histograms, first filters, the net's graph."""

    def __init__(self, run: Watched, folder: str):
        """Raises ConfigError where the extra is missing or the folder cannot be written."""
        super().__init__(run)
        try:
            from tensorboard.compat.proto import event_pb2, graph_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            raise ConfigError("--tensorboard needs tensorboard: pip install 'solver-train[tensorboard]'") from None
        self.event, self.graph, self.summary = event_pb2, graph_pb2, summary_pb2
        path = Path(folder) / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("xb", buffering=0)  # what a full disk refuses is not tried again at the end
        except (OSError, ValueError) as error:
            raise ConfigError(f"--tensorboard: cannot be written: {reason(error)}", Where(folder)) from None
        self.records = RecordWriter(self.file)
        self.due = False  # whether this iteration is displayed
        self.spent = 0.0  # seconds for histograms

    def begin(self, iteration: int) -> None:
        self._write(file_version="brain.Event:2")
        started = self.event.SessionLog(status=self.event.SessionLog.START)
        self._write(step=iteration, session_log=started)  # what earlier files say of it and of later ones is forgotten
        self._write(graph_def=self._graph(self.run.train).SerializeToString())

    def displayed(self, shown: Displayed) -> None:
        super().displayed(shown)
        self.due = True

    def on_gradients_ready(self, iteration: int) -> None:
        if not self.due:
            return
        self.due = False
        if self.spent > SHARE * self._now():
            return
        before = time.perf_counter()
        values = [*self._histograms(iteration), *self._filters()]
        self._write(step=iteration, summary=self.summary.Summary(value=values))
        self.spent += time.perf_counter() - before

    def take(self, net: int, row: Row) -> None:
        left_out = ["NumIters", "Seconds", *(["LearningRate"] if net != TRAIN or row.rate is None else [])]
        cells = {name: value for name, value in row.cells(everything=True).items() if name not in left_out}
        scalar = self.summary.Summary.Value
        values = [scalar(tag=f"{name_of(net)}/{name}", simple_value=value) for name, value in cells.items()]
        self._write(step=row.iteration, summary=self.summary.Summary(value=values))

    def closed(self) -> None:
        super().closed()
        self.file.close()

    def _write(self, **fields: Any) -> None:
        self.records.write(self.event.Event(wall_time=time.time(), **fields).SerializeToString())

    def _histograms(self, iteration: int) -> Iterator[Any]:
        """Of every learned blob and its gradient, the mean over the passes of the iteration."""
        scale = self.run.precision.scale
        factor = self.run.schedule.passes(iteration) * (float(scale.factor) if scale else 1.0)
        for learned in self.run.train.learned:
            blobs = {"weights": learned.blob.detach(), "gradients": learned.blob.grad}
            for kind, blob in blobs.items():
                if blob is not None and kind == "gradients" and factor != 1:
                    blob = blob / factor
                if blob is not None and (found := self._histogram(blob)):
                    yield self.summary.Summary.Value(tag=f"{kind}/{learned.node.name}/{learned.index}", histo=found)

    def _histogram(self, blob: Tensor) -> Any:
        """The histogram's message, of finite values; None where there are others, or none."""
        values = blob.float().flatten()
        if not values.numel():
            return None
        low, high, total, squares = torch.stack([values.min(), values.max(), values.sum(), values.dot(values)]).tolist()
        if not isfinite(squares):
            return None
        counts = torch.histc(values, BINS, low, high).tolist() if high > low else [values.numel()]
        width = (high - low) / len(counts)
        limits = [low + width * (i + 1) for i in range(len(counts))]
        return self.summary.HistogramProto(
            min=low, max=high, num=values.numel(), sum=total, sum_squares=squares, bucket_limit=limits, bucket=counts
        )

    def _filters(self) -> Iterator[Any]:
        """The filters of the first layer whose weights are pictures of one or three channels, side by side."""
        for learned in self.run.train.learned:
            if learned.blob.dim() == 4 and learned.blob.shape[1] in (1, 3) and min(learned.blob.shape[2:]) > 1:
                yield self._image(f"filters/{learned.node.name}", _tiles(learned.blob.detach().float().cpu()))
                return

    def show(self, tag: str, iteration: int, image: Tensor) -> None:
        """Write down a picture (H, W, 3) of bytes, red first. Raises OSError."""
        self._write(step=iteration, summary=self.summary.Summary(value=[self._image(tag, image)]))

    def _image(self, tag: str, image: Tensor) -> Any:
        height, width, _ = image.shape
        found = self.summary.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=_png(image))
        return self.summary.Summary.Value(tag=tag, image=found)

    def _graph(self, net: Net) -> Any:
        """The net as TensorBoard draws it: a node for each layer, and what each reads."""
        nodes, makers = [], dict[str, str]()
        for node in net.nodes:
            nodes.append(self.graph.GraphDef(node=[{"name": node.name, "op": node.param.type}]).node[0])
            nodes[-1].input.extend(dict.fromkeys(makers[blob] for blob in node.bottoms))
            makers.update(dict.fromkeys(node.tops, node.name))
        return self.graph.GraphDef(node=nodes)


def _tiles(filters: Tensor) -> Tensor:
    """Filters (n, 1 or 3, h, w) as one picture (H, W, 3) of bytes: all on one scale, enlarged, with white lines between."""
    low, high = filters.min(), filters.max()
    shown = ((filters - low) / (high - low).clamp(min=1e-12) * 255).expand(-1, 3, -1, -1)
    size = max(1, SIDE // max(shown.shape[2:]))
    shown = pad(shown.repeat_interleave(size, 2).repeat_interleave(size, 3), (0, 2, 0, 2), value=255.0)
    columns = ceil(sqrt(len(shown)))
    rows = ceil(len(shown) / columns)
    shown = pad(shown, (0, 0, 0, 0, 0, 0, 0, rows * columns - len(shown)), value=255.0)
    _, channels, height, width = shown.shape
    grid = shown.reshape(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    return grid.reshape(rows * height, columns * width, channels).byte().contiguous()


def _png(image: Tensor) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image.numpy()).save(out, "png")
    return out.getvalue()
