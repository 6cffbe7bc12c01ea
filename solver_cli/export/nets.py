"""Nets to export: built from a train net's text or a deploy net's, with weights, without their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from solver_cli.export import states, to_onnx, to_python, to_train, zoo
from solver_cli.export.deploy import deploy
from solver_cli.export.folding import folded
from solver_cli.formats.atomic import atomic_write
from solver_cli.net.net import Net
from solver_cli.registry import Shape, find
from solver_cli.solver.solverspec import read_solver
from solver_cli.text import prototxt
from solver_cli.text.netspec import NetSpec, filter_layers, state


def as_deployed(net: NetSpec, shapes: Sequence[Shape] = ()) -> NetSpec:
    """The net itself if it has Input layers only and no loss, else its deploy net. Raises ConfigError."""
    kinds = [find(layer.type) for layer in net.param.layer]
    if shapes or any(kind and (kind.source or kind.loss) for kind in kinds):
        return deploy(net, shapes)
    return net


def build(net: NetSpec, weights: str | None) -> Net:
    """The net in the phase TEST with the blobs of the file `weights`, or as it is filled. Raises Error."""
    built = Net(net.with_state(state("TEST")), seed=1)
    if weights:
        built.load(weights)
    return built


def write_deploy(target: str, net: NetSpec, shapes: Sequence[Shape], weights: str | None, fold: bool) -> list[str]:
    """Write the deploy net of `net`, and its weights beside it if they are given; the paths written. Raises Error.

    `fold`: with what normalises multiplied into the weights.
    """
    made = deploy(net, shapes)
    with atomic_write(target) as out:
        if weights is None:
            out.write((_head(net) + prototxt.to_text(made.param)).encode())
            return [target]
        built = build(made, weights)
        if fold:
            text, blobs = folded(built)
            built = build(NetSpec(text, made.file, dialect=made.dialect), None)
            fill(built, blobs)
        out.write((_head(net) + prototxt.to_text(text if fold else made.param)).encode())
        beside = str(Path(target).with_suffix(".caffemodel"))
        built.save(beside)
    return [target, beside]


def export(
    net: NetSpec,
    weights: str,
    target: str,
    shapes: Sequence[Shape] = (),
    model: str | None = None,
    solver: str | None = None,
) -> list[str]:
    """Write the deploy net of `net`, or its weights, in the form that the name `target` ends in; the paths written.

    `model`: one of torchvision's, whose names a state dict is to have. `solver`: a solver file, for a loop beside a
    module. Raises Error.
    """
    if target.endswith(".py"):
        return _write_module(net, weights, target, shapes, solver)
    built = build(as_deployed(net, shapes), weights)
    if target.endswith(".onnx"):
        to_onnx.write(built, target)
    else:
        states.write(zoo.to_torchvision(built, model) if model else states.owned(built), target)
    return [target]


def _write_module(net: NetSpec, weights: str, target: str, shapes: Sequence[Shape], solver: str | None) -> list[str]:
    """Write the net as a PyTorch module, and its weights beside it; if asked for, a loop that trains it."""
    module = to_python.Module(net, shapes, weights)
    path = Path(target)
    texts = {target: module.source(path.with_suffix(".pt").name)}
    if solver:
        texts[str(path.with_name(f"train_{path.name}"))] = to_train.source(read_solver(solver), module, path.stem)
    with ExitStack() as stack:
        for name, text in texts.items():
            stack.enter_context(atomic_write(name)).write(text.encode())
        states.write(module.state(), str(path.with_suffix(".pt")))
    return [*texts, str(path.with_suffix(".pt"))]


def bring_in(
    source: str, net: NetSpec, target: str, shapes: Sequence[Shape] = (), names: str | None = None, model: str | None = None
) -> list[str]:
    """Write the state dict in the file `source` as Caffe weights of `net`; the names that were not used.

    `names`: a file that says what is what; `model`: one of torchvision's, whose names they are. Raises Error.
    """
    state = states.read(source)
    built = build(as_deployed(net, shapes), None)
    if names:
        state = states.mapped(state, names)
    unused = states.fill(built, zoo.from_torchvision(built, model, state) if model else state, source)
    built.save(target)
    return unused


def fill(net: Net, blobs: Mapping[str, Sequence[Tensor]]) -> None:
    """Copy `blobs`, by layer, into the net's."""
    with torch.no_grad():
        for name, own in net.params.items():
            for blob, given in zip(own, blobs[name], strict=True):
                blob.copy_(given)


def _head(net: NetSpec) -> str:
    """Comments that say where the net comes from and what its pictures must have gone through."""
    lines = [f"Made of {Path(net.file).name} by solver-tools deploy."]
    for layer in filter_layers(net):
        if layer.param.HasField("transform_param"):
            told = prototxt.to_text(layer.param.transform_param).split("\n")
            lines.append(f"Its data came through transform_param {{ {' '.join(told)}}}")
    return "".join(f"# {line}\n" for line in lines)
