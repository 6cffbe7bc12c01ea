"""VideoData of yjxiong: which frames come from where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli import Net
from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.video import VideoData
from solver_cli.errors import ConfigError, DataError

cv2 = pytest.importorskip("cv2")


@pytest.fixture(autouse=True)
def frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders v0 (12 frames) and v1 (3): frame n of video v is n + 100 v, its flow n and 50 + n + 100 v."""
    monkeypatch.chdir(tmp_path)
    for video, count in enumerate((12, 3)):
        Path(f"v{video}").mkdir()
        for n in range(1, count + 1):
            for name, value in ((f"image_{n:04d}", n), (f"flow_x_{n:04d}", n), (f"flow_y_{n:04d}", 50 + n)):
                cv2.imwrite(f"v{video}/{name}.png", np.full((6, 8, 3), value + 100 * video, np.uint8))
    Path("list.txt").write_text("v0 12 3\nv1 3 5\n")


def videos(more: str = "", training: bool = False, transform: str = "") -> VideoData:
    text = f"""type: "VideoData" top: "data" top: "label" transform_param {{ {transform} }}
      video_data_param {{ source: "list.txt" batch_size: 2 {more} }}"""
    return VideoData(text_format.Parse(text, LayerParameter()), training, np.random.default_rng(3))


RGB = 'modality: RGB name_pattern: "image_%04d.png"'
FLOW = 'name_pattern: "flow_%c_%04d.png"'


def values(batch: Any) -> list[list[int]]:
    assert (batch == batch[..., :1, :1]).all()
    return batch[..., 0, 0].int().tolist()  # type: ignore[no-any-return]


def test_the_middle_of_each_segment_in_testing() -> None:
    source = videos(f"{RGB} num_segments: 3 new_length: 1")
    assert source.shapes == [(2, 9, 6, 8), (2, 1, 1, 1)]
    data, label = source.next_batch()
    assert values(data) == [[n for n in (3, 7, 11) for _ in "bgr"], [n for n in (101, 102, 103) for _ in "bgr"]]
    assert label.flatten().tolist() == [3, 5]


def test_flow_is_two_pictures_a_frame_and_a_short_segment_starts_at_the_first() -> None:
    data, _ = videos(f"{FLOW} num_segments: 2 new_length: 2").next_batch()
    assert data.shape == (2, 8, 6, 8)
    assert values(data) == [[3, 53, 4, 54, 9, 59, 10, 60], [101, 151, 102, 152] * 2]


def test_frames_come_from_anywhere_in_training() -> None:
    source = videos(f"{FLOW} num_segments: 2 new_length: 3", training=True)
    starts: tuple[set[int], set[int]] = (set(), set())
    for _ in range(40):
        first, second = values(source.next_batch()[0][:1])[0][::6]
        starts[0].add(first)
        starts[1].add(second)
    assert starts == ({1, 2, 3, 4}, {7, 8, 9, 10})


def test_grey_resized_and_with_means_in_turn() -> None:
    source = videos(f"{RGB} grayscale: true new_height: 4 new_width: 5 new_length: 2", transform="mean_value: 1")
    assert source.next_batch()[0].shape == (2, 2, 4, 5)
    data, _ = videos(f"{FLOW} new_length: 2", transform="mean_value: 1 mean_value: 51").next_batch()
    assert values(data[:1]) == [[5, 5, 6, 6]]


def test_a_loaded_state_goes_on_with_the_same_frames() -> None:
    how = (f"{FLOW} new_length: 2 shuffle: true", True, "crop_size: 4 mirror: true is_flow: true")
    source, again = videos(*how), videos(*how)
    source.next_batch()
    again.load_state_dict(source.state_dict())
    for one, other in zip(source.next_batch(), again.next_batch(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("video_type: VIDEO", "video_type is of SSD's VideoData"),
        ('modality: RGB name_pattern: "image_%s.png"', "has no place for a number such as %04d"),
        ('name_pattern: "flow_%04d.png"', "has no place for %c for x and y"),
        (f"{RGB} new_length: 0", "new_length must be 1 or more"),
    ],
)
def test_settings_that_are_wrong(more: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        videos(more)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("v0 12\n", "list.txt:1: a line of the list names a folder, its number of frames and a label"),
        ("", "the list is empty"),
        ("v2 12 0\n", "v2/image_0007.png: No such file"),
    ],
)
def test_lists_that_are_wrong(lines: str, words: str) -> None:
    Path("list.txt").write_text(lines)
    with pytest.raises(DataError, match=words):
        videos(RGB)


def test_a_net_trains_on_frames() -> None:
    """As temporal segment networks do: segments become records, and their scores are averaged."""
    net = Net.from_text(f"""
      layer {{ name: "data" type: "VideoData" top: "data" top: "label" video_data_param {{ source: "list.txt" batch_size: 2
        num_segments: 3 {RGB} shuffle: true }} transform_param {{ crop_size: 4 mirror: true fix_crop: true
        more_fix_crop: true multi_scale: true max_distort: 1 scale_ratios: [1, .875, .75, .66]
        mean_value: [104, 117, 123, 104, 117, 123, 104, 117, 123] }} }}
      layer {{ name: "apart" type: "Reshape" bottom: "data" top: "each" reshape_param {{ shape {{ dim: [-1, 3, 4, 4] }} }} }}
      layer {{ name: "fc" type: "InnerProduct" bottom: "each" top: "fc" inner_product_param {{ num_output: 6 }} }}
      layer {{ name: "beside" type: "Reshape" bottom: "fc" top: "by" reshape_param {{ shape {{ dim: [-1, 1, 3, 6] }} }} }}
      layer {{ name: "mean" type: "Pooling" bottom: "by" top: "m" pooling_param {{ pool: AVE kernel_h: 3 kernel_w: 1 }} }}
      layer {{ name: "flat" type: "Flatten" bottom: "m" top: "scores" }}
      layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" }}""")
    loss, _ = net(net.next_batch())
    loss.backward()
    assert net.blob_shapes["each"] == (6, 3, 4, 4)
    assert net.params["fc"][0].grad is not None
    net.close()
