"""A net that takes pictures, made of a deploy net or of one that trains, and what its data layer did to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, TransformationParameter
from solver_cli.data.absent import AbsentData
from solver_cli.errors import ConfigError, DataError
from solver_cli.export.deploy import deploy
from solver_cli.registry import lookup
from solver_cli.text import dialects
from solver_cli.text.netspec import LayerSpec, NetSpec, filter_layers, state
from solver_cli.tools import contents

Size = tuple[int, int]  # height, width
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Deployed:
    """A net whose only input is the blob `input` of `shape` [1, channels, height, width].

    `transform` is what the data layer did to pictures, empty for a deploy net; `before` the size that they had until it cut
    them, None where that is not known; `own_sizes`: each had its own, and its middle was cut out.
    """

    spec: NetSpec
    input: str
    shape: Shape
    transform: TransformationParameter
    before: Size | None = None
    own_sizes: bool = False


def deployed(spec: NetSpec, gray: bool | None, size: Size | None) -> Deployed:
    """The net in its state without its labels: data layers become one Input layer, losses over probabilities the layers that
    give these, and what needs labels goes.

    `gray` and `size` say what the settings, or data that are not there, leave open. Raises Error.
    """
    path = spec.file
    with log.silent():
        sources = [layer for layer in dialects.tell(spec, filter_layers(spec)) if _is_source(layer)]
    if not sources:
        raise ConfigError(f"{path}: the net has no data layer and no Input layer in the phase TEST")
    source, *others = sources
    if others:
        names = ", ".join(f"'{layer.param.name}'" for layer in others)
        left = f"'{source.param.name}' is given the pictures; {names} and what needs them are left out"
        log.warning("predict", f"{path}: {left}")
    found = _of_input(source, size) if source.param.type == "Input" else _of_data(source, gray, size)
    if len(found.shape) != 4 or found.shape[1] not in (1, 3):
        source.fail(f"gives blobs of shape {found.shape}: pictures are 1 x channels x height x width, of 1 channel or 3")
    with log.silent():
        made = deploy(spec, (found.shape,), source.param.top[0])
    return replace(found, spec=made.with_state(state("TEST")), input=source.param.top[0])


def _is_source(layer: LayerSpec) -> bool:
    return layer.param.type == "Input" or lookup(layer.kind or layer.param.type).source


def _of_input(layer: LayerSpec, size: Size | None) -> Deployed:
    shapes = layer.param.input_param.shape
    if len(layer.param.top) != 1 or len(shapes) != 1:
        layer.fail(f"has {len(layer.param.top)} inputs: one picture is all that can be given")
    shape = tuple(shapes[0].dim)
    if len(shape) == 4:
        shape = (1, shape[1], *(size or shape[2:]))
    return Deployed(NetSpec(NetParameter()), "", shape, TransformationParameter())


def _of_data(layer: LayerSpec, gray: bool | None, size: Size | None) -> Deployed:
    """What a data layer gives: by its data, else by its settings, else by what the user says."""
    param = LayerParameter()
    param.CopyFrom(layer.param)
    kind = lookup(layer.kind or param.type)
    transform = param.transform_param
    before: Size | None = None
    guessed = ""
    with log.silent():
        try:
            source = kind.build(param, False, np.random.default_rng(0))
            shape = (1, *source.shapes[0][1:])
            source.close()
            before = _recorded(param)
        except DataError as error:
            try:
                shape = (1, *AbsentData(param, error).shapes[0][1:])
            except DataError:
                fits = [(fit.height, fit.width) for fit in transform.resize_param if fit.height and fit.width]
                sides = size or next(iter(fits), None)
                if sides is None:
                    raise layer.locate(DataError(f"{error.message}; or say how large with --crop")) from None
                shape = (1, 3, *sides)
            shape = (1, 1 if gray else shape[1], *shape[2:])
            guessed = f"{error.message}: pictures of {' x '.join(map(str, shape[1:]))} are assumed (--crop, --gray)"
        except ConfigError as error:
            raise layer.locate(error) from None
    if guessed and not (size and gray is not None):
        log.warning("predict", guessed)
    files = param.image_data_param
    if files.new_height:
        before = (files.new_height, files.new_width)
    if size:
        shape = (*shape[:2], *size)
    if not kind.transforms:
        transform = TransformationParameter()
    own_sizes = param.HasField("image_data_param") and not files.new_height and transform.crop_size > 0
    return Deployed(NetSpec(NetParameter()), "", shape, transform, before, own_sizes)


def _recorded(param: LayerParameter) -> Size | None:
    """The size of the first picture of a database."""
    if not param.data_param.source:
        return None
    picture, _ = next(contents.pictures(param.data_param.source, 1))
    return picture.shape[1], picture.shape[2]
