"""The names that torchvision's models have for the layers of published Caffe nets, where both are the same net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from solver_cli.errors import ConfigError, Where, nearest
from solver_cli.export.reading import statistics
from solver_cli.net.net import Net
from solver_cli.net.plan import Node

SHOWN = 5


@dataclass(frozen=True)
class Part:
    """A module of torchvision's with weights, and the Caffe layer that it is; a normalisation has no `shape`."""

    layer: str
    module: str
    shape: tuple[int, ...] = ()
    stride: int = 1
    pad: int = 0


def _alexnet() -> Iterator[Part]:
    """The one of "One weird trick": fewer channels than the net of 2012, and no groups."""
    convolutions = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
    for i, ((inputs, outputs, side, stride, pad), place) in enumerate(zip(convolutions, (0, 3, 6, 8, 10), strict=True), 1):
        yield Part(f"conv{i}", f"features.{place}", (outputs, inputs, side, side), stride, pad)
    for i, (inputs, outputs) in enumerate(((9216, 4096), (4096, 4096), (4096, 1000))):
        yield Part(f"fc{i + 6}", f"classifier.{(1, 4, 6)[i]}", (outputs, inputs))


def _vgg16() -> Iterator[Part]:
    place, inputs = 0, 3
    for stage, (layers, outputs) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for i in range(layers):
            yield Part(f"conv{stage}_{i + 1}", f"features.{place}", (outputs, inputs, 3, 3), pad=1)
            place, inputs = place + 2, outputs  # a ReLU stands between
        place += 1  # a pooling
    for i, (inputs, outputs) in enumerate(((25088, 4096), (4096, 4096), (4096, 1000))):
        yield Part(f"fc{i + 6}", f"classifier.{3 * i}", (outputs, inputs))


def _resnet50() -> Iterator[Part]:
    """The layers are called as in Kaiming He's files; the stride stands at the 3 x 3 convolution, his at the first."""
    yield Part("conv1", "conv1", (64, 3, 7, 7), 2, 3)
    yield from _normalised("_conv1", "bn1")
    inputs = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(blocks):
            here, there = f"{stage + 1}{'abcdef'[block]}_branch", f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            if block == 0:
                yield Part(f"res{here}1", f"{there}.downsample.0", (4 * width, inputs, 1, 1), stride)
                yield from _normalised(f"{here}1", f"{there}.downsample.1")
            sizes = ((width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))
            for i, shape in enumerate(sizes):
                middle = shape[2] == 3
                yield Part(f"res{here}2{'abc'[i]}", f"{there}.conv{i + 1}", shape, stride if middle else 1, int(middle))
                yield from _normalised(f"{here}2{'abc'[i]}", f"{there}.bn{i + 1}")
            inputs = 4 * width
    yield Part("fc1000", "fc", (1000, 2048))


def _normalised(layer: str, module: str) -> Iterator[Part]:
    yield Part(f"bn{layer}", module)
    yield Part(f"scale{layer}", module)


MODELS = {"alexnet": _alexnet, "vgg16": _vgg16, "resnet50": _resnet50}
OTHERS = {"googlenet": "it normalises behind every convolution, the Caffe net has LRN instead"}
EPS = 1e-5  # of torch's normalisations


def to_torchvision(net: Net, model: str) -> dict[str, Tensor]:
    """The net's weights under torchvision's names for `model`. Raises ConfigError where the two are not one net."""
    state: dict[str, Tensor] = {}
    for node, part in _pairs(net, model):
        blobs = [blob.detach().cpu() for blob in node.blobs()]
        if node.kind.name == "BatchNorm":
            mean, variance = statistics(node)
            state |= {f"{part.module}.running_mean": mean, f"{part.module}.running_var": variance}
            state[f"{part.module}.num_batches_tracked"] = torch.tensor(0)
            continue
        if _biased(node, part, model) and blobs.pop().any():
            raise node.spec.locate(ConfigError(f"torchvision's {part.module} has no bias, and this one is not 0"))
        state |= {f"{part.module}.{what}": blob for what, blob in zip(("weight", "bias"), blobs, strict=False)}
    return state


def from_torchvision(net: Net, model: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of torchvision's `model` under the net's own names. Raises ConfigError where the two are not one net."""
    found: dict[str, Tensor] = {}
    for node, part in _pairs(net, model):
        whats = ("running_mean", "running_var") if node.kind.name == "BatchNorm" else ("weight", "bias")
        for own, what in zip(node.blob_names, whats, strict=False):
            if f"{part.module}.{what}" in state:
                found[f"{node.name}.{own}"] = state[f"{part.module}.{what}"]
        if node.kind.name == "BatchNorm":
            found[f"{node.name}.factor"] = torch.ones(1)
        elif _biased(node, part, model):
            found[f"{node.name}.bias"] = torch.zeros(node.blob_shapes[1])
    return found


def _biased(node: Node, part: Part, model: str) -> bool:
    """Whether only the Caffe layer has a bias: torchvision's has none where a normalisation follows."""
    return model == "resnet50" and len(part.shape) == 4 and len(node.learned) == 2


def _pairs(net: Net, model: str) -> list[tuple[Node, Part]]:
    """The layers with weights, each with torchvision's module. Raises ConfigError that lists what is not the same."""
    where = Where(net.nodes[0].spec.file)
    if model in OTHERS:
        raise ConfigError(f"torchvision's {model} is another net: {OTHERS[model]}", where)
    if model not in MODELS:
        raise ConfigError(f"unknown model '{model}': expected one of {', '.join(MODELS)}{nearest(model, MODELS)}")
    parts = {part.layer: part for part in MODELS[model]()}
    learned = [node for node in net.nodes if node.learned]
    problems = [f"it has no layer '{name}'" for name in parts if name not in net.by_name]
    problems += [f"layer '{node.name}' is not known there" for node in learned if node.name not in parts]
    pairs = [(node, parts[node.name]) for node in learned if node.name in parts]
    problems += [f"layer '{node.name}' has {found}" for node, part in pairs if (found := _difference(node, part))]
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ConfigError(f"torchvision's {model} is another net: {'; '.join(problems[:SHOWN])}{more}", where)
    return pairs


def _difference(node: Node, part: Part) -> str:
    """In what a layer differs from torchvision's module; "" if they are the same."""
    if not part.shape:
        eps = getattr(node.module, "eps", EPS)
        return "" if abs(eps - EPS) < EPS / 100 else f"eps {eps:g}, {EPS:g} there"
    if node.blob_shapes[0] != part.shape:
        return f"a weight of {node.blob_shapes[0]}, {part.shape} there"
    windows: Any = getattr(node.module, "windows", None)
    if windows is not None:
        for what, here, there in (("stride", windows.stride, part.stride), ("pad", windows.pad, part.pad)):
            if set(here) != {there}:
                return f"{what} {here[0]}, {there} there"
    return ""
