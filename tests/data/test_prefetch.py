"""The Prefetcher: the same batches in the same order, errors in their place, an end at any time."""

from __future__ import annotations

import gc
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from running import NET, SOLVER, run, write

from solver_cli.caffe_pb2 import Datum, LayerParameter
from solver_cli.commands.datasets import write_lmdb
from solver_cli.data.dummy import DummyData
from solver_cli.data.prefetch import Prefetcher
from solver_cli.errors import ConfigError, DataError

LAYER = 'type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } }'


class Counting(DummyData):
    """DummyData that counts its batches, waits, and fails when told."""

    def __init__(self, fails_at: int = -1) -> None:
        super().__init__(text_format.Parse(LAYER, LayerParameter()), True, np.random.default_rng(3))
        self.read = 0
        self.closed = 0
        self.fails_at = fails_at
        self.gate = threading.Event()
        self.gate.set()

    def next_batch(self) -> tuple[torch.Tensor, ...]:
        self.gate.wait(10)
        if self.read == self.fails_at:
            raise DataError("broken here")
        self.read += 1
        return super().next_batch()

    def close(self) -> None:
        self.closed += 1


def settled(source: Counting, count: int) -> int:
    """The batches read once `count` are there and there was time to read more."""
    deadline = time.monotonic() + 5
    while source.read < count and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    return source.read


@pytest.fixture
def threads() -> Callable[[], int]:
    """How many threads read ahead, beside those of other tests."""
    others = threading.enumerate()
    return lambda: sum(t.name == "prefetch" and t not in others for t in threading.enumerate())


def test_batches_come_in_order_and_are_the_source_s() -> None:
    plain, ahead = Counting(), Prefetcher(Counting(), 3)
    assert ahead.shapes == plain.shapes
    for _ in range(10):
        assert torch.equal(ahead.next_batch()[0], plain.next_batch()[0])
    ahead.close()


def test_depth_batches_are_read_ahead_and_one_is_in_hand(threads: Callable[[], int]) -> None:
    source = Counting()
    ahead = Prefetcher(source, 3)
    assert source.read == 0 and threads() == 0
    ahead.next_batch()
    assert settled(source, 5) == 1 + 3 + 1
    ahead.close()


def test_an_error_comes_where_its_batch_would_have_come_and_stays() -> None:
    ahead = Prefetcher(Counting(fails_at=2), 4)
    ahead.next_batch()
    ahead.next_batch()
    for _ in range(2):
        with pytest.raises(DataError, match="broken here"):
            ahead.next_batch()
    ahead.close()


def test_close_ends_a_thread_that_waits_for_room(threads: Callable[[], int]) -> None:
    source = Counting()
    ahead = Prefetcher(source, 1)
    ahead.next_batch()
    settled(source, 3)
    start = time.monotonic()
    ahead.close()
    ahead.close()
    assert time.monotonic() - start < 1 and threads() == 0 and source.closed == 1
    with pytest.raises(RuntimeError, match="closed"):
        ahead.next_batch()


def test_dropping_it_ends_the_thread(threads: Callable[[], int]) -> None:
    ahead = Prefetcher(Counting(), 2)
    ahead.next_batch()
    del ahead
    gc.collect()
    assert threads() == 0


def test_the_state_leaves_out_batches_that_were_only_read_ahead() -> None:
    source = Counting()
    ahead = Prefetcher(source, 4)
    assert ahead.state_dict()["batches"] == 0
    ahead.next_batch()
    ahead.next_batch()
    assert settled(source, 7) == 7
    assert ahead.state_dict()["batches"] == 2
    ahead.close()


def test_a_loaded_state_goes_on_with_the_same_batches() -> None:
    ahead = Prefetcher(Counting(), 3)
    batches = [ahead.next_batch()[0]]
    state = ahead.state_dict()
    batches += [ahead.next_batch()[0] for _ in range(4)]
    other = Prefetcher(Counting(), 2)
    other.next_batch()
    for again in (other, ahead):
        again.load_state_dict(state)
        assert again.state_dict() == state
        for batch in batches[1:]:
            assert torch.equal(again.next_batch()[0], batch)
        again.close()


def test_reading_overlaps_with_computing() -> None:
    source = Counting()
    ahead = Prefetcher(source, 2)
    ahead.next_batch()
    settled(source, 3)
    source.gate.clear()
    for _ in range(2):
        ahead.next_batch()  # ready although the source is blocked
    source.gate.set()
    ahead.close()


def test_depth_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="prefetch must be from 1 to 1000 batches, not 0"):
        Prefetcher(Counting(), 0)


def test_waiting_takes_no_processor_time() -> None:
    source = Counting()
    ahead: Any = Prefetcher(source, 1)
    ahead.next_batch()
    settled(source, 3)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1
    ahead.close()


def test_a_run_says_what_part_of_its_time_it_waited_for_data(tmp_path: Path) -> None:
    """The net has next to nothing to do; its pictures are large."""
    picture = Datum(channels=3, height=600, width=600, data=bytes(3 * 600 * 600)).SerializeToString()
    write_lmdb(tmp_path / "db", [(b"%08d" % i, picture) for i in range(4)])
    reading = """
    layer { name: "pictures" type: "Data" top: "pictures" transform_param { mean_value: 1 scale: 2 }
      data_param { source: "db" batch_size: 8 backend: LMDB } }
    layer { name: "unread" type: "Silence" bottom: "pictures" }"""
    write(tmp_path, NET + reading, SOLVER.replace("max_iter: 2", "max_iter: 9 display: 4"))
    ended = run("solver-train", "solver.prototxt", folder=tmp_path)
    *much, (whole, end) = re.findall(r"Waited for data ([\d.]+) % of the time(.*)", "\n".join(ended.log))
    assert ended.code == 0 and float(whole) > 2 and end == "."
    assert much and all(float(part) > 2 and "or pictures that are smaller" in rest for part, rest in much)
