"""VideoData: stacks of frames from folders of pictures, as yjxiong's action recognition reads them."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter, VideoDataParameter
from solver_cli.data.crops import Encoded, Picture
from solver_cli.data.decode import decode, opencv, read_file
from solver_cli.data.lines import Lines, Listed
from solver_cli.data.random_sizes import interleaved
from solver_cli.data.source import check_batch_size, check_fields, check_source, random_words, say
from solver_cli.data.transform import Transform
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

FIELD = "video_data_param"
FIELDS = (
    *("source", "batch_size", "shuffle", "new_height", "new_width", "new_length", "num_segments", "modality"),
    *("name_pattern", "grayscale"),
)
IDLE = ("rand_skip", "scale", "mean_file", "crop_size", "mirror", "encoded")  # the fork's layer does not look at them
CAMERA = ("video_type", "device_id", "video_file", "skip_frames")  # SSD's layer of this name
PATTERNS = {VideoDataParameter.RGB: "image_%04d.jpg", VideoDataParameter.FLOW: "flow_%c_%04d.jpg"}
PLACE = {VideoDataParameter.RGB: r"%0?\d*d", VideoDataParameter.FLOW: r"%c.*%0?\d*d"}

Row = tuple[str, int, int]  # folder, how many frames it has, label


@source("VideoData", origin="yjxiong", tops=2, transforms=True)
class VideoData(Listed):
    """Frames of the videos in a list, a line each with its folder, number of frames and label.

    A video is cut into `num_segments` equal parts; of each come `new_length` frames one after the other, from anywhere in
    training, else from the middle (from the video's first frame where the part is too short). Tops: the frames' channels
    one behind the other [N, segments * length * channels, height, width], labels [N, 1, 1, 1]. FLOW: each frame is two grey
    pictures, x and y. Mean values count for the channels in turn.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        super().__init__()
        param = layer.video_data_param
        if name := next((name for name in CAMERA if param.HasField(name)), ""):  # type: ignore[arg-type]
            text = f"{name} is of SSD's VideoData, which shows a camera or a film: read frames from folders (source)"
            raise ConfigError(text, field=f"{FIELD}.{name}")
        check_fields(param, FIELD, FIELDS, IDLE)
        for name in ("new_length", "num_segments"):
            if not getattr(param, name):
                raise ConfigError(f"{name} must be 1 or more, not 0", field=f"{FIELD}.{name}")
        self._cv2, self._param, self._training = opencv(), param, training
        self._pattern = param.name_pattern or PATTERNS[param.modality]
        if not re.fullmatch(rf"[^%]*{PLACE[param.modality]}[^%]*", self._pattern):
            wanted = "%c for x and y, then a number such as %04d" if self._flow else "a number such as %04d"
            raise ConfigError(f"name_pattern '{self._pattern}' has no place for {wanted}", field=f"{FIELD}.name_pattern")
        self._batch_size = check_batch_size(param, FIELD)
        self.transform = Transform(layer.transform_param, training, generator, f"{FIELD}.source")
        order = VideoDataParameter(source=check_source(param, FIELD), shuffle=param.shuffle)
        self._lines = Lines(read_list(order.source), order, FIELD, generator, "videos")
        row = self._lines.row(0)
        stack = self._read(row, 0)
        self.transform.repeat_means(len(stack))
        shape = self.transform.shape(f"video '{row[0]}'", stack.shape)
        self.shapes: list[tuple[int, ...]] = [(self._batch_size, *shape), (self._batch_size, 1, 1, 1)]
        say(f"output data size: {','.join(map(str, self.shapes[0]))}", "video_data_layer.cpp:85")

    @property
    def _flow(self) -> bool:
        return self._param.modality == VideoDataParameter.FLOW

    def next_batch(self) -> tuple[Tensor, Tensor]:
        numbers, rows = self._lines.take(self.dealing, self._batch_size)
        videos = Encoded(lambda i: self._read(rows[i], numbers[i]), len(rows))
        data = self.transform(videos, numbers, lambda i: f"video '{rows[i][0]}'", self._pool)
        return data, torch.tensor([row[2] for row in rows], dtype=torch.float32).view(-1, 1, 1, 1)

    def _read(self, row: Row, number: int) -> Picture:
        """The frames of the record with this number, their channels one behind the other. Raises DataError."""
        folder, frames, _ = row
        planes = [
            plane
            for start in self._starts(frames, number)
            for frame in range(start + 1, start + self._param.new_length + 1)
            for name in ([self._pattern % (way, frame) for way in "xy"] if self._flow else [self._pattern % frame])
            for plane in self._frame(f"{folder}/{name}")
        ]
        if len({plane.shape for plane in planes}) > 1:
            text = f"the frames of video '{folder}' differ in size: new_height and new_width make them equal"
            raise DataError(text, field=f"{FIELD}.source")
        return np.stack(planes)

    def _starts(self, frames: int, number: int) -> list[int]:
        """How many frames come before those that are taken from each segment."""
        each, length = frames // self._param.num_segments, self._param.new_length
        if each < length:
            return [0] * self._param.num_segments
        words = random_words(self.transform.seed ^ 1 << 61, range(number, number + 1), self._param.num_segments)[0]
        free = each - length + 1
        return [int(word) % free + i * each if self._training else free // 2 + i * each for i, word in enumerate(words)]

    def _frame(self, path: str) -> Picture:
        colour = not (self._flow or self._param.grayscale)
        picture = decode(read_file(path, f"{FIELD}.source"), f"frame '{path}'", colour, f"{FIELD}.source")
        if not self._param.new_height or not self._param.new_width:
            return picture
        pixels = self._cv2.resize(interleaved(picture), (self._param.new_width, self._param.new_height))
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # type: ignore[no-any-return]


def read_list(path: str) -> list[Row]:
    """(folder, number of frames, label) of each line of a list file. Raises DataError."""
    say(f"Opening file: {path}", "video_data_layer.cpp:32")
    text = read_file(path, f"{FIELD}.source").decode("utf-8", "surrogateescape")
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = re.fullmatch(r"\s*(\S+)\s+(\d{1,9})\s+([+-]?\d{1,9})\s*", line)
        if not match:
            wanted = "a folder, its number of frames and a label, with blanks between"
            raise DataError(f"{path}:{number}: a line of the list names {wanted}, not '{line}'", field=f"{FIELD}.source")
        rows.append((match[1], int(match[2]), int(match[3])))
    if not rows:
        raise DataError(f"{path}: the list is empty: each line names a video", field=f"{FIELD}.source")
    return rows
