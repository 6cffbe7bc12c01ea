"""Pictures and arrays on their way into a net: caffe.io.

Conversions between arrays and Caffe's messages, the Transformer, and reading, resizing and cropping of pictures.
Pictures are float32 arrays [height, width, channels], as in scikit-image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from solver_cli import caffe_pb2 as caffe_pb2
from solver_cli import files
from solver_cli.caffe_pb2 import BlobProto, BlobProtoVector, Datum
from solver_cli.data.decode import opencv
from solver_cli.pycaffe import elsewhere

Array = npt.NDArray[Any]

__getattr__ = elsewhere.names(__name__, skimage="skimage.io", resize="skimage.transform:resize", zoom="scipy.ndimage:zoom")

# -- messages <-> arrays --------------------------------------------------------------------------------------------------


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> Array:
    """The values of `blob`, or its gradients, in its shape (float64). Raises ValueError if the shape does not fit them."""
    numbers = (blob.diff or blob.double_diff) if return_diff else (blob.data or blob.double_data)
    legacy = ("num", "channels", "height", "width")
    old_style = any(blob.HasField(name) for name in legacy)
    shape = [getattr(blob, name) for name in legacy] if old_style else list(blob.shape.dim)
    return np.fromiter(numbers, np.float64, len(numbers)).reshape(shape)


def array_to_blobproto(arr: Array, diff: Array | None = None) -> BlobProto:
    """A BlobProto with the shape and values of `arr`, and the gradients `diff`, which must have as many elements."""
    blob = BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(float).flat)
    if diff is not None:
        if diff.size != arr.size:
            raise ValueError(f"diff has {diff.size} elements, the array {arr.size}: they must be the same")
        blob.diff.extend(diff.astype(float).flat)
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[Array]) -> bytes:
    """The bytes of a BlobProtoVector with one blob an array."""
    return BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist]).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[Array]:
    """The arrays in the bytes of a BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: Array, label: int | None = None) -> Datum:
    """A Datum of `arr` [channels, height, width]: bytes if it is uint8, floats if not. Raises ValueError."""
    if arr.ndim != 3:
        raise ValueError(f"Incorrect array shape: a datum holds [channels, height, width], this is {arr.shape}")
    datum = Datum(channels=arr.shape[0], height=arr.shape[1], width=arr.shape[2])
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).flat)
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Datum) -> Array:
    """The array [channels, height, width] in `datum`: uint8, or float64 from floats. Raises ValueError if it is encoded."""
    if datum.encoded:
        raise ValueError("the datum holds an encoded picture (JPEG, PNG): decode datum.data, e.g. with cv2.imdecode")
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        return np.frombuffer(datum.data, np.uint8).reshape(shape).copy()
    return np.fromiter(datum.float_data, np.float64, len(datum.float_data)).reshape(shape)


# -- preprocessing --------------------------------------------------------------------------------------------------------


class Transformer:
    """Turns pictures into what the inputs of a net take, and back.

    `inputs`: {input blob: its shape, (batch, channels, height, width)}. Each setting belongs to one input and is left out
    until it is set. A name that is no input, or a setting that does not fit the shape, raises ValueError.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]):
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Array] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: Array) -> Array:
        """The picture [height, width, channels] as float32 for input `in_`; `data` is left as it is.

        ((resized, transposed, its channels reordered) * raw_scale - mean) * input_scale
        """
        shape = self._shape(in_)
        values = np.array(data, np.float32)
        if values.shape[:2] != shape[2:]:
            values = resize_image(values, shape[2:])
        if in_ in self.transpose:
            values = values.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            values = values[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            values *= self.raw_scale[in_]
        if in_ in self.mean:
            values -= self.mean[in_]
        if in_ in self.input_scale:
            values *= self.input_scale[in_]
        return values

    def deprocess(self, in_: str, data: Array) -> Array:
        """The way back from input `in_`'s values to a picture; its size stays."""
        self._shape(in_)
        values = data.copy().squeeze()
        if in_ in self.transpose and values.ndim < len(self.transpose[in_]):
            values = values.reshape(data.shape[-len(self.transpose[in_]) :])  # axes of length 1 that are not the batch
        if in_ in self.input_scale:
            values /= self.input_scale[in_]
        if in_ in self.mean:
            values += self.mean[in_]
        if in_ in self.raw_scale:
            values /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            values = values[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            values = values.transpose([int(axis) for axis in np.argsort(self.transpose[in_])])
        return values

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The picture's axes in the input's order: (2, 0, 1) puts the channels of [height, width, channels] first."""
        wanted = len(self._shape(in_)) - 1
        if len(order) != wanted:
            raise ValueError(f"a transpose order for '{in_}' needs {wanted} axes, one less than the input; got {order}")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The channels' order, after the transpose: (2, 1, 0) makes BGR of RGB."""
        wanted = self._shape(in_)[1]
        if len(order) != wanted:
            raise ValueError(f"a channel swap for '{in_}' needs {wanted} channels, as the input has; got {order}")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """A factor before the mean is subtracted: 255 for nets that were trained on pixels from 0 to 255."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Array) -> None:
        """The mean to subtract: [channels], [height, width] or [channels, height, width], resized to the input's."""
        shape = self._shape(in_)
        if mean.ndim == 1:
            if len(mean) != shape[1]:
                raise ValueError(f"Mean channels incompatible with input: {len(mean)} and {shape[1]}")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise ValueError(f"Mean shape invalid: {mean.shape} has {mean.ndim} axes, not 1, 2 or 3")
        else:
            mean = mean.reshape((1, *mean.shape)[-3:])
            if mean.shape[1:] != shape[2:]:
                mean = resize_image(mean.transpose(1, 2, 0), shape[2:]).transpose(2, 0, 1)
            if mean.shape[0] not in (1, shape[1]):
                raise ValueError(f"Mean channels incompatible with input: {mean.shape[0]} and {shape[1]}")
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """A factor after everything else."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise ValueError(f"{in_} is not one of the net inputs: {list(self.inputs)}")
        return tuple(self.inputs[in_])


# -- pictures -------------------------------------------------------------------------------------------------------------

_GREY = (0.2125, 0.7154, 0.0721)  # scikit-image's weights of red, green and blue


def load_image(filename: str | os.PathLike[str] | IO[bytes], color: bool = True) -> Array:
    """The picture in a file: float32 in [0, 1], RGB [height, width, 3], or grey [height, width, 1] without `color`.

    `filename`: its name, or a file that is open for reading bytes.
    Grey pictures are repeated to three channels, transparency is dropped. Raises OSError if there is no picture in the
    file, ConfigError if OpenCV is not installed.
    """
    cv2 = opencv()
    content = files.read(filename) if isinstance(filename, str | os.PathLike) else filename.read()
    data = np.frombuffer(content, np.uint8)
    stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if stored is None:
        raise OSError(f"{filename} is not a picture that can be decoded")
    picture: Array = stored / (np.iinfo(stored.dtype).max if stored.dtype.kind == "u" else 1.0)
    if picture.ndim == 2:
        return np.repeat(picture[:, :, np.newaxis], 3 if color else 1, axis=2).astype(np.float32)
    picture = picture[:, :, 2::-1]  # blue, green, red, alpha -> red, green, blue
    return (picture if color else picture @ np.array(_GREY)[:, np.newaxis]).astype(np.float32)


def resize_image(im: Array, new_dims: Sequence[int], interp_order: int = 1) -> Array:
    """The picture [height, width, channels] in the size `new_dims` (height, width), as float32.

    `interp_order` 1 is bilinear, 0 the nearest pixel. Real pycaffe resizes in two ways, and so does this: with 1 or 3
    channels as scikit-image without smoothing (pixels are areas; what lies outside has the picture's least value), with
    another number as SciPy's zoom (pixels are points; the corners stay corners). Raises ValueError.
    """
    if im.ndim != 3:
        raise ValueError(f"a picture has the axes height, width, channels; got an array of shape {im.shape}")
    if interp_order not in (0, 1):
        raise ValueError(f"interp_order {interp_order} is not supported: 0 (nearest) and 1 (bilinear) are")
    values = im.astype(np.float64)
    least = values.min()
    areas = im.shape[-1] in (1, 3)
    if areas:
        values -= least
    for axis, size in enumerate(new_dims):
        values = _resize_axis(values, axis, int(size), interp_order, areas)
    return (values + least if areas else values).astype(np.float32)


def _resize_axis(values: Array, axis: int, size: int, order: int, areas: bool) -> Array:
    """One axis in a new size, interpolated between pixels that are areas (zeros around them) or points."""
    old = values.shape[axis]
    step = old / size if areas else (old - 1) / max(size - 1, 1)
    at = np.arange(size) * step + (step / 2 - 0.5 if areas else 0)
    if order == 0:
        nearest: Array = values.take(np.clip(np.floor(at + 0.5).astype(int), 0, old - 1), axis)
        return nearest
    low = np.floor(at).astype(int)
    wide = (size, *[1] * (values.ndim - axis - 1))
    result: Array = np.zeros(1)
    for pixel, weight in ((low, 1 - (at - low)), (low + 1, at - low)):
        weight = np.where((pixel >= 0) & (pixel < old), weight, 0).reshape(wide)
        result = result + weight * values.take(np.clip(pixel, 0, old - 1), axis)
    return result


def oversample(images: Sequence[Array] | Array, crop_dims: Sequence[int] | Array) -> Array:
    """Ten crops of each picture, float32 [10 * pictures, height, width, channels].

    The corners (top left, top right, bottom left, bottom right), the middle, then the five mirrored. All pictures have
    the first one's size.
    """
    height, width, channels = np.shape(images[0])
    rows, columns = (int(size) for size in crop_dims)
    if rows > height or columns > width:
        raise ValueError(f"a crop of {rows} x {columns} does not fit into a picture of {height} x {width}")
    bottom, right = height - rows, width - columns
    middle = (int(height / 2 - rows / 2), int(width / 2 - columns / 2))
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), middle]
    crops = np.empty((len(images), 2, 5, rows, columns, channels), np.float32)
    for of_picture, picture in zip(crops, images, strict=True):
        for index, (top, left) in enumerate(corners):
            of_picture[0, index] = picture[top : top + rows, left : left + columns]
        of_picture[1] = of_picture[0, :, :, ::-1]
    return crops.reshape(-1, rows, columns, channels)
