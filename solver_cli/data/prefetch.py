"""Batches that are read ahead while the net computes."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from threading import Condition, Thread
from typing import Any

import torch
from torch import Tensor

from solver_cli.data.source import Source
from solver_cli.errors import ConfigError

Batch = tuple[Tensor, ...]
State = dict[str, Any]
Item = tuple[Batch, State, torch.cuda.Event | None]

PATIENCE = 3.0  # seconds without a batch before anybody asks whether it is still wanted; also for a thread to end

DEEPEST = 1000  # batches that may be read ahead: each takes memory


class Interrupted(Exception):
    """Nobody waits any longer for a batch that does not come."""


class Prefetcher:
    """A Source whose batches a thread keeps ready, up to `depth` of them; the same batches in the same order.

    With a GPU as `device` they are sent there ahead of need, on a stream of their own, and transformed there.

    `waited`: the seconds for which the net stood still. The first batch, which nothing can be read ahead of, does not count,
    nor does, on a GPU, a wait during which the GPU had work.

    The thread starts with the first batch that is asked for. An error of the source is raised where its batch would have
    come, and again at every call after. Whoever uses a Prefetcher leaves its source alone. A thread that is stuck in its
    source is left behind after a while, with its source; `stuck()` tells.
    """

    def __init__(
        self,
        source: Source,
        depth: int,
        device: torch.device | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        if not 1 <= depth <= DEEPEST:
            raise ConfigError(f"prefetch must be from 1 to {DEEPEST} batches, not {depth}", field="data_param.prefetch")
        self.shapes = source.shapes
        self._source = source
        self._depth = depth
        self._device = device if device is not None and device.type == "cuda" else None
        if self._device is not None and (transform := getattr(source, "transform", None)):
            transform.device = self._device
        self._state = source.state_dict()
        self._interrupted = interrupted
        self._closed = False
        self.waited = 0.0
        self._stop: weakref.finalize[..., Prefetcher] | None = None

    def next_batch(self) -> Batch:
        """The next batch, as soon as it is there. Raises what the source raised, and Interrupted."""
        if self._closed:
            raise RuntimeError("the source is closed")
        if first := self._stop is None:
            self._start()
        begun = time.perf_counter()
        batch, self._state, sent = self._ready.take(self._interrupted)
        lapse, stream = time.perf_counter() - begun, torch.cuda.current_stream(self._device) if sent is not None else None
        if not first and (stream is None or stream.query()):
            self.waited += lapse
        if stream is not None and sent is not None:
            stream.wait_event(sent)
            for top in batch:
                top.record_stream(stream)
        return batch

    def _start(self) -> None:
        self._ready = _Ready(self._depth)
        # The thread knows the source but not this object, so that dropping it ends the thread.
        self._thread = Thread(target=_fill, args=(self._source, self._ready, self._device), name="prefetch", daemon=True)
        self._thread.start()  # without memory it fails, and there is nothing to stop
        self._stop = weakref.finalize(self, _end, self._ready, self._thread)

    def state_dict(self) -> State:
        """The state after the last batch that was handed out; batches that were only read ahead do not count."""
        return self._state

    def load_state_dict(self, state: State) -> None:
        if self._stop is not None:
            self._stop()
            self._thread.join()
            self._stop = None
        self._source.load_state_dict(state)
        self._state = state

    def close(self) -> None:
        """End the thread and close the source."""
        ended = self._stop is None or self._stop()
        if ended and not self._closed:
            self._source.close()
        self._closed = True


class _Ready:
    """Batches on their way from one thread to another, at most `depth`."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[Item | Exception] = deque()
        self._changed = Condition()
        self._ended = False

    def put(self, item: Item | Exception) -> bool:
        """Hand an item over when there is room; False if none is wanted any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._items) < self._depth)
            self._items.append(item)
            self._changed.notify_all()
            return not self._ended

    def take(self, interrupted: Callable[[], bool]) -> Item:
        with self._changed:
            while not self._changed.wait_for(lambda: self._items, PATIENCE):
                if interrupted():
                    raise Interrupted
            item = self._items[0]
            if isinstance(item, Exception):
                raise item
            self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _fill(source: Source, ready: _Ready, device: torch.device | None) -> None:
    """Read batch after batch, and send it to the GPU if there is one, until nobody wants one or the source fails."""
    try:
        stream = torch.cuda.Stream(device) if device is not None else None  # type: ignore[no-untyped-call]
        wanted = True
        while wanted:
            with torch.cuda.stream(stream) if stream is not None else nullcontext():
                batch = source.next_batch()
                if device is not None:
                    batch = tuple(x if x.is_cuda else x.pin_memory().to(device, non_blocking=True) for x in batch)
                sent = stream.record_event() if stream is not None else None
            wanted = ready.put((batch, source.state_dict(), sent))
    except Exception as error:
        ready.put(error)


def _end(ready: _Ready, thread: Thread) -> bool:
    """End the thread; whether it has ended."""
    ready.end()
    thread.join(PATIENCE)
    if thread.is_alive():
        _left_behind.append(thread)
    return not thread.is_alive()


_left_behind: list[Thread] = []


def stuck() -> bool:
    """Whether a thread that was to end has not, as one that waits for a dead disk."""
    return any(thread.is_alive() for thread in _left_behind)
