"""ImageGtData (MS-CNN): what each place of its maps sees, by hand; chance; what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from solver_cli import Net
from solver_cli.errors import ConfigError, DataError

WINDOWS = """# 0
a.png
3 32 48
2
1 0 4 4 20 20
2 1 30 10 46 26
1
24 0 48 12
# 1
b.png
3 32 48
1
2 0 8 8 12 12
0
"""
FIELDS = "downsample_rate: 8 field_w: 16 field_h: 16 "


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(1)
    for name in "ab":
        picture = draw.integers(0, 60, (32, 48, 3), np.uint8)
        picture[4:20, 4:20] = 250  # where the first object is
        cv2.imwrite(f"{name}.png", picture)
    Path("windows.txt").write_text(WINDOWS)


def net_of(own: str, transform: str = "", maps: int = 1, objects: bool = False, seed: int = 1) -> Net:
    tops = "".join(f'top: "l{i}" ' for i in range(maps)) + 'top: "objects"' * objects
    return Net.from_text(
        f"""layer {{ name: "data" type: "ImageGtData" top: "data" {tops} transform_param {{ {transform} }}
      image_gt_data_param {{ source: "windows.txt" batch_size: 2 {own} }} }}""",
        seed=seed,
    )


def batch(net: Net) -> list[torch.Tensor]:
    return list(net.nodes[0].source.next_batch())  # type: ignore[union-attr]


def test_places_see_the_object_that_their_field_overlaps_most() -> None:
    net = net_of(FIELDS + "output_gt_boxes: true", "mean_value: 50", objects=True)
    data, labels, objects = batch(net)
    assert data.shape == (2, 3, 32, 48) and labels.shape == (2, 6, 4, 6)
    assert data[0, :, 4:20, 4:20].eq(200).all()
    # fields are 16 x 16 around (4, 4), (12, 4) ...: that around (12, 12) is the first object's box
    assert labels[0, :, 1, 1].tolist() == [1, 12, 12, 16, 16, 1]
    assert labels[0, 5, 1, 2].item() == pytest.approx(8 * 16 / (512 - 128))  # 8 to the right of it
    assert labels[0, 5, 2, 4].item() == pytest.approx(14 * 14 / (512 - 196))  # sees the second, to be ignored
    assert labels[0, 0].sum() == 1 and not labels[0, 0, 2, 4]
    assert labels[0, 5, 0, 5] == 1  # more than 0.4 of its field is in the region that is of no interest
    # 4 x 4 pixels overlap no field by more than 16 / 256: too little to be seen at all
    assert labels[1, 0].sum() == 0 and labels[1, 5].max().item() == pytest.approx(16 / 256)
    assert objects[:, :, 0, 0].tolist() == [[0, 4, 4, 20, 20, 1, 0], [0, 30, 10, 46, 26, 2, 1], [1, 8, 8, 12, 12, 2, 0]]
    net.close()


def test_an_object_that_no_place_sees_is_seen_by_the_best_map() -> None:
    net = net_of(FIELDS + "downsample_rate: 4 field_w: 8 field_h: 8", maps=2)
    _, large, small = batch(net)
    assert not large[1, 0].any() and small.shape == (2, 6, 8, 12)
    # 4 x 4 in 8 x 8 is a quarter: below fg_threshold, but at least 0.2
    assert small[1, :, 2, 2].tolist() == [2, 10, 10, 4, 4, 0.25]
    assert small[1, 0].sum() == 2
    net.close()


def test_small_objects_are_ignored_by_their_size() -> None:
    net = net_of(FIELDS + "min_gt_height: 10 output_gt_boxes: true", objects=True)
    _, labels, objects = batch(net)
    assert objects[:, 6, 0, 0].tolist() == [0, 1, 1] and labels[0, 0, 1, 1] == 1
    net.close()


CHANCE = (
    "resize_width: 96 resize_height: 64 crop_width: 48 crop_height: 40 do_multiple_scale: true min_scale: 8 max_scale: 64 "
)
CHANCE += "min_whaspect: 0.5 max_whaspect: 2 shuffle: true output_gt_boxes: true "


def test_pixels_move_with_their_boxes_whatever_is_drawn() -> None:
    net = net_of(FIELDS + CHANCE, "mirror: true", objects=True)
    sizes = set()
    for _ in range(12):
        data, _, objects = batch(net)
        for picture, x1, y1, x2, y2, label, _ in objects[:, :, 0, 0].tolist():
            if label != 1:
                continue
            left, top = max(0, round(x1) + 1), max(0, round(y1) + 1)
            part = data[int(picture), 0, top : max(top, round(y2) - 1), left : max(left, round(x2) - 1)]
            assert (part > 200).all()
            sizes.add((round(x2 - x1), round(y2 - y1)))
    assert len(sizes) > 4 and any(abs(w - h) > 4 for w, h in sizes)
    net.close()


def test_a_run_that_goes_on_reads_the_same_batches() -> None:
    whole, resumed = (net_of(FIELDS + CHANCE, "mirror: true", objects=True, seed=seed) for seed in (1, 2))
    batch(whole)
    resumed.nodes[0].source.load_state_dict(whole.nodes[0].source.state_dict())  # type: ignore[union-attr]
    for _ in range(3):
        for mine, theirs in zip(batch(resumed), batch(whole), strict=True):
            assert mine.equal(theirs)
    for net in (whole, resumed):
        net.close()


@pytest.mark.parametrize(
    ("own", "change", "error", "words"),
    [
        (FIELDS, ("# 1", "1"), DataError, r"windows.txt: entry 1 is not `# number picture 3 height width count"),
        (FIELDS, ("4 20 20", "4 20"), DataError, "windows.txt: entry 0 is not"),
        (FIELDS, ("1 0 4", "0 0 4"), DataError, "entry 0: the label of an object must be 1 or more"),
        (FIELDS, ("3 32 48\n2", "1 32 48\n2"), DataError, "entry 0 is not"),
        ("downsample_rate: 8", ("", ""), ConfigError, "downsample_rate, field_w and field_h are given 1, 0, 0 times"),
        (FIELDS + "crop_width: 49", ("", ""), ConfigError, "crop_width 49 is more than the 48 there are"),
        (FIELDS + "output_gt_boxes: true", ("", ""), ConfigError, "3 tops are made: .*; there are 2"),
    ],
)
def test_what_cannot_be_read_is_refused(own: str, change: tuple[str, str], error: type[Exception], words: str) -> None:
    Path("windows.txt").write_text(WINDOWS.replace(*change, 1))
    with pytest.raises(error, match=words):
        net_of(own)
