"""Pictures and boxes brought to a size: SSD's resize_param."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from solver_cli.caffe_pb2 import ResizeParameter
from solver_cli.data.boxes import Boxes
from solver_cli.data.decode import MAX_PIXELS, opencv
from solver_cli.data.distort import Pixels
from solver_cli.data.source import log
from solver_cli.errors import ConfigError, DataError

FIELD = "transform_param.resize_param"


class Fit:
    """WARP: both sides to height and width. FIT_SMALL_SIZE: the shape stays, and the shorter side fits.
    FIT_LARGE_SIZE_AND_PAD: the shape stays, the longer side fits, and what is left is filled on both sides.

    Of several `interp_mode`s each picture draws one. `one_of_several`: whether its `prob` has had its say.
    """

    def __init__(self, param: ResizeParameter, one_of_several: bool = False) -> None:
        cv2 = self._cv2 = opencv()
        self._param = param
        if not param.height or not param.width:
            field = "width" if param.height else "height"
            raise ConfigError(f"{field} must be 1 or more: both sides are needed", field=f"{FIELD}.{field}")
        if param.height * param.width > MAX_PIXELS:
            raise ConfigError(f"height times width must not be more than {MAX_PIXELS} pixels", field=f"{FIELD}.height")
        if param.prob != 1 and not one_of_several:
            log.warning("%s.prob has no effect, as in SSD: every picture is resized", FIELD)
        self._height, self._width = np.float32(param.height), np.float32(param.width)
        modes = {
            ResizeParameter.LINEAR: cv2.INTER_LINEAR,
            ResizeParameter.AREA: cv2.INTER_AREA,
            ResizeParameter.NEAREST: cv2.INTER_NEAREST,
            ResizeParameter.CUBIC: cv2.INTER_CUBIC,
            ResizeParameter.LANCZOS4: cv2.INTER_LANCZOS4,
        }
        self._modes = [modes[mode] for mode in param.interp_mode] or [cv2.INTER_LINEAR]
        self._border = {
            ResizeParameter.CONSTANT: cv2.BORDER_CONSTANT,
            ResizeParameter.MIRRORED: cv2.BORDER_REFLECT_101,
            ResizeParameter.REPEAT_NEAREST: cv2.BORDER_REPLICATE,
        }[param.pad_mode]

    @property
    def varies(self) -> bool:
        """Whether the size hangs on the picture."""
        return self._param.resize_mode == ResizeParameter.FIT_SMALL_SIZE

    @property
    def pads(self) -> bool:
        """Whether the picture keeps its shape and gets borders."""
        return self._param.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size of what becomes of a picture."""
        if not self.varies:
            return self._param.height, self._param.width
        tall, wide = self._free(height, width)
        return int(tall), int(wide)

    def _free(self, height: int, width: int) -> tuple[np.float32, np.float32]:
        """Height and width, not rounded, in the shape of the picture: one side fits, the other follows."""
        aspect, tall, wide = np.float32(width) / np.float32(height), self._height, self._width
        by_width = aspect < wide / tall if self.varies else aspect > wide / tall
        return (wide / aspect, wide) if by_width else (tall, aspect * tall)

    def picture(self, pixels: Pixels, random: Generator) -> Pixels:
        """The picture at its new size. Raises DataError."""
        mode = self._modes[random.integers(len(self._modes))] if len(self._modes) > 1 else self._modes[0]
        height, width = pixels.shape[:2]
        inner = self._inner(height, width)
        if min(inner) < 1 or inner[0] * inner[1] > MAX_PIXELS:
            raise DataError(f"a picture of {height} x {width} would become {inner[0]} x {inner[1]}", field=FIELD)
        found: Pixels = self._cv2.resize(pixels, inner[::-1], interpolation=mode)
        if self._param.resize_mode != ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
            return found
        left, top = (self._param.width - inner[1]) // 2, (self._param.height - inner[0]) // 2
        right, bottom = self._param.width - inner[1] - left, self._param.height - inner[0] - top
        ground = self._ground(1 if found.ndim == 2 else found.shape[2])
        return self._cv2.copyMakeBorder(found, top, bottom, left, right, self._border, value=ground)  # type: ignore[no-any-return]

    def _inner(self, height: int, width: int) -> tuple[int, int]:
        """The size to which the pixels are brought."""
        if self._param.resize_mode == ResizeParameter.WARP:
            return self._param.height, self._param.width
        tall, wide = self._free(height, width)
        return int(tall), int(wide)

    def _ground(self, channels: int) -> list[float]:
        values = list(self._param.pad_value) or [0.0]
        if len(values) not in (1, channels):
            raise DataError(
                f"{len(values)} pad values for pictures of {channels} channels: give one, or one for each channel",
                field=f"{FIELD}.pad_value",
            )
        return values if len(values) == channels else values * channels

    def boxes(self, boxes: Boxes, height: int, width: int) -> Boxes:
        """Boxes of a picture of this size over the sides of what becomes of it."""
        old: Boxes = np.array([width, height], np.float32)
        new: Boxes = np.array([self._width, self._height], np.float32)
        padding: Boxes = np.zeros(2, np.float32)
        if self._param.resize_mode != ResizeParameter.WARP:
            free: Boxes = np.array(self._free(height, width)[::-1], np.float32)
            if self.varies:
                new = free
            else:
                padding = (new - free) / np.float32(2)
        inner = new - 2 * padding
        low = padding + np.maximum(0, boxes[:, :2] * old * inner / old)
        high = padding + np.minimum(new, boxes[:, 2:] * old * inner / old)
        return np.concatenate([low / new, high / new], 1)

    def scaled(self, boxes: Boxes, part: Boxes, height: int, width: int) -> Boxes:
        """Boxes over width_scale and height_scale instead of the sides of `part`, for FIT_SMALL_SIZE. Raises DataError."""
        scales: Boxes = np.array([self._param.width_scale, self._param.height_scale], np.float32)
        if not self.varies or not scales.all():
            return boxes
        sides: Boxes = np.array(self._free(height, width)[::-1], np.float32)
        sides = np.multiply(sides, part[2:] - part[:2])
        if (sides < scales).any():
            raise DataError(
                f"width_scale {scales[0]:g} and height_scale {scales[1]:g} must not be more than the sides of the picture, "
                f"{sides[0]:g} and {sides[1]:g}",
                field=f"{FIELD}.{'width' if sides[0] < scales[0] else 'height'}_scale",
            )
        found: Boxes = (boxes * np.tile(sides, 2) / np.tile(scales, 2)).astype(np.float32)
        return found
