"""The learned blobs of a net in the making: memory and values for each, or another layer's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from solver_cli.caffe_pb2 import BlobProto, ParamSpec
from solver_cli.errors import ConfigError
from solver_cli.fillers import fill
from solver_cli.net.plan import Learned, Node, first_line, shape_string
from solver_cli.net.sharing import check_shared, set_rate


class Learning:
    """Gives one layer after the other its learned blobs. `learned`: every distinct one once, in the net's order."""

    def __init__(self, device: torch.device, generator: torch.Generator, force: bool):
        """`generator`: fillers draw from it; `force`: force_backward, blobs whose rate is 0 get gradients too."""
        self.device, self.generator, self.force = device, generator, force
        self.learned: list[Learned] = []
        self._named: dict[str, Learned] = {}

    def add(self, node: Node, module: nn.Module) -> None:
        """Give the node's learned blobs memory and values, or another layer's where `param { name }` says so."""
        if len(node.param.param) > len(node.blob_names):
            found, taken = len(node.param.param), len(node.blob_names)
            node.spec.fail(f"has {found} param entries for {taken} learned blobs: take out the rest", "param")
        for index, name in enumerate(node.blob_names):
            meta = module.get_parameter(name)
            statistic = not meta.requires_grad
            spec = _param_spec(node, index, statistic, getattr(meta, "rate", None))
            learned = self._named.get(spec.name) if spec.name else None
            if learned is None:
                learned = Learned(self._materialise(node, index, meta), node, index, spec, statistic)
                self.learned.append(learned)
                if spec.name:
                    self._named[spec.name] = learned
            else:
                check_shared(node, index, spec, learned, meta)
            learned.blob.requires_grad_(meta.requires_grad and (learned.lr_mult != 0 or self.force))
            node.learned.append(learned)
            install(node, index, tuple(meta.shape))

    def _materialise(self, node: Node, index: int, meta: nn.Parameter) -> nn.Parameter:
        """Memory for a blob, with the values of the text's `blobs` or of its filler; none of both on the meta device."""
        if self.device.type == "meta":
            return nn.Parameter(torch.empty_like(meta))
        try:
            blob = torch.empty(meta.shape)
            if index < len(node.param.blobs):
                blob.copy_(torch.from_numpy(_array(node.param.blobs[index])).reshape(meta.shape))
            elif filler := getattr(meta, "filler", None):
                fill(blob, filler, self.generator)
            elif (initial := getattr(meta, "initial", None)) is not None:
                blob.copy_(initial)
            else:
                blob.zero_()
        except ConfigError as error:
            raise node.spec.locate(error) from None
        except RuntimeError as error:
            node.spec.fail(f"blob {index} of shape {shape_string(tuple(meta.shape))} cannot be made: {first_line(error)}")
        return nn.Parameter(blob)


def install(node: Node, index: int, shape: tuple[int, ...]) -> None:
    """Let the module hold its learned blob; in another shape, a view made anew in every pass so that gradients reach it."""
    assert node.module is not None
    path, _, leaf = node.blob_names[index].rpartition(".")
    holder, learned = node.module.get_submodule(path), node.learned[index]
    if tuple(learned.blob.shape) == shape:
        setattr(holder, leaf, learned.blob)
    elif holder._parameters.pop(leaf, None) is not None:
        node.module.register_forward_pre_hook(lambda *_: setattr(holder, leaf, learned.blob.view(shape)))


def _param_spec(node: Node, index: int, statistic: bool, rate: float | None) -> ParamSpec:
    """The blob's ParamSpec; `rate`: one that the layer sets itself. Statistics (BatchNorm's) are no learned values: their
    rate is 0 and may not be another."""
    params = node.param.param
    if rate is not None:
        return set_rate(node, index, rate)
    if not statistic:
        return params[index] if index < len(params) else ParamSpec()
    if index >= len(params):
        params.add(lr_mult=0)
    elif not params[index].HasField("lr_mult") or params[index].lr_mult != 0:
        node.spec.fail(
            f"blob {index} holds statistics, which are not learned: write lr_mult: 0 or leave param out",
            f"param[{index}].lr_mult",
        )
    return params[index]


def _array(blob: BlobProto) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(blob.double_data or blob.data, dtype=np.float32)
