"""`solver-tools predict`: classes, boxes and masks of pictures, prepared as the net's own data layer prepares them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import call, run

from solver_cli import Net
from solver_cli.commands.tools import tools
from solver_cli.formats import caffemodel
from solver_cli.text.netspec import read_test_net
from solver_cli.tools.deployed import deployed

cv2 = pytest.importorskip("cv2")
SOURCE = Path(__file__).parents[1] / "golden" / "data_layers" / "source"
NAMES = ("p00.png", "p03.jpg", "p04_grey.png")

INPUT = 'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 10 dim: {} dim: {} dim: {} }} }} }}\n'
CLASSES = """
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 7 weight_filler { type: "gaussian" std: 0.0005 } bias_filler { type: "gaussian" } } }
"""
PROBABILITIES = 'layer { name: "out" type: "Softmax" bottom: "fc" top: "out" }\n'
TRAINS = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "no" batch_size: 1 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { %s } data_param { source: "db" backend: LMDB batch_size: 3 } }
""" + CLASSES + """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" }
"""  # fmt: skip

Set = Callable[[dict[str, list[torch.Tensor]]], None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(text: str, fill: Set = lambda params: None) -> None:
    """Write net.prototxt, and net.caffemodel with what its fillers, then `fill`, give it."""
    Path("net.prototxt").write_text(text)
    net = Net.from_text(text, "TEST", seed=1)
    with torch.no_grad():
        fill(net.params)
    blobs = [[blob.detach().numpy() for blob in node.blobs()] for node in net.nodes]
    caffemodel.write("net.caffemodel", net.to_message(), blobs)
    net.close()


def predict(*arguments: str) -> list[dict[str, Any]]:
    """What is said of the pictures, as JSON."""
    ended = call(tools, "predict", "net.prototxt", "--weights", "net.caffemodel", "--json", *arguments)
    assert ended.code == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def scores(found: dict[str, Any]) -> np.ndarray:
    """The scores in the order of their labels."""
    return np.array([each["score"] for each in sorted(found["classes"], key=lambda each: each["label"])])


# -- preparation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transform",
    [
        "",
        "mirror: true scale: 0.5 mean_value: 100",
        "crop_size: 24 mean_value: 90 mean_value: 100 mean_value: 110 scale: 0.02",
        f'mean_file: "{SOURCE}/mean.binaryproto"',
        f'crop_size: 17 mean_file: "{SOURCE}/mean.binaryproto" scale: 0.1',
    ],
)
def test_pictures_are_prepared_as_the_test_net_prepares_them(transform: str) -> None:
    """The same pictures through the net's own database: `features` gives what the net makes of them."""
    Path("list.txt").write_text("".join(f"{name} 0\n" for name in NAMES))
    assert call(tools, "convert-imageset", f"{SOURCE}/images/", "list.txt", "db").code == 0
    save(TRAINS % transform)
    own = transform.replace("mirror: true", "")  # which is random
    Path("own.prototxt").write_text(TRAINS % own)
    arguments = ("net.caffemodel", "own.prototxt", "fc", "fc.npy", "1")
    assert call(tools, "features", *arguments).code == 0
    wanted = np.exp(np.load("fc.npy"))
    found = predict("--top", "99", *(f"{SOURCE}/images/{name}" for name in NAMES))
    for each, row in zip(found, wanted, strict=True):
        np.testing.assert_allclose(scores(each), row / row.sum(), rtol=1e-4, atol=1e-6)
        assert each["blob"] == "prob"


def test_pictures_of_another_size_are_resized_to_the_records() -> None:
    Path("list.txt").write_text("p00.png 0\n")
    assert call(tools, "convert-imageset", f"{SOURCE}/images/", "list.txt", "db").code == 0
    save(TRAINS % "crop_size: 20")
    picture = cv2.imread(f"{SOURCE}/images/p00.png")
    cv2.imwrite("large.png", picture.repeat(3, 0).repeat(3, 1))
    cv2.imwrite("same.png", cv2.resize(cv2.imread("large.png"), (40, 32)))
    large, same = predict("--top", "99", "large.png", "same.png")
    np.testing.assert_allclose(scores(large), scores(same), rtol=1e-5)


@pytest.mark.parametrize("sizes", ["", "new_height: 30 new_width: 26"])
def test_pictures_in_files_keep_their_size_or_get_the_lists(sizes: str) -> None:
    """ImageData cuts out the middle of what it reads, resized or not."""
    Path("list.txt").write_text("p00.png 0\np03.jpg 0\n")
    transform = "transform_param { crop_size: 20 scale: 0.02 }"
    files = f'image_data_param {{ source: "list.txt" root_folder: "{SOURCE}/images/" batch_size: 2 {sizes} }}'
    data = f'layer {{ name: "data" type: "ImageData" top: "data" top: "label" {transform} {files} }}\n'
    save(data + CLASSES + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }')
    assert call(tools, "features", "net.caffemodel", "net.prototxt", "fc", "fc.npy", "1").code == 0
    wanted = np.exp(np.load("fc.npy"))
    found = predict("--top", "99", f"{SOURCE}/images/p00.png", f"{SOURCE}/images/p03.jpg")
    for each, row in zip(found, wanted, strict=True):
        np.testing.assert_allclose(scores(each), row / row.sum(), rtol=1e-4, atol=1e-6)


def test_without_records_pictures_get_the_size_of_the_mean() -> None:
    Path("list.txt").write_text("p00.png 0\n")
    assert call(tools, "convert-imageset", f"{SOURCE}/images/", "list.txt", "db").code == 0
    save(TRAINS % f'crop_size: 17 mean_file: "{SOURCE}/mean.binaryproto"')
    cv2.imwrite("large.png", cv2.imread(f"{SOURCE}/images/p00.png").repeat(2, 0).repeat(2, 1))
    (there,) = predict("--top", "99", "large.png")
    Path("db").rename("gone")
    (gone,) = predict("--top", "99", "large.png")
    assert there == gone


def made(picture: np.ndarray, wanted: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The probabilities that the net gives for a picture [height, width, channels] that `wanted` prepares."""
    weight, bias = (torch.from_numpy(blob) for blob in caffemodel.read("net.caffemodel").layers[1].blobs)
    values = torch.from_numpy(np.ascontiguousarray(wanted(picture.astype(np.float32)).transpose(2, 0, 1)))
    return (weight @ values.flatten() + bias).softmax(0).numpy()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("", lambda x: x),
        ("--mean 104,117,123", lambda x: x - np.float32([104, 117, 123])),
        ("--mean mean.npy --scale 0.5", lambda x: (x - np.float32([1, 2, 3])) * 0.5),
        ("--channel-swap 2,1,0 --mean 3,2,1", lambda x: x[:, :, ::-1] - np.float32([3, 2, 1])),
        ("--resize 12x14", lambda x: cv2.resize(x.astype(np.uint8), (14, 12)).astype(np.float32)[2:10, 3:11]),
    ],
)
def test_a_deploy_net_is_given_what_the_options_say(options: str, wanted: Callable[[np.ndarray], np.ndarray]) -> None:
    save(INPUT.format(3, 8, 8) + CLASSES + PROBABILITIES)
    picture = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    cv2.imwrite("a.png", picture)
    np.save("mean.npy", np.array([1, 2, 3.0]))
    (found,) = predict("--top", "99", *options.split(), "a.png")
    np.testing.assert_allclose(scores(found), made(picture, wanted), rtol=1e-4, atol=1e-6)


def test_a_grey_net_reads_grey_and_a_crop_changes_the_input() -> None:
    save(INPUT.format(1, 6, 6) + CLASSES + PROBABILITIES)
    picture = np.random.default_rng(0).integers(0, 255, (6, 6), np.uint8)
    cv2.imwrite("a.png", picture)
    (found,) = predict("--top", "99", "a.png")
    np.testing.assert_allclose(scores(found), made(picture[:, :, None], lambda x: x), rtol=1e-4, atol=1e-6)
    cv2.imwrite("wide.png", np.pad(picture, ((2, 2), (3, 3)), mode="reflect"))
    (cut,) = predict("--top", "99", "--resize", "10x12", "wide.png")
    np.testing.assert_allclose(scores(cut), scores(found), rtol=1e-5)


# -- what is said ------------------------------------------------------------------------------------------------------


def test_the_best_classes_with_their_names_in_caffes_words(folder: Path) -> None:
    def fill(params: dict[str, list[torch.Tensor]]) -> None:
        params["fc"][0].zero_()
        params["fc"][1].copy_(torch.tensor([0.1, 3, 0, 2, 0, 0, 1]))

    save(INPUT.format(3, 4, 4) + CLASSES + PROBABILITIES, fill)
    cv2.imwrite("a.png", np.zeros((4, 4, 3), np.uint8))
    Path("names.txt").write_text("zero\none, first\ntwo\n")
    options = ("--labels", "names.txt", "--top", "3", "a.png", "--draw", "out")
    ended = run("solver-tools", "predict", "net.prototxt", "--weights", "net.caffemodel", *options, folder=folder)
    assert ended.stdout.splitlines() == [
        "---------- Prediction for a.png ----------",
        '0.5856 - "one, first"',
        '0.2154 - "3"',
        '0.0793 - "6"',
    ]
    drawn = cv2.imread("out/a.png")
    assert drawn.shape == (320 + 3 * 20 + 6, 320, 3)
    assert (drawn[:320] == 0).all() and (drawn[320:] == 255).any() and (drawn[320:] < 90).any()


BOXES = INPUT.format(3, 20, 20) + """
layer { name: "map" type: "Pooling" bottom: "data" top: "map" pooling_param { pool: AVE global_pooling: true } }
layer { name: "prior" type: "PriorBox" bottom: "map" bottom: "data" top: "prior"
  prior_box_param { min_size: 10 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }
layer { name: "loc" type: "InnerProduct" bottom: "map" top: "loc" inner_product_param { num_output: 4 } }
layer { name: "conf" type: "InnerProduct" bottom: "map" top: "conf" inner_product_param { num_output: 3 } }
layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "prior" top: "found"
  detection_output_param { num_classes: 3 nms_param { nms_threshold: 0.4 } code_type: CENTER_SIZE keep_top_k: 9
    confidence_threshold: 0.05 } }
"""  # fmt: skip


def sure(params: dict[str, list[torch.Tensor]]) -> None:
    params["conf"][1].copy_(torch.tensor([0.1, 0.3, 0.9]))


def test_boxes_in_pixels_of_the_picture() -> None:
    """The only prior stands in the middle, half as long as the input; the picture is 40 high and 60 wide."""
    save(BOXES, sure)
    cv2.imwrite("a.png", np.full((40, 60, 3), 200, np.uint8))
    Path("map.prototxt").write_text('item { name: "n1" label: 1 display_name: "cat" } item { name: "dog" label: 2 }')
    (found,) = predict("--labels", "map.prototxt", "a.png", "--draw", "out")
    (box,) = found["boxes"]
    assert (box["label"], box["name"], box["score"]) == (2, "dog", pytest.approx(0.9))
    corners = [box[name] for name in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == pytest.approx([15, 10, 45, 30], abs=1e-3)
    assert found["drawn"] == ["out/a.png"]
    drawn = cv2.imread("out/a.png")
    assert drawn.shape == (200, 300, 3)
    edge = [tuple(drawn[y, x].tolist()) for y, x in ((100, 75), (100, 224), (149, 150))]
    assert set(edge) == {(0, 128, 0)} and (drawn[100, 150] == 200).all()
    (both,) = predict("--threshold", "0.2", "a.png")
    assert [box["label"] for box in both["boxes"]] == [2, 1]
    (none,) = predict("--threshold", "0.95", "a.png")
    assert none["boxes"] == []


def test_boxes_of_a_middle_that_was_cut_out() -> None:
    """Resized to 40 x 40, of which the net sees the middle 20 x 20: the prior is a quarter of the picture long."""
    save(BOXES, sure)
    cv2.imwrite("a.png", np.full((80, 160, 3), 200, np.uint8))
    (found,) = predict("--resize", "40", "a.png")
    corners = [found["boxes"][0][name] for name in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == pytest.approx([60, 30, 100, 50], abs=1e-3)


MASK = INPUT.format(1, 20, 20) + """
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 2 kernel_size: %d pad: %d } }
"""  # fmt: skip


def bright(params: dict[str, list[torch.Tensor]]) -> None:
    weight, bias = params["score"]
    middle = weight.shape[2] // 2
    weight[1, 0, middle, middle] = 1
    bias[0] = 100


def test_a_mask_over_the_picture() -> None:
    save(MASK % (3, 1), bright)
    picture = np.zeros((20, 40), np.uint8)
    picture[:, 30:] = 255
    cv2.imwrite("a.png", picture)
    Path("names.txt").write_text("dark\nbright\n")
    Path("again").mkdir()
    cv2.imwrite("again/a.png", picture)
    found, again = predict("--labels", "names.txt", "a.png", "again/a.png", "--draw", "out")
    assert [(each["name"], each["score"]) for each in found["mask"]] == [("dark", 0.75), ("bright", 0.25)]
    assert found["drawn"] == ["out/a.png", "out/a_mask.png"] and again["drawn"] == ["out/a_2.png", "out/a_2_mask.png"]
    np.testing.assert_array_equal(cv2.imread("out/a_mask.png", -1), picture // 255)
    drawn = cv2.imread("out/a.png")
    assert (drawn[:160, :239] == 0).all() and drawn[10, 300].tolist() == [114, 114, 185]


def test_a_mask_without_padding_is_of_the_middle() -> None:
    save(MASK % (5, 0), bright)
    cv2.imwrite("a.png", np.full((20, 20), 255, np.uint8))
    predict("a.png", "--draw", "out")
    mask = cv2.imread("out/a_mask.png", -1)
    assert (mask[2:18, 2:18] == 1).all() and (mask == 255).sum() == 400 - 256


def test_a_coarse_mask_is_enlarged() -> None:
    pool = 'layer { name: "pool" type: "Pooling" bottom: "score" top: "pool" pooling_param { kernel_size: 4 stride: 4 } }\n'
    save(MASK % (1, 0) + pool, bright)
    picture = np.zeros((20, 20), np.uint8)
    picture[4:8, 12:] = 255
    cv2.imwrite("a.png", picture)
    predict("a.png", "--draw", "out")
    np.testing.assert_array_equal(cv2.imread("out/a_mask.png", -1), picture // 255)


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("nothing.png", "error: nothing.png: No such file or directory"),
        ("net.prototxt", "error: picture 'net.prototxt' is not a picture that can be decoded"),
        ("a.png --blob fcc", "error: net.prototxt: the net has no blob 'fcc' (did you mean 'fc'?)"),
        ("a.png --mean 1,2", "error: --mean 1,2: give one number, or one for each of the 3 channels"),
        ("a.png --mean no.binaryproto", "error: no.binaryproto: No such file or directory"),
        ("a.png --channel-swap 0,1", "error: --channel-swap 0,1: give each of the 3 channels once"),
        ("a.png --resize 4", "error: picture 'a.png' is 4 x 4, the net takes 8 x 8: say --resize"),
        ("a.png --gray", "error: the net takes pictures of 3 channels"),
        ("a.png --labels no.txt", "error: no.txt: No such file or directory"),
        ("a.png --labels nothing.txt", "error: nothing.txt: is empty: expected the name of a class on each line"),
        ("a.png --draw nothing.txt", "nothing.txt: the folder cannot be made: File exists"),
        ("a.png --resize 99999999 --crop 8", "error: out of memory: a picture is made too large ("),
    ],
)
def test_refusals(options: str, expected: str) -> None:
    save(INPUT.format(3, 8, 8) + CLASSES + PROBABILITIES)
    Path("nothing.txt").touch()
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    ended = call(tools, "predict", "net.prototxt", "--weights", "net.caffemodel", *options.split())
    assert ended.code == 1 and len(ended.complaints) == 1 and ended.complaints[0].startswith(expected), ended.stderr


def test_a_net_whose_data_are_not_there() -> None:
    """A crop_size tells how large the pictures are; without one the place of the data is told, and a way out."""
    Path("list.txt").write_text("p00.png 0\n")
    assert call(tools, "convert-imageset", f"{SOURCE}/images/", "list.txt", "db").code == 0
    save(TRAINS % "crop_size: 8")
    Path("db").rename("gone")
    (found,) = predict(f"{SOURCE}/images/p00.png")
    assert len(found["classes"]) == 5
    Path("net.prototxt").write_text(TRAINS % "")
    ended = call(tools, "predict", "net.prototxt", "--weights", "net.caffemodel", f"{SOURCE}/images/p00.png")
    assert ended.code == 1
    place = "net.prototxt:4:1: layer 'data' (Data): "
    assert ended.complaints[0].startswith(f"{place}db: no such database; or say how large with --crop")
    (same,) = predict("--crop", "8", f"{SOURCE}/images/p00.png")
    assert same["classes"] == found["classes"]


def test_usage() -> None:
    save(INPUT.format(3, 8, 8) + CLASSES)
    for options in ("", "--resize large", "--resize 0", "--resize 9999999999", "--top 0", "--scale nan", "--channel-swap b"):
        pictures = ["a.png"] if options else []
        ended = call(tools, "predict", "net.prototxt", "--weights", "net.caffemodel", *pictures, *options.split())
        assert ended.code == 2


CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("config", "options", "shape", "output"),
    [
        ("caffenet/train_val", ("",), (3, 227, 227), (1, 1000)),
        ("googlenet/train_val", ("",), (3, 224, 224), (1, 1000)),
        ("cifar10/cifar10_quick_train_test", ("", (32, 32)), (3, 32, 32), (1, 10)),
        ("mnist/mnist_autoencoder", ("test-on-test", (28, 28), True), (1, 28, 28), (1, 784)),
        ("unet/unet", ("", (572, 572)), (3, 572, 572), (1, 2, 388, 388)),
    ],
)
def test_what_becomes_of_the_configs_without_their_data(
    config: str, options: tuple[Any, ...], shape: tuple[int, ...], output: tuple[int, ...]
) -> None:
    stage, size, gray = (*options, None, None)[:3]
    found = deployed(read_test_net(str(CONFIGS / f"{config}.prototxt"), stages=(stage,)), gray, size)
    net = Net(found.spec, device="meta")
    assert found.shape == (1, *shape) and {net.blob_shapes[name] for name in net.outputs} >= {output}
    assert not any(node.kind.loss for node in net.nodes)
