"""Net: a flat plan of layers over a dict of named blobs, in one phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, Phase
from solver_cli.data.prefetch import Prefetcher
from solver_cli.data.source import Source
from solver_cli.errors import ConfigError, Error, out_of_memory
from solver_cli.net import own, weights
from solver_cli.net.fusion import fuse
from solver_cli.net.labels import checked
from solver_cli.net.learning import Learning, install
from solver_cli.net.needs import backward_needs, let_through, refuse_gradients
from solver_cli.net.plan import (
    Absent,
    Node,
    Planner,
    as_tuple,
    describe,
    first_line,
    shape_string,
)
from solver_cli.registry import load_packages
from solver_cli.text import dialects, forks, prototxt
from solver_cli.text.netspec import NetSpec, filter_layers, insert_splits, parse_net, read_net, state
from solver_cli.text.number_types import check_types
from solver_cli.text.theirs import check_net as check_theirs

Observer = Callable[[Node, list[Tensor], tuple[Tensor, ...]], None]


class Net(nn.Module):
    """A Caffe net in one state (phase, level, stages), as a module.

    `nodes`         the layers in order, Split layers included
    `params`        {layer name: its learned tensors in Caffe's blob order}
    `learned`       every distinct learned blob once, in the net's order
    `inputs`        {top of an Input layer: its shape}
    `sources`       {layer name: its data source}
    `outputs`       the blobs that no layer reads, in alphabetical order
    `loss_weights`  {blob: its weight in the loss}, where it has one
    """

    def __init__(
        self,
        spec: NetSpec,
        *,
        device: torch.device | str = "cpu",
        seed: int | None = None,
        python_layers: bool = True,
        absent: Absent | None = None,
        parts: int = 1,
    ):
        """Build the net of `spec` in its state. `seed` makes fillers, dropout and data repeatable; `python_layers` false
        refuses layers of type Python, which run code of the user's; `absent` makes what stands in for data that are not
        there; data layers make one of `parts` parts of a batch. On the device meta it has shapes and no values.

        Raises Error.
        """
        super().__init__()
        self.param = spec.param
        self.name = spec.param.name
        self.phase = Phase.Name(spec.param.state.phase)
        self.device = torch.device(device)
        self.draws: torch.Generator | None = None  # what dropout draws from
        self.generator = torch.Generator()
        if seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(seed)
        layers = dialects.tell(spec, filter_layers(spec))
        forks.check_net(spec, layers)
        check_theirs(spec, layers)
        check_types(spec, layers)
        text = prototxt.to_text(describe(spec.param, layers)).rstrip()
        log.info("net.cpp:53", f"Initializing net from parameters: \n{text}")
        rng = np.random.default_rng(self.generator.initial_seed() % 2**63)
        planner = Planner(spec.param.state.phase, rng, python_layers, absent, parts)
        self.nodes: list[Node] = []
        self.layers = nn.ModuleList()
        learning = Learning(self.device, self.generator, self.param.force_backward)
        self.learned = learning.learned
        self.observer: Observer | None = None  # called after each layer with (node, bottoms, tops)
        self.run: Callable[..., Tensor] = self.run_plainly  # precision and compilation put themselves around it
        try:
            for layer in insert_splits(layers, spec.param):
                node = planner.add(layer)
                node.propagates = () if self.param.force_backward else tuple(node.param.propagate_down)
                self.nodes.append(node)
                if node.module is not None:
                    self.layers.append(node.module)
                    learning.add(node, node.module)
        except BaseException:
            self.close()
            raise
        let_through(self.nodes)
        self.train(spec.param.state.phase == Phase.Value("TRAIN"))
        fuse(self.nodes)
        self.register_state_dict_post_hook(weights.by_layer)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(weights.by_number)  # type: ignore[no-untyped-call]
        self.outputs = sorted(planner.available)
        self.blob_shapes = planner.shapes
        self._log_needs()
        self.to(self.device)

    @classmethod
    def from_text(cls, text: str, phase: str = "TRAIN", level: int = 0, stages: tuple[str, ...] = (), **options: Any) -> Net:
        """Build a net from its text. `options`: device, seed, and accept as a solver takes it. Raises ConfigError with line
        and column."""
        load_packages()
        spec = replace(parse_net(text), accept=tuple(options.pop("accept", ())))
        return cls(in_state(spec, phase, level, stages), **options)

    @classmethod
    def from_file(cls, path: str, phase: str = "TRAIN", level: int = 0, stages: tuple[str, ...] = (), **options: Any) -> Net:
        """Build a net from the file `path`. `options`: those of `from_text`. Raises ConfigError with file, line, column."""
        load_packages()
        spec = replace(read_net(path), accept=tuple(options.pop("accept", ())))
        return cls(in_state(spec, phase, level, stages), **options)

    # -- learned blobs ----------------------------------------------------------------------------------------------

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """{layer name: the layer that weights of this name are for}"""
        return weights.by_name(self.nodes)

    def load(self, path: str) -> None:
        """Copy the blobs of the weights file `path`, binary or HDF5, into the layers of the same name.

        Layers that only the file has are ignored with a log line. Raises SnapshotError, with nothing copied.
        """
        weights.load(self.nodes, path)

    def save(self, path: str, hdf5: bool | None = None) -> None:
        """Write the learned blobs to `path` as Caffe does: binary, or as HDF5 if the name ends in .h5 or `hdf5` says so."""
        weights.save(self.nodes, self.to_message(), path, path.endswith(".h5") if hdf5 is None else hdf5)

    @cached_property
    def titles(self) -> list[str]:
        """What a state dict calls the modules in `layers`: the layers' names."""
        pairs = zip(self.nodes, weights.titles(self.nodes), strict=True)
        return [title for node, title in pairs if node.module is not None]

    @property
    def params(self) -> dict[str, list[Tensor]]:
        """{layer name: its learned tensors}, for layers that have any. A blob shared in another shape is a detached view."""
        result: dict[str, list[Tensor]] = {}
        for node in self.nodes:
            if node.learned:
                result.setdefault(node.name, node.blobs())
        return result

    def share_with(self, other: Net) -> None:
        """Use `other`'s learned blobs in the layers of the same name. Raises ConfigError where they do not fit."""
        for theirs in other.nodes:
            node = self.by_name.get(theirs.name)
            if node is None or bool(theirs.learned) < bool(other.by_name[theirs.name].learned):
                continue
            if len(node.learned) != len(theirs.learned):
                node.spec.fail(f"has {len(node.learned)} learned blobs, the train net's layer {len(theirs.learned)}")
            for index, (learned, blob) in enumerate(zip(node.learned, theirs.blobs(), strict=True)):
                wanted, found = node.blob_shapes[index], tuple(blob.shape)
                if wanted != found:
                    node.spec.fail(
                        f"cannot share blob {index} with the train net's: its shape is {shape_string(found)}, "
                        f"here {shape_string(wanted)} is wanted"
                    )
                learned.blob = theirs.learned[index].blob
        self.install()

    def install(self) -> None:
        """Let every layer compute with the learned blobs that `learned` now names."""
        for node in self.nodes:
            for index, shape in enumerate(node.blob_shapes):
                install(node, index, shape)

    # -- running ----------------------------------------------------------------------------------------------------

    @overload
    def forward(self, inputs: Mapping[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]: ...

    @overload
    def forward(self, inputs: Tensor, *more: Tensor) -> Any: ...

    def forward(self, inputs: Mapping[str, Tensor] | Tensor | None = None, *more: Tensor) -> Any:
        """Run the layers in order; return the weighted loss and every named blob.

        `inputs`: tensors for the tops of Input and data layers; tops that are left out come from their data source.
        Tensors one by one, for the tops of the Input layers in order, return the output blob, or {name: blob} of several.
        Raises Error that names the layer, its place and what it met.
        """
        if isinstance(inputs, Tensor):
            outputs = self.outputs_of(self.forward(self._by_top((inputs, *more)))[1])
            return outputs[self.outputs[0]] if len(outputs) == 1 else outputs
        blobs = dict(inputs) if inputs is not None else {}
        blobs.update(self.next_batch(blobs))
        return self.run(self.nodes, blobs), blobs

    def _by_top(self, tensors: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """{top of an Input layer: its tensor}"""
        if len(tensors) != len(self.inputs):
            tops = ", ".join(self.inputs) or "its data come from a data layer"
            raise ConfigError(f"{len(tensors)} tensor(s) for {len(self.inputs)} tops of Input layers ({tops})")
        return dict(zip(self.inputs, tensors, strict=True))

    def run_plainly(
        self,
        nodes: Sequence[Node],
        blobs: dict[str, Tensor],
        shares: Mapping[Node, Tensor | float] | None = None,
        keep: bool = True,
    ) -> Tensor:
        """Run `nodes`, some of the net's in their order, on `blobs`, which take in their tops; return the weighted loss.

        `shares`: what part of their mean the losses of a part of a batch are. Without `keep` a blob goes once it is read.
        """
        loss = torch.zeros((), device=self.device)
        node: Node | None = None
        bottoms: list[Tensor] = []
        observer = self.observer
        try:
            for node in nodes:
                if node.run is None:
                    if observer:
                        observer(node, [], tuple(blobs[name] for name in node.tops))
                    continue
                bottoms = [blobs[name] if keep else blobs.pop(name) for name in node.bottoms]
                if node.propagates:
                    bottoms = [b if down else b.detach() for b, down in zip(bottoms, node.propagates, strict=True)]
                run = node.run if observer or node.quick is None else node.quick
                tops = as_tuple(run(*bottoms))
                for name, top, weight in zip(node.tops, tops, node.loss_weights, strict=True):
                    if name:
                        blobs[name] = top  # an in-place layer rebinds its bottom's name
                    if weight:
                        part = weight * shares[node] if shares and node in shares else weight
                        loss = loss + (part * top if top.dim() == 0 else part * top.sum())
                if observer:
                    observer(node, bottoms, tops)
                del tops
                bottoms = []  # the next layer's work needs their memory
        except Error as error:
            raise node.spec.locate(error) if node else error from None
        except Exception as error:
            if node is None or out_of_memory(error):
                raise
            if node.kind.brought:
                raise node.spec.locate(own.failed(error, node.kind)) from error
            if not isinstance(error, (RuntimeError, IndexError)):
                raise
            shapes = ", ".join(str(tuple(b.shape)) for b in bottoms)
            node.spec.fail(f"failed on bottoms of shape {shapes}: {first_line(error)}")
        return loss

    def next_batch(self, given: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """One batch of every data layer whose tops are not `given`, on the net's device; zeros for Input layers."""
        given = given or {}
        batch: dict[str, Tensor] = {}
        for node in self.nodes:
            if node.run is not None or all(top in given for top in node.tops):
                continue
            try:
                tensors = node.source.next_batch() if node.source else self._zeros(node)
            except Error as error:
                raise node.spec.locate(error) from None
            batch.update({top: t.to(self.device, non_blocking=True) for top, t in zip(node.tops, tensors, strict=True)})
        return {name: tensor for name, tensor in batch.items() if name not in given}

    def _zeros(self, node: Node) -> tuple[Tensor, ...]:
        """What an Input layer holds to whom nothing is given."""
        return tuple(torch.zeros(shape, device=self.device) for shape in node.shapes)

    def read_ahead(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """From now on, let a thread for each data layer that reads files do so while the net computes.

        While a batch is long in coming, `interrupted` tells whether to give up waiting (raises `prefetch.Interrupted`).
        """
        for node in self.nodes:
            if node.source is not None and node.kind.ahead:
                source = checked(node, self.nodes, self.blob_shapes) if self.device.type == "cuda" else node.source
                node.source = Prefetcher(source, node.param.data_param.prefetch, self.device, interrupted)

    def outputs_of(self, blobs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The output blobs among `blobs`, in the order in which they are shown."""
        return {name: blobs[name] for name in self.outputs}

    @property
    def sources(self) -> dict[str, Source]:
        """{layer name: its data source}"""
        return {node.name: node.source for node in self.nodes if node.source is not None}

    @cached_property
    def stateful(self) -> list[Node]:
        """The nodes that keep more from one pass to the next than learned blobs: data, recurrent and Python layers."""
        return [n for n in self.nodes if n.source is not None or n.kind.user_code or hasattr(n.module, "reset")]

    @property
    def python_layers(self) -> dict[str, Any]:
        """{layer name: the user's object} of the layers that run code of the user's."""
        return {node.name: node.module.instance for node in self.nodes if node.module and node.kind.user_code}

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """{top: shape} of the Input layers."""
        entries = (n for n in self.nodes if n.run is None and n.source is None)
        return {top: shape for n in entries for top, shape in zip(n.tops, n.shapes, strict=True)}

    @property
    def loss_weights(self) -> dict[str, float]:
        """{blob: its weight in the loss}, for blobs that have one."""
        return {t: w for node in self.nodes for t, w in zip(node.tops, node.loss_weights, strict=True) if w}

    def train(self, mode: bool = True) -> Net:
        """The phase is the net's for good; a layer with a `phase` of its own keeps that."""
        self.training = mode
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Net:
        """Also move the random generator of layers that draw, and views of shared blobs, with the net."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        probe = fn(torch.zeros(0))
        self.device = probe.device
        drawing = [m for m in self.layers.modules() if hasattr(m, "generator")]
        if drawing and not probe.is_meta:
            self.draws = torch.Generator(self.device)
            self.draws.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
            for module in drawing:
                module.generator = self.draws  # type: ignore[assignment]
        return self

    def close(self) -> None:
        """Give back the files and threads of the data layers."""
        for node in self.nodes:
            if node.source is not None:
                node.source.close()

    def _log_needs(self) -> None:
        if self.phase == "TRAIN":
            refuse_gradients(self.nodes, self.param.force_backward)
        needs = backward_needs(self.nodes, force=False)  # Caffe says this before it looks at force_backward
        for node, (need, _) in reversed(list(zip(self.nodes, needs, strict=True))):
            verb = ("net.cpp:200", "needs") if need else ("net.cpp:202", "does not need")
            log.info(verb[0], f"{node.name} {verb[1]} backward computation.")
        for blob in self.outputs:
            log.info("net.cpp:244", f"This network produces output {blob}")
        log.info("net.cpp:257", "Network initialization done.")

    def to_message(self) -> NetParameter:
        """Name and layers with their settings, without blobs: what a weights file says of the net."""
        message = NetParameter(name=self.name)
        for node in self.nodes:
            layer = LayerParameter()
            layer.CopyFrom(node.param)
            layer.ClearField("blobs")
            message.layer.append(layer)
        return message


def in_state(spec: NetSpec, phase: str, level: int, stages: tuple[str, ...]) -> NetSpec:
    """The spec with the state that the caller names; stages add to the text's own."""
    wanted = state(phase, level, stages)
    return spec.with_state(wanted, wanted if not spec.param.state.stage else state(phase, level))
