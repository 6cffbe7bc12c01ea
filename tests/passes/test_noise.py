"""The gradient noise scale against the one computed from all records."""

from __future__ import annotations

import math
import re
from pathlib import Path

import h5py
import pytest
import torch
from running import write

from solver_cli import Net, Solver
from solver_cli.formats import runstate
from solver_cli.passes.noise import NoiseScale
from solver_cli.passes.pieces import Pieces

REGRESSION = """
layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 8 dim: 6 } shape { dim: 8 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "z"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "y" top: "loss" }
"""
SHARED = """
layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 8 dim: 6 } shape { dim: 8 dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { lr_mult: 0 }
  inner_product_param { num_output: 6 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { lr_mult: 0 }
  inner_product_param { num_output: 6 } }
layer { name: "cut" type: "Slice" bottom: "b" top: "z" top: "rest" slice_param { slice_point: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "y" top: "loss" }
layer { name: "silence" type: "Silence" bottom: "rest" }
"""
RECORDS = 256


def records(count: int = RECORDS) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(count, 6, generator=generator)
    y = x[:, :2] * 1.5 + 2 * torch.randn(count, 2, generator=generator)
    return x, y


def gradient(net: Net, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    net.zero_grad()
    net({"x": x, "y": y})[0].backward()
    return torch.cat([p.blob.grad.flatten().double() for p in net.learned if p.blob.grad is not None])


def true_scale(net: Net, x: torch.Tensor, y: torch.Tensor) -> float:
    """tr(Sigma) / |G|^2 from the gradient of every single record."""
    each = torch.stack([gradient(net, x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    mean = each.mean(0)
    return float(((each - mean) ** 2).sum() / len(x) / (mean**2).sum())


def measure(
    noise: NoiseScale, x: torch.Tensor, y: torch.Tensor, sizes: list[int], shares: list[float], iterations: int = 400
) -> float:
    """The scale after iterations with pieces of `sizes` records, drawn with replacement."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(iterations):
        noise.net.zero_grad()
        noise.start()
        for piece, (size, share) in enumerate(zip(sizes, shares, strict=True)):
            at = torch.randint(len(x), (size,), generator=generator)
            loss, _ = noise.net({"x": x[at], "y": y[at]})
            noise.begin(piece, share, size)
            (share * loss).backward()
        noise.end()
    return noise.scale()


@pytest.mark.parametrize("text", [REGRESSION, SHARED], ids=["regression", "shared"])
@pytest.mark.parametrize(
    ("sizes", "shares"),
    [([16] * 4, [1.0] * 4), ([48, 48, 15], [48 / 111, 48 / 111, 15 / 111]), ([24, 72], [1.0, 1.0])],
    ids=["passes", "micro_batches", "unequal"],
)
def test_the_scale_is_that_of_all_records(text: str, sizes: list[int], shares: list[float]) -> None:
    net, (x, y) = Net.from_text(text, seed=3), records()
    true = true_scale(net, x, y)
    assert 5 < true < 100
    assert measure(NoiseScale(net, every=1), x, y, sizes, shares) == pytest.approx(true, rel=0.1)


def test_a_piece_may_come_in_two_backward_calls() -> None:
    """The bias's gradient comes first, the weight's later."""
    net, (x, y) = Net.from_text(REGRESSION, seed=3), records()
    weight, bias = net.params["ip"]
    one, two = NoiseScale(net, every=1), NoiseScale(net, every=1)
    for noise in (one, two):
        net.zero_grad()
        noise.start()
        losses = [net({"x": x[i : i + 8], "y": y[i : i + 8]})[0] for i in (0, 8)]
        for leaves in [[weight, bias]] if noise is one else [[bias], [weight]]:
            for piece, loss in enumerate(losses):
                noise.begin(piece, 1.0, 8)
                loss.backward(inputs=leaves, retain_graph=True)
        noise.end()
    one.scale(), two.scale()
    assert one.state() == two.state()


def test_blobs_that_are_put_in_later_are_measured() -> None:
    net, other, (x, y) = Net.from_text(REGRESSION, seed=3), Net.from_text(REGRESSION, seed=4), records()
    noise, old = NoiseScale(net, every=1), net.params["ip"]
    noise.start()
    net.share_with(other)
    assert measure(noise, x, y, [16] * 4, [1.0] * 4) == pytest.approx(true_scale(other, x, y), rel=0.1)
    assert not any(blob._backward_hooks for blob in old)


def test_it_goes_on_from_its_state() -> None:
    net, (x, y) = Net.from_text(REGRESSION, seed=3), records()
    noise, again = NoiseScale(net, every=1), NoiseScale(net, every=1)
    measure(noise, x, y, [4, 4], [1.0, 1.0], 7)
    measure(noise, x, y, [4, 4], [1.0, 1.0], 7)
    state = runstate.loads(runstate.dumps(noise.state()))
    again.restore(state)
    assert (again.scale(), again.batch) == (noise.scale(), 8)


def test_what_cannot_be_told_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "solver_cli")
    net, (x, y) = Net.from_text(REGRESSION, seed=3), records()
    assert math.isnan(measure(NoiseScale(net, every=1), x, y, [16], [1.0], 20))  # one piece
    with torch.no_grad():
        weight, bias = net.params["ip"]
        weight.copy_(torch.linalg.lstsq(torch.cat([x, torch.ones(RECORDS, 1)], 1), y).solution[:6].T)
        bias.copy_(torch.linalg.lstsq(torch.cat([x, torch.ones(RECORDS, 1)], 1), y).solution[6])
    noise = NoiseScale(net, every=1)
    measure(noise, x, y, [2, 2], [1.0, 1.0], 5)
    caplog.clear()
    noise.log()
    assert caplog.messages == []
    measure(noise, x, y, [2, 2], [1.0, 1.0], 50)  # the gradient over all records is 0
    noise.log()
    assert caplog.messages == ["Effective batch 4, gradient noise scale too noisy to tell"]


@pytest.mark.parametrize(("size", "meaning"), [(1, "far below it"), (8, "near it"), (128, "far above it")])
def test_the_line_says_what_it_means(size: int, meaning: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "solver_cli")
    net, (x, y) = Net.from_text(REGRESSION, seed=3), records()
    noise = NoiseScale(net, every=1)
    scale = measure(noise, x, y, [size] * 2, [1.0] * 2, 1000 if size == 1 else 200)
    noise.log()
    (line,) = [line for line in caplog.messages if line.startswith("Effective")]
    found = re.fullmatch(rf"Effective batch {2 * size}, gradient noise scale about (\d+): the batch is {meaning}, .*", line)
    assert found and float(found[1]) == pytest.approx(scale, rel=0.05)


# -- runs -----------------------------------------------------------------------------------------------------------

DATA = """
layer {{ name: "in" type: "HDF5Data" top: "x" top: "y"
  hdf5_data_param {{ source: "list.txt" batch_size: {} shuffle: true }} }}
"""
SOLVER = """net: "net.prototxt" base_lr: {rate} lr_policy: "fixed" momentum: 0.9 iter_size: {passes} max_iter: {last}
display: 50 snapshot: 70 snapshot_prefix: "run" random_seed: 2 solver_mode: CPU
"""


def solver(folder: Path, batch: int, **settings: float) -> Solver:
    """A regression on records of an HDF5 file."""
    with h5py.File(folder / "data.h5", "w") as file:
        file["x"], file["y"] = (a.numpy() for a in records(count=4096))
    (folder / "list.txt").write_text("data.h5\n")
    write(folder, DATA.format(batch) + REGRESSION[REGRESSION.index('layer { name: "ip"') :], SOLVER.format(**settings))
    return Solver("solver.prototxt")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("Effective")]


@pytest.mark.parametrize(("batch", "passes", "piece"), [(16, 4, 0), (64, 1, 24), (32, 2, 12)])
def test_a_run_logs_the_true_scale(
    batch: int, passes: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With passes, with micro-batches, with both; the weights stand still."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "solver_cli")
    run = solver(tmp_path, batch, rate=0, passes=passes, last=401)
    run.noise.every = 1
    run.passes.pieces = Pieces(run.net, piece) if piece else None
    run.step(401)
    run.close()
    found = re.match(r"Effective batch 64, gradient noise scale about (\d+): the batch is ", lines(caplog)[-1])
    assert len(lines(caplog)) == 8 and found
    (weight, bias), (x, y) = (blob.detach() for blob in run.net.params["ip"]), records(count=4096)
    each = torch.einsum("no,ni->noi", x @ weight.T + bias - y, torch.cat([x, torch.ones(len(x), 1)], 1)).double()
    mean = each.mean(0)
    assert float(found[1]) == pytest.approx(float(((each - mean) ** 2).sum() / len(x) / (mean**2).sum()), rel=0.1)


def test_a_resumed_run_logs_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "solver_cli")
    settings = {"rate": 0.01, "passes": 2, "last": 201}
    straight = solver(tmp_path, 4, **settings)
    straight.solve()
    straight.close()
    wanted = lines(caplog)
    assert len(wanted) == 4
    for start, left in ((70, 3), (140, 2)):
        caplog.clear()
        resumed = solver(tmp_path, 4, **settings)
        resumed.restore(f"run_iter_{start}.solverstate")
        resumed.solve()
        resumed.close()
        assert lines(caplog) == wanted[-left:]


def test_one_pass_an_iteration_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "solver_cli")
    run = solver(tmp_path, 4, rate=0.01, passes=1, last=101)
    run.solve()
    run.close()
    assert lines(caplog) == []
