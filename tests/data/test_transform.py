"""Transform and mean files: the formula, the draws, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from solver_cli.caffe_pb2 import BlobProto, TransformationParameter
from solver_cli.data.crops import Encoded, mirrored
from solver_cli.data.pool import Pool
from solver_cli.data.source import random_words
from solver_cli.data.transform import Transform
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats import blobproto

RNG = np.random.default_rng(5)
PICTURES = RNG.integers(0, 256, (6, 3, 8, 10), np.uint8)
MEAN = RNG.random((3, 8, 10)).astype(np.float32) * 255


def transform(text: str, training: bool = False) -> Transform:
    return Transform(
        text_format.Parse(text, TransformationParameter()), training, np.random.default_rng(1), "data_param.source"
    )


def run(rule: Transform, pictures: Any, first: int = 0) -> np.ndarray:
    count = pictures.count if isinstance(pictures, Encoded) else len(pictures)
    return rule(pictures, range(first, first + count), lambda i: f"record {i}", Pool()).numpy()


@pytest.fixture
def mean_file(tmp_path: Path) -> Path:
    (tmp_path / "mean").write_bytes(BlobProto(num=1, channels=3, height=8, width=10, data=MEAN.ravel()).SerializeToString())
    return tmp_path / "mean"


def candidates(picture: np.ndarray, mean: np.ndarray, scale: float, crop: int, mirror: bool) -> list[np.ndarray]:
    """Every way in which a picture may come out."""
    whole = (picture.astype(np.float32) - mean) * np.float32(scale)
    cuts = [whole[:, i : i + crop, j : j + crop] for i in range(9 - crop) for j in range(11 - crop)]
    return cuts + ([cut[..., ::-1] for cut in cuts] if mirror else [])


@pytest.mark.parametrize("alike", [True, False], ids=["array", "list"])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_training_cuts_and_mirrors_each_picture_on_its_own(mean_file: Path, alike: bool, kind: Any) -> None:
    rule = transform(f'crop_size: 6 mirror: true scale: 0.25 mean_file: "{mean_file}"', training=True)
    pictures = PICTURES.astype(kind)
    places = set()
    for round_ in range(40):
        for picture, out in zip(PICTURES, run(rule, pictures if alike else list(pictures), round_ * 6), strict=True):
            ways = candidates(picture, MEAN, 0.25, 6, True)
            (place,) = [i for i, way in enumerate(ways) if np.array_equal(way, out)]
            places.add(place)
    assert len(places) == 3 * 5 * 2


@pytest.mark.parametrize("alike", [True, False], ids=["array", "list"])
def test_testing_cuts_the_centre(mean_file: Path, alike: bool) -> None:
    out = run(transform(f'crop_size: 5 mean_file: "{mean_file}"'), PICTURES if alike else list(PICTURES))
    np.testing.assert_array_equal(out, (PICTURES - MEAN)[:, :, 1:6, 2:7])


def test_mean_values_are_one_or_one_a_channel() -> None:
    np.testing.assert_array_equal(run(transform("mean_value: 7 scale: 2"), PICTURES), (PICTURES - np.float32(7)) * 2)
    three = np.array([1.5, 2, 3], np.float32).reshape(3, 1, 1)
    np.testing.assert_array_equal(
        run(transform("mean_value: 1.5 mean_value: 2 mean_value: 3"), list(PICTURES)), PICTURES - three
    )


def test_large_pictures_are_made_by_several_threads_alike() -> None:
    large = list(RNG.integers(0, 256, (5, 3, 90, 100), np.uint8))
    rule = transform("crop_size: 64 mirror: true", training=True)
    rows = rule._rows(large, range(9, 14))
    for out, picture, (top, left, flip) in zip(run(rule, large, 9), large, rows, strict=True):
        np.testing.assert_array_equal(out, picture[:, top : top + 64, left : left + 64][..., :: -1 if flip else 1])


@pytest.mark.parametrize("kind", ["planar", "interleaved", "floats", "mixed", "sizes"])
@pytest.mark.parametrize(
    "text",
    [
        'mean_file: "{mean}" mirror: true',
        'mean_file: "{mean}" mirror: true crop_size: 5',
        "mean_value: 1 mean_value: 2.5 mean_value: 7 mirror: true",
        "crop_size: 6",
        "",
    ],
)
def test_what_is_done_on_a_device_comes_out_the_same_bit_by_bit(mean_file: Path, text: str, kind: str) -> None:
    rule = transform(text.format(mean=mean_file) + " scale: 0.3", training=True)
    pictures = {
        "planar": PICTURES,
        "interleaved": [np.ascontiguousarray(p.transpose(1, 2, 0)).transpose(2, 0, 1) for p in PICTURES],
        "floats": PICTURES / np.float32(3),
        "sizes": [p[:, i % 2 :, i % 3 :] for i, p in enumerate(PICTURES)] if text == "crop_size: 6" else PICTURES,
        "mixed": [PICTURES[0], *(PICTURES[1:] / np.float32(3))],
    }[kind]
    here = run(rule, pictures, 5)
    rule.device = torch.device("cpu")
    there = run(rule, pictures, 5)
    assert there.flags.c_contiguous and here.tobytes() == there.tobytes()


@pytest.mark.parametrize("how", ["here", "device", "channels last"])
@pytest.mark.parametrize(
    "text",
    [
        'mean_file: "{mean}" mirror: true crop_size: 5',
        "mean_value: 1 mean_value: 2.5 mean_value: 7 scale: 0.3 mirror: true crop_size: 5",
        "crop_size: 6",
        "mirror: true",
    ],
)
def test_pictures_cut_as_they_are_decoded_come_out_the_same(mean_file: Path, text: str, how: str) -> None:
    rule = transform(text.format(mean=mean_file), training=True)
    rule.shape("record 0", (3, 8, 10))
    here = run(rule, list(PICTURES), 5)
    rule.device = torch.device("cpu") if how == "device" else None
    rule.channels_last = how == "channels last"
    turned = [np.ascontiguousarray(p.transpose(1, 2, 0)).transpose(2, 0, 1) for p in PICTURES]
    found = run(rule, Encoded(turned.__getitem__, 6), 5)
    np.testing.assert_array_equal(here, found)
    assert found.transpose(0, 2, 3, 1).flags.c_contiguous == (how == "channels last" and "crop_size" in text)


@pytest.mark.parametrize("device", [None, torch.device("cpu")], ids=["here", "device"])
def test_pictures_of_other_channels_than_the_first_record_are_cut_too(device: torch.device | None) -> None:
    rule = transform("crop_size: 6 mirror: true", training=True)
    rule.shape("record 0", (3, 8, 10))
    here = run(rule, PICTURES[:, :1])
    rule.device = device
    np.testing.assert_array_equal(here, run(rule, Encoded(lambda i: PICTURES[i, :1], 6)))
    with pytest.raises(DataError, match="record 1 has 1 channels, but record 0 began the batch with 3"):
        run(rule, Encoded(lambda i: PICTURES[i, : 3 - 2 * (i % 2)], 6))


@pytest.mark.parametrize("width", [1, 7, 8, 19])
@pytest.mark.parametrize("number", [np.uint8, np.float32])
def test_mirror_images_of_any_width(width: int, number: Any) -> None:
    pixels = RNG.integers(0, 256, (2, 3, 4, width)).astype(number)
    np.testing.assert_array_equal(mirrored(pixels), pixels[..., ::-1])


def test_threads_give_results_in_order_and_the_first_error() -> None:
    pool = Pool()
    assert pool.map(lambda a, b: a * b, range(100), range(100)) == [i * i for i in range(100)]
    assert pool.map(abs, []) == []

    def fails(i: int) -> int:
        if i in (31, 32, 33):
            raise DataError(f"item {i}")
        return i

    for _ in range(20):
        with pytest.raises(DataError, match="item 31"):
            pool.map(fails, range(100))
    pool.close()


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**9), st.integers(1, 50), st.integers(0, 49))
def test_words_hang_on_the_seed_and_the_record_alone(seed: int, first: int, count: int, skip: int) -> None:
    numbers = range(first, first + count)
    whole = random_words(seed, numbers, 3)
    assert np.array_equal(whole[skip:], random_words(seed, numbers[skip:], 3))
    assert np.array_equal(whole[skip::7], random_words(seed, numbers[skip::7], 3))


def test_words_are_even() -> None:
    words = random_words(1, range(60000), 1).ravel()
    for n in (2, 5, 7):
        counts = np.bincount((words % np.uint64(n)).astype(int))
        assert abs(counts - 60000 / n).max() < 5 * (60000 / n) ** 0.5
    assert abs(np.corrcoef(words[:-1], words[1:])[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("crop_size: 9", "crop_size", "crop_size 9 is larger than record 0, which is 8 x 10"),
        ("mean_value: 1 mean_value: 2", "mean_value", "2 mean values for record 0 of 3 channels"),
        ("force_color: true force_gray: true", "force_gray", "exclude each other"),
        ('mean_file: "x" mean_value: 1', "mean_value", "exclude each other"),
        ('mean_file: "gone"', "mean_file", "gone: No such file"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(text: str, field: str, words: str) -> None:
    with pytest.raises((ConfigError, DataError), match=words) as caught:
        run(transform(text), PICTURES)
    assert caught.value.field == f"transform_param.{field}"


def test_a_mean_of_another_size_names_both(mean_file: Path) -> None:
    with pytest.raises(DataError, match="the mean file is 3 x 8 x 10, record 0 is 3 x 8 x 9: they must be equal"):
        run(transform(f'mean_file: "{mean_file}"'), PICTURES[..., :9])


def blob(path: Path, **fields: Any) -> Path:
    path.write_bytes(BlobProto(**fields).SerializeToString())
    return path


def test_blobs_are_read_in_old_and_new_shapes(tmp_path: Path) -> None:
    old = blobproto.read(blob(tmp_path / "a", num=1, channels=2, height=1, width=3, data=range(6)))
    new = blobproto.read(blob(tmp_path / "b", shape={"dim": [2, 3]}, double_data=range(6)))
    assert old.shape == (1, 2, 1, 3) and new.shape == (2, 3) and old.dtype == new.dtype == np.float32
    assert old.ravel().tolist() == new.ravel().tolist() == list(range(6))


def test_blobs_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="shape 2 x 3 cannot hold the 5 values"):
        blobproto.read(blob(tmp_path / "a", shape={"dim": [2, 3]}, data=range(5)))
    with pytest.raises(DataError, match="a: the file is empty"):
        blobproto.read(blob(tmp_path / "a"))
    (tmp_path / "a").write_bytes(b"\xff rubbish")
    with pytest.raises(DataError, match="a: not a BlobProto file"):
        blobproto.read(tmp_path / "a")
    with pytest.raises(DataError, match="Is a directory"):
        blobproto.read(tmp_path)
