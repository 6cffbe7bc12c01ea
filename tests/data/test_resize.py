"""Pictures made smaller and larger: ImageData's new_height and new_width, and NVCaffe's fields of transform_param."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from solver_cli import Net
from solver_cli.caffe_pb2 import BlobProto, Datum, LayerParameter, TransformationParameter
from solver_cli.commands.datasets import write_lmdb
from solver_cli.data import resize
from solver_cli.data.database import Data
from solver_cli.data.image import ImageData
from solver_cli.data.resize import Resize
from solver_cli.errors import ConfigError, DataError

cv2 = pytest.importorskip("cv2")

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 24, 30, 3), np.uint8)
BOTH = pytest.mark.parametrize("training", [True, False], ids=["TRAIN", "TEST"])


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five pictures of 24 x 30, as files, as raw and as encoded records."""
    monkeypatch.chdir(tmp_path)
    for i, pixels in enumerate(PIXELS):
        cv2.imwrite(f"p{i}.png", pixels)
    Path("list.txt").write_text("".join(f"p{i}.png {i}\n" for i in range(5)))
    planes = [pixels.transpose(2, 0, 1).tobytes() for pixels in PIXELS]
    raw = [Datum(channels=3, height=24, width=30, data=data, label=i) for i, data in enumerate(planes)]
    encoded = [Datum(encoded=True, data=Path(f"p{i}.png").read_bytes(), label=i) for i in range(5)]
    for name, datums in (("raw", raw), ("encoded", encoded)):
        write_lmdb(Path(name), [(b"%d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)])


def source(kind: str, transform: str, training: bool = True, batch: int = 5, seed: int = 0, more: str = "") -> Any:
    if kind == "files":
        param, cls = f'image_data_param {{ source: "list.txt" batch_size: {batch} {more} }}', ImageData
    else:
        param, cls = f'data_param {{ source: "{kind}" backend: LMDB batch_size: {batch} }}', Data
    text = f'name: "data" top: "data" top: "label" {param} transform_param {{ {transform} }}'
    return cls(text_format.Parse(text, LayerParameter()), training, np.random.default_rng(seed))


def data(*args: Any, **more: Any) -> np.ndarray:
    layer = source(*args, **more)
    batch = layer.next_batch()[0]
    assert layer.shapes[0] == batch.shape
    return batch.numpy()


def resized(height: int, width: int, how: int, kind: Any = np.uint8) -> np.ndarray:
    """What OpenCV makes of the pictures: [5, 3, height, width]."""
    made = [cv2.resize(pixels.astype(kind), (width, height), interpolation=how) for pixels in PIXELS]
    return np.stack(made).transpose(0, 3, 1, 2).astype(np.float32)


@BOTH
@pytest.mark.parametrize(("height", "width"), [(12, 20), (40, 50), (10, 60)])
def test_new_height_and_new_width_shrink_and_enlarge(training: bool, height: int, width: int) -> None:
    made = data("files", "", training, more=f"new_height: {height} new_width: {width}")
    assert np.array_equal(made, resized(height, width, cv2.INTER_LINEAR))


@BOTH
@pytest.mark.parametrize("kind", ["files", "encoded", "raw"])
@pytest.mark.parametrize("how", ["NEAREST", "LINEAR", "CUBIC", "AREA"])
def test_a_plain_resize_sets_the_shorter_side(training: bool, kind: str, how: str) -> None:
    rule = f"img_rand_resize_lower: 12 img_rand_resize_upper: 12 interpolation_algo_down: INTER_{how}"
    numbers = np.float32 if kind == "raw" else np.uint8
    assert np.array_equal(data(kind, rule, training), resized(12, 15, getattr(cv2, f"INTER_{how}"), numbers))


@BOTH
def test_only_allow_upscale_enlarges(training: bool) -> None:
    rule = "img_rand_resize_lower: 36 img_rand_resize_upper: 36 interpolation_algo_up: INTER_LINEAR"
    assert np.array_equal(data("files", rule, training), resized(24, 30, cv2.INTER_LINEAR))
    assert np.array_equal(data("files", f"{rule} allow_upscale: true", training), resized(36, 45, cv2.INTER_LINEAR))


def test_the_defaults_are_nearest_and_cubic() -> None:
    lower = "img_rand_resize_lower: 12 img_rand_resize_upper: 12"
    upper = "img_rand_resize_lower: 48 img_rand_resize_upper: 48 allow_upscale: true"
    assert np.array_equal(data("files", lower), resized(12, 15, cv2.INTER_NEAREST))
    assert np.array_equal(data("files", upper), resized(48, 60, cv2.INTER_CUBIC))


def test_then_comes_the_crop_the_mean_and_the_scale() -> None:
    Path("mean").write_bytes(BlobProto(num=1, channels=3, height=24, width=30, data=np.arange(2160.0)).SerializeToString())
    mean = np.arange(2160, dtype=np.float32).reshape(3, 24, 30)[:, 7:17, 10:20]  # its centre
    rule = 'img_rand_resize_lower: 12 img_rand_resize_upper: 12 crop_size: 10 scale: 0.5 mean_file: "mean"'
    made = data("files", rule, training=False)
    assert np.array_equal(made, (resized(12, 15, cv2.INTER_NEAREST)[:, :, 1:11, 2:12] - mean) * np.float32(0.5))


@BOTH
def test_a_random_resize_draws_every_size_in_its_range(training: bool) -> None:
    """A crop of the middle of each size; a nearest resize keeps pixels, so that each can be told."""
    layer = source("files", "img_rand_resize_lower: 10 img_rand_resize_upper: 13 crop_size: 10", training)
    ways = {side: resized(side, int(side * 1.25 + 0.5), cv2.INTER_NEAREST) for side in (10, 11, 12, 13)}
    found = set()
    for _ in range(12):
        for i, picture in enumerate(layer.next_batch()[0].numpy()):
            for side, way in ways.items():
                whole = way[i]
                cuts = np.lib.stride_tricks.sliding_window_view(whole, (3, 10, 10))[0]
                found |= {side} if (cuts == picture).all((2, 3, 4)).any() else set()
    assert found == set(ways)


@pytest.mark.parametrize("kind", ["files", "raw"])
def test_a_resumed_source_goes_on_with_the_same_sizes(kind: str) -> None:
    rule = "img_rand_resize_lower: 12 img_rand_resize_upper: 20 vertical_stretch_lower: 0.8 crop_size: 9 mirror: true"
    first = source(kind, rule, batch=3)
    first.next_batch()
    again = source(kind, rule, batch=3, seed=8)
    again.load_state_dict(first.state_dict())
    for _ in range(4):
        assert torch.equal(first.next_batch()[0], again.next_batch()[0])


def test_what_is_drawn_hangs_on_the_record_not_on_the_batch() -> None:
    rule = "img_rand_resize_lower: 12 img_rand_resize_upper: 20 crop_size: 9"
    single = source("raw", rule, batch=1)
    assert np.array_equal(data("raw", rule, batch=5), np.concatenate([single.next_batch()[0] for _ in range(5)]))


def test_random_seed_of_the_transform_fixes_the_draws() -> None:
    rule = "crop_size: 9 mirror: true img_rand_resize_lower: 12 img_rand_resize_upper: 20"
    assert np.array_equal(data("raw", f"{rule} random_seed: 4", seed=1), data("raw", f"{rule} random_seed: 4", seed=2))
    assert not np.array_equal(data("raw", rule, seed=1), data("raw", rule, seed=2))


def sizes(text: str, height: int = 40, width: int = 60, count: int = 300) -> np.ndarray:
    rule = Resize(text_format.Parse(text, TransformationParameter()))
    words = np.random.default_rng(0).integers(0, 2**64, (count, resize.WORDS), np.uint64)
    return np.array([rule.size(height, width, row) for row in words])


def test_the_ratio_sets_the_longer_side_and_either_of_a_square() -> None:
    rule = "crop_size: 1 rand_resize_ratio_lower: 1 rand_resize_ratio_upper: 1.25 allow_upscale: true"
    wide, square = sizes(rule), sizes(rule, 40, 40)
    assert set(wide[:, 0]) == {40} and set(wide[:, 1]) == set(range(40, 51))
    assert {40} == set(square.min(1)) and set(square.max(1)) == set(range(40, 51))
    assert (square[:, 0] > 40).any() and (square[:, 1] > 40).any()


def test_the_stretches_work_on_one_side_each() -> None:
    tall = sizes("crop_size: 1 vertical_stretch_lower: 0.5 vertical_stretch_upper: 0.75")
    assert set(tall[:, 1]) == {60} and set(tall[:, 0]) == set(range(20, 31))
    narrow = sizes("horizontal_stretch_lower: 0.5 horizontal_stretch_upper: 0.5")
    assert set(map(tuple, narrow)) == {(40, 30)}


def test_no_side_becomes_shorter_than_the_crop() -> None:
    assert set(map(tuple, sizes("img_rand_resize_lower: 10 img_rand_resize_upper: 12 crop_size: 32"))) == {(32, 32)}


def test_the_size_is_rounded_as_nvcaffe_does() -> None:
    """lround of float32: 25 / 40 * 60 = 37.5 becomes 38."""
    assert set(map(tuple, sizes("img_rand_resize_lower: 25 img_rand_resize_upper: 25"))) == {(25, 38)}


@pytest.mark.parametrize(
    ("rule", "field", "words"),
    [
        ("img_rand_resize_lower: 9 img_rand_resize_upper: 8", "img_rand_resize_upper", "8 is below img_rand_resize_lower"),
        ("img_rand_resize_lower: 8 img_rand_resize_upper: 9", "img_rand_resize_lower", "needs a crop_size"),
        ("rand_resize_ratio_lower: 2 rand_resize_ratio_upper: 2", "rand_resize_ratio_lower", "needs a crop_size"),
        ("vertical_stretch_upper: 2", "vertical_stretch_upper", "needs a crop_size"),
        ("crop_h: 4", "crop_h", "must be set together"),
        ("crop_h: 4 crop_w: 5 crop_size: 4", "crop_size", "give crop_size, or crop_h and crop_w"),
    ],
)
def test_what_makes_no_batch_is_refused(rule: str, field: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        source("files", rule)
    assert caught.value.field == f"transform_param.{field}"


@pytest.mark.parametrize("kind", ["files", "raw", "encoded"])
def test_a_crop_of_two_sides(kind: str) -> None:
    """The centre in testing, anywhere in training."""
    planes = PIXELS.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(data(kind, "crop_h: 10 crop_w: 20", training=False), planes[:, :, 7:17, 5:25])
    cuts = data(kind, "crop_h: 23 crop_w: 29")
    windows = [[x[:, i : i + 23, j : j + 29] for i in (0, 1) for j in (0, 1)] for x in planes]
    found = [next(i for i, part in enumerate(four) if (part == cut).all()) for cut, four in zip(cuts, windows, strict=True)]
    assert len(set(found)) > 1
    with pytest.raises(DataError, match=r"a crop of 25 x 20 is larger than .*, which is 24 x 30"):
        source(kind, "crop_h: 25 crop_w: 20").next_batch()


def test_a_picture_below_the_crop_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match=r"crop_size 25 is larger .* 24 x 30 \(allow_upscale: true enlarges it\)"):
        source("files", "crop_size: 25 img_rand_resize_lower: 25 img_rand_resize_upper: 25")


def test_a_size_beyond_all_measure_is_refused() -> None:
    for side in (100_000, 2**32 - 1):
        rule = f"crop_size: 9 allow_upscale: true img_rand_resize_lower: {side} img_rand_resize_upper: {side}"
        with pytest.raises(DataError, match="would become"):
            data("files", rule)


def test_an_error_names_its_place() -> None:
    text = """layer { name: "d" type: "ImageData" top: "data" top: "label"
  image_data_param { source: "list.txt" }
  transform_param { img_rand_resize_lower: 9
                    img_rand_resize_upper: 8 } }"""
    with pytest.raises(ConfigError, match=r":4:21: layer 'd' \(ImageData\): img_rand_resize_upper 8 is below"):
        Net.from_text(text, phase="TRAIN")


@pytest.mark.parametrize(
    "rule",
    [
        *("use_gpu_transform: true", "forward_packing: NHWC", "allow_upscale: true", "interpolation_algo_down: INTER_AREA"),
        *("img_rand_resize_lower: 8", "rand_resize_ratio_lower: 1 rand_resize_ratio_upper: 1", "vertical_stretch_upper: 0"),
    ],
)
def test_what_does_nothing_is_said_in_the_log(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = data("files", rule, training=False)
    assert np.array_equal(made, PIXELS.transpose(0, 3, 1, 2))
    (line,) = [record.getMessage() for record in caplog.records]
    assert "no effect" in line and rule.split(":")[0] in line
