"""Pictures of random sizes and shapes: Intel's random_resize_param and random_aspect_ratio_param, yjxiong's crops, flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from solver_cli.caffe_pb2 import Datum, LayerParameter
from solver_cli.commands.datasets import write_lmdb
from solver_cli.data.database import Data
from solver_cli.errors import ConfigError

cv2 = pytest.importorskip("cv2")
RAMP = np.add.outer(np.arange(24), np.arange(30)).astype(np.uint8)  # pixel = its row + its column
SIDES = [(0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)]
PLACES = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2), *SIDES]
PICTURE = np.stack([RAMP, RAMP + 60, RAMP + 120])


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture of 24 x 30, raw and as a file, over and over."""
    monkeypatch.chdir(tmp_path)
    file = cv2.imencode(".png", PICTURE.transpose(1, 2, 0))[1].tobytes()
    raw = Datum(channels=3, height=24, width=30, data=PICTURE.tobytes())
    for name, datum in (("raw", raw), ("encoded", Datum(encoded=True, data=file))):
        write_lmdb(Path(name), [(b"%d" % i, datum.SerializeToString()) for i in range(4)])


def batches(transform: str, kind: str = "raw", training: bool = True, count: int = 4) -> np.ndarray[Any, Any]:
    text = f'data_param {{ source: "{kind}" backend: LMDB batch_size: 8 }} transform_param {{ {transform} }} top: "data"'
    source = Data(text_format.Parse(text, LayerParameter()), training, np.random.default_rng(1))
    found = [source.next_batch()[0] for _ in range(count)]
    assert {tuple(batch.shape) for batch in found} == set(source.shapes)
    return torch.cat(found).numpy()


def alike(pictures: np.ndarray[Any, Any]) -> int:
    """How many different pictures there are."""
    return len({picture.tobytes() for picture in pictures})


@pytest.mark.parametrize("kind", ["raw", "encoded"])
def test_the_shorter_side_of_intels_resize(kind: str) -> None:
    """48 x 60, whose centre is cut in testing: what OpenCV makes of it."""
    how = "random_resize_param { min_size: 48 max_size: 48 resize_param { interp_mode: CUBIC } } crop_size: 40"
    whole = cv2.resize(PICTURE.transpose(1, 2, 0), (60, 48), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    found = batches(how, kind, training=False)
    np.testing.assert_array_equal(found[0], whole[:, 4:44, 10:50])
    assert alike(found) == 1


def test_the_length_is_drawn_in_every_phase() -> None:
    assert alike(batches("random_resize_param { min_size: 20 max_size: 26 } crop_size: 20", training=False)) == 7
    assert alike(batches("random_resize_param { } crop_size: 20", training=False)) == 7  # from 24 to 30


def test_a_part_of_random_shape() -> None:
    """Slopes of the ramp along rows and columns show how large a part became 12 x 12."""
    how = "random_aspect_ratio_param { min_area_ratio: 0.25 max_area_ratio: 0.5 aspect_ratio_change: 0.7 } crop_size: 12"
    found = batches(how, count=20)[:, 0]
    tall = (found[:, -2, 6] - found[:, 1, 6]) / 9 * 12
    wide = (found[:, 6, -2] - found[:, 6, 1]) / 9 * 12
    area, shape = tall * wide / (24 * 30), np.sqrt(tall / wide)
    assert area.min() > 0.2 and area.max() < 0.55 and np.ptp(area) > 0.1
    assert shape.min() < 0.8 and shape.max() > 1.25 and shape.min() > 0.62 and shape.max() < 1.6


def test_a_shape_that_never_fits_leaves_the_whole_picture() -> None:
    how = "random_aspect_ratio_param { min_area_ratio: 4 max_area_ratio: 4 } crop_size: 12"
    whole = cv2.resize(PICTURE.transpose(1, 2, 0), (15, 12)).transpose(2, 0, 1)
    np.testing.assert_array_equal(batches(how, training=False)[0], whole[:, :, 1:13])


def test_yjxiongs_places() -> None:
    """A crop of 10 x 10 moves by whole quarters of what it leaves free, 3 rows and 5 columns."""
    five = {(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)}
    crops = {at: PICTURE[:, 3 * at[0] :, 5 * at[1] :][:, :10, :10].astype(np.float32).tobytes() for at in PLACES}
    found = batches("crop_size: 10 fix_crop: true")
    assert {picture.tobytes() for picture in found} == {crops[at] for at in five}
    found = batches("crop_size: 10 fix_crop: true more_fix_crop: true", count=20)
    assert {picture.tobytes() for picture in found} == set(crops.values())
    centre = batches("crop_size: 10 fix_crop: true", training=False)
    np.testing.assert_array_equal(centre[0], PICTURE[:, 7:17, 10:20])


def test_yjxiongs_scales() -> None:
    """Parts of 24 and 12 pixels a side, not more than max_distort apart, become 12 x 12."""
    how = "crop_size: 12 multi_scale: true scale_ratios: 1 scale_ratios: 0.52"
    for distort, shapes in ((0, {(1, 1), (2, 2)}), (1, {(1, 1), (1, 2), (2, 1), (2, 2)})):
        found = batches(f"{how} max_distort: {distort}", count=8)[:, 0]
        tall, wide = (found[:, -2, 6] - found[:, 1, 6]) / 9, (found[:, 6, -2] - found[:, 6, 1]) / 9
        assert {(round(float(a)), round(float(b))) for a, b in zip(tall, wide, strict=True)} == shapes


@pytest.mark.parametrize(("field", "channels"), [("is_flow", [0, 2]), ("flow", [2])])
def test_mirrored_flow_runs_the_other_way(field: str, channels: list[int]) -> None:
    turned = PICTURE[..., ::-1].astype(np.float32)
    turned[channels] = 255 - turned[channels]
    found = batches(f"mirror: true {field}: true mean_value: 100 scale: 0.5")
    wanted = {((picture - 100) * 0.5).astype(np.float32).tobytes() for picture in (PICTURE.astype(np.float32), turned)}
    assert {picture.tobytes() for picture in found} == wanted


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ("random_resize_param { min_size: 20 }", "random_resize_param needs a crop_size"),
        ("crop_size: 9 random_resize_param { min_size: 9 max_size: 8 }", "max_size 8 is below min_size 9"),
        ("crop_size: 9 random_aspect_ratio_param { min_area_ratio: 2 }", "2 to 1, is no range"),
        ("crop_size: 9 random_aspect_ratio_param { aspect_ratio_change: 0 }", "must be above 0 and at most 1, not 0"),
        ("crop_size: 9 random_aspect_ratio_param { } random_resize_param { }", "exclude each other"),
        ("crop_size: 9 multi_scale: true img_rand_resize_lower: 3", "multi_scale and img_rand_resize_lower exclude"),
        ("crop_size: 9 multi_scale: true mean_file: 'm'", "mean_file does not go with multi_scale"),
        ("crop_size: 9 multi_scale: true scale_ratios: 1.5", "scale_ratios must be above 0 and at most 1"),
        ("crop_size: 9 multi_scale: true max_distort: -1", "max_distort must be 0 or more"),
        ("fix_crop: true", "fix_crop needs a crop_size"),
    ],
)
def test_what_cannot_be_drawn_is_refused(transform: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        batches(transform)


def test_what_nothing_asks_for_is_said(caplog: pytest.LogCaptureFixture) -> None:
    batches("crop_size: 9 max_distort: 2 scale_ratios: 1")
    assert "transform_param.max_distort has no effect: neither multi_scale nor fix_crop is set" in caplog.text
    assert "transform_param.scale_ratios has no effect" in caplog.text
