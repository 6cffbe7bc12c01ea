"""What only a GPU can show. Skipped, by name, where there is none."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_cases import Tolerance, assert_weights, index, near, options
from running import call

from solver_cli import Net, Solver
from solver_cli.caffe_pb2 import BlobProto, Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.commands.tools import tools
from solver_cli.commands.training import effective

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CASES = [case["case"] for case in index("solvers/index.json")["cases"]]


@pytest.fixture(autouse=True)
def full_float32(monkeypatch: pytest.MonkeyPatch):
    """Caffe's figures are float32's: no TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


@pytest.mark.parametrize("case", CASES)
def test_golden_run(case, case_folder, golden):
    """The main run of each golden case, on the GPU: losses as displayed, final weights."""
    folder = case_folder(case)
    trace = json.loads((folder / "trace.json").read_text())
    given = options(trace["command"])
    spec = effective(given["solver"], weights=given.get("weights"), level=int(given.get("level", 0)))
    losses: list[float] = []
    with closing(Solver(spec, device="cuda")) as solver:
        solver.net.register_forward_hook(lambda net, inputs, result: losses.append(result[0].item()))
        solver.solve()
    tolerance = Tolerance(trace, rough=True)
    size = solver.param.iter_size
    for i, wanted in enumerate(trace["loss"]):
        assert near(sum(losses[i * size : (i + 1) * size]) / size, wanted, 10 * tolerance.loss(i)), f"iteration {i}"
    for name in trace["files_left"]:
        final = golden / "solvers" / case / ("final.caffemodel" + ".h5" * name.endswith(".h5"))
        if f"_iter_{trace['end_iter']}.caffemodel" in name and final.exists():
            assert_weights(Path(name), final, 3 * tolerance.weights)


def test_nothing_waits_between_displays(case_folder):
    """Iterations without a display make no call that waits for the GPU."""
    case_folder("lenet_sgd_momentum")
    settings = [("display", "1000"), ("test_interval", "1000"), ("test_initialization", "false"), ("clip_gradients", "0.1")]
    with closing(Solver(effective("solver.prototxt", settings=settings), device="cuda")) as solver:
        solver.step(6)  # the display of iteration 0, and what torch does once, such as to record a graph
        torch.cuda.set_sync_debug_mode("error")
        try:
            solver.step(10)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("case", ["lenet_sgd_momentum", "iter_size", "dropout"])
def test_graphs_change_nothing(case, case_folder):
    """Weights and history after 20 iterations, bit for bit, and the graph is there."""
    case_folder("lenet_sgd_momentum")
    settings = [("iter_size", "2")] * (case == "iter_size")
    if case == "dropout":
        net = Path("net.prototxt")
        net.write_text(net.read_text() + 'layer { name: "drop" type: "Dropout" bottom: "ip1" top: "ip1" }')
    left = []
    for graphs in (True, False):
        spec = effective("solver.prototxt", settings=settings)
        with closing(Solver(spec, device="cuda", cuda_graphs=graphs)) as solver:
            solver.step(20)
            assert bool(solver.passes.graphs and solver.passes.graphs._graphs) == graphs
            left.append([x.blob.detach().clone() for x in solver.net.learned] + [x.clone() for x in solver.history])
    assert all(torch.equal(a, b) for a, b in zip(*left, strict=True))


def test_net_moves_with_its_random_generator():
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 64 dim: 64 } } }
              layer { name: "drop" type: "Dropout" bottom: "x" top: "y" }"""
    net = Net.from_text(text, device="cuda", seed=1)
    _, blobs = net({"x": torch.ones(64, 64, device="cuda")})
    assert 0.4 < float((blobs["y"] == 0).float().mean()) < 0.6


def test_batches_come_ahead_on_the_gpu(case_folder):
    """The prefetcher hands out tensors of the GPU, the same as without it."""
    case_folder("lenet_sgd")
    nets = [Net.from_file("net.prototxt", device=device, seed=1) for device in ("cuda", "cpu")]
    nets[0].read_ahead()
    for _ in range(20):
        ahead, plain = (net.next_batch() for net in nets)
        assert all(tensor.is_cuda for tensor in ahead.values())
        assert all(torch.equal(ahead[name].cpu(), plain[name]) for name in plain)
    for net in nets:
        net.close()


@pytest.mark.parametrize("transform", ["mean_value: 3", 'mean_file: "mean"'])
def test_pictures_are_finished_on_the_gpu_as_on_the_cpu(tmp_path, monkeypatch, transform):
    """Cut, mirrored, less the mean and scaled: the same bit by bit, from raw and encoded records."""
    cv2 = pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    pictures = np.random.default_rng(1).integers(0, 256, (8, 3, 40, 50), np.uint8)
    mean = BlobProto(num=1, channels=3, height=40, width=50, data=pictures[0].ravel() / 3)
    Path("mean").write_bytes(mean.SerializeToString())
    for name in ("raw", "encoded"):
        datums = [Datum(channels=3, height=40, width=50, data=x.tobytes(), label=1) for x in pictures]
        for datum, picture in zip(datums, pictures, strict=True) if name == "encoded" else ():
            datum.data, datum.encoded = cv2.imencode(".png", picture.transpose(1, 2, 0))[1].tobytes(), True
        write_lmdb(Path(name), [(b"%02d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)])
        text = f"""layer {{ name: "d" type: "Data" top: "x" top: "y"
                 data_param {{ source: "{name}" batch_size: 5 backend: LMDB }}
                 transform_param {{ crop_size: 33 mirror: true scale: 0.3 {transform} }} }}"""
        ahead, plain = (Net.from_text(text, device=device, seed=1) for device in ("cuda", "cpu"))
        ahead.read_ahead()
        for _ in range(10):
            found, wanted = ahead.next_batch(), plain.next_batch()
            assert all(torch.equal(found[top].cpu(), wanted[top]) for top in "xy")
        ahead.close()


def test_a_net_alone_on_the_gpu(case_folder):
    """Scored as on the CPU, but for rounding; timed by the GPU's own clock; the GPU is told."""
    case_folder("multi_loss")
    scored = ["test", "net.prototxt", "--weights", "final.caffemodel", "--iterations", "5", "--precision", "fp32"]
    ours, theirs = (
        [line.split(" = ") for line in call(tools, *scored, *more).log if line.startswith(("Batch", "main_loss"))]
        for more in (["--gpu", "0"], [])
    )
    assert len(ours) == len(theirs) > 5
    for (name, found), (wanted_name, wanted) in zip([x[:2] for x in ours], [x[:2] for x in theirs], strict=True):
        assert name == wanted_name and near(float(found.split()[0]), float(wanted.split()[0]), 1e-4)
    ended = call(tools, "time", "net.prototxt", "--iterations", "3", "--gpu", "0")
    assert ended.code == 0 and "multi_loss, TRAIN, on the GPU, a batch of 8" in ended.stdout
    assert f"GPU device name: {torch.cuda.get_device_name(0)}" in ended.log
    assert f"GPU 0: {torch.cuda.get_device_name(0)}, " in call(tools, "devices").stdout
