"""A net that takes pictures, made of a deploy net or of one that trains: as its text is edited by hand for deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, TransformationParameter
from solver_cli.data.absent import AbsentData
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import lookup
from solver_cli.text import dialects
from solver_cli.text.netspec import LayerSpec, NetSpec, filter_layers
from solver_cli.text.prototxt import Place
from solver_cli.tools import contents

AS_PROBABILITIES = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}

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
        layers = dialects.tell(spec, filter_layers(spec))
    sources = [layer for layer in layers if _is_source(layer)]
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
    top = source.param.top[0]
    param = LayerParameter(name=source.param.name, type="Input", top=[top])
    param.input_param.shape.add(dim=found.shape)
    kept = list(_without_labels([replace(source, param=param), *(layer for layer in layers if not _is_source(layer))], path))
    net = NetParameter()
    net.CopyFrom(spec.param)
    del net.layer[:]
    net.layer.extend(layer.param for layer in kept)
    place = Place(spec.place.line, spec.place.column, {**spec.place.children, "layer": [layer.place for layer in kept]})
    spec = replace(spec, param=net, place=place)
    _check_dialect(spec, kept)
    return replace(found, spec=spec, input=top)


def _check_dialect(spec: NetSpec, kept: list[LayerSpec]) -> None:
    """Raise ConfigError where the layers that are left tell another Caffe's meaning of a type than the whole net did."""
    with log.silent():
        told = dialects.tell(spec, filter_layers(spec))
    for before, after in zip(kept, told, strict=True):
        if before.kind and before.kind != after.kind:
            before.fail(f"is {before.kind} in the whole net, but what is left does not tell: say --dialect", "type")


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


def _without_labels(layers: list[LayerSpec], path: str) -> Iterator[LayerSpec]:
    """The layers that can be made of the first one's top; losses over probabilities give the probabilities."""
    made: set[str] = set(layers[0].param.top)
    several = sum(layer.param.type in AS_PROBABILITIES for layer in layers) > 1
    yield layers[0]
    for layer in layers[1:]:
        param = layer.param
        if param.type in AS_PROBABILITIES and param.bottom and param.bottom[0] in made:
            plain = "prob" if not several and "prob" not in made else f"{param.bottom[0]}_prob"
            name = param.top[1] if len(param.top) > 1 else plain
            probabilities = LayerParameter(
                name=param.name, type=AS_PROBABILITIES[param.type], bottom=[param.bottom[0]], top=[name]
            )
            probabilities.softmax_param.CopyFrom(param.softmax_param)
            layer = replace(layer, param=probabilities, kind="")
        elif not set(param.bottom) <= made or lookup(layer.kind or param.type).loss:
            continue
        made.update(layer.param.top)
        yield layer
    if len(made) == len(layers[0].param.top):
        raise ConfigError(f"{path}: nothing in the net can be made of its input '{layers[0].param.top[0]}'")
