"""Sizes of pictures as forks' ImageData bring them to: NVCaffe's, caffe-pro's, Intel's; and Intel's order of colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.image import ImageData
from solver_cli.errors import ConfigError

cv2 = pytest.importorskip("cv2")
PIXELS = np.random.default_rng(3).integers(0, 256, (20, 31, 3), np.uint8)


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("wide.png", PIXELS)
    cv2.imwrite("tall.png", PIXELS.transpose(1, 0, 2))


def picture(param: str, name: str = "wide.png", more: str = "") -> np.ndarray:
    Path("list.txt").write_text(f"{name} 0\n")
    text = f'top: "data" top: "label" image_data_param {{ source: "list.txt" batch_size: 1 {param} }} {more}'
    source = ImageData(text_format.Parse(text, LayerParameter()), True, np.random.default_rng(0))
    return source.next_batch()[0][0].numpy()


def resized(height: int, width: int, how: int = cv2.INTER_LINEAR, pixels: np.ndarray = PIXELS) -> np.ndarray:
    return cv2.resize(pixels, (width, height), interpolation=how).transpose(2, 0, 1)


def test_the_shorter_side() -> None:
    np.testing.assert_array_equal(picture("short_side: 9"), resized(9, 13))  # 13.95: cut off
    np.testing.assert_array_equal(picture("new_dim: 9"), resized(9, 14))  # rounded
    np.testing.assert_array_equal(picture("new_dim: 9 bicubic: true"), resized(9, 14, cv2.INTER_CUBIC))
    turned = np.ascontiguousarray(PIXELS.transpose(1, 0, 2))
    np.testing.assert_array_equal(picture("short_side: 9", "tall.png"), resized(13, 9, pixels=turned))
    np.testing.assert_array_equal(picture("new_dim: 9", "tall.png"), resized(14, 9, pixels=turned))


def test_a_least_size() -> None:
    np.testing.assert_array_equal(picture("min_height: 20 min_width: 31"), PIXELS.transpose(2, 0, 1))
    np.testing.assert_array_equal(picture("min_height: 30 min_width: 31"), resized(30, 47))  # 46.5 + 0.5
    np.testing.assert_array_equal(picture("min_height: 21 min_width: 40"), resized(26, 40))  # 25.8 + 0.5


def test_red_first() -> None:
    found = picture("", more="transform_param { bgr2rgb: true }")
    np.testing.assert_array_equal(found, PIXELS[..., ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("short_side: 3 new_height: 4 new_width: 4", "new_height and short_side exclude each other"),
        ("min_height: 3", "min_height and min_width must be set together"),
        ("bicubic: true", "bicubic goes with new_dim"),
    ],
)
def test_sizes_that_do_not_go_together(param: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        picture(param)
