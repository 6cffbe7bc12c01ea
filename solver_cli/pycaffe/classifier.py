"""Pictures in, class probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import elsewhere, io
from .net import Net
from .proto.caffe_pb2 import TEST

__getattr__ = elsewhere.names(__name__, caffe="solver_cli:pycaffe")


class Classifier(Net):
    """A net that classifies pictures.

    `image_dims`: (height, width) to which pictures are resized before they are cropped to the input; without it they are
    resized to the input. `mean`, `input_scale`, `raw_scale`, `channel_swap`: as the Transformer's.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        image_dims: Sequence[int] | None = None,
        mean: io.Array | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        name = self.inputs[0]
        shape = self.blobs[name].data.shape
        self.transformer = transformer(name, shape, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(shape[2:])
        self.image_dims: Any = self.crop_dims if image_dims is None or len(image_dims) == 0 else image_dims

    def predict(self, inputs: Sequence[io.Array], oversample: bool = True) -> io.Array:
        """Probabilities [pictures, classes] of pictures [height, width, channels].

        With `oversample` the mean over ten crops (corners, middle, mirrored), without it those of the middle crop.
        """
        pictures = np.stack([io.resize_image(picture, self.image_dims) for picture in inputs])
        if oversample:
            pictures = io.oversample(pictures, self.crop_dims)
        else:
            top, left = (np.array(self.image_dims) / 2 - self.crop_dims / 2).astype(int)
            pictures = pictures[:, top : top + self.crop_dims[0], left : left + self.crop_dims[1]]
        name = self.inputs[0]
        batch = np.stack([self.transformer.preprocess(name, picture) for picture in pictures])
        predictions: io.Array = self.forward_all(None, **{name: batch})[self.outputs[0]]
        return predictions.reshape(len(predictions) // 10, 10, -1).mean(1) if oversample else predictions


def transformer(
    name: str,
    shape: Sequence[int],
    mean: io.Array | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> io.Transformer:
    """The Transformer of input `name` for pictures [height, width, channels], with the settings that are given."""
    result = io.Transformer({name: shape})
    result.set_transpose(name, (2, 0, 1))
    if mean is not None:
        result.set_mean(name, mean)
    if input_scale is not None:
        result.set_input_scale(name, input_scale)
    if raw_scale is not None:
        result.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        result.set_channel_swap(name, channel_swap)
    return result
