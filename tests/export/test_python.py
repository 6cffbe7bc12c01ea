"""`solver-tools export --to x.py`: a PyTorch module of its own computes and learns what the net does."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
import torch.nn.functional as F
from golden_layers import FORK_TYPES, TYPES, assert_close, feed, named, names, registered, set_params
from running import assert_like, call
from small_nets import CONFIGS, DETECTORS, LABELS, NETS, pictured, randomised, written
from torch import Tensor

from solver_cli import Net, Solver
from solver_cli.commands.tools.export import command
from solver_cli.errors import ConfigError
from solver_cli.export import to_python, to_train, torch_losses
from solver_cli.export.pieces import RULES, Writer
from solver_cli.export.reading import check_said
from solver_cli.solver.solverspec import read_solver
from solver_cli.text import dialects, netspec


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"exported_{abs(hash(path))}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_of(source: Any, weights: str) -> Any:
    classes = [value for value in vars(source).values() if isinstance(value, type) and hasattr(value, "load_weights")]
    (kind,) = classes
    made = kind()
    made.load_weights(weights)
    return made


def assert_near(found: Tensor, wanted: Tensor, what: str, share: float = 1e-6) -> None:
    limit = share * max(1.0, wanted.abs().max().item())
    torch.testing.assert_close(found, wanted, rtol=0, atol=limit, msg=lambda text: f"{what}: {text}")


def batch(name: str, classes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    data = torch.rand((2, *NETS[name]), generator=generator, dtype=torch.float64)
    return [data, torch.randint(0, classes, (2, *LABELS.get(name, ())), generator=generator).double()]


def exported(name: str) -> Any:
    """The source that is made of a config and of weights drawn at random, as a module; the weights lie in made.pt."""
    Path("net.prototxt").write_text(written(name))
    trained = Net.from_file("net.prototxt", "TRAIN", seed=1)
    randomised(trained)
    trained.save("w.caffemodel")
    done = call(command, "net.prototxt", "--weights", "w.caffemodel", "--to", "made.py")
    assert (done.code, done.stderr) == (0, ""), done.stderr
    return imported("made.py")


@pytest.mark.parametrize("name", NETS)
def test_the_module_computes_and_learns_what_the_net_does(name: str, folder: Path) -> None:
    source = exported(name)
    classes = {"siamese": 2, "unet": 2, "mnist": 10, "cifar10": 10}.get(name.partition("/")[0], 1000)
    data, labels = batch(name, classes)
    for phase in ("TEST", "TRAIN"):
        (wanted_loss, blobs), ours = computed(phase, [data, labels])
        theirs = module_of(source, "made.pt").train(phase == "TRAIN").double()
        results = theirs(data)
        results = results if isinstance(results, tuple) else (results,)
        loss = source.loss(*_arguments(source.loss, results, theirs, labels))
        assert_near(loss, wanted_loss, "loss")
        if phase == "TEST":
            shown = source.measures(*_arguments(source.measures, results, theirs, labels))
            assert set(shown) == set(ours.outputs)
            for top, value in shown.items():
                assert_near(value.double(), blobs[top].double(), top)
        loss.backward()
        wanted_loss.backward()
        _assert_gradients(ours, theirs)


def computed(phase: str, data: list[Tensor]) -> tuple[tuple[Tensor, dict[str, Tensor]], Net]:
    """What net.prototxt with w.caffemodel makes of what its data layer gives, in float64.

    In float32 the order of sums decides which of two near pixels is the greatest.
    """
    net = Net.from_file("net.prototxt", phase, seed=1)
    net.load("w.caffemodel")
    net.double()
    tops = [top for node in net.nodes if node.source for top in node.tops]
    return net(dict(zip(tops, data, strict=False))), net


def _arguments(function: Any, results: tuple[Tensor, ...], module: Any, labels: Tensor) -> list[Tensor]:
    """What the function wants of the module's results, by its arguments' names, and the labels."""
    given = _returned(module, results)
    return [given.get(name, labels) for name in inspect.signature(function).parameters]


def _returned(module: Any, results: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The module's results by the names that they have in its source."""
    lines = inspect.getsource(type(module).forward).splitlines()
    returned = [line.split("return ")[1] for line in lines if "return " in line][-1]
    return dict(zip(returned.split(", "), results, strict=True))


def _assert_gradients(ours: Net, theirs: Any) -> None:
    """Every gradient of ours is one of theirs: in the order of the net, normalisations' factors right behind."""
    wanted = [x.blob.grad for x in ours.learned if x.blob.grad is not None]
    found = [p.grad for p in theirs.parameters() if p.grad is not None]
    assert len(wanted) == len(found)
    left = list(found)
    for gradient in wanted:
        scale = max(gradient.abs().max().item(), 1e-6)
        near = [i for i, g in enumerate(left) if g.numel() == gradient.numel()]
        distances = [(left[i].reshape(gradient.shape) - gradient).abs().max().item() / scale for i in near]
        assert min(distances) < 1e-6, (tuple(gradient.shape), distances)
        left.pop(near[distances.index(min(distances))])


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_compute_and_learn_what_their_nets_do(name: str) -> None:
    source, data = exported(name), pictured(name)
    names = next(layer for layer in netspec.read_net("net.prototxt").param.layer if layer.type == "DummyData").top
    for phase in ("TEST", "TRAIN"):
        (wanted_loss, blobs), ours = computed(phase, data)
        theirs = module_of(source, "made.pt").train(phase == "TRAIN").double()
        given = dict(zip(names, data, strict=True))
        made = theirs(*(given[x] for x in inspect.signature(theirs.forward).parameters))
        given |= _returned(theirs, made if isinstance(made, tuple) else (made,))

        def called(function: Any, given: dict[str, Tensor] = given) -> Any:
            return function(*(given[x] for x in inspect.signature(function).parameters))

        if phase == "TEST" and name.startswith("ssd"):
            found = called(source.results)
            assert found.shape == blobs["detection_out"].shape and found.shape[2] > 20
            assert_near(found, blobs["detection_out"], "detection_out")
            continue
        if phase == "TEST":
            for top, value in called(source.measures).items():
                assert_near(value.double(), blobs[top].double(), top)
        loss = called(source.loss)
        assert_near(loss, wanted_loss, "loss")
        loss.backward()
        wanted_loss.backward()
        _assert_gradients(ours, theirs)


WORDS = {kind.partition("/")[0] for kind in RULES}
CASES = [x for x in names(False, TYPES + FORK_TYPES) if x.removeprefix("forks/").partition("/")[0] in WORDS]


@pytest.mark.parametrize("name", CASES)
def test_recorded_layer(name: str) -> None:
    """It computes what real Caffe does, and what it learns in the phase TEST."""
    case = named(name)
    net = Net.from_text(case["prototxt"], "TEST", seed=1)
    set_params(net.params.get("test", []), case)
    Path("net.prototxt").write_text(case["prototxt"])
    net.save("w.caffemodel")
    try:
        module = to_python.Module(netspec.read_net("net.prototxt"), (), "w.caffemodel")
    except ConfigError as error:
        assert re.match(r"net.prototxt:\d+:\d+: layer '(test|pre_0)' \(", str(error)), error
        return
    Path("made.py").write_text(module.source())
    torch.save(module.state(), "made.pt")
    made = module_of(imported(str(Path("made.py").absolute())), "made.pt").eval()
    inputs = feed(case)
    for _ in range(case.get("n_forward", 1)):
        found, (_, blobs) = made(*inputs.values()), net(inputs)
    wanted = [blob for name, blob in blobs.items() if name in net.outputs]
    found = found if isinstance(found, tuple) else (found,)
    for mine, theirs in zip(wanted, found, strict=True):
        torch.testing.assert_close(theirs.to(mine.dtype), mine, rtol=1e-5, atol=1e-6, equal_nan=True)
    if case.get("backward", True) and case["phase"] == "TEST" and list(case["tops"]) == net.outputs:
        pairs = [
            (top, case[f"top_diff_{i}"]) for i, top in enumerate(found) if f"top_diff_{i}" in case and top.requires_grad
        ]
        sum((top * weight.view_as(top)).sum() for top, weight in pairs).backward()
        for i, x in enumerate(inputs.values()):
            if f"bottom_diff_{i}" in case and case[f"bottom_diff_{i}"].any():
                assert_close(x.grad, case, f"bottom_diff_{i}")


LOSSES = [x for x in names(False, TYPES + FORK_TYPES) if {*registered(named(x)["prototxt"])} & {*torch_losses.RULES}]
LOSSES = [x for x in LOSSES if "_graphs" not in x and x != "SoftmaxWithLoss/confident_wrong"]  # beyond Caffe's bound


@pytest.mark.parametrize("name", LOSSES)
def test_recorded_loss(name: str) -> None:
    """Losses and measures of real Caffe, and their gradients."""
    case = named(name)
    spec = netspec.parse_net(case["prototxt"]).with_state(netspec.state(case["phase"]))
    (layer,) = [x for x in dialects.tell(spec, netspec.filter_layers(spec)) if x.param.name == "test"]
    given, writer = list(feed(case).values()), Writer()
    ins = [f"given[{i}]" for i in range(len(layer.param.bottom))]
    try:
        check_said(layer.param)
        text = torch_losses.RULES[layer.kind or layer.param.type](layer.param, ins, tuple(given[0].shape), writer)
    except ConfigError as error:
        assert error.field
        return
    known: dict[str, Any] = {"torch": torch, "F": F, "nn": torch.nn, "Tensor": Tensor, "given": given}
    for helper in writer.helpers.values():
        exec(helper, known)
    top = eval(text, known)
    assert_close(top.reshape(case["top_0"].shape).to(torch.float32), case, "top_0")
    if case.get("backward", True) and "bottom_diff_0" in case:
        (top.sum() * case["top_diff_0"].sum()).backward()
        assert given[0].grad is not None
        assert_close(given[0].grad, case, "bottom_diff_0")


OTHERS = {  # layers that no recorded net without chance has, and losses: between a learned layer and what it is held against
    "GroupNorm": "group_norm_param { num_groups: 2 eps: 0.001 scale_filler { type: 'gaussian' std: 1 } }",
    "MVN": "mvn_param { across_channels: true eps: 0.1 }",
    "SeLu": "",
    "SpatialDropout": "dropout_param { dropout_ratio: 0 }",
    "Reorg": "reorg_param { stride: 2 }",
    "Swish": "swish_param { beta: 2 }",
    "Upsample": "upsample_param { scale: 2 }",
}
LEARNED = """
layer { name: "data" type: "DummyData" top: "x" top: "y"
  dummy_data_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } shape { %s } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param { num_output: 4 kernel_size: 3 pad: 1
  weight_filler { type: "xavier" } } }
layer { name: "test" type: "%s" bottom: "conv" top: "test" %s }
layer { name: "ip" type: "InnerProduct" bottom: "test" top: "ip" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "%s" bottom: "ip" bottom: "y" top: "loss" %s }
"""


def assert_learns_alike(dims: str, words: tuple[str, str], ends: tuple[str, str], labels: Tensor) -> None:
    """What it computes and learns."""
    Path("net.prototxt").write_text(LEARNED % (dims, *words, *ends))
    trained = Net.from_file("net.prototxt", "TRAIN", seed=1)
    trained.save("w.caffemodel")
    module = to_python.Module(netspec.read_net("net.prototxt"), (), "w.caffemodel")
    Path("made.py").write_text(module.source())
    torch.save(module.state(), "made.pt")
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (wanted, _), ours = computed("TRAIN", [x, labels])
    source = imported(str(Path("made.py").absolute()))
    theirs = module_of(source, "made.pt").double()
    found = source.loss(theirs(x), labels)
    assert_near(found, wanted, "loss")
    found.backward()
    wanted.backward()
    _assert_gradients(ours, theirs)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_layer_that_learns_between(kind: str) -> None:
    target = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    assert_learns_alike("dim: 2 dim: 3", (kind, OTHERS[kind]), ("EuclideanLoss", ""), target)


@pytest.mark.parametrize(
    "kind",
    [
        "HingeLoss",
        "MultinomialLogisticLoss",
        "HingeLoss hinge_loss_param { norm: L2 }",
        "L1Loss",
        "SmoothL1Loss loss_weight: 1 smooth_l1_loss_param { sigma: 2 }",
    ],
)
def test_a_loss(kind: str) -> None:
    labels = kind.startswith(("Hinge", "Multinomial"))
    target = torch.tensor([2.0, 0]).double() if labels else torch.linspace(-1, 2, 6, dtype=torch.float64).view(2, 3)
    name, _, more = kind.partition(" ")
    assert_learns_alike("dim: 2" if labels else "dim: 2 dim: 3", ("TanH", ""), (name, more), target)


def test_the_file_is_formatted_and_typed(folder: Path) -> None:
    for name in ("googlenet/train_val", "resnet50/train_val", "siamese/mnist_siamese_train_test", *DETECTORS):
        Path("net.prototxt").write_text(written(name))
        module = to_python.Module(netspec.read_net("net.prototxt"), (), None)
        Path(f"{name.partition('/')[0]}.py").write_text(module.source("made.pt"))
        if name in DETECTORS:
            solver = read_solver(str(CONFIGS / name.replace("train_test", "solver.prototxt")))
            stem = name.partition("/")[0]
            Path(f"train_{stem}.py").write_text(to_train.source(solver, module, stem))
    for tool in (["ruff", "format", "--isolated", "--check"], ["ruff", "check", "--isolated"]):
        assert subprocess.run([shutil.which(tool[0]) or tool[0], *tool[1:], "."], check=False).returncode == 0
    assert "self.inception_3a = Inception(" in Path("googlenet.py").read_text()
    assert "class Res(nn.Module):" in Path("resnet50.py").read_text()
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", *map(str, Path().glob("*.py"))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            'type: "BN" bn_param { frozen: true }',
            "net.prototxt:2:49: layer 'test' (BN): has no counterpart",
        ),
        ('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 }', "net.prototxt:2:... draws by chance"),
    ],
)
def test_what_cannot_be_said_is_refused_at_its_place(change: str, line: str, folder: Path) -> None:
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }\n'
    Path("net.prototxt").write_text(data + f'layer {{ bottom: "data" top: "test" name: "test" {change} }}\n')
    Net.from_file("net.prototxt", "TEST").save("w.caffemodel")
    before = set(folder.iterdir())
    ended = call(command, "net.prototxt", "--weights", "w.caffemodel", "--to", "made.py")
    assert ended.code == 1 and len(ended.complaints) == 1
    assert_like(ended.complaints[0], line)
    assert set(folder.iterdir()) == before


TRAINED = """
layer { name: "in" type: "HDF5Data" top: "x" top: "y" hdf5_data_param { source: "list.txt" batch_size: 6 } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "ip1" inner_product_param { num_output: 6
  weight_filler { type: "xavier" } } param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 } }
layer { name: "tanh" type: "TanH" bottom: "ip1" top: "ip1" }
layer { name: "bn" type: "BatchNorm" bottom: "ip1" top: "ip1" }
layer { name: "scale" type: "Scale" bottom: "ip1" top: "ip1" param { lr_mult: 0.5 } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip2" bottom: "y" top: "loss" include { phase: TRAIN } }
layer { name: "quiet" type: "Silence" bottom: "ip1" bottom: "y" include { phase: TRAIN } }
layer { name: "heard" type: "TanH" bottom: "ip2" top: "heard" include { phase: TEST } }
"""
SOLVERS = {
    "SGD": 'lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: 0.9 clip_gradients: 0.8',
    "Nesterov": 'lr_policy: "inv" gamma: 0.1 power: 0.75 momentum: 0.9',
    "AdaGrad": 'lr_policy: "multistep" gamma: 0.3 stepvalue: 2 stepvalue: 4 regularization_type: "L1"',
    "RMSProp": 'lr_policy: "poly" power: 2 rms_decay: 0.9',
    "AdaDelta": 'lr_policy: "fixed" momentum: 0.9 delta: 1e-6',
    "Adam": 'lr_policy: "sigmoid" gamma: 0.5 stepsize: 3 momentum: 0.9 momentum2: 0.99',
}


@pytest.mark.parametrize("rule", SOLVERS)
def test_the_loop_learns_what_the_solver_does(rule: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(72, 3, generator=generator), torch.randn(72, 2, generator=generator)
    with h5py.File("data.h5", "w") as file:
        file["x"], file["y"] = (x.numpy() for x in rows)
    Path("list.txt").write_text("data.h5\n")
    Path("net.prototxt").write_text(TRAINED)
    told = f'net: "net.prototxt" type: "{rule}" base_lr: 0.1 max_iter: 6 iter_size: 2 weight_decay: 0.01 random_seed: 1 '
    Path("solver.prototxt").write_text(told + SOLVERS[rule] + ' snapshot_prefix: "s" snapshot_after_train: false')
    solver = Solver("solver.prototxt")
    solver.net.save("w.caffemodel")
    options = ("--weights", "w.caffemodel", "--to", "made.py", "--solver", "solver.prototxt", "--shape", "2,3")
    done = call(command, "net.prototxt", *options)
    assert (done.code, done.stdout) == (0, "wrote made.py and train_made.py and made.pt\n"), done.stderr
    solver.solve()
    solver.close()
    monkeypatch.syspath_prepend(str(folder))
    loop = imported("train_made.py")
    assert "def results(ip2: Tensor) -> Tensor:" in Path("made.py").read_text()
    theirs = module_of(sys.modules.pop("made"), "made.pt")
    loop.train(theirs, zip(*(x.split(6) for x in rows), strict=True))
    found, wanted = dict(theirs.named_parameters()), solver.net.params
    pairs = {"ip1.weight": wanted["ip1"][0], "ip1.bias": wanted["ip1"][1], "bn.weight": wanted["scale"][0]}
    for name, blob in {**pairs, "ip2.weight": wanted["ip2"][0], "ip2.bias": wanted["ip2"][1]}.items():
        assert_near(found[name].detach(), blob.detach(), name, 2e-5)
    assert not found["bn.bias"].any()


def test_what_a_loop_cannot_say_is_refused() -> None:
    Path("net.prototxt").write_text(TRAINED)
    Path("list.txt").write_text("data.h5\n")
    with h5py.File("data.h5", "w") as file:
        file["x"], file["y"] = torch.zeros(6, 3).numpy(), torch.zeros(6, 2).numpy()
    Net.from_file("net.prototxt", "TEST").save("w.caffemodel")
    Path("solver.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed"\nclip_weights: 1')
    options = ("--weights", "w.caffemodel", "--to", "made.py", "--solver", "solver.prototxt")
    ended = call(command, "net.prototxt", *options)
    assert ended.code == 1 and not Path("made.py").exists()
    assert_like(ended.complaints[0], "solver.prototxt:2:1: clip_weights is not written as PyTorch: take it out")
