"""DummyData and MemoryData: state and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.dummy import DummyData
from solver_cli.data.memory import MemoryData
from solver_cli.errors import ConfigError, DataError


def dummy(text: str, tops: int = 2, seed: int = 0) -> DummyData:
    layer = text_format.Parse(f'type: "DummyData" dummy_data_param {{ {text} }}', LayerParameter(top=["t"] * tops))
    return DummyData(layer, True, np.random.default_rng(seed))


def test_dummy_state_goes_on_with_the_same_draws() -> None:
    text = 'shape { dim: 3 dim: 2 } data_filler { type: "gaussian" }'
    source, again = dummy(text), dummy(text, seed=4)
    source.next_batch()
    again.load_state_dict(source.state_dict())
    for _ in range(3):
        ours, theirs = source.next_batch(), again.next_batch()
        assert all(map(torch.equal, ours, theirs)) and not torch.equal(*ours)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("", "shape", "shape must be given once, or once for each of the 2 tops, not 0 times"),
        ("shape { dim: 1 } shape { dim: 1 } shape { dim: 1 }", "shape", "not 3 times"),
        ("num: 1 channels: 1 height: 1", "width", "width must be given once"),
        ("num: 1 num: 2 num: 3 channels: 1 height: 1 width: 1", "num", "not 3 times"),
        ("num: 1 shape { dim: 1 }", "shape", "exclude each other"),
        ("shape { dim: 1 }" + 3 * " data_filler { value: 1 }", "data_filler", "not 3 times"),
        ('shape { dim: 1 } data_filler { type: "gausian" }', "data_filler", "did you mean 'gaussian'"),
        ('shape { dim: 1 } data_filler { type: "bilinear" }', "data_filler", "needs four axes"),
    ],
)
def test_dummy_settings_are_checked(text: str, field: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        dummy(text)
    assert caught.value.field == f"dummy_data_param.{field}"


def memory(rest: str = "") -> MemoryData:
    text = f'type: "MemoryData" memory_data_param {{ batch_size: 2 channels: 3 height: 1 width: 2 }} {rest}'
    return MemoryData(text_format.Parse(text, LayerParameter()), True, np.random.default_rng(0))


def test_memory_goes_round_and_hands_out_copies() -> None:
    source = memory()
    source.reset(np.arange(24).reshape(4, 3, 1, 2), np.arange(4))
    state = source.state_dict()
    first, _ = source.next_batch()
    first.zero_()
    assert [source.next_batch()[1].flatten().tolist() for _ in range(3)] == [[2, 3], [0, 1], [2, 3]]
    source.load_state_dict(state)
    assert source.next_batch()[0].flatten().tolist() == list(range(12))


@pytest.mark.parametrize(
    ("data", "labels", "words"),
    [
        (np.zeros((2, 3, 1, 3)), np.zeros(2), "data must be rows x 3 x 1 x 2, not 2 x 3 x 1 x 3"),
        (np.zeros((2, 6)), np.zeros(2), "data must be rows x 3 x 1 x 2"),
        (np.zeros((2, 3, 1, 2)), np.zeros(3), "2 rows of data need 2 labels, not 3"),
        (np.zeros((3, 3, 1, 2)), np.zeros(3), "multiple of batch_size 2, not 3"),
        (np.zeros((0, 3, 1, 2)), np.zeros(0), "multiple of batch_size 2, not 0"),
    ],
)
def test_memory_arrays_are_checked(data: Any, labels: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        memory().reset(data, labels)


def test_memory_without_arrays_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"call reset\(data, labels\) first"):
        memory().next_batch()
