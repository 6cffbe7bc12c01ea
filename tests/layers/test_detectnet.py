"""DetectNetTransformation, by the formulas of NVCaffe's CPU code."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from solver_cli import Net, Solver
from solver_cli.errors import Error
from solver_cli.formats.blobproto import write_mean
from solver_cli.layers.detectnet import _matrix, _turned, recoloured, turned

STILL = "crop_prob: -1 scale_prob: -1 flip_prob: -1 rotation_prob: -1 hue_rotation_prob: -1 desaturation_prob: -1"


def layer(grid: str, augment: str = STILL, more: str = "", phase: str = "TRAIN", size: tuple[int, int] = (16, 24)) -> Net:
    inputs = f"shape {{ dim: 2 dim: 3 dim: {size[0]} dim: {size[1]} }} shape {{ dim: 2 dim: 1 dim: 4 dim: 16 }}"
    return Net.from_text(
        f"""layer {{ name: "in" type: "Input" top: "data" top: "label" input_param {{ {inputs} }} }}
        layer {{ name: "change" type: "DetectNetTransformation" bottom: "data" bottom: "label" top: "picture" top: "cover"
          detectnet_groundtruth_param {{ {grid} }} detectnet_augmentation_param {{ {augment} }} {more} }}""",
        phase=phase,
    )


def labels(*boxes: tuple[float, float, float, float, int]) -> Tensor:
    """The boxes (left, top, width, height, class) in the first picture, none in the second."""
    found = torch.zeros(2, 1, 4, 16)
    found[:, 0, 0, 1] = 16
    found[0, 0, 0, 0] = len(boxes)
    for row, (*box, number) in enumerate(boxes, 1):
        found[0, 0, row, :4], found[0, 0, row, 5] = torch.tensor(box), number
    return found


def run(net: Net, pictures: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    blobs = net({"data": pictures, "label": label})[1]
    return blobs["picture"], blobs["cover"]


def pictures(*size: int) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1)) * 255


GRID = "image_size_x: 24 image_size_y: 16 stride: 8 scale_cvg: 0.5 max_cvg_len: 50 "
WHOLE = GRID.replace("0.5", "1")


def test_a_box_covers_the_cells_that_its_middle_touches() -> None:
    """Box (4, 2) to (20, 12): its middle half is (8, 4.5) to (16, 9.5), so the second column's two cells."""
    net = layer(GRID + "object_class { src: 3 dst: 1 } object_class { src: 5 dst: 0 }")
    x = pictures(16, 24)
    picture, cover = run(net, x, labels((4, 2, 16, 10, 3), (0, 0, 24, 16, 4)))  # class 4 is none of ours
    assert torch.allclose(picture, x, rtol=1e-5)
    assert cover.shape == (2, 10, 2, 3)
    assert cover[1].abs().sum() == 0
    weight = 64 / (8 * 5)
    expected = torch.zeros(10, 2, 3)
    expected[:, 0, 1] = torch.tensor([1, 4 - 8, 2, 20 - 8, 12, 1 / 16, 1 / 10, weight, 0, 1])
    expected[:, 1, 1] = torch.tensor([1, 4 - 8, 2 - 8, 20 - 8, 12 - 8, 1 / 16, 1 / 10, weight, 0, 1])
    assert torch.allclose(cover[0], expected)


def test_what_covers_has_bounds_and_weighs_1_at_least() -> None:
    most = layer(GRID.replace("50", "6"))  # 6 x 5 in the middle (12, 7)
    cover = run(most, pictures(16, 24), labels((4, 2, 16, 10, 1)))[1][0]
    assert cover[0].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert cover[7, 0, 1] == pytest.approx(64 / 30)
    least = layer(GRID + "gridbox_type: GRIDBOX_MIN min_cvg_len: 14")  # 14 x 10, from 5 to 19
    cover = run(least, pictures(16, 24), labels((4, 2, 16, 10, 1)))[1][0]
    assert cover[0].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert cover[7, 0, 1] == 1
    norm = layer(GRID + "gridbox_type: GRIDBOX_MIN min_cvg_len: 14 obj_norm: true")
    assert run(norm, pictures(16, 24), labels((4, 2, 16, 10, 1)))[1][0, 7, 0, 1] == pytest.approx(64 / 140)


def test_boxes_are_cropped_and_the_later_one_wins() -> None:
    net = layer(GRID + "object_class { src: 1 dst: 0 } object_class { src: 2 dst: 1 }")
    cover = run(net, pictures(16, 24), labels((-8, 0, 16, 16, 1), (0, 8, 8, 8, 2)))[1][0]
    assert cover[8:, :, 0].tolist() == [[1, 0], [0, 1]]
    assert cover[1:5, 0, 0].tolist() == [0, 0, 8, 16]  # cropped to 0..8
    whole = run(layer(GRID + "crop_bboxes: false"), pictures(16, 24), labels((-8, 0, 16, 16, 1)))[1][0]
    assert whole[1:5, 0, 0].tolist() == [-8, 0, 8, 16]


def test_flip_scale_and_crop_move_pictures_and_boxes() -> None:
    x, label = pictures(16, 24), labels((4, 2, 8, 10, 1))
    picture, cover = run(layer(WHOLE, STILL.replace("flip_prob: -1", "flip_prob: 1")), x, label)
    assert torch.allclose(picture, x.flip(3), rtol=1e-5)
    assert cover[0, 1:5, 0, 1].tolist() == [24 - 4 - 8 - 1 - 8, 2, 24 - 4 - 1 - 8, 12]
    net = layer(WHOLE, STILL.replace(" scale_prob: -1", " scale_prob: 1") + " scale_min: 2 scale_max: 2")
    picture, cover = run(net, x, label)
    large = cv2.resize(x[0].permute(1, 2, 0).numpy(), (48, 32), interpolation=cv2.INTER_CUBIC)
    assert np.allclose(picture[0].permute(1, 2, 0), large[8:24, 12:36], atol=1e-3)  # the middle
    assert cover[0, 1:5, 0, 0].tolist() == [0, 0, 12, 16]  # (8, 4, 16, 20) less (12, 8), cropped


def test_what_is_drawn_stays_within_its_bounds_and_hangs_on_the_record() -> None:
    scale = "scale_prob: 1 scale_min: 1 scale_max: 2"
    net = layer(GRID, f"crop_prob: 1 shift_x: 4 {scale} rotation_prob: 1 max_rotate_degree: 9")
    module = net.nodes[-1].module
    low, high = (module.change((24, 16), [u] * 12) for u in (0.0, 1.0))
    assert (low.size, high.size, low.rotation, high.rotation) == ((24, 16), (48, 32), -9, 9)
    assert low.corner == (-2, 0)
    assert (low.hue, low.saturation, low.flip, high.flip) == (-15, 1, True, False)
    module.mask = module.draw(pictures(16, 24))
    assert module.mask.shape == (2, 12)
    first, second = (run(net, pictures(16, 24), labels((4, 2, 8, 10, 1))) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    module.mask = None
    assert not torch.equal(first[0], run(net, pictures(16, 24), labels((4, 2, 8, 10, 1)))[0])


def test_in_testing_pictures_only_take_the_size(tmp_path: Path) -> None:
    x, label = pictures(8, 12), labels((2, 1, 8, 5, 1))
    net = layer(GRID, "flip_prob: 1", "transform_param { mean_value: 1 mean_value: 2 mean_value: 3 }", "TEST", (8, 12))
    picture, cover = run(net, x, label)
    taken = x[0].permute(1, 2, 0).numpy() - np.float32([1, 2, 3])
    assert np.allclose(picture[0].permute(1, 2, 0), cv2.resize(taken, (24, 16), interpolation=cv2.INTER_CUBIC), atol=1e-3)
    assert cover[0, 1:5, 0, 1].tolist() == [4 - 8, 2, 20 - 8, 12]
    write_mean(tmp_path / "mean", np.full((3, 4, 6), 7, np.float32))
    picture = run(layer(GRID, "", f'transform_param {{ mean_file: "{tmp_path}/mean" }}', "TEST"), pictures(16, 24), label)[0]
    assert torch.allclose(picture, pictures(16, 24) - 7, atol=1e-3)


@pytest.mark.parametrize(("hue", "saturation"), [(0, 0.3), (30, 1), (170, 0.5), (-20, 0.8), (-180, 1)])
def test_colours_are_opencvs(hue: float, saturation: float) -> None:
    picture = pictures(16, 24)[0] / 255
    colours = cv2.cvtColor(picture.permute(1, 2, 0).numpy(), cv2.COLOR_BGR2HSV)
    colours[..., 0] = (colours[..., 0] + hue) % 360
    colours[..., 1] *= saturation
    expected = cv2.cvtColor(colours, cv2.COLOR_HSV2BGR)
    assert np.allclose(recoloured(picture, hue, saturation).permute(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize("degrees", [5.0, -4.0, 30.0])
def test_pictures_turn_within_what_holds_them(degrees: float) -> None:
    small = pictures(4, 5)[0].permute(1, 2, 0).numpy() / 255
    picture = cv2.resize(small, (31, 20), interpolation=cv2.INTER_CUBIC)
    (width, height), (c, s, x0, y0) = _turned((31, 20), degrees)[0], _matrix((31, 20), degrees)
    corners = cv2.boxPoints(((15.5, 10.0), (31, 20), degrees))
    low = np.floor(corners.min(0))
    before = cv2.boxPoints(((15.5, 10.0), (31, 20), 0))
    after = cv2.boxPoints(((15.5 - low[0], 10 - low[1]), (31, 20), degrees))
    matrix = cv2.getAffineTransform(before[:3], after[:3])
    assert np.allclose(matrix, [[c, -s, x0], [s, c, y0]], atol=1e-5)
    found = turned(torch.from_numpy(picture).permute(2, 0, 1), degrees).permute(1, 2, 0).numpy()
    assert found.shape == (height, width, 3)
    expected = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)
    inside = found.any(2)
    assert 19 * 30 - 60 < inside.sum() < 31 * 20
    assert np.allclose(found[inside], expected[inside], atol=0.02)  # OpenCV's own place is a 32nd of a pixel near


def test_boxes_turn_about_the_pictures_middle() -> None:
    """A box in the middle stays there, of its size: the net's picture is the middle of what holds the turned one."""
    turn = STILL.replace(" rotation_prob: -1", " rotation_prob: 1 max_rotate_degree: 40")
    net = layer(WHOLE, turn)
    net.nodes[-1].module.mask = torch.full((2, 12), 0.9)  # 32 degrees
    cover = run(net, pictures(16, 24), labels((10, 6, 4, 4, 1)))[1][0]
    assert cover[0].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert torch.allclose(cover[3, 0, 1] - cover[1, 0, 1], torch.tensor(4.0), atol=1e-4)
    assert abs(cover[1, 0, 1] - 2) <= 1.5


@pytest.mark.parametrize(
    ("grid", "more", "expected"),
    [
        ("stride: 0", "", "stride must be 1 or more"),
        (GRID, "transform_param { scale: 2 }", "scale has no effect here: mean_file and mean_value have"),
        (GRID, "transform_param { mean_value: 2 mean_value: 2 }", "takes 1 or 3 values, not 2"),
    ],
)
def test_refused(grid: str, more: str, expected: str) -> None:
    with pytest.raises(Error, match=expected):
        layer(grid, more=more)


def test_a_label_that_is_none_is_refused() -> None:
    label = labels()
    label[1, 0, 0, 0] = 4
    with pytest.raises(Error, match="a label's first row says 4 boxes of 16 numbers: expected at most 3 of 16"):
        run(layer(GRID), pictures(16, 24), label)


TRAINED = """
layer { name: "in" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "list" batch_size: 2 } }
layer { name: "change" type: "DetectNetTransformation" bottom: "data" bottom: "label" top: "picture" top: "cover"
  detectnet_groundtruth_param { image_size_x: 24 image_size_y: 16 stride: 8 }
  detectnet_augmentation_param { rotation_prob: 1 max_rotate_degree: 9 } transform_param { mean_value: 127 } }
layer { name: "cut" type: "Slice" bottom: "cover" top: "covered" top: "rest" slice_param { slice_point: 1 } }
layer { name: "silence" type: "Silence" bottom: "rest" }
layer { name: "conv" type: "Convolution" bottom: "picture" top: "y" convolution_param { num_output: 1 kernel_size: 8
  stride: 8 weight_filler { type: "gaussian" std: 0.001 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "covered" top: "loss" }
"""


def test_a_net_learns_the_same_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("data.h5", "w") as file:
        file["data"], file["label"] = pictures(16, 24).numpy(), labels((4, 2, 16, 10, 1)).numpy()
    Path("list").write_text("data.h5\n")
    Path("net.prototxt").write_text(TRAINED)
    settings = 'base_lr: 1e-5 lr_policy: "fixed" max_iter: 3 solver_mode: CPU random_seed: 3 snapshot_prefix: "s"'
    Path("solver.prototxt").write_text(f'net: "net.prototxt" {settings}')
    learned = []
    for pieces in ({}, {"micro_batch": 1}, {"micro_batch": 1, "recompute": True}):
        solver = Solver("solver.prototxt", device="cpu", **pieces)
        solver.step(3)
        learned.append(solver.net.params["conv"][0].detach().clone())
        solver.close()
    torch.testing.assert_close(learned[1], learned[0])
    torch.testing.assert_close(learned[2], learned[0])
