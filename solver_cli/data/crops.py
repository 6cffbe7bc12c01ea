"""Crops of pictures, mirrored or not, before they become floats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[Any]  # [channels, height, width], uint8 or float32
Rows = NDArray[np.int64]  # [N, (top, left, flip)]: where a picture is cut, whether it is mirrored


@dataclass(frozen=True)
class Encoded:
    """`count` pictures that are still to be decoded: `read` gives the one with a number. Raises DataError."""

    read: Callable[[int], Picture]
    count: int


def cut(pictures: Sequence[Picture] | Picture, rows: Rows, shape: tuple[int, ...]) -> NDArray[Any]:
    """Crops `shape` = [N, channels, height, width] of N pictures, as `rows` say; a view where that will do."""
    if (rows == rows[0]).all() and (isinstance(pictures, np.ndarray) or len(pictures) == 1):
        alike = pictures if isinstance(pictures, np.ndarray) else pictures[0][None]
        crops, flip = window(alike, rows[0], shape), bool(rows[0, 2])
        return planar(crops[0], flip)[None] if len(crops) == 1 else mirrored(crops) if flip else crops
    crops = np.empty(shape, kind(pictures))
    for crop, picture, row in zip(crops, pictures, rows, strict=True):
        crop[...] = window(picture, row, shape)
    flips = rows[:, 2] > 0
    crops[flips] = mirrored(crops[flips])
    return crops


def sent(
    pictures: Sequence[Picture] | Picture,
    rows: Rows,
    shape: tuple[int, ...],
    device: torch.device,
    run: Callable[..., Iterable[None]],
) -> Tensor:
    """Crops [N, *shape] of N pictures on `device`, none mirrored, in the memory format of the pictures; `run` maps."""
    crops = staging((len(pictures), *shape), kind(pictures), interleaved(pictures[0]), device)

    def put(crop: Picture, picture: Picture, row: list[int]) -> None:
        crop[...] = window(picture, row, shape)

    for _ in run(put, crops.numpy(), pictures, rows.tolist()):
        pass
    return crops.to(device, non_blocking=True)


def staging(shape: tuple[int, ...], number: np.dtype[Any], last: bool, device: torch.device) -> Tensor:
    """Room for crops `shape` = [N, channels, height, width] on their way to `device`, channels last if `last`."""
    form = torch.channels_last if last else torch.contiguous_format
    pinned = device.type == "cuda"  # so that the copy does not wait for what the device does
    return torch.empty(shape, dtype=torch.from_numpy(np.empty(0, number)).dtype, pin_memory=pinned, memory_format=form)


def window(pictures: Picture, row: Sequence[int] | NDArray[np.int64], shape: tuple[int, ...]) -> Picture:
    top, left, _ = row
    return pictures[..., top : top + shape[-2], left : left + shape[-1]]


def kind(pictures: Sequence[Picture] | Picture) -> np.dtype[Any]:
    """The type that holds the pixels of all pictures."""
    return pictures.dtype if isinstance(pictures, np.ndarray) else np.result_type(*{picture.dtype for picture in pictures})


def interleaved(pictures: Picture) -> bool:
    """Whether the channels of a pixel lie side by side, as OpenCV has them."""
    return pictures.shape[-3] > 1 and pictures.strides[-3] == pictures.itemsize < pictures.strides[-1]


def planar(crop: Picture, flip: bool) -> Picture:
    """A crop, mirrored if `flip`, whose channels lie one behind the other. OpenCV does it three times as fast as numpy."""
    crop = turned(crop, flip)
    if not interleaved(crop) or crop.dtype != np.uint8:
        return crop
    import cv2

    planes = np.empty(crop.shape, np.uint8)
    cv2.split(crop.transpose(1, 2, 0), list(planes))
    return planes


def turned(crop: Picture, flip: bool) -> Picture:
    """A crop, mirrored if `flip`, whose channels lie as they did."""
    if not flip or not interleaved(crop) or crop.dtype != np.uint8:
        return mirrored(crop) if flip else crop
    import cv2

    return cv2.flip(crop.transpose(1, 2, 0), 1).transpose(2, 0, 1)  # type: ignore[no-any-return]


def channels_last(array: Picture) -> Picture:
    """[..., channels, height, width] in memory as [..., height, width, channels]."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -3, -1)), -1, -3)


def mirrored(crops: NDArray[Any]) -> NDArray[Any]:
    """Each line from right to left. Bytes are turned eight at a time, twice as fast as numpy turns them one by one."""
    if crops.dtype != np.uint8:
        return crops[..., ::-1]
    width = crops.shape[-1]
    padded = np.empty((*crops.shape[:-1], -(-width // 8) * 8), np.uint8)
    padded[..., :width] = crops
    turned: NDArray[Any] = padded.view("<u8")[..., ::-1].astype(">u8").view(np.uint8)
    return turned[..., turned.shape[-1] - width :]
