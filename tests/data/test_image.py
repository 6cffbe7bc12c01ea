"""ImageData and WindowData: lists, order, state, and files that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.decode import decode
from solver_cli.data.image import ImageData
from solver_cli.data.window import WindowData, clip, rounded
from solver_cli.errors import ConfigError, DataError

cv2 = pytest.importorskip("cv2")


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """p0.png to p6.png: 8 x 9, each of one grey value, its number."""
    monkeypatch.chdir(tmp_path)
    for i in range(7):
        cv2.imwrite(f"p{i}.png", np.full((8, 9, 3), i, np.uint8))
    Path("list.txt").write_text("".join(f"p{i}.png {i}\n" for i in range(7)))


def images(param: str = "", rest: str = "", training: bool = True, seed: int = 0) -> ImageData:
    text = f'type: "ImageData" top: "data" top: "label" image_data_param {{ {param} }} {rest}'
    return ImageData(text_format.Parse(text, LayerParameter()), training, np.random.default_rng(seed))


def labels(source: ImageData, batches: int) -> list[int]:
    found = []
    for _ in range(batches):
        data, label = source.next_batch()
        assert torch.equal(data[:, 0, 0, 0], label)
        found += [int(n) for n in label]
    return found


def test_shuffling_gives_every_picture_once_a_round_in_new_orders() -> None:
    source = images('source: "list.txt" batch_size: 5 shuffle: true')
    order = labels(source, 7)
    rounds = {tuple(order[i : i + 7]) for i in range(0, 35, 7)}
    assert len(rounds) == 5 and all(sorted(r) == list(range(7)) for r in rounds)


def test_a_loaded_state_goes_on_with_the_same_pictures() -> None:
    how = ('source: "list.txt" batch_size: 3 shuffle: true rand_skip: 4', "transform_param { crop_size: 5 mirror: true }")
    source = images(*how)
    labels(source, 4)
    again = images(*how, seed=5)
    again.load_state_dict(source.state_dict())
    assert labels(again, 6) == labels(source, 6)


def test_rand_skip_starts_below_it_and_the_next_round_at_the_first() -> None:
    starts = set()
    for seed in range(40):
        order = labels(images('source: "list.txt" batch_size: 4 rand_skip: 3', seed=seed), 2)
        assert order == [(order[0] + i) % 7 for i in range(8)]
        starts.add(order[0])
    assert starts == {0, 1, 2}


def test_skipping_the_whole_list_is_refused() -> None:
    with pytest.raises(ConfigError, match="but the list has 7"):
        for seed in range(40):
            images('source: "list.txt" rand_skip: 1000', seed=seed)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Path("p1.png").unlink(), "p1.png: No such file"),
        (lambda: Path("p1.png").write_bytes(b"rubbish"), r"'p1.png' is not a picture that can be decoded \(7 bytes\)"),
        (lambda: Path("p1.png").write_bytes(b""), r"'p1.png' is not a picture that can be decoded \(0 bytes\)"),
        (lambda: cv2.imwrite("p1.png", np.zeros((8, 12, 3), np.uint8)), "'p1.png' gives 3 x 8 x 12, but picture 'p0.png'"),
        (lambda: Path("list.txt").write_text(""), "list.txt: the list is empty"),
    ],
    ids=["missing", "rubbish", "empty", "size", "list"],
)
def test_a_bad_file_is_named(make: Any, words: str) -> None:
    make()
    with pytest.raises(DataError, match=words) as caught:
        images('source: "list.txt" batch_size: 2').next_batch()
    assert caught.value.field == "image_data_param.source"


def test_pictures_of_16_bits_are_refused() -> None:
    data = cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes()
    with pytest.raises(DataError, match="pixels of uint16"):
        decode(data, "record 'x'", None, "data_param.source")


def test_a_picture_with_alpha_keeps_four_channels_as_stored_and_three_as_colour() -> None:
    data = cv2.imencode(".png", np.zeros((4, 5, 4), np.uint8))[1].tobytes()
    assert decode(data, "x", None, "f").shape == (4, 4, 5) and decode(data, "x", True, "f").shape == (3, 4, 5)


WINDOWS = "# 0\np3.png\n3 8 9\n2\n4 0.8 1 1 5 6\n0 0.1 2 2 7 7\n"


def windows(text: str = WINDOWS, param: str = "fg_fraction: 0.5", crop: str = "crop_size: 4", seed: int = 0) -> WindowData:
    Path("windows.txt").write_text(text)
    layer = f"""type: "WindowData" top: "data" top: "label" transform_param {{ {crop} }}
    window_data_param {{ source: "windows.txt" batch_size: 4 {param} }}"""
    return WindowData(text_format.Parse(layer, LayerParameter()), True, np.random.default_rng(seed))


def test_window_state_goes_on() -> None:
    source = windows(WINDOWS.replace("\n2\n4", "\n3\n9 0.9 0 0 1 1\n4"), crop="crop_size: 4 mirror: true")
    source.next_batch()
    again = windows(WINDOWS.replace("\n2\n4", "\n3\n9 0.9 0 0 1 1\n4"), crop="crop_size: 4 mirror: true", seed=9)
    again.load_state_dict(source.state_dict())
    for _ in range(10):
        assert all(torch.equal(a, b) for a, b in zip(source.next_batch(), again.next_batch(), strict=True))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (WINDOWS, "", "is empty"),
        ("# 0", "0", "found '0' where '# number'"),
        ("3 8 9", "1 8 9", "listed with 1 channels"),
        (" 7 7\n", " 7\n", "ends in the middle of picture 0"),
        ("4 0.8", "four 0.8", "has invalid literal"),
        ("4 0.8", "0 0.8", "label 0, not 1 or more"),
        ("4 0.8", "4 0.4", "leave no objects"),
        ("0 0.1", "1 0.9", "leave no background windows"),
        ("# 0", "# 1", "windows of picture 1, but pictures are 0 to 0"),
        ("1 1 5 6", "1 1 5 8", "does not lie within p3.png, 9 x 8 pixels"),
        ("p3.png", "p9.png", "p9.png: No such file"),
    ],
)
def test_bad_window_files_are_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        windows(WINDOWS.replace(old, new)).next_batch()
    assert caught.value.field == "window_data_param.source" and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("param", "crop", "words"),
    [
        ("crop_mode: 'sqare'", "crop_size: 4", "unknown crop_mode 'sqare' .did you mean 'square'"),
        ("context_pad: 2", "crop_size: 4", "context_pad 2 leaves nothing of crop_size 4"),
        ("fg_fraction: 1.5", "crop_size: 4", "fg_fraction must lie within 0 and 1"),
        ("", "crop_size: 4 mean_value: 1 mean_value: 2", "once or 3 times, not 2"),
    ],
)
def test_bad_window_settings_are_refused(param: str, crop: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        windows(param=param, crop=crop)


def test_halves_are_rounded_away_from_0() -> None:
    assert [rounded(np.float32(x)) for x in (0.5, 1.5, -0.5, -1.5, 2.4, -2.4)] == [1, 2, -1, -2, 2, -2]


def test_a_box_beyond_the_picture_is_clipped_and_padded() -> None:
    span = clip(-5, 14, 10, 40)
    assert (span.first, span.last, span.size, span.before, span.after) == (0, 9, 20, 10, 10)
