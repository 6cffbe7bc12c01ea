"""Nets by chance, split by chance, teach what the whole batch teaches; runs that run out of memory lose no record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from golden_cases import assert_blobs
from running import ENVIRONMENT, SOLVER, Ended, changed
from test_fit import BIG, DROPOUT, LIMITED, assert_equal, train_with, weights
from torch import Tensor

from solver_cli import Net
from solver_cli.passes.passes import forward, forward_backward
from solver_cli.passes.pieces import Pieces

FILLER = 'weight_filler { type: "xavier" } bias_filler { type: "gaussian" std: 0.1 }'


class Chance:
    """Writes a net: blocks of the layers that real nets are made of, one after the other."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.records = int(self.rng.integers(4, 10))
        self.lines: list[str] = []
        self.made = 0
        shapes = "".join(f"shape {{ {dims} }} " for dims in (self.dims(3, 7, 7), self.dims(), self.dims(2)))
        self.lines.append(
            f'layer {{ name: "in" type: "Input" top: "x" top: "label" top: "goal" input_param {{ {shapes}}} }}'
        )

    def dims(self, *rest: int) -> str:
        return " ".join(f"dim: {n}" for n in (self.records, *rest))

    def add(self, kind: str, bottoms: list[str], settings: str = "", tops: list[str] | None = None) -> str:
        """Add a layer; its first top."""
        self.made += 1
        name = f"{kind.lower()}{self.made}"
        blobs = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "{t}"' for t in tops or [name])])
        self.lines.append(f'layer {{ name: "{name}" type: "{kind}" {blobs} {settings} }}')
        return (tops or [name])[0]

    def conv(self, x: str, outputs: int = 4) -> str:
        return self.add("Convolution", [x], f"convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 {FILLER} }}")

    def norm(self, x: str) -> str:
        """BatchNorm and Scale, in place (and so fused) or not, with a ReLU or without."""
        in_place = self.rng.random() < 0.7
        x = self.add("BatchNorm", [x], tops=[x] if in_place and self.rng.random() < 0.5 else None)
        x = self.add("Scale", [x], "scale_param { bias_term: true }", [x] if in_place else None)
        return self.add("ReLU", [x], tops=[x] if self.rng.random() < 0.7 else None)

    def residual(self, x: str) -> str:
        inner = self.norm(self.conv(self.norm(self.conv(x))))
        operation = self.rng.choice(["SUM", "MAX"])
        return self.add("Eltwise", [self.conv(x), inner], f"eltwise_param {{ operation: {operation} }}")

    def inception(self, x: str) -> str:
        pool = self.add("Pooling", [x], "pooling_param { kernel_size: 3 stride: 1 pad: 1 }")
        return self.add("Concat", [self.norm(self.conv(x, 2)), self.conv(pool, 2)])

    def parted(self, x: str) -> str:
        self.made += 1
        parts = [f"part{self.made}a", f"part{self.made}b"]
        self.add("Slice", [self.conv(x)], "slice_param { axis: 1 }", parts)
        return self.add("Eltwise", [self.add("TanH", parts[:1]), parts[1]], "eltwise_param { operation: PROD }")

    def dropped(self, x: str) -> str:
        return self.add("Dropout", [x], f"dropout_param {{ dropout_ratio: {self.rng.choice([0.2, 0.5])} }}", [x])

    def local(self, x: str) -> str:
        return self.add("LRN", [self.conv(x)], "lrn_param { local_size: 3 alpha: 0.1 }")

    def losses(self, x: str) -> None:
        """One to three of them, with weights, an ignored label, and ways to count."""
        inner = "inner_product_param {{ num_output: {} " + "{} }}"
        count = self.rng.choice(["VALID", "FULL", "BATCH_SIZE", "NONE"])
        ignore = "ignore_label: 1" if self.rng.random() < 0.6 else ""
        scores = self.add("InnerProduct", [x], inner.format(4, FILLER))
        if self.rng.random() < 0.4:
            scores = self.norm(scores)
        settings = f"loss_weight: {self.rng.choice([0.3, 1.0, 2.0])} loss_param {{ normalization: {count} {ignore} }}"
        self.add("SoftmaxWithLoss", [scores, "label"], settings)
        self.add("Accuracy", [scores, "label"])
        if self.rng.random() < 0.6:
            self.add("EuclideanLoss", [self.add("InnerProduct", [x], inner.format(2, FILLER)), "goal"], "loss_weight: 0.7")
        if self.rng.random() < 0.4:
            self.add(
                "Reduction",
                [x],
                f"reduction_param {{ operation: {self.rng.choice(['MEAN', 'SUMSQ'])} axis: 1 }} loss_weight: 0.01",
            )

    def text(self) -> str:
        x = "x"
        blocks = [self.residual, self.inception, self.parted, self.dropped, self.local, lambda x: self.norm(self.conv(x))]
        for block in self.rng.choice(len(blocks), int(self.rng.integers(2, 5))):
            x = blocks[block](x)
        self.losses(x)
        return "\n".join(self.lines)

    def batch(self) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(int(self.rng.integers(2**31)))
        pictures, goals = (torch.randn(self.records, *n, generator=generator).double() for n in ((3, 7, 7), (2,)))
        return {"x": pictures, "label": torch.randint(4, (self.records,), generator=generator).double(), "goal": goals}


def state(net: Net) -> tuple[list[Tensor], list[Tensor], Tensor | None]:
    """Gradients, learned blobs (BatchNorm's statistics included), and the state of the random numbers."""
    gradients = [torch.zeros_like(x.blob) if x.blob.grad is None else x.blob.grad for x in net.learned]
    return gradients, [x.blob.detach() for x in net.learned], net.draws.get_state() if net.draws is not None else None


def assert_close(found: list[Tensor], wanted: list[Tensor], what: str) -> None:
    """To 1e-8 of the largest number of all: where the sum is 0 in truth, nothing but rounding is left."""
    scale = max(1.0, *(float(x.abs().max()) for x in wanted))
    for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8 * scale, msg=lambda text, i=i: f"{what} {i}: {text}")


@pytest.mark.parametrize("recompute", [False, True], ids=["", "recompute"])
@pytest.mark.parametrize("seed", range(24))
def test_net_by_chance(seed: int, recompute: bool) -> None:
    chance = Chance(seed)
    text, batch = chance.text(), chance.batch()
    whole = Net.from_text(text, seed=seed).double()
    loss, outputs = forward_backward(whole, [batch])
    for size in sorted({1, *chance.rng.integers(1, chance.records + 1, 2).tolist()}):
        net = Net.from_text(text, seed=seed).double()
        found, tops = Pieces(net, size, recompute=recompute)([batch])
        gradients, learned, draws = state(net)
        wanted, blobs, drawn = state(whole)
        assert_close([found, *tops.values()], [loss, *outputs.values()], f"pieces of {size}: loss and outputs")
        assert_close(gradients, wanted, f"pieces of {size}: gradient")
        assert_close(learned, blobs, f"pieces of {size}: learned blob")
        assert draws is drawn is None or (draws is not None and drawn is not None and torch.equal(draws, drawn))


@pytest.mark.parametrize("seed", range(24))
def test_net_by_chance_without_gradients(seed: int) -> None:
    """The last display's pass: the masks of several layers are drawn layer by layer, for the whole batch."""
    chance = Chance(seed)
    chance.lines += [f'layer {{ name: "early" type: "Dropout" bottom: "{blob}" top: "{blob}" }}' for blob in ("x", "goal")]
    text, batch = chance.text(), chance.batch()
    whole = Net.from_text(text, seed=seed).double()
    loss, outputs = forward(whole, batch)
    for size in sorted({1, *chance.rng.integers(1, chance.records + 1, 2).tolist()}):
        net = Net.from_text(text, seed=seed).double()
        found, tops = forward(net, batch, Pieces(net, size))
        assert_close([found, *tops.values()], [loss, *outputs.values()], f"pieces of {size}: loss and outputs")
        assert_close(state(net)[1], state(whole)[1], f"pieces of {size}: learned blob")
        draws, drawn = state(net)[2], state(whole)[2]
        assert draws is not None and drawn is not None and torch.equal(draws, drawn)


@pytest.mark.parametrize("seed", range(6))
def test_recomputed_net_by_chance_is_the_same_bit_by_bit(seed: int) -> None:
    chance = Chance(seed)
    text, batch = chance.text(), {name: x.float() for name, x in chance.batch().items()}
    found = []
    for recompute in (False, True):
        net = Net.from_text(text, seed=seed)
        loss, _ = Pieces(net, chance.records, recompute=recompute)([batch])
        found.append([loss, *state(net)[0], *state(net)[1]])
    assert all(map(torch.equal, *found))


# -- through the command --------------------------------------------------------------------------------------------

DATA = """name: "small"
layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "list.txt" batch_size: %d } }
"""
REST = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, net: str, solver: str, shape: tuple[int, ...]) -> None:
    """A net, a solver, and records none of which is like another, in two files."""
    rng = np.random.default_rng(2)
    for part in range(2):
        with h5py.File(folder / f"part{part}.h5", "w") as file:
            file["data"], file["label"] = rng.normal(size=shape).astype(np.float32), (np.arange(shape[0]) + part) % 5
    (folder / "list.txt").write_text("part0.h5\npart1.h5\n")
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver)


@pytest.mark.parametrize("options", [("--micro-batch", "3"), ("--micro-batch", "1", "--recompute"), ("--recompute",)])
def test_window_with_dropout_in_pieces(folder: Path, options: tuple[str, ...]) -> None:
    """BatchNorm's statistics come from all passes, however these are split; the masks are those of whole passes."""
    write(folder, DATA % 4 + REST, SOLVER + "momentum: 0.9 iter_size: 3", (10, 3, 8, 8))
    _, wanted = train_with("--batch-norm-window", "iter_size")
    _, plain = train_with()
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(plain, wanted, strict=True))
    _, found = train_with("--batch-norm-window", "iter_size", *options)
    assert_equal(found, wanted, 3e-5)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_records_keep_their_order_when_the_memory_runs_out(folder: Path) -> None:
    """A try that failed has read records, from shuffled files and ahead; the next one reads them again."""
    head, _, rest = BIG.partition('layer {\n  name: "conv"')
    assert "DummyData" in head
    rest = changed('layer {\n  name: "conv"' + rest, ('layer {\n  name: "ip"', DROPOUT))
    data = changed(DATA % 64, ('source: "list.txt"', 'source: "list.txt" shuffle: true'))
    write(folder, data + rest, SOLVER + "iter_size: 2 momentum: 0.9", (100, 3, 48, 48))
    _, wanted = train_with()
    command = [sys.executable, "-c", LIMITED.format(room=500, options=["solver.prototxt", "--fit", "--memory", "8G"])]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False)
    ended = Ended(done.returncode, done.stdout, done.stderr)
    assert ended.code == 0, done.stderr[-2000:]
    assert any("the memory ran out" in line for line in ended.log)
    assert_blobs(weights(), wanted, 1e-4, "weights")  # the norm: a ReLU near 0 may open in one order of summation alone
