"""Pictures made smaller or larger before they are cut: NVCaffe's part of transform_param, and the choice among forks'."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import TransformationParameter
from solver_cli.data.decode import MAX_PIXELS, opencv
from solver_cli.data.random_sizes import FixedCrop, RandomAspectRatio, RandomResize
from solver_cli.data.source import by, log
from solver_cli.errors import ConfigError, DataError

SIZES = ("img_rand_resize", "rand_resize_ratio", "vertical_stretch", "horizontal_stretch")
RANGES = tuple(f"{name}_{end}" for name in SIZES for end in ("lower", "upper"))
MANNERS = ("interpolation_algo_down", "interpolation_algo_up", "allow_upscale")
WAYS: dict[str, Any] = {
    **{"random_resize_param": RandomResize, "random_aspect_ratio_param": RandomAspectRatio},  # Intel's
    **dict.fromkeys(("multi_scale", "fix_crop"), FixedCrop),  # yjxiong's
}
WITH = ("more_fix_crop", "scale_ratios", "max_distort")
FIELDS = (*RANGES, *MANNERS, *WAYS, *WITH)
WORDS = 5  # random words that a picture takes
MIDDLE = np.zeros(WORDS, np.uint64)  # for pictures of which only the size after a crop matters


class Resizing(Protocol):
    """What brings pictures to another size. `floats`: whether it wants raw bytes as floats."""

    floats: bool

    def size(self, height: int, width: int, words: NDArray[np.uint64]) -> tuple[int, int]:
        """Height and width of a picture when `words` are drawn, or the smallest that it may get. Raises DataError."""
        ...

    def __call__(self, picture: NDArray[Any], words: NDArray[np.uint64]) -> NDArray[Any]:
        """The picture [channels, height, width] at its new size. Raises DataError."""
        ...


class Resize:
    """The shorter side set to a length, the longer one to a ratio of it, both stretched; then at least crop_size.

    Each number is drawn from its range, in training and in testing. Without allow_upscale no side becomes longer than it
    was. Pixels of bytes stay bytes.
    """

    floats = True  # raw bytes become floats first

    def __init__(self, param: TransformationParameter) -> None:
        self._cv2, self._most = opencv(), MAX_PIXELS
        self._param = param
        self._short = bounds(param, "img_rand_resize", lower_above=0, upper_above=0)
        self._ratio = bounds(param, "rand_resize_ratio", lower_above=np.nextafter(1, 0), upper_above=1)
        self._stretch = [bounds(param, f"{way}_stretch", lower_above=0, upper_above=0) for way in ("vertical", "horizontal")]
        if self._short and self._short[0] > self._short[1]:
            raise ConfigError(
                f"img_rand_resize_upper {param.img_rand_resize_upper} is below img_rand_resize_lower",
                field="transform_param.img_rand_resize_upper",
            )
        for name, pair in zip(SIZES, (self._short, self._ratio, *self._stretch), strict=True):
            if pair and not param.crop_size and (pair[0] != pair[1] or pair is self._ratio):
                field = f"{name}_{'lower' if param.HasField(f'{name}_lower') else 'upper'}"
                text = "a resize at random needs a crop_size: the pictures of a batch have one size"
                raise ConfigError(text, field=f"transform_param.{field}")

    def size(self, height: int, width: int, words: NDArray[np.uint64]) -> tuple[int, int]:
        """Height and width that a picture gets when `words` are drawn. Raises DataError."""
        short = min(height, width)
        if self._short:
            low, high = map(int, self._short)
            scale = np.float32(low + int(words[0]) % (high - low + 1)) / np.float32(short)
        else:
            scale = np.float32(1)
        sides = [scale * np.float32(height), scale * np.float32(width)]
        if self._ratio:
            longer = int(sides[1] > sides[0] or (sides[1] == sides[0] and int(words[1]) % 2 > 0))
            sides[longer] = sides[1 - longer] * uniform(words[2], self._ratio)
        for i, stretch in enumerate(self._stretch):
            if stretch:
                sides[i] *= uniform(words[3 + i], stretch)
        if not all(side < self._most for side in sides):
            self._refuse((height, width), tuple(map(float, sides)))
        rounded = [max(self._param.crop_size, 1, int(np.floor(np.float64(side) + 0.5))) for side in sides]
        return self._allowed(rounded[0], height), self._allowed(rounded[1], width)

    def _allowed(self, side: int, before: int) -> int:
        return side if self._param.allow_upscale else min(side, before)

    def _refuse(self, before: tuple[int, ...], after: tuple[float, ...]) -> NoReturn:
        height, width = (f"{side:g}" for side in after)
        text = f"a picture of {by(before)} would become {height} x {width}, more than {self._most} pixels"
        raise DataError(text, field="transform_param")

    def __call__(self, picture: NDArray[Any], words: NDArray[np.uint64]) -> NDArray[Any]:
        """The picture [channels, height, width] at its new size. Raises DataError."""
        before, after = picture.shape[1:], self.size(picture.shape[1], picture.shape[2], words)
        if before == after:
            return picture
        if after[0] * after[1] > self._most:
            self._refuse(before, after)
        down = after[0] <= before[0] and after[1] <= before[1]
        how = self._param.interpolation_algo_down if down else self._param.interpolation_algo_up
        pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
        try:
            resized = self._cv2.resize(pixels, after[::-1], interpolation=how)  # 0 to 3 are OpenCV's own numbers
        except self._cv2.error:
            raise DataError(f"OpenCV cannot resize {len(picture)} channels this way", field="transform_param") from None
        return resized.reshape(*after, -1).transpose(2, 0, 1)  # type: ignore[no-any-return]


def of(param: TransformationParameter, training: bool) -> Resizing | None:
    """The resize that transform_param asks for, if it does."""
    asked = [name for name in WAYS if getattr(param, name) and param.HasField(name)]  # type: ignore[arg-type]
    if len({WAYS[name] for name in asked}) > 1:
        raise ConfigError(f"{asked[0]} and {asked[-1]} exclude each other", field=f"transform_param.{asked[-1]}")
    if asked:
        if other := next((field for field in RANGES if param.HasField(field)), ""):  # type: ignore[arg-type]
            raise ConfigError(f"{asked[0]} and {other} exclude each other", field=f"transform_param.{other}")
        kind = WAYS[asked[0]]
        return FixedCrop(param, training) if kind is FixedCrop else kind(param)  # type: ignore[call-arg,no-any-return]
    for field in WITH:
        if len(param.scale_ratios) if field == "scale_ratios" else param.HasField(field):  # type: ignore[arg-type]
            log.warning("transform_param.%s has no effect: neither multi_scale nor fix_crop is set", field)
    if any(param.HasField(field) for field in RANGES):  # type: ignore[arg-type]
        return Resize(param)
    for field in MANNERS:
        if param.HasField(field):  # type: ignore[arg-type]
            log.warning("transform_param.%s has no effect: nothing is resized", field)
    return None


def bounds(param: TransformationParameter, name: str, lower_above: float, upper_above: float) -> tuple[float, float] | None:
    """The range `name`, or None, with a line in the log if it is set, where NVCaffe takes no account of it."""
    lower, upper = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
    if lower > lower_above and upper > upper_above:
        return lower, upper
    if param.HasField(f"{name}_lower") or param.HasField(f"{name}_upper"):  # type: ignore[arg-type]
        log.warning("transform_param.%s_lower %g and %s_upper %g have no effect, as in NVCaffe", name, lower, name, upper)
    return None


def uniform(word: np.uint64, pair: tuple[float, float]) -> np.float32:
    """A number between the two, whichever is the lower."""
    low, high = sorted(pair)
    return np.float32(low + (high - low) * (int(word) / 2**64))
