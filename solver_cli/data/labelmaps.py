"""ImageLabelmapData of the nets that find edges and what stands out: pictures with a picture of labels from 0 to 1."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import ImageDataParameter, LayerParameter
from solver_cli.data.decode import planes
from solver_cli.data.distort import Pixels
from solver_cli.data.pairs import FINISH, LIST, SEG, Pairs, Row
from solver_cli.data.source import check_fields
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

GREY = np.arange(256, dtype=np.float32)
EXACT = GREY / np.float32(255)
ROUNDED: Pixels = np.rint(EXACT)


@source("ImageLabelmapData/hed", origin="HED", param=SEG, tops=2, transforms=True)
class ImageLabelmapData(Pairs):
    """Pictures and grey label pictures named in a list, mirrored and cropped alike, at random in both phases: HED's.

    Tops: pictures [N, channels, height, width]; labels [N, 1, height, width], 1 where the grey value is 128 or more, else 0.
    With batch_size 1 the pictures may differ in size.
    """

    fields: tuple[str, ...] = LIST

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param, transform = layer.image_data_param, layer.transform_param
        check_fields(param, SEG, self.fields)
        check_fields(transform, "transform_param", (*FINISH, "mirror", "crop_size"))
        if transform.crop_size and transform.HasField("mean_file"):
            text = "mean_file has the size of whole pictures: with a crop give mean_value"
            raise ConfigError(text, field="transform_param.mean_file")
        super().__init__(layer, param, SEG, training, generator, "images", second=True)
        self._crop, self._mirror = transform.crop_size, transform.mirror
        self._values = self.values(param)
        row = self._lines.row(self._lines.record)
        self.shapes = self._tops(row, *planes(self._both(row, np.random.default_rng(0))[0]).shape)

    def values(self, param: ImageDataParameter) -> Pixels:
        """The label that each grey value stands for."""
        return ROUNDED

    def next_batch(self) -> tuple[Tensor, Tensor]:
        _, data, label = self._batch_of(self._both)
        return data, label

    def _both(self, row: Row, random: Generator) -> tuple[Pixels, Pixels]:
        """Picture and label of a row, cropped and mirrored."""
        picture, label = (self._file(row[i], i == 0 and self._param.is_color, self._cv2.INTER_LINEAR) for i in (0, 1))
        self._check_size(row, picture, label)
        if self._crop:
            height, width = label.shape
            if self._crop > min(height, width):
                text = f"crop_size {self._crop} is larger than picture '{row[0]}', which is {height} x {width}"
                raise DataError(text, field="transform_param.crop_size")
            top, left = random.integers(height - self._crop + 1), random.integers(width - self._crop + 1)
            part = np.s_[top : top + self._crop, left : left + self._crop]
            picture, label = picture[part], label[part]
        if self._mirror and random.integers(2):
            picture, label = self._cv2.flip(picture, 1), self._cv2.flip(label, 1)
        labels: Pixels = self._values[label]
        return picture, labels


@source("ImageLabelmapData/rcf", origin="RCF", param=SEG, tops=2, transforms=True)
class GreyLabelmapData(ImageLabelmapData):
    """Pictures and grey label pictures as HED's, but labels are the grey values / 255: RCF's."""

    def values(self, param: ImageDataParameter) -> Pixels:
        return EXACT


@source("ImageLabelmapData/dss", origin="DSS", param=SEG, tops=2, transforms=True)
class PlainLabelmapData(ImageLabelmapData):
    """Pictures and grey label pictures as HED's, but without `normalize` labels are the grey values: DSS's."""

    fields = (*LIST, "normalize")

    def values(self, param: ImageDataParameter) -> Pixels:
        return ROUNDED if param.normalize else GREY
