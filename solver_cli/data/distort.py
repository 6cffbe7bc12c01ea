"""Colours changed at random: SSD's distort_param."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import DistortionParameter
from solver_cli.data.decode import opencv
from solver_cli.errors import ConfigError, DataError

FIELD = "transform_param.distort_param"
Pixels = NDArray[Any]  # [height, width] or [height, width, channels], as OpenCV has them
ORDERS = (("saturation", "hue", "contrast"), ("contrast", "saturation", "hue"))  # brightness goes before, order after


class Distort:
    """Brightness, contrast, saturation, hue and the order of the channels, each changed with its probability.

    All in whole bytes that stop at 0 and 255, hue (0 to 179) as well, as in SSD.
    """

    def __init__(self, param: DistortionParameter) -> None:
        self._cv2 = opencv()
        self._param = param
        for name in ("brightness", "hue"):
            if getattr(param, f"{name}_prob") > 0 and getattr(param, f"{name}_delta") < 0:
                raise ConfigError(f"{name}_delta must be 0 or more", field=f"{FIELD}.{name}_delta")
        for name in ("contrast", "saturation"):
            low, high = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
            if getattr(param, f"{name}_prob") > 0 and not 0 <= low <= high:
                raise ConfigError(
                    f"{name}_lower {low:g} and {name}_upper {high:g} are no range: expected 0 <= lower <= upper",
                    field=f"{FIELD}.{name}_{'upper' if low >= 0 else 'lower'}",
                )

    def __call__(self, pixels: Pixels, random: Generator) -> Pixels:
        """The picture changed. Raises DataError where what is drawn needs three channels and there are others."""
        for name in ("brightness", *ORDERS[int(random.random() > 0.5)], "order"):
            probability = self._param.random_order_prob if name == "order" else getattr(self._param, f"{name}_prob")
            if random.random() < probability:
                pixels = getattr(self, f"_{name}")(pixels, random)
        return pixels

    def _brightness(self, pixels: Pixels, random: Generator) -> Pixels:
        delta = self._param.brightness_delta
        return self._cv2.LUT(pixels, table(1, random.uniform(-delta, delta)))  # type: ignore[no-any-return]

    def _contrast(self, pixels: Pixels, random: Generator) -> Pixels:
        factor = random.uniform(self._param.contrast_lower, self._param.contrast_upper)
        if abs(np.float32(factor) - 1) <= 1e-3:
            return pixels
        return self._cv2.LUT(pixels, table(factor, 0))  # type: ignore[no-any-return]

    def _saturation(self, pixels: Pixels, random: Generator) -> Pixels:
        return self._in_hsv(pixels, 1, table(random.uniform(self._param.saturation_lower, self._param.saturation_upper), 0))

    def _hue(self, pixels: Pixels, random: Generator) -> Pixels:
        delta = random.uniform(-self._param.hue_delta, self._param.hue_delta)
        return self._in_hsv(pixels, 0, table(1, delta)) if delta else pixels

    def _order(self, pixels: Pixels, random: Generator) -> Pixels:
        check_colour(pixels)
        return np.ascontiguousarray(pixels[..., random.permutation(pixels.shape[-1])])

    def _in_hsv(self, pixels: Pixels, channel: int, changed: NDArray[np.uint8]) -> Pixels:
        """The picture with one of hue, saturation, value changed by a table."""
        check_colour(pixels)
        hsv = self._cv2.cvtColor(pixels, self._cv2.COLOR_BGR2HSV)
        hsv[..., channel] = changed[hsv[..., channel]]
        return self._cv2.cvtColor(hsv, self._cv2.COLOR_HSV2BGR)  # type: ignore[no-any-return]


def table(factor: float, shift: float) -> NDArray[np.uint8]:
    """What each byte becomes: factor * byte + shift, rounded (halves to even numbers) and kept within a byte."""
    bytes_ = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(shift)
    found: NDArray[np.uint8] = np.rint(bytes_).clip(0, 255).astype(np.uint8)
    return found


def check_colour(pixels: Pixels) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError("hue, saturation and order need pictures of 3 channels (force_color makes them so)", field=FIELD)
