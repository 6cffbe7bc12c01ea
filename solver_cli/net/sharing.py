"""Learned blobs that several layers share by `param { name }`, and multipliers that a layer sets itself."""

from __future__ import annotations

from torch import nn

from solver_cli import log
from solver_cli.caffe_pb2 import ParamSpec
from solver_cli.net.plan import Learned, Node, shape_string


def check_shared(node: Node, index: int, spec: ParamSpec, owner: Learned, meta: nn.Parameter) -> None:
    """Whether a layer may share `owner`'s blob: the shapes (with PERMISSIVE the counts), then the multipliers.

    A sharing layer may set a multiplier that its owner leaves unset; two different explicit values are refused.
    """
    log.info(
        "net.cpp:467", f"Sharing parameters '{spec.name}' owned by layer '{owner.node.name}', param index {owner.index}"
    )
    wanted, found = tuple(meta.shape), tuple(owner.blob.shape)
    permissive = spec.share_mode == ParamSpec.PERMISSIVE
    if wanted != found and not (permissive and owner.blob.numel() == meta.numel()):
        node.spec.fail(
            f"cannot share param '{spec.name}' of layer '{owner.node.name}': its shape is {shape_string(found)}, here "
            f"{shape_string(wanted)} is wanted" + ("" if permissive else " (share_mode: PERMISSIVE takes equal counts)"),
            f"param[{index}]",
        )
    merged = ParamSpec()
    merged.CopyFrom(owner.spec)
    for multiplier in ("lr_mult", "decay_mult"):
        if not spec.HasField(multiplier):
            continue
        value, owned = getattr(spec, multiplier), getattr(owner.spec, multiplier)
        if owner.spec.HasField(multiplier) and value != owned:
            node.spec.fail(
                f"shared param '{spec.name}' has {multiplier} {value:g} here and {owned:g} in layer '{owner.node.name}'",
                f"param[{index}].{multiplier}",
            )
        setattr(merged, multiplier, value)
    owner.spec = merged


def set_rate(node: Node, index: int, rate: float) -> ParamSpec:
    """The ParamSpec of a blob whose multipliers the layer sets, as its fork does, whatever the text says."""
    params = node.param.param
    while len(params) <= index:
        params.add()
    spec = params[index]
    for multiplier in ("lr_mult", "decay_mult"):
        if spec.HasField(multiplier) and getattr(spec, multiplier) != rate:
            given = f"layer '{node.name}', param[{index}].{multiplier}: {getattr(spec, multiplier):g}"
            log.info("net.cpp", f"{given} is not looked at, {node.param.type} makes it {rate:g}")
        setattr(spec, multiplier, rate)
    return spec
