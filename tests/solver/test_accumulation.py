"""A batch of B and iter_size K is one batch of B K, for every solver type: weights and history; and what memory it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from golden_cases import assert_blobs
from google.protobuf import text_format
from torch import Tensor

from solver_cli import Net
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.passes import memory
from solver_cli.passes.passes import forward_backward
from solver_cli.solver.solver import Solver

RULES = {
    "SGD": "momentum: 0.9",
    "Nesterov": "momentum: 0.9",
    "AdaGrad": "delta: 1e-3",
    "RMSProp": "rms_decay: 0.9 delta: 1e-3",
    "AdaDelta": "momentum: 0.9 delta: 1e-3",
    "Adam": "momentum: 0.9 momentum2: 0.99 delta: 1e-3",
}

# -- golden cases ---------------------------------------------------------------------------------------------------

GOLDEN = {  # with the factor by which their batches come apart
    "lenet_sgd_momentum": 4, "lenet_nesterov_l2_inv": 4, "lenet_adagrad_l1_delta": 4, "lenet_rmsprop_l2_delta": 4,
    "lenet_adadelta_l2_delta": 4, "lenet_adam_l2_delta": 4, "reg_adam_l2_clip": 2, "reg_nesterov": 4, "reg_rmsprop_l1": 4,
    "autoencoder_adagrad": 2, "clip_gradients": 2, "lr_mult_decay_mult": 4, "shared_permissive": 2,
    "siamese_shared": 4, "quick_lrn_across": 4, "quick_lrn_within": 3, "stop_gradient": 2,
}  # fmt: skip


def trained(steps: int, solver: str = "solver.prototxt", **options: object) -> list[np.ndarray]:
    """Weights and history after some iterations of the solver file."""
    with closing(Solver(solver, device="cpu", **options)) as run:
        run.step(steps)
        return [x.detach().double().numpy().copy() for x in [*(learned.blob for learned in run.net.learned), *run.history]]


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_case_in_parts(case: str, case_folder: Callable[[str], Path]) -> None:
    """A run that real Caffe has made, its batches divided and iter_size multiplied."""
    folder, parts = case_folder(case), GOLDEN[case]
    solver, net = folder / "solver.prototxt", folder / "net.prototxt"
    text = re.sub(r"\b(test_iter|test_interval|snapshot|display):\s*\d+|test_state:?\s*{[^}]*}", "", solver.read_text())
    passes = int(found[1]) if (found := re.search(r"iter_size: (\d+)", text)) else 1
    text = re.sub(r"iter_size: \d+", "", text)
    layers = re.sub(r"include\s*{\s*phase:\s*TEST\s*}", 'include { stage: "never" }', net.read_text())
    net.write_text(layers)
    solver.write_text(f"{text}\niter_size: {passes} snapshot_after_train: false\n")
    wanted = trained(8)
    net.write_text(re.sub(r"batch_size: (\d+)", lambda m: f"batch_size: {int(m[1]) // parts}", layers))
    clip = re.sub(r"clip_gradients: (\S+)", lambda m: f"clip_gradients: {float(m[1]) * parts}", text)  # a sum's limit
    solver.write_text(f"{clip}\niter_size: {passes * parts} snapshot_after_train: false\n")
    assert_blobs(trained(8), wanted, 2e-4, case)


# -- nets by chance -------------------------------------------------------------------------------------------------


DATA = """layer { name: "data" type: "HDF5Data" top: "data" top: "label"
                hdf5_data_param { source: "list.txt" batch_size: 24 } }"""


def net_by_chance(seed: int) -> str:
    """Layers that see each record by itself, and a loss that is a mean over records; data from records.txt."""
    rng = np.random.default_rng(seed)
    lines, top = [], "data"

    def add(kind: str, settings: str = "", top_name: str = "", extra: str = "") -> None:
        nonlocal top
        name = top_name or f"{kind.lower()}{len(lines)}"
        lines.append(f'layer {{ name: "{name}" type: "{kind}" bottom: "{top}" top: "{name}" {settings} {extra} }}')
        top = name

    filler = 'weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 }'
    for _ in range(int(rng.integers(1, 3))):
        group, size = int(rng.choice([1, 2])), int(rng.choice([1, 3, 5]))
        param = f"num_output: {rng.choice([4, 6])} kernel_size: {size} pad: {size // 2} stride: {rng.integers(1, 3)}"
        rates = f"param {{ lr_mult: {rng.choice([0.5, 1, 2])} }} param {{ lr_mult: 2 decay_mult: {rng.integers(0, 2)} }}"
        add("Convolution", f"convolution_param {{ {param} {filler} group: {group if len(lines) else 1} }}", extra=rates)
        add(str(rng.choice(["ReLU", "TanH", "ELU", "AbsVal", "PReLU"])))
        if rng.random() < 0.5:
            region = rng.choice(["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
            add("LRN", f"lrn_param {{ local_size: 3 alpha: 0.1 norm_region: {region} }}")
        if rng.random() < 0.7:
            add("Pooling", f"pooling_param {{ pool: {rng.choice(['MAX', 'AVE'])} kernel_size: 2 stride: 2 }}")
    inner = f"inner_product_param {{ num_output: 8 {filler} }}"
    add("InnerProduct", inner)
    add("Sigmoid")
    for _ in range(2):  # the same weights twice
        add("InnerProduct", inner, extra='param { name: "w" } param { name: "b" }')
        add("TanH")
    add("InnerProduct", f"inner_product_param {{ num_output: 5 {filler} }}", "scores")
    normalization = rng.choice(["VALID", "FULL", "BATCH_SIZE"])
    loss = f"loss_weight: {rng.choice([0.5, 1])} loss_param {{ normalization: {normalization} }}"
    last = f'layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" {loss} }}'
    return "\n".join([DATA, *lines, last])


def write(folder: Path, net: str, solver: str, batch: int, passes: int, records: int = 48) -> None:
    rng = np.random.default_rng(5)
    with h5py.File(folder / "data.h5", "w") as file:
        file["data"] = rng.normal(size=(records, 3, 9, 9)).astype(np.float32)
        file["label"] = rng.integers(0, 5, records).astype(np.float32)
    (folder / "list.txt").write_text("data.h5\n")
    (folder / "net.prototxt").write_text(net.replace("batch_size: 24", f"batch_size: {batch}"))
    text = 'net: "net.prototxt" lr_policy: "fixed" snapshot_prefix: "snap" snapshot_after_train: false random_seed: 3\n'
    (folder / "solver.prototxt").write_text(f"{text} {solver} iter_size: {passes}\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", RULES)
def test_net_by_chance(kind: str, seed: int, folder: Path) -> None:
    """With weight decay, clipping and a weight that two layers share."""
    passes = (2, 3, 4, 6)[seed]
    decay = f'weight_decay: 0.01 regularization_type: "{"L1" if seed == 3 else "L2"}"'
    rule = f'type: "{kind}" {RULES[kind]} base_lr: 0.01 {decay} clip_gradients: '
    net = net_by_chance(seed)
    write(folder, net, rule + "0.5", 24, 1)
    wanted = trained(6)
    write(folder, net, rule + f"{0.5 * passes}", 24 // passes, passes)
    assert_blobs(trained(6), wanted, 2e-4, kind)


# -- ignored labels -------------------------------------------------------------------------------------------------

IGNORING = (
    f"{DATA}\n"
    + """
layer { name: "scores" type: "InnerProduct" bottom: "data" top: "scores"
        inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss"
        loss_param { normalization: VALID ignore_label: 2 } }
"""
)


def ignoring(folder: Path) -> tuple[list[Tensor], list[Tensor]]:
    """24 records of which the second 12 have fewer labels that count."""
    write(folder, IGNORING, "base_lr: 1", 24, 1)
    with h5py.File(folder / "data.h5", "r+") as file:
        file["label"][...] = np.array(([0, 1, 3, 4] * 3 + [2, 2, 2, 1] * 3) * 2, np.float32)
    net = Net.from_file("net.prototxt", seed=3)
    batch = net.next_batch()
    net.close()

    def gradients(rows: slice) -> list[Tensor]:
        for learned in net.learned:
            learned.blob.grad = None
        forward_backward(net, [{name: x[rows] for name, x in batch.items()}])
        return [learned.blob.grad.clone() for learned in net.learned if learned.blob.grad is not None]

    halves = [gradients(slice(0, 12)), gradients(slice(12, 24))]
    return [(a + b) / 2 for a, b in zip(*halves, strict=True)], gradients(slice(0, 24))


@pytest.mark.parametrize("joined", [False, True], ids=["iter_size", "micro-batch"])
def test_valid_normalization_with_ignored_labels(joined: bool, folder: Path) -> None:
    """iter_size takes the mean of the passes' means, as Caffe does; --micro-batch the mean of the joined batch."""
    means, whole = ignoring(folder)
    assert all((a - b).norm() > 0.05 * b.norm() for a, b in zip(means, whole, strict=True))
    if not joined:
        text = Path("net.prototxt").read_text().replace("batch_size: 24", "batch_size: 12")
        Path("net.prototxt").write_text(text)
        Path("solver.prototxt").write_text(Path("solver.prototxt").read_text().replace("iter_size: 1", "iter_size: 2"))
    with closing(Solver("solver.prototxt", device="cpu", micro_batch=12 if joined else None)) as solver:
        before = [x.blob.detach().clone() for x in solver.net.learned]
        solver.step(1)
        steps = [(old - x.blob).detach() for old, x in zip(before, solver.net.learned, strict=True)]
    for step, wanted in zip(steps, whole if joined else means, strict=True):
        torch.testing.assert_close(step, wanted, rtol=1e-4, atol=1e-6)


# -- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_passes_take_the_memory_of_one_beside_their_gradients(seed: int, folder: Path) -> None:
    """On real tensors: what K passes take above one are the gradients of a pass, which are added to the sum."""
    write(folder, net_by_chance(seed), "base_lr: 0.01", 24, 1)
    net = Net.from_file("net.prototxt", seed=1)
    batch = {name: x.repeat(8, *[1] * (x.dim() - 1)) for name, x in net.next_batch().items()}
    net.close()

    def peak(passes: int) -> int:
        for learned in net.learned:
            learned.blob.grad = None

        def run() -> None:
            for _ in range(passes):
                forward_backward(net, [batch])

        return memory.measure(run, before=[*(x.blob for x in net.learned), *batch.values()])

    gradients = sum(4 * x.blob.numel() for x in net.learned)
    one, two, five = peak(1), peak(2), peak(5)
    assert two == five
    assert 0 <= two - one <= gradients + one // 100


def test_forecast_does_not_grow_with_iter_size(folder: Path) -> None:
    write(folder, net_by_chance(1), "base_lr: 0.01", 24, 1)
    net = Net.from_file("net.prototxt", seed=1)
    net.close()
    totals = [memory.forecast(net, text_format.Parse(f"iter_size: {n}", SolverParameter())).total for n in (2, 3, 64)]
    assert len(set(totals)) == 1
