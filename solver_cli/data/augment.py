"""What SSD does to a picture and the boxes in it before the mean is subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from solver_cli.caffe_pb2 import BatchSampler, TransformationParameter
from solver_cli.data import sampler
from solver_cli.data.boxes import WHOLE, Boxes, Objects, flipped
from solver_cli.data.crops import Picture
from solver_cli.data.decode import MAX_PIXELS, decode, opencv, planes
from solver_cli.data.distort import Distort, Pixels
from solver_cli.data.fit import Fit
from solver_cli.data.noise import Noise
from solver_cli.data.source import check_fields, log
from solver_cli.errors import ConfigError, DataError

FIELDS = (
    *("scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray", "crop_h", "crop_w"),
    *("resize_param", "noise_param", "distort_param", "expand_param", "emit_constraint"),
)
RAW_GROUND = 32  # around an expanded picture that is not encoded
TOGETHER = 10  # batches of one size
ALIKE = 1e-2  # a ratio so near 1 expands nothing


class Augment:
    """Distorted, expanded, a part of it sampled; then resized, given noise, cropped, mirrored. The boxes go along.

    Only the place of the crop hangs on the phase: at random in training, else the centre. Whatever distorts, expands or
    samples an encoded picture stores it as JPEG, as in SSD. Only encoded pictures are distorted and get noise.
    MobileNet-YOLO's: of several resize_params one is drawn by their `prob`s for each `TOGETHER` batches, and where there are
    no samplers, `jitter` cuts off up to so much of each side.
    """

    def __init__(
        self,
        param: TransformationParameter,
        samplers: Sequence[BatchSampler],
        training: bool,
        force: bool | None,
        field: str,
        jitter: float = 0,
    ) -> None:
        check_fields(param, "transform_param", FIELDS)
        self._cv2 = opencv()
        self._param, self._samplers, self._force, self._field = param, samplers, force, field
        sampler.check(samplers)
        if len(param.noise_param) > 1:
            raise ConfigError("noise_param is given more than once", field="transform_param.noise_param[1]")
        self.fits = [Fit(each, len(param.resize_param) > 1) for each in param.resize_param]
        self._probs = np.array([each.prob for each in param.resize_param], np.float64)
        if len(self.fits) > 1 and not ((self._probs >= 0).all() and abs(self._probs.sum() - 1) < 1e-6 * len(self.fits)):
            text = f"the prob of {len(self.fits)} resize_params must add up to 1, not {self._probs.sum():g}"
            raise ConfigError(text, field="transform_param.resize_param[0].prob")
        if not 0 <= jitter < 1:
            field = "annotated_data_param.yolo_data_jitter"
            raise ConfigError(f"yolo_data_jitter must be from 0 to below 1, not {jitter:g}", field=field)
        self._jitter = 0 if samplers else jitter
        self._noise = Noise(param.noise_param[0], force is False) if param.noise_param else None
        self._distort = Distort(param.distort_param) if param.HasField("distort_param") else None
        self._expands = param.HasField("expand_param")
        if self._expands:
            self._check_expansion()
        self._emit = param.emit_constraint if param.HasField("emit_constraint") else None
        self._crop = (param.crop_size, param.crop_size) if param.crop_size else (param.crop_h, param.crop_w)
        self._training = training

    def _check_expansion(self) -> None:
        if not self._param.expand_param.max_expand_ratio > 1:
            found = f"{self._param.expand_param.max_expand_ratio:g}"
            text = f"max_expand_ratio must be above 1, not {found}"
            raise ConfigError(text, field="transform_param.expand_param.max_expand_ratio")
        if self._param.HasField("mean_file"):
            text = "expand_param fills with mean_value: a mean_file has not the size of all expanded pictures"
            raise ConfigError(text, field="transform_param.mean_file")

    def warn_raw(self) -> None:
        """Say what is not done to pictures that are not encoded."""
        if self._distort or self._noise:
            log.error("distort_param and noise_param only for encoded datum")

    def shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that a picture of `shape` comes out with, unless samplers change it. Raises DataError."""
        channels, height, width = shape
        if self.fits:
            height, width = self.fits[0].size(height, width)
        return (channels, *self._cropped(height, width, name))

    def chosen(self, seed: int, batch: int) -> Fit | None:
        """How the pictures of a batch are resized, the same for as many batches as stay together."""
        if len(self.fits) < 2:
            return self.fits[0] if self.fits else None
        random = np.random.default_rng((seed, batch // TOGETHER, 2))
        return self.fits[int(random.choice(len(self.fits), p=self._probs / self._probs.sum()))]

    def _cropped(self, height: int, width: int, name: str) -> tuple[int, int]:
        tall, wide = self._crop
        if tall > height or wide > width:
            field = "crop_size" if self._param.crop_size else "crop_h" if tall > height else "crop_w"
            raise DataError(
                f"a crop of {tall or height} x {wide or width} is larger than {name}, which is {height} x {width}",
                field=f"transform_param.{field}",
            )
        return tall or height, wide or width

    def __call__(
        self, picture: Picture, encoded: bool, objects: Objects, fit: Fit | None, random: Generator, name: str
    ) -> tuple[Picture, Objects]:
        """The picture [channels, height, width], resized as `fit` says, and what is left of its objects: DataError."""
        pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
        try:
            if self._distort and encoded:
                pixels = self._stored(self._distort(np.ascontiguousarray(pixels), random), name)
            if self._expands and random.random() < self._param.expand_param.prob:
                pixels, objects = self._expanded(pixels, encoded, objects, random, name)
            if self._samplers or self._jitter:
                parts = self._parts(objects, fit, random)
                pixels, objects = self._sampled(pixels, encoded, objects, parts, random, name)
            height, width = pixels.shape[:2]
            if fit:
                pixels = fit.picture(np.ascontiguousarray(pixels), random)
            if self._noise and encoded:
                pixels = self._noise(np.ascontiguousarray(pixels), random)
            pixels, part, mirror = self._part(pixels, random, name)
            return planes(pixels), self._along(objects, fit, part, mirror, height, width)
        except self._cv2.error:
            text = f"{name} of {len(picture)} channels cannot be treated as transform_param says"
            raise DataError(text, field=self._field) from None

    def _stored(self, pixels: Pixels, name: str) -> Pixels:
        """The picture that has been through a JPEG file."""
        file = self._cv2.imencode(".jpg", pixels)[1]
        picture = decode(file.tobytes(), name, self._force, self._field)
        return picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)

    def _expanded(
        self, pixels: Pixels, encoded: bool, objects: Objects, random: Generator, name: str
    ) -> tuple[Pixels, Objects]:
        """The picture somewhere on a larger ground."""
        most = self._param.expand_param.max_expand_ratio
        if abs(most - 1) < ALIKE:
            return pixels, objects
        height, width = pixels.shape[:2]
        ratio = np.float32(random.uniform(1, most))
        if float(ratio) ** 2 * height * width > MAX_PIXELS:
            text = f"{name} would become more than {MAX_PIXELS} pixels"
            raise DataError(text, field="transform_param.expand_param.max_expand_ratio")
        tall, wide = int(np.float32(height) * ratio), int(np.float32(width) * ratio)
        top, left = int(random.uniform(0, tall - height)), int(random.uniform(0, wide - width))
        ground = np.empty((tall, wide, *pixels.shape[2:]), pixels.dtype)
        means = np.rint(np.array(self._param.mean_value or [0], np.float64)).clip(0, 255)
        ground[...] = means if encoded else RAW_GROUND
        ground[top : top + height, left : left + width] = pixels
        sides = np.array([width, height] * 2, np.float32)
        around = np.array([-left, -top, wide - left, tall - top], np.float32) / sides
        return self._stored(ground, name) if encoded else ground, objects.within(around, self._emit)

    def _parts(self, objects: Objects, fit: Fit | None, random: Generator) -> Boxes:
        """The parts [n, 4] of the picture of which one is to be taken."""
        if self._samplers:
            return sampler.samples(self._samplers, objects, random)
        return sampler.jittered(self._jitter, fit is not None and fit.pads, random)

    def _sampled(
        self, pixels: Pixels, encoded: bool, objects: Objects, parts: Boxes, random: Generator, name: str
    ) -> tuple[Pixels, Objects]:
        """One of the parts; the whole picture if there are none."""
        if not len(parts):
            return pixels, objects
        part = parts[random.integers(len(parts))].clip(0, 1)
        height, width = pixels.shape[:2]
        scaled = part * np.array([width, height] * 2, np.float32)
        left, top = scaled[:2].astype(int)
        wide, tall = (scaled[2:] - scaled[:2]).astype(int).clip(min=1)
        pixels = np.ascontiguousarray(pixels[top : top + tall, left : left + wide])
        return self._stored(pixels, name) if encoded else pixels, objects.within(part, self._emit)

    def _part(self, pixels: Pixels, random: Generator, name: str) -> tuple[Pixels, Boxes, bool]:
        """The last crop, mirrored or not; where it lies, and whether it is mirrored."""
        height, width = pixels.shape[:2]
        tall, wide = self._cropped(height, width, name)
        top = left = 0
        if all(self._crop) and self._training:
            top, left = int(random.integers(height - tall + 1)), int(random.integers(width - wide + 1))
        elif all(self._crop):
            top, left = (height - tall) // 2, (width - wide) // 2
        mirror = self._param.mirror and bool(random.integers(2))
        pixels = pixels[top : top + tall, left : left + wide]
        if (tall, wide) == (height, width):
            part = WHOLE
        else:
            sides = np.array([width, height] * 2, np.float32)
            part = np.array([left, top, left + wide, top + tall], np.float32) / sides
        return self._cv2.flip(pixels, 1) if mirror else pixels, part, mirror

    def _along(self, objects: Objects, fit: Fit | None, part: Boxes, mirror: bool, height: int, width: int) -> Objects:
        """What of the objects is in `part` of what the picture, of height and width before, has become."""
        if fit:
            objects = replace(objects, boxes=fit.boxes(objects.boxes, height, width))
        objects = objects.within(part, self._emit)
        boxes = flipped(objects.boxes) if mirror else objects.boxes
        return replace(objects, boxes=fit.scaled(boxes, part, height, width) if fit else boxes)
