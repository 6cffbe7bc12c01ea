"""Effects on a whole picture: SSD's noise_param."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from solver_cli.caffe_pb2 import NoiseParameter
from solver_cli.data.decode import opencv
from solver_cli.data.distort import Pixels
from solver_cli.data.source import log
from solver_cli.errors import ConfigError, DataError

FIELD = "transform_param.noise_param"
LEVELS = 64  # grey levels that posterize makes one
CLIP = 4.0  # of clahe


class Noise:
    """The effects that are switched on, one after the other, on every picture: SSD never looks at `prob`."""

    def __init__(self, param: NoiseParameter, grey: bool) -> None:
        self._cv2 = opencv()
        self._param = param
        if param.HasField("prob"):
            log.warning("%s.prob has no effect, as in SSD: every picture gets the noise", FIELD)
        if param.convert_to_lab:
            text = "convert_to_lab is not supported: SSD takes the bytes of its floats for pixels"
            raise ConfigError(text, field=f"{FIELD}.convert_to_lab")
        if param.jpeg > 0 and grey:
            raise ConfigError("jpeg makes colour pictures: it does not go with force_gray", field=f"{FIELD}.jpeg")
        if param.saltpepper and not param.saltpepper_param.value:
            raise ConfigError("saltpepper needs values", field=f"{FIELD}.saltpepper")
        if not 0 <= param.saltpepper_param.fraction <= 1:
            raise ConfigError("fraction must lie within 0 and 1", field=f"{FIELD}.saltpepper_param.fraction")

    def __call__(self, pixels: Pixels, random: Generator) -> Pixels:
        cv2, param = self._cv2, self._param
        if param.decolorize:
            pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        if param.gauss_blur:
            pixels = cv2.GaussianBlur(pixels, (7, 7), 1.5)
        if param.hist_eq:
            pixels = self._lightness(pixels, cv2.equalizeHist)
        if param.clahe:
            pixels = self._lightness(pixels, cv2.createCLAHE(CLIP).apply)
        if param.jpeg > 0:
            file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(param.jpeg)])[1]
            pixels = cv2.imdecode(file, cv2.IMREAD_COLOR)
        if param.erode:
            pixels = cv2.erode(pixels, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3), (1, 1)))
        if param.posterize:
            pixels = pixels // LEVELS * LEVELS + LEVELS // 2
        if param.inverse:
            pixels = 255 - pixels
        if param.saltpepper:
            pixels = self._saltpepper(pixels, random)
        if param.convert_to_hsv:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
        return pixels

    def _lightness(self, pixels: Pixels, change: object) -> Pixels:
        """The picture with its lightness, or its grey, changed."""
        cv2 = self._cv2
        assert callable(change)
        if pixels.ndim == 2 or pixels.shape[2] == 1:
            return change(pixels)  # type: ignore[no-any-return]
        light = cv2.cvtColor(pixels, cv2.COLOR_BGR2YCrCb)
        light[..., 0] = change(np.ascontiguousarray(light[..., 0]))
        return cv2.cvtColor(light, cv2.COLOR_YCrCb2BGR)  # type: ignore[no-any-return]

    def _saltpepper(self, pixels: Pixels, random: Generator) -> Pixels:
        """Pixels at random places, as many as `fraction` says, some more than once, set to the values."""
        height, width = pixels.shape[:2]
        values = np.array(self._param.saltpepper_param.value).astype(np.int64).astype(np.uint8)
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        if len(values) not in (1, channels):
            raise DataError(
                f"{len(values)} values for pictures of {channels} channels: give one, or one for each channel",
                field=f"{FIELD}.saltpepper_param.value",
            )
        count = int(np.float32(self._param.saltpepper_param.fraction) * np.float32(width) * np.float32(height))
        spotted = pixels.copy()
        rows, columns = random.integers(height, size=count), random.integers(width, size=count)
        spotted[rows, columns] = values if pixels.ndim == 3 else values[0]
        return spotted
