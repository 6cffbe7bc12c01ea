"""A pass as one CUDA graph: a small net's GPU waits for Python to launch its kernels, and a graph is one launch.

Forward and backward are recorded once for batches of a shape, and replayed on the same memory from then on. What the update
does is a kernel or two for each rate, and stays outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.errors import Error, out_of_memory
from solver_cli.net.net import Net
from solver_cli.net.plan import Node, first_line

Blobs = dict[str, Tensor]
Pass = Callable[[Blobs], tuple[Tensor, Blobs]]
BEFORE = 3  # passes that run as they are before one is recorded, in which libraries choose their kernels
MOST = 4  # shapes of a batch that are recorded; each has memory of its own


class Recorder(Protocol):
    """What records the work that is given to a device, without its being done, and does it again."""

    def beside(self) -> AbstractContextManager[None]:
        """Where passes run before one is recorded."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """What does the work of `work`, on the same memory. Raises RuntimeError where it cannot be recorded."""


class CudaRecorder:
    """Records CUDA graphs, on a stream of its own as they must be; `draws`: the generator that is drawn from, if any."""

    def __init__(self, device: torch.device, draws: torch.Generator | None):
        self.stream, self.draws = torch.cuda.Stream(device), draws  # type: ignore[no-untyped-call]

    @contextmanager
    def beside(self) -> Iterator[None]:
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            yield
        current.wait_stream(self.stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        graph, draws = torch.cuda.CUDAGraph(), self.draws
        before = draws and draws.clone_state()
        if draws:
            graph.register_generator_state(draws)  # type: ignore[no-untyped-call]
        try:
            # "thread_local": the threads of data layers take memory and copy meanwhile
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                work()
        except BaseException:
            if draws and before:
                draws.graphsafe_set_state(before)  # its own takes itself for one of a graph in the making
            raise
        return graph.replay


def why_not(net: Net) -> str:
    """Why passes of the net cannot be recorded; "" if they can."""
    for node in net.nodes:
        if node.run is None:
            continue
        if node.kind.brought or node.kind.user_code:
            return f"{_named(node)} runs code of its own"
        if node.kind.dynamic or node.kind.once or node.holds(node.kind.waits):
            return f"{_named(node)} does what a graph cannot"
    return ""


class Graphs:
    """Runs passes of a net over whole batches: as they are at first, then as graphs, to the same result.

    `run`: what makes a pass. `modules`: those that put a new `state` in the place of the last batch's; others change
    theirs where it lies. Not for a net that `why_not` names.
    """

    def __init__(self, net: Net, run: Pass, recorder: Recorder):
        self.net, self.run, self.recorder = net, run, recorder
        self.on = True
        self.modules: list[Any] = [node.module for node in net.nodes if "state" in vars(node.module or object)]
        self._graphs: dict[Any, _Graph] = {}
        self._seen: Counter[Any] = Counter()

    def __call__(self, batch: Blobs, see: Callable[[Sequence[Tensor]], None] | None = None) -> tuple[Tensor, Blobs]:
        """The loss and the outputs of a batch, good until the next pass; its gradients are added to those there are.

        `see`: shown the gradients of a pass that runs as a graph, of which hooks see nothing.
        """
        key = self._key(batch)
        if key not in self._graphs and self.on and not see and len(self._graphs) < MOST:
            self._seen[key] += 1
            if self._seen[key] > BEFORE:
                self._record(key, batch)
        if key in self._graphs:
            return self._graphs[key].replay(batch, see)
        with self.recorder.beside():
            return self.run(batch)

    def let_go(self) -> bool:
        """Run passes as they are from now on; whether that gives memory back."""
        held = bool(self._graphs)
        self.on, self._graphs = False, {}
        return held

    def _key(self, batch: Blobs) -> tuple[Any, ...]:
        """What a graph is made for: shapes, and where everything lies that it finds in its place."""
        shapes = tuple((name, x.shape, x.dtype) for name, x in batch.items())
        blobs = tuple((x.blob.data_ptr(), x.blob.requires_grad) for x in self.net.learned)
        return shapes, blobs, tuple(tuple(x.shape for x in module.state or ()) for module in self.modules)

    def _record(self, key: Any, batch: Blobs) -> None:
        """Make the graph for such batches; where that fails, say so, and do without graphs."""
        try:
            self._graphs[key] = _Graph(self, batch)
        except (RuntimeError, Error) as error:
            cause = error.__context__ if isinstance(error.__context__, Exception) else error
            why = "there is not enough memory for one" if out_of_memory(error) else first_line(cause)
            log.warning("solver.cpp", f"Passes run without a CUDA graph: {why}")
            self.let_go()
        else:
            if len(self._graphs) == 1:
                log.info("solver.cpp", "Passes run as a CUDA graph from here on (--no-cuda-graphs: as they are)")


class _Graph:
    """The recorded pass over batches of one shape."""

    def __init__(self, graphs: Graphs, batch: Blobs):
        self.batch = {name: x.clone() for name, x in batch.items()}
        self.modules = graphs.modules
        self.states = [tuple(x.clone() for x in module.state or ()) for module in self.modules]
        blobs = [learned.blob for learned in graphs.net.learned]
        earlier = [(module, module.state) for module in self.modules], [(blob, blob.grad) for blob in blobs]
        for blob in blobs:
            blob.grad = None  # what is recorded makes gradients, and does not add them to others
        try:
            self.again = graphs.recorder.record(lambda: self._work(graphs))
            self.gradients = [(blob, blob.grad) for blob in blobs if blob.grad is not None]
        finally:
            for module, state in earlier[0]:
                module.state = state
            for blob, gradient in earlier[1]:
                blob.grad = gradient

    def _work(self, graphs: Graphs) -> None:
        """The pass, and behind it what goes on to the next batch back in its place."""
        self._take_states()
        self.loss, self.outputs = graphs.run(dict(self.batch))
        with torch.no_grad():
            for module, own in zip(self.modules, self.states, strict=True):
                for x, new in zip(own, module.state or (), strict=False):
                    x.copy_(new)

    def _take_states(self) -> None:
        for module, own in zip(self.modules, self.states, strict=True):
            if own:
                module.state = own

    @torch.no_grad()
    def replay(self, batch: Mapping[str, Tensor], see: Callable[[Sequence[Tensor]], None] | None) -> tuple[Tensor, Blobs]:
        """Do the pass on `batch`."""
        earlier = [(gradient, blob.grad) for blob, gradient in self.gradients if blob.grad is not None]
        sums: Any = torch._foreach_mul([x for _, x in earlier], 1.0) if earlier else ()  # a replay writes where they may lie
        for name, x in self.batch.items():
            x.copy_(batch[name], non_blocking=True)
        for module, own in zip(self.modules, self.states, strict=True):
            for x, state in zip(own, module.state or (), strict=True):
                if x is not state:
                    x.copy_(state)
        self.again()
        self._take_states()
        for blob, gradient in self.gradients:
            blob.grad = gradient
        if see:
            see([gradient for _, gradient in self.gradients])
        if sums:
            torch._foreach_add_([gradient for gradient, _ in earlier], sums)
        return self.loss, self.outputs


def _named(node: Node) -> str:
    return f"layer '{node.name}' ({node.param.type})"
