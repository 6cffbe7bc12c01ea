"""Every file in configs/: solvers name what is there, nets build in both phases with the weights they should have."""

from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest

from solver_cli.caffe_pb2 import NetParameter, Phase
from solver_cli.net.net import Net
from solver_cli.net.plan import Planner
from solver_cli.solver import solverspec
from solver_cli.text import dialects, netspec, prototxt

ROOT = Path(__file__).parents[2]
SOLVERS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "configs").glob("*/*solver*.prototxt"))
FILES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "configs").glob("*/*.prototxt") if path.name != "labelmap.prototxt"
)


def unet(width, levels):
    """The weights of a U-Net for grey pictures and two classes: two 3 x 3 convolutions a level, 2 x 2 up-convolutions."""
    down = [(1 if level == 0 else width << (level - 1), width << level) for level in range(levels)]
    convolutions = [pair for n, m in down for pair in ((n, m), (m, m))]
    convolutions += [pair for _, m in down[:-1] for pair in ((2 * m, m), (m, m))]
    ups = [(2 * m, m) for _, m in down[:-1]]
    return sum((9 * n + 1) * m for n, m in convolutions) + sum((4 * n + 1) * m for n, m in ups) + 2 * (width + 1)


def convolutions(*channels, bias=0, scales=2):
    """The weights of 3 x 3 convolutions one after the other, with `scales` numbers of a normalization for each channel."""
    return sum((9 * n + bias + scales) * m for n, m in pairwise(channels))


# (learned, statistics of batch normalization): every distinct blob once
WEIGHTS = {
    "mnist/lenet_train_test": (431_080, 0),
    "mnist/mnist_autoencoder": (
        2 * (784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 30) + 2 * (1000 + 500 + 250) + 30 + 784,
        0,
    ),
    "cifar10/cifar10_quick_train_test": (32 * 76 + 32 * 801 + 64 * 801 + 64 * 1025 + 10 * 65, 0),
    "cifar10/cifar10_full_train_test": (32 * 76 + 32 * 801 + 64 * 801 + 10 * 1025, 0),
    "cifar10/cifar10_full_sigmoid_train_test_bn": (32 * 75 + 32 * 800 + 64 * 800 + 10 * 1025, 2 * (32 + 32 + 64) + 3),
    "siamese/mnist_siamese_train_test": (431_080 + 10 * 2 + 2, 0),
    "caffenet/train_val": (60_965_224, 0),
    "alexnet/train_val": (60_965_224, 0),
    "googlenet/train_val": (13_378_280, 0),  # both auxiliary heads
    "vgg16/train_val": (138_357_544, 0),
    "resnet50/train_val": (25_557_032 + 64, 2 * 26_560 + 53),  # 64: conv1 has a bias, as the published weights have
    "unet/unet": (unet(64, 5), 0),
    "unet/unet_small": (unet(8, 3), 0),
    "ssd/train_test": (
        convolutions(3, 16, 32, 48, 48, 64, 64) + 48 + 2 * 16 * (9 * (48 + 64 + 64) + 3),
        2 * (16 + 32 + 48 + 48 + 64 + 64) + 6,
    ),
    "segnet/train_test": (
        convolutions(3, 16, 32, 48, 48, 32, 16, bias=1) + 4 * (9 * 16 + 1),
        0,
    ),
    "faster_rcnn/train_test": (
        convolutions(3, 16, 32, 48) + 128 * (48 * 25 + 1) + (4 + 16) * 129,
        2 * (16 + 32 + 48) + 3,
    ),
}
SMALL = [name for name in WEIGHTS if name.split("/")[0] in ("mnist", "cifar10", "siamese")]
CELLS = {"unet/unet": (572, 388), "unet/unet_small": (96, 96)}  # sides of picture and labels
SHAPES = {  # the tops of data layers
    "ssd/train_test": [(16, 3, 96, 96), (1, 1, 1, 8)],
    "segnet/train_test": [(6, 3, 96, 96), (6, 1, 96, 96)],
    "faster_rcnn/train_test": [(2, 3, 64, 64), (2, 32, 5), (2, 32), *[(2, 32, 16)] * 3],
}
SOURCES = ("Data", "HDF5Data", "AnnotatedData", "DenseImageData")
PICTURES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "siamese": (2, 28, 28)}


def built_from(name, phase, stages=()):
    """The net of a file, its data layers replaced by Input layers of the same shapes."""
    param = netspec.read_net(str(ROOT / "configs" / f"{name}.prototxt")).param
    for layer in param.layer:
        for of, files in (("detection_output", "save_output_param"), ("detection_evaluate", "name_size_file")):
            getattr(layer, f"{of}_param").ClearField(files)
        if name in SHAPES and layer.type in SOURCES:
            for settings in ("data", "annotated_data", "transform", "dense_image_data", "hdf5_data"):
                layer.ClearField(f"{settings}_param")
            as_input(layer, SHAPES[name])
        elif layer.type == "Data":
            crop = layer.transform_param.crop_size
            batch = layer.data_param.batch_size
            shapes = [(batch, *PICTURES.get(name.split("/")[0], (3, crop, crop))), (batch,)]
            layer.ClearField("data_param")
            layer.ClearField("transform_param")
            as_input(layer, shapes)
        elif layer.type == "HDF5Data":
            layer.ClearField("hdf5_data_param")
            as_input(layer, [(1, 1, side, side) for side in CELLS[name]])
    net = netspec.parse_net(prototxt.to_text(param), name)
    return net.with_state(netspec.state(phase, 0, stages))


def as_input(layer, shapes):
    layer.type = "Input"
    for shape, _ in zip(shapes, layer.top, strict=False):
        layer.input_param.shape.add(dim=shape)


def stages_of(name, phase):
    return ("test-on-test",) if phase == "TEST" and "autoencoder" in name else ()


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_nets_have_the_weights_they_should(name, phase, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "configs" / name.split("/")[0]))  # of Python layers
    planner = Planner(Phase.Value(phase), np.random.default_rng(0))
    spec = built_from(name, phase, stages_of(name, phase))
    nodes = [planner.add(layer) for layer in netspec.insert_splits(dialects.tell(spec, netspec.filter_layers(spec)))]
    counts = {}
    for node in nodes:
        for i, blob in enumerate(node.blob_names):
            weight = node.module.get_parameter(blob)
            shared = node.param.param[i].name if i < len(node.param.param) else ""
            counts[shared or (node.name, i)] = (weight.requires_grad, prod(weight.shape))
    learned = sum(count for grad, count in counts.values() if grad)
    assert (learned, sum(count for grad, count in counts.values() if not grad)) == WEIGHTS[name]
    outputs = {"l2_error", "cross_entropy_loss", "loss", "loss3/loss3", "loss_cls", "mbox_loss", "detection_eval"}
    assert outputs & set(planner.available)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", SMALL)
def test_small_nets_are_built_whole(name, phase):
    net = Net(built_from(name, phase, stages_of(name, phase)), seed=1)
    assert sum(learned.blob.numel() for learned in net.learned) == sum(WEIGHTS[name])
    net.close()


def test_every_net_file_is_known():
    nets = {path.removeprefix("configs/").removesuffix(".prototxt") for path in FILES if path not in SOLVERS}
    assert nets == set(WEIGHTS)


@pytest.mark.parametrize("path", SOLVERS)
def test_solvers_are_accepted_and_name_what_is_there(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    spec = solverspec.read_solver(path)
    solverspec.check(spec)
    assert Path(spec.param.net).parent == Path(path).parent == Path(spec.param.snapshot_prefix).parent
    assert not Path(spec.param.snapshot_prefix).exists()
    assert 0 < spec.param.snapshot <= spec.param.max_iter and spec.param.test_interval <= spec.param.max_iter
    for net in [solverspec.train_net(spec)] + [net for _, net in solverspec.test_nets(spec)]:
        assert sum(layer.param.type in SOURCES for layer in netspec.filter_layers(net)) == 1


@pytest.mark.parametrize("path", [path for path in SOLVERS if "mnist/lenet" in path])
def test_lenet_ends_with_a_test_of_all_digits(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    spec = solverspec.read_solver(path)
    ((_, net),) = solverspec.test_nets(spec)
    (data,) = [layer.param for layer in netspec.filter_layers(net) if layer.param.type == "Data"]
    assert spec.param.test_iter[0] * data.data_param.batch_size == 2000
    assert spec.param.max_iter == 1000 and spec.param.max_iter % spec.param.test_interval == 0


def test_solvers_of_one_folder_write_under_different_names():
    spelled = [
        prototxt.read(str(ROOT / path), solverspec.SolverParameter, "solver")[0] for path in SOLVERS if "_lr" not in path
    ]
    assert len({solver.snapshot_prefix for solver in spelled}) == len(spelled)


def test_layers_that_hold_weights_have_names_of_their_own():
    for name in WEIGHTS:
        param: NetParameter = netspec.read_net(str(ROOT / "configs" / f"{name}.prototxt")).param
        names = [layer.name for layer in param.layer if layer.type not in SOURCES]
        assert len(names) == len(set(names)), name
