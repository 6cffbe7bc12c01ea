"""Windows of pictures in, class scores out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from solver_cli.errors import ConfigError

from . import elsewhere, io
from .classifier import transformer
from .net import Net
from .proto.caffe_pb2 import TEST

__getattr__ = elsewhere.names(__name__, caffe="solver_cli:pycaffe", os="os")


class Detector(Net):
    """A net that classifies windows of pictures.

    `context_pad`: how many pixels at each edge of the net's input are to show the window's surroundings; what lies outside
    the picture there is filled with the mean. `mean`, `input_scale`, `raw_scale`, `channel_swap`: as the Transformer's.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: io.Array | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        name = self.inputs[0]
        self.transformer = transformer(name, self.blobs[name].data.shape, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Any]]]) -> list[dict[str, Any]]:
        """Scores of windows (ymin, xmin, ymax, xmax) of pictures: [{'filename', 'window', 'prediction'}, ...].

        `images_windows`: (picture file, its windows) pairs. Each window is warped to the net's input.
        """
        name = self.inputs[0]
        found, batch = [], []
        for filename, windows in images_windows:
            picture = io.load_image(filename)
            for window in windows:
                found.append({"window": window, "filename": filename})
                batch.append(self.transformer.preprocess(name, self.crop(picture, window)))
        if not batch:
            return []
        predictions = self.forward_all(None, **{name: np.stack(batch)})[self.outputs[0]]
        return [{**entry, "prediction": prediction} for entry, prediction in zip(found, predictions, strict=True)]

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """Refused: Caffe's proposals come from a MATLAB program."""
        raise ConfigError(
            "selective search runs in MATLAB and is not part of this package: make the windows with a program of your "
            "choice and give them to detect_windows"
        )

    def crop(self, im: io.Array, window: Sequence[int]) -> io.Array:
        """The window (ymin, xmin, ymax, xmax) of the picture, with its surroundings if `context_pad` is set."""
        top, left, bottom, right = (int(edge) for edge in window)
        if not self.context_pad:
            return im[top:bottom, left:right]
        size = int(self.blobs[self.inputs[0]].data.shape[-1])  # inputs are taken to be square
        box = self._with_context(np.array([top, left, bottom, right], float), size)
        # The last row and column count as in R-CNN's code: a box of equal edges is one pixel.
        scale = size / (box[2:] - box[:2] + 1)
        before = [round(edge) for edge in np.maximum(0, -box[:2]) * scale]
        inside = np.clip(box, 0, [*im.shape[:2], *im.shape[:2]]).astype(int)
        top, left, bottom, right = inside
        if bottom <= top or right <= left:
            raise ValueError(f"window {list(window)} lies outside the picture of {im.shape[0]} x {im.shape[1]}")
        warped = [round(edge) for edge in (inside[2:] - inside[:2] + 1) * scale]
        height, width = (min(length, size - start) for length, start in zip(warped, before, strict=True))
        crop = np.ones(self.crop_dims, np.float32) * self.crop_mean
        part = io.resize_image(im[top:bottom, left:right], (height, width))
        crop[before[0] : before[0] + height, before[1] : before[1] + width] = part
        return crop

    def _with_context(self, box: io.Array, size: int) -> io.Array:
        """The box, grown so that in `size` pixels it leaves `context_pad` at each edge; whole pixels."""
        assert self.context_pad is not None
        half = (box[2:] - box[:2] + 1) / 2
        center = box[:2] + half
        half = half * (size / (size - 2 * self.context_pad))
        grown: io.Array = np.round(np.concatenate([center - half, center + half]))
        return grown

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the surroundings' width, and the mean that stands for what is outside the picture, in the picture's terms."""
        name = self.inputs[0]
        back = [int(axis) for axis in np.argsort(self.transformer.transpose[name])]
        self.crop_dims = np.array(self.blobs[name].data.shape[1:])[back]
        self.context_pad = context_pad
        if not context_pad:
            return
        mean = self.transformer.mean.get(name)
        if mean is None:
            self.crop_mean: io.Array = np.zeros(self.crop_dims, np.float32)
            return
        mean = mean.reshape((1, *mean.shape)[-3:]).transpose(back)
        if name in self.transformer.channel_swap and mean.shape[2] > 1:
            mean = mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        self.crop_mean = mean / self.transformer.raw_scale.get(name, 1.0)
