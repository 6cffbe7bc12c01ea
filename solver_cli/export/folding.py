"""Normalisation that is a factor and an offset for each channel, multiplied into the weights before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import NetParameter
from solver_cli.errors import ConfigError
from solver_cli.export.reading import statistics
from solver_cli.net.net import Net
from solver_cli.net.plan import Node

INTO = {  # the field with `bias_term`
    "Convolution": "convolution_param",
    "DepthwiseConvolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "Deconvolution": "convolution_param",
    "InnerProduct": "inner_product_param",
}
Blobs = dict[str, list[Tensor]]


def folded(net: Net) -> tuple[NetParameter, Blobs]:
    """The deploy net `net` without the BatchNorm, Scale and Bias layers right behind a layer with weights, and its blobs.

    What it computes stays, to rounding. Where weights are shared, or others read what they give, all stays as it is.
    Raises ConfigError where two layers have one name.
    """
    written = {layer.name: layer for layer in net.param.layer}
    if len(written) < len(net.param.layer):
        raise ConfigError("several layers have one name: weights are found by names, so rename them")
    chains = {node: list(_chain(node, net)) for node in net.nodes if node.kind.name in INTO}
    gone = {follower for followers in chains.values() for follower in followers}
    text, blobs = NetParameter(name=net.name), Blobs()
    for node in net.nodes:
        if node in gone or node.name not in written:  # a Split
            continue
        layer = text.layer.add()
        layer.CopyFrom(written[node.name])
        blobs[node.name] = [blob.detach().clone() for blob in node.blobs()]
        if followers := chains.get(node):
            blobs[node.name] = _fold(node, followers)
            layer.top[:] = written[followers[-1].name].top
            getattr(layer, INTO[node.kind.name]).bias_term = True
    return text, blobs


def _chain(node: Node, net: Net) -> Iterator[Node]:
    """The layers right behind `node` that can go into its weights."""
    uses = Counter(id(learned) for other in net.nodes for learned in other.learned)
    alone = all(uses[id(learned)] == 1 for learned in node.learned)
    last = node
    while alone and len(last.tops) == len(node.bottoms) == 1 and _axis(node) == 1:
        behind = net.nodes[net.nodes.index(last) + 1 :]
        reader = next((other for other in behind if last.tops[0] in other.bottoms), None)
        if reader is None or not _for_each_channel(reader, node.shapes[0]):
            return
        yield reader
        last = reader


def _axis(node: Node) -> int:
    axis: int = getattr(node.param, INTO[node.kind.name]).axis
    return axis % len(node.below[0])


def _for_each_channel(node: Node, shape: tuple[int, ...]) -> bool:
    """Whether the layer is a factor and an offset for each index of axis 1."""
    if node.kind.name == "BatchNorm":
        return not getattr(node.module, "from_batch", True)
    settings = {"Scale": node.param.scale_param, "Bias": node.param.bias_param}.get(node.kind.name)
    if settings is None or len(node.bottoms) > 1:
        return False
    return settings.axis % len(shape) == 1 and node.blob_shapes[0] == shape[1:2]  # type: ignore[attr-defined]


def _fold(node: Node, followers: list[Node]) -> list[Tensor]:
    """The weight and the bias with all factors and offsets in them, worked out in float64."""
    weight, *rest = (blob.detach().double() for blob in node.blobs())
    bias = rest[0] if rest else weight.new_zeros(node.shapes[0][1])
    for follower in followers:
        factor, offset = _affine(follower, bias)
        weight, bias = _times(weight, factor, node), bias * factor + offset
    return [weight.float(), bias.float()]


def _affine(node: Node, like: Tensor) -> tuple[Tensor, Tensor]:
    blobs = [blob.detach().double() for blob in node.blobs()]
    if node.kind.name == "Bias":
        return torch.ones_like(like), blobs[0]
    if node.kind.name == "Scale":
        return blobs[0], blobs[1] if len(blobs) > 1 else torch.zeros_like(like)
    mean, variance = (moment.double() for moment in statistics(node))
    scale = (variance + node.param.batch_norm_param.eps).rsqrt()
    return scale, -mean * scale


def _times(weight: Tensor, factor: Tensor, node: Node) -> Tensor:
    """The weight with each output's part times its factor."""
    if node.kind.name == "InnerProduct":
        return weight * (factor if node.param.inner_product_param.transpose else factor.view(-1, 1))
    if node.kind.name != "Deconvolution":
        return weight * factor.view(-1, *(1,) * (weight.dim() - 1))
    groups = weight.view(len(factor) // weight.shape[1], -1, *weight.shape[1:])  # (in, out / group, kernel...)
    return (groups * factor.view(len(groups), 1, -1, *(1,) * (weight.dim() - 2))).flatten(0, 1)
