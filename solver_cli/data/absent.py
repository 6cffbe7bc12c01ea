"""What is known of data that are not there: the shapes that a data layer's settings give away."""

from __future__ import annotations

from typing import Any, NoReturn

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.transform import crop_of
from solver_cli.errors import DataError


class AbsentData:
    """Stands in for a data layer whose data cannot be read because of `error`: it has shapes, but no batches.

    `guess`: what is taken for granted, in words. Raises `error` where the settings leave the shapes open.
    """

    def __init__(self, layer: LayerParameter, error: DataError) -> None:
        crop, message = crop_of(layer.transform_param), getattr(layer, f"{FIELDS.get(layer.type, 'data')}_param")
        height, width = crop or (0, 0)
        if layer.type in ("ImageData", "VideoData") and not crop:
            height, width = message.new_height, message.new_width
        if layer.type not in FIELDS or not height or not width:
            raise error
        picture = (_channels(layer), height, width)
        self.error = error
        label: tuple[int, ...] = (message.batch_size, 1, 1, 1) if layer.type == "VideoData" else (message.batch_size,)
        self.shapes = [(message.batch_size, *picture), label][: len(layer.top)]
        self.guess = f"pictures of {' x '.join(map(str, picture))} are assumed"

    def next_batch(self) -> NoReturn:
        raise self.error

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is none."""

    def close(self) -> None:
        """Nothing is held."""


FIELDS = {"Data": "data", "ImageData": "image_data", "VideoData": "video_data", "WindowData": "window_data"}


def _channels(layer: LayerParameter) -> int:
    """3 unless the settings say that pictures are grey, or stacks of frames."""
    if layer.type == "VideoData":
        video = layer.video_data_param
        each = 2 if video.modality == video.FLOW else 1 if video.grayscale else 3
        return each * video.new_length * video.num_segments
    grey = layer.type == "ImageData" and not layer.image_data_param.is_color
    return 1 if grey or layer.transform_param.force_gray else 3
