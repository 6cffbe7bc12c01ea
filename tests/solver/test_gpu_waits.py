"""Between displays an iteration never makes a GPU be waited for, nor launches more operators than it did.

Whole iterations, accumulation, clipping and update included: on the device meta, where all that is elsewhere is seen, and
with values, by the ways that are a GPU's: see standin.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from standin import GPU, Waits, as_if_cuda
from test_configs import WEIGHTS, built_from

from solver_cli import Solver
from solver_cli.text import prototxt
from solver_cli.updates.rules import RULES

LARGE = {
    "alexnet/train_val",
    "caffenet/train_val",
    "googlenet/train_val",
    "resnet50/train_val",
    "vgg16/train_val",
    "unet/unet",
}
SLOW = {"mnist/mnist_autoencoder", "siamese/mnist_siamese_train_test", "cifar10/cifar10_quick_train_test"}  # like others
SOLVER = """net: "net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.9 stepsize: 2 weight_decay: 0.0005 max_iter: 100
            display: 100 snapshot_prefix: "snap" random_seed: 1 """
USUAL = 'momentum: 0.9 iter_size: 2 clip_gradients: 10 type: "SGD"'
SMALL = """
layer { name: "in" type: "Input" top: "x" top: "label"
        input_param { shape { dim: 6 dim: 3 dim: 8 dim: 8 } shape { dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" }
layer { name: "drop" type: "Dropout" bottom: "norm" top: "norm" }
layer { name: "ip" type: "InnerProduct" bottom: "norm" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_param { ignore_label: 3 } }
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def solver_of(text: str, settings: str = USUAL, device: str = "cpu", **options: Any) -> Solver:
    """A solver between two displays."""
    Path("net.prototxt").write_text(text)
    Path("solver.prototxt").write_text(SOLVER + settings)
    solver = Solver("solver.prototxt", device=device, **options)
    solver.schedule.iter = 1
    return solver


def text_of(name: str) -> str:
    return prototxt.to_text(built_from(name, "TRAIN").param)


def waited(solver: Solver, watch: Callable[[], Any], iterations: int = 3) -> Waits:
    with closing(solver), watch() as waits:
        solver.step(iterations)
    assert solver.iter == 1 + iterations
    return waits  # type: ignore[no-any-return]


def as_on_a_gpu(solver: Solver, iterations: int = 3) -> list[str]:
    solver.net.device = GPU
    return waited(solver, as_if_cuda, iterations).found


def on_meta(solver: Solver, iterations: int = 3) -> Waits:
    return waited(solver, lambda: Waits(meta=True), iterations)


@pytest.mark.parametrize("name", WEIGHTS)
def test_configs_on_meta(name: str) -> None:
    assert on_meta(solver_of(text_of(name), device="meta"), 2).found == []


@pytest.mark.parametrize("name", [name for name in WEIGHTS if name not in LARGE | SLOW])
def test_configs_as_on_a_gpu(name: str) -> None:
    assert as_on_a_gpu(solver_of(text_of(name)), 1) == []


@pytest.mark.parametrize("kind", RULES)
def test_rules(kind: str) -> None:
    momentum = 0.0 if kind in ("AdaGrad", "RMSProp") else 0.9
    settings = f'type: "{kind}" momentum: {momentum} iter_size: 2 clip_gradients: 0.1'
    assert as_on_a_gpu(solver_of(SMALL, settings)) == []
    assert on_meta(solver_of(SMALL, settings, "meta")).found == []


@pytest.mark.parametrize(
    "settings",
    [
        "momentum: 0.9 larc: true",
        "momentum: 0.9 local_lr_auto: true",
        "momentum: 0.9 lookahead: true lookahead_steps: 2",
        'momentum: 0.9 regularization_type: "L1"',
        'momentum: 0.9 regularization_type: "decoupled"',
        "momentum: 0.9 clip_weights: 1",
        "momentum: 0.9 clamp_weights_lower: -1 clamp_weights_upper: 1",
        "momentum: 0.9 snapshot_diff: true",
        'momentum: 0.9 momentum2: 0.99 type: "Adam" amsgrad: true',
        'momentum: 0.9 momentum2: 0.99 type: "Adam" rectified: true',
        'momentum: 0.9 momentum2: 0.99 type: "Adam" regularization_type: "decoupled"',
    ],
)
def test_what_an_update_does_besides(settings: str) -> None:
    assert as_on_a_gpu(solver_of(SMALL, settings)) == []


OPTIONS: list[dict[str, Any]] = [
    {"micro_batch": 2},
    {"micro_batch": 4, "recompute": True},
    {"recompute": True},
    {"micro_batch": 2, "offload": True},
    {"batch_norm_window": "iter_size"},
    {"grow_batch": 8},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_options(options: dict[str, Any]) -> None:
    """The noise scale is measured as well, where batches come in parts."""
    assert on_meta(solver_of(SMALL, device="meta", **options), 5).found == []
    if options != {"recompute": True}:  # for torch's checkpoints an own stream of the GPU is looked for
        assert as_on_a_gpu(solver_of(SMALL, **options), 5) == []


@pytest.mark.parametrize("more", [{}, {"micro_batch": 2}, {"recompute": True}])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_halves(precision: str, more: dict[str, Any]) -> None:
    """By the CPU's autocast, so the net is on the CPU: a pass looks at its loss there, and nothing is sent."""
    solver = solver_of(SMALL, "momentum: 0.9 iter_size: 2 clip_gradients: 10", precision=precision, **more)
    waits = waited(solver, as_if_cuda)
    own = [found for found in waits.found if "self.check(float(loss))" in found or found.startswith("to in")]
    assert [found for found in waits.found if found not in own] == []


LAUNCHED = {"mnist/lenet_train_test": 41, "resnet50/train_val": 428, "unet/unet_small": 95}  # without the update's kernels


@pytest.mark.parametrize("name", LAUNCHED)
def test_operators_of_an_iteration(name: str) -> None:
    """A GPU is kept busy by few operators: an iteration of one pass has no more of them than are recorded."""
    solver = solver_of(text_of(name), 'momentum: 0.9 type: "SGD"', "meta")
    assert on_meta(solver, 1).launched.total() <= LAUNCHED[name]
