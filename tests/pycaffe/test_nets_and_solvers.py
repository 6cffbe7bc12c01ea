"""pycaffe's interface: nets and solvers as scripts drive them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import NET, SOLVER, run

import solver_cli.pycaffe as caffe
from solver_cli import Solver, errors
from solver_cli.pycaffe import mode

BIG = """
name: "big" force_backward: true
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } shape { dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "bn" top: "bn" }
layer { name: "pool" type: "Pooling" bottom: "bn" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool" top: "conv2"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "prelu" type: "PReLU" bottom: "conv2" top: "conv2" }
layer { name: "sum" type: "Eltwise" bottom: "pool" bottom: "conv2" top: "sum" }
layer { name: "slice" type: "Slice" bottom: "sum" top: "s1" top: "s2" slice_param { axis: 0 } }
layer { name: "concat" type: "Concat" bottom: "s2" bottom: "s1" top: "cat" concat_param { axis: 0 } }
layer { name: "drop" type: "Dropout" bottom: "cat" top: "dropped" }
layer { name: "ip" type: "InnerProduct" bottom: "dropped" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "ip2" type: "InnerProduct" bottom: "cat" top: "ip2"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.5 }
layer { name: "loss2" type: "EuclideanLoss" bottom: "ip2" bottom: "ip" top: "loss2" }
"""
DEPLOY = """
name: "deploy" force_backward: true
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } bias_filler { type: "constant" value: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "out" type: "InnerProduct" bottom: "ip" top: "out"
  inner_product_param { num_output: 1 weight_filler { type: "gaussian" std: 1 } } }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with nets and a solver; no seed, CPU mode."""
    for name, text in {"net": NET, "big": BIG, "deploy": DEPLOY, "solver": SOLVER}.items():
        (tmp_path / f"{name}.prototxt").write_text(text)
    monkeypatch.chdir(tmp_path)
    caffe.set_random_seed(3)
    yield tmp_path
    mode._Mode.seeds = None


def net(name: str, phase: int = caffe.TRAIN, text: str = "") -> caffe.Net:
    if text:
        Path(f"{name}.prototxt").write_text(text)
    return caffe.Net(f"{name}.prototxt", phase)


# -- passes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [False, True], ids=["taken", "held"])
def test_blobs_and_diffs_are_those_of_a_whole_pass(held: bool) -> None:
    """Layer by layer between Blobs, and once through the core: the same numbers, whether or not arrays are held."""
    big = net("big")
    views = {name: (blob.data, blob.diff) for name, blob in big.blobs.items()} if held else {}
    big.blobs["data"].data[...] = np.random.RandomState(0).randn(4, 3, 8, 8)
    big.blobs["label"].data[...] = [0, 1, 2, 3]
    weights = {name: [blob.data.copy() for blob in blobs] for name, blobs in big.params.items()}
    draws = big.core.draws.get_state()
    big.forward()
    big.backward()
    for name, (data, diff) in views.items():
        assert np.shares_memory(data, big.blobs[name].data) and np.shares_memory(diff, big.blobs[name].diff)
    found = {name: (blob.data.copy(), blob.diff.copy()) for name, blob in big.blobs.items()}
    gradients = [blob.diff.copy() for blobs in big.params.values() for blob in blobs]
    for name, arrays in weights.items():  # the statistics of bn have moved
        for blob, array in zip(big.params[name], arrays, strict=True):
            blob.data[...] = array
    big.clear_param_diffs()
    big.core.draws.set_state(draws)
    loss, _ = big.core()
    loss.backward()
    for name, blob in big.blobs.items():
        np.testing.assert_allclose(blob.data, found[name][0], rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(blob.diff, found[name][1], rtol=1e-5, atol=1e-6, err_msg=name)
    for blob, gradient in zip((b for blobs in big.params.values() for b in blobs), gradients, strict=True):
        np.testing.assert_allclose(blob.diff, gradient, rtol=1e-4, atol=1e-5)


def test_gradient_of_the_input_is_the_difference_quotient() -> None:
    own = net("deploy", caffe.TEST)
    x = np.random.RandomState(1).randn(2, 3).astype(np.float32)
    out = own.forward(data=x)["out"].copy()
    grad = own.backward(out=np.ones((2, 1)))["data"].copy()
    step = 1e-2
    moved = own.forward(data=x + step * np.eye(2, 3, dtype=np.float32))["out"]
    np.testing.assert_allclose((moved - out).ravel() / step, [grad[0, 0], grad[1, 1]], rtol=1e-2, atol=1e-3)


def test_parts_of_a_net() -> None:
    own = net("deploy", caffe.TEST)
    own.blobs["data"].data[...] = 1
    assert set(own.forward(end="relu")) == {"ip"}
    own.blobs["ip"].data[...] = 2
    assert set(own.forward(start="out", blobs=["ip"])) == {"ip", "out"}
    weights = own.params["out"][0].data
    np.testing.assert_allclose(own.blobs["out"].data[:, 0], 2 * weights.sum(), rtol=1e-5)
    own.blobs["out"].diff[...] = 3
    assert set(own.backward(end="out")) == {"ip"}
    np.testing.assert_allclose(own.blobs["ip"].diff, np.repeat(3 * weights, 2, 0), rtol=1e-6)
    assert set(own.backward(start="relu", diffs=["ip"])) == {"data", "ip"}


def test_backward_without_forward_uses_what_the_blobs_hold() -> None:
    own = net("deploy", caffe.TEST)
    own.blobs["ip"].data[...] = [[1, 2, 3, 4], [0, 0, 0, 0]]
    own.blobs["out"].diff[...] = [[1], [5]]
    own.backward(end="out")
    assert own.params["out"][0].diff.tolist() == [[1, 2, 3, 4]]


def test_backward_after_other_weights_have_come_is_that_of_these() -> None:
    own, other = net("deploy", caffe.TEST), net("deploy", caffe.TEST)
    other.save("other.caffemodel")
    for take in (lambda: own.copy_from("other.caffemodel"), lambda: own.share_with(other)):
        own.forward(data=np.ones((2, 3)))
        take()
        own.blobs["out"].diff[...] = 1
        own.backward(end="out")
        assert np.array_equal(own.blobs["ip"].diff[0], other.params["out"][0].data[0])


def test_diffs_of_learned_blobs_add_up_until_they_are_cleared() -> None:
    own = net("deploy", caffe.TEST)
    own.forward(data=np.ones((2, 3)))
    held = own.params["out"][0].diff
    own.backward(out=np.ones((2, 1)))
    once = held.copy()
    own.backward(out=np.ones((2, 1)))
    np.testing.assert_allclose(held, 2 * once)
    own.clear_param_diffs()
    assert not held.any() and once.any()


def test_without_force_backward_nothing_is_computed_that_no_loss_asks_for() -> None:
    own = net("deploy", caffe.TEST, DEPLOY.replace("force_backward: true", ""))
    own.forward(data=np.ones((2, 3)))
    assert not own.backward(out=np.ones((2, 1)))["data"].any()


def test_loss_weights_stand_in_the_diffs() -> None:
    big = net("big")
    assert (float(big.blobs["loss"].diff), float(big.blobs["loss2"].diff)) == (0.5, 1)
    assert {name: w for name, w in big.blob_loss_weights.items() if w} == {"loss": 0.5, "loss2": 1}
    big.blobs["loss"].diff[...] = 0
    big.forward()
    big.backward(end="loss")
    assert not big.blobs["ip_ip_0_split_0"].diff.any()


def test_loss_of_a_pass() -> None:
    big = net("big")
    big.forward()
    last = len(big.layers) - 1
    loss = big._forward(0, last)
    assert loss == pytest.approx(0.5 * float(big.blobs["loss"].data) + float(big.blobs["loss2"].data), rel=1e-6)


def test_callbacks() -> None:
    own = net("deploy", caffe.TEST)
    seen: list[tuple[str, int]] = []
    for when in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(own, when)(lambda layer, when=when: seen.append((when, layer)))
    own.forward(start="relu", end="out")
    own.backward(start="out", end="out")
    around = [(when, layer) for layer in (2, 3) for when in ("before_forward", "after_forward")]
    assert seen == [*around, ("before_backward", 3), ("after_backward", 3)]


def test_many_batches() -> None:
    own = net("deploy", caffe.TEST)
    x = np.random.RandomState(2).randn(5, 3)
    outputs = own.forward_all(data=x, blobs=["ip"])
    assert {name: array.shape for name, array in outputs.items()} == {"out": (5, 1), "ip": (5, 4)}
    np.testing.assert_allclose(outputs["out"][3:4], own.forward(data=x[3:5])["out"][:1], rtol=1e-6)
    outputs, diffs = own.forward_backward_all(data=x, out=np.ones((5, 1)))
    assert (outputs["out"].shape, diffs["data"].shape) == ((5, 1), (5, 3))
    np.testing.assert_allclose(diffs["data"][4], own.backward(out=np.ones((2, 1)))["data"][0], rtol=1e-5)


def test_wrong_arrays_are_refused() -> None:
    own = net("deploy", caffe.TEST)
    with pytest.raises(Exception, match="the arrays given are for x, the net's inputs are data"):
        own.forward(x=np.zeros((2, 3)))
    with pytest.raises(Exception, match="input 'data' has a batch"):
        own.forward(data=np.zeros((3, 3)))
    with pytest.raises(Exception, match="the diffs given are for ip, the net's outputs are out"):
        own.backward(ip=np.zeros((2, 4)))


# -- blobs and shapes -----------------------------------------------------------------------------------------------------


def test_reshape_reaches_every_blob() -> None:
    for phase in (caffe.TRAIN, caffe.TEST):
        big = net("big", phase)
        before = [blob.data.copy() for blobs in big.params.values() for blob in blobs]
        big.blobs["data"].reshape(6, 3, 8, 8)
        big.blobs["label"].reshape(6)
        big.reshape()
        shapes = {name: blob.shape for name, blob in big.blobs.items()}
        assert (shapes["conv"], shapes["s1"], shapes["ip"], shapes["loss"]) == ((6, 4, 8, 8), (3, 4, 4, 4), (6, 5), ())
        assert big.blobs["ip"].data.shape == big.blobs["ip"].diff.shape == (6, 5)
        for blob, array in zip((b for blobs in big.params.values() for b in blobs), before, strict=True):
            assert np.array_equal(blob.data, array)
        big.forward()
        assert {name: blob.shape for name, blob in big.blobs.items()} == shapes


def test_a_blob_of_its_own() -> None:
    blob = caffe.Blob((2, 3))
    assert (blob.shape, blob.count, blob.num, blob.channels, blob.height, blob.width) == ((2, 3), 6, 2, 3, 1, 1)
    blob.data[...] = np.arange(6).reshape(2, 3)
    blob.reshape(2, 2)
    assert blob.data.ravel().tolist() == [0, 1, 2, 3]
    blob.reshape(3, 2)
    assert (blob.data.ravel().tolist(), blob.diff.shape) == ([0, 1, 2, 3, 4, 5], (3, 2))
    blob.reshape(7)
    assert not blob.data.any()
    blob.reshape()
    blob.data[()] = 4
    assert (float(blob.data), blob.count, repr(blob)) == (4, 1, "<Blob of one number>")
    blob.reshape(1, 1, 1, 1, 1)
    with pytest.raises(ValueError, match="four axes or fewer"):
        _ = blob.num
    with pytest.raises(ValueError, match=re.escape("(-1,)")):
        blob.reshape(-1)


def test_arrays_outlive_their_net() -> None:
    own = net("deploy", caffe.TEST)
    own.forward(data=np.ones((2, 3)))
    arrays = [a for blob in own.blobs.values() for a in (blob.data, blob.diff)]
    copies = [array.copy() for array in arrays]
    del own
    for array, copy in zip(arrays, copies, strict=True):
        assert np.array_equal(array, copy)


def test_with_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where arrays are copies that go there with the next pass, and come back when they are asked for."""

    def figures() -> list[Any]:
        caffe.set_random_seed(4)
        own = net("deploy", caffe.TEST)
        own.params["out"][0].data[...] = [[1, 2, 3, 4]]
        own.blobs["data"].data[...] = np.random.RandomState(0).randn(2, 3)
        first = own.forward()["out"].copy()
        own.blobs["ip"].data[...] += 1
        second = own.forward(start="out")["out"].copy()
        own.blobs["out"].diff[...] = 2
        own.backward()
        return [first, second, own.blobs["data"].diff.copy(), own.params["ip"][0].diff.copy()]

    together = figures()
    monkeypatch.setattr("solver_cli.pycaffe.blob.on_host", lambda device: False)
    for a, b in zip(figures(), together, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


# -- building, weights ------------------------------------------------------------------------------------------------------


def test_constructors() -> None:
    first = net("deploy", caffe.TEST)
    first.save("w.caffemodel")
    first.save_hdf5("w.h5")
    again = [
        caffe.Net("deploy.prototxt", "w.caffemodel", caffe.TEST),
        caffe.Net("deploy.prototxt", caffe.TEST, weights="w.caffemodel"),
        caffe.Net(network_file="deploy.prototxt", phase=caffe.TEST, level=0, stages=["x"], weights="w.h5"),
    ]
    loaded = net("deploy", caffe.TEST)
    loaded.load_hdf5("w.h5")
    for other in (*again, loaded):
        for name, blobs in first.params.items():
            assert [blob.data.tolist() for blob in blobs] == [blob.data.tolist() for blob in other.params[name]]
    for args in (("none", caffe.TEST), ("deploy.prototxt", "none", caffe.TEST)):
        with pytest.raises(RuntimeError, match="Could not open file none"):
            caffe.Net(*args)
    with pytest.raises(errors.SnapshotError):
        first.copy_from("net.prototxt")


def test_what_a_net_says_of_itself() -> None:
    own = net("net")
    assert own.top_names == {"data": ["data", "label"], "conv": ["conv"], "relu": ["conv"], "ip": ["ip"], "loss": ["loss"]}
    assert own.bottom_names["loss"] == ["ip", "label"]
    assert list(own.layer_dict) == own._layer_names == ["data", "conv", "relu", "ip", "loss"]
    assert [layer.type for layer in own.layers] == ["DummyData", "Convolution", "ReLU", "InnerProduct", "SoftmaxWithLoss"]
    assert (own.inputs, own.outputs, own.name) == ([], ["loss"], "small")
    assert {name: [blob.shape for blob in blobs] for name, blobs in own.params.items()} == {
        "conv": [(4, 3, 3, 3), (4,)], "ip": [(5, 144), (5,)],
    }  # fmt: skip
    assert own.layers[1].blobs[0] is own.params["conv"][0]
    assert ([own._blob_names[i] for i in own._top_ids(0)], own._bottom_ids(1)) == (["data", "label"], [0])
    assert (own._inputs, own._outputs) == ([], [own._blob_names.index("loss")])


def test_share_with_keeps_diffs_apart() -> None:
    one, two = net("deploy", caffe.TEST), net("deploy", caffe.TEST)
    two.share_with(one)
    one.params["ip"][0].data[...] = 5
    assert (two.params["ip"][0].data == 5).all()
    x = np.ones((2, 3))
    assert np.array_equal(one.forward(data=x)["out"], two.forward(data=x)["out"])
    one.backward(out=np.ones((2, 1)))
    assert one.params["out"][0].diff.any() and not two.params["out"][0].diff.any()


def test_set_input_arrays() -> None:
    own = net("memory", caffe.TEST, """
layer { name: "data" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 } }
layer { name: "twice" type: "Power" bottom: "data" top: "twice" power_param { scale: 2 } }
""")  # fmt: skip
    data, labels = np.arange(12, dtype=np.float32).reshape(4, 1, 1, 3), np.arange(4, dtype=np.float32)
    own.set_input_arrays(data, labels)
    own.forward()
    outputs = own.forward()
    assert (outputs["twice"].ravel() / 2).tolist() == [6, 7, 8, 9, 10, 11]
    assert own.blobs["label"].data.ravel().tolist() == [2, 3]
    for bad in (data.astype(np.float64), data[:, :, :, ::-1], data[0], data[:3]):
        with pytest.raises(RuntimeError):
            own.set_input_arrays(bad, labels[: len(bad)])
    with pytest.raises(RuntimeError, match="as many labels"):
        own.set_input_arrays(data, labels[:2])
    with pytest.raises(RuntimeError, match="first layer is a MemoryData layer"):
        net("net").set_input_arrays(data, labels)


def test_a_constant_that_somebody_overwrites_stays_so() -> None:
    own = net("net")
    assert (own.blobs["label"].data == 1).all()
    own.blobs["label"].data[...] = 3
    first = own.blobs["data"].data.copy()
    own.forward()
    assert (own.blobs["label"].data == 3).all() and not np.array_equal(own.blobs["data"].data, first)


# -- solvers ----------------------------------------------------------------------------------------------------------------


def test_steps_are_those_of_the_core() -> None:
    solver, core = caffe.SGDSolver("solver.prototxt"), Solver("solver.prototxt")
    solver.step(3)
    core.step(3)
    assert solver.iter == core.iter == 3
    for name, blobs in solver.net.params.items():
        for blob, own in zip(blobs, core.net.params[name], strict=True):
            np.testing.assert_allclose(blob.data, own.detach().numpy(), rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(blob.diff, own.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_blobs_after_a_step_are_those_of_its_pass() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    held, gradient = solver.net.blobs["conv"].data, solver.net.params["ip"][0].diff
    solver.step(1)
    ip, conv = solver.net.blobs["ip"], solver.net.blobs["conv"]
    assert np.shares_memory(held, conv.data) and held.any() and (held >= 0).all()
    np.testing.assert_allclose(gradient, ip.diff.T @ conv.data.reshape(4, -1), rtol=1e-4, atol=1e-6)
    softmax = np.exp(ip.data) / np.exp(ip.data).sum(1, keepdims=True)
    np.testing.assert_allclose(ip.diff, (softmax - np.eye(5)[[1] * 4]) / 4, rtol=1e-4, atol=1e-6)
    assert (conv.diff[conv.data == 0] == 0).all() and conv.diff.any()
    before = gradient.copy()
    solver.step(1)
    assert np.array_equal(gradient, solver.net.params["ip"][0].diff) and not np.array_equal(before, gradient)


def test_a_step_reads_what_inputs_hold() -> None:
    text = BIG.replace("force_backward: true", "").replace('"EuclideanLoss"', '"EuclideanLoss" loss_weight: 0')
    Path("net.prototxt").write_text(text)
    solver = caffe.AdamSolver("solver.prototxt")
    solver.net.blobs["data"].data[...] = np.random.RandomState(5).randn(4, 3, 8, 8)
    solver.net.blobs["label"].data[...] = [4, 3, 2, 1]
    losses = []
    for _ in range(60):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    assert np.mean(losses[-10:]) < 0.2 * losses[0]
    assert solver.net.blobs["label"].data.tolist() == [4, 3, 2, 1]


def test_by_hand() -> None:
    """forward, backward and apply_update are a step."""
    by_hand, stepped = (caffe.SGDSolver("solver.prototxt") for _ in range(2))
    for _ in range(3):
        by_hand.net.clear_param_diffs()
        by_hand.net.forward()
        by_hand.net.backward()
        by_hand.apply_update()
    stepped.step(3)
    assert by_hand.iter == 3
    for a, b in zip(by_hand.net.params["conv"], stepped.net.params["conv"], strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-5, atol=1e-6)


def test_an_update_is_the_rate_times_the_diff() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    blob = solver.net.params["conv"][0]
    blob.data[...], blob.diff[...] = 2, 3
    solver.param.base_lr = 0.5
    assert solver.lr == 0.5
    solver.apply_update()
    np.testing.assert_allclose(blob.data, 2 - 0.5 * 3)


def test_callbacks_of_a_solver() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    seen: list[Any] = []

    def ready() -> None:
        seen.append(float(np.abs(solver.net.blobs["ip"].diff).sum()))
        solver.net.params["conv"][0].diff[...] = 0

    solver.add_callback(lambda: seen.append(solver.iter), ready)
    before = solver.net.params["conv"][0].data.copy()
    solver.step(2)
    assert (seen[0], seen[2]) == (0, 1) and seen[1] > 0 and seen[3] > 0
    assert np.array_equal(before, solver.net.params["conv"][0].data)


def test_test_nets_use_the_weights_of_the_train_net() -> None:
    Path("solver.prototxt").write_text(SOLVER + "test_iter: 2 test_interval: 2")
    solver = caffe.SGDSolver("solver.prototxt")
    (test,) = solver.test_nets
    solver.step(1)
    assert np.shares_memory(test.params["ip"][0].data, solver.net.params["ip"][0].data)
    assert float(test.blobs["loss"].data) > 0  # of the test before the first iteration
    test.forward()
    solver.solve()
    other = net("net", caffe.TEST)
    solver.share_weights(other)
    assert np.array_equal(other.params["ip"][0].data, solver.net.params["ip"][0].data)


def test_snapshots_and_resumes() -> None:
    solver = caffe.get_solver("solver.prototxt")
    solver.step(2)
    solver.snapshot()
    weights = solver.net.params["ip"][0].data.copy()
    again = caffe.get_solver("solver.prototxt")
    again.restore("snap_iter_2.solverstate")
    assert again.iter == 2 and np.array_equal(again.net.params["ip"][0].data, weights)
    again.param.max_iter = 3
    again.solve("snap_iter_2.solverstate")
    assert again.iter == 3


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_solver_classes(kind: str) -> None:
    """A class is of its type whatever the file says; get_solver asks the file."""
    assert getattr(caffe, f"{kind}Solver")("solver.prototxt").param.type == kind
    Path("solver.prototxt").write_text(SOLVER + f'type: "{kind}"')
    assert type(caffe.get_solver("solver.prototxt")) is getattr(caffe, f"{kind}Solver")
    with pytest.raises(RuntimeError, match="Could not open file none"):
        caffe.get_solver("none")


def test_what_a_user_may_have_meant_goes_on_as_in_caffe() -> None:
    """A loss of NaN does not stop a script."""
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.params["ip"][0].data[...] = np.nan
    solver.step(1)
    assert np.isnan(solver.net.blobs["loss"].data)


# -- settings of the process ------------------------------------------------------------------------------------------


def test_seeds() -> None:
    def weights() -> list[float]:
        found: list[float] = net("deploy").params["ip"][0].data.ravel().tolist()
        return found

    caffe.set_random_seed(7)
    first, second = weights(), weights()
    caffe.set_random_seed(7)
    assert (weights(), weights()) == (first, second) and first != second


def test_modes_and_lists(caplog: pytest.LogCaptureFixture) -> None:
    caffe.set_mode_cpu()
    caffe.set_device(0)
    if not torch.cuda.is_available():
        caffe.set_mode_gpu()
        assert "there is no GPU here" in caplog.text and mode.device().type == "cpu"
    caffe.set_mode_cpu()
    assert {"Convolution", "Data", "Python"} <= set(caffe.layer_type_list())
    assert (caffe.TRAIN, caffe.TEST, caffe.__version__) == (0, 1, "1.0.0")
    assert (caffe.solver_count(), caffe.solver_rank(), caffe.has_nccl()) == (1, 0, True)
    caffe.set_solver_rank(0)
    caffe.set_solver_count(1)
    caffe.set_multiprocess(False)
    for refused in (lambda: caffe.NCCL(None, b"another"), lambda: caffe.set_solver_count(0)):
        with pytest.raises(RuntimeError):
            refused()


def test_timer() -> None:
    timer = caffe.Timer()
    timer.start()
    time.sleep(0.01)
    timer.stop()
    assert 9 < timer.ms < 5000


def test_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    caffe.init_log()
    caffe.log("heard")
    monkeypatch.setenv("GLOG_minloglevel", "2")
    caffe.log("unheard")
    monkeypatch.delenv("GLOG_minloglevel")
    caffe.init_log(1, True)
    caffe.log("unheard")
    caffe.init_log(0)
    caffe.set_logging_disabled()
    caffe.log("unheard")
    caffe.set_logging_disabled(False)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("] heard")


# -- scripts ----------------------------------------------------------------------------------------------------------

SCRIPT = """\
import sys
import caffe, caffe.io
from caffe import layers as L
from caffe.proto import caffe_pb2
from caffe.pycaffe import Net
import helper

assert Net is caffe.Net and caffe.io.caffe_pb2 if hasattr(caffe.io, "caffe_pb2") else True
solver = caffe.get_solver("solver.prototxt")
solver.step(1)
print(sys.argv[1:], __name__, solver.iter, caffe_pb2.NetParameter is not None, helper.HERE)
if sys.argv[1:] == ["fail"]:
    solver.net.forward(nothing=1)
"""


def test_scripts_run(folder: Path) -> None:
    scripts = folder / "scripts"
    scripts.mkdir()
    (scripts / "train.py").write_text(SCRIPT)
    (scripts / "helper.py").write_text("HERE = 1")
    ended = run("solver-tools", "python", "scripts/train.py", "--x", "3", folder=folder)
    assert (ended.code, ended.stdout, ended.complaints) == (0, "['--x', '3'] __main__ 1 True 1\n", [])
    assert "import caffe gives solver_cli.pycaffe: there is no other caffe" in ended.log
    failed = run("solver-tools", "python", "scripts/train.py", "fail", folder=folder)
    assert failed.code == 1
    first, place, *_, last = failed.complaints
    assert first == "Traceback (most recent call last):" and 'train.py", line 13, in <module>' in place
    assert last == "Exception: the arrays given are for nothing, the net's inputs are none"
    assert "solver_cli" not in "".join(failed.complaints)


def test_another_caffe_wins_unless_told(folder: Path) -> None:
    (folder / "caffe.py").write_text("name = 'theirs'")
    code = "import caffe; print(getattr(caffe, 'name', 'ours'))"
    theirs = run("solver-tools", "python", "-c", code, folder=folder)
    assert (theirs.stdout, theirs.log) == ("theirs\n", [f"import caffe gives {folder}/caffe.py, not solver_cli.pycaffe"])
    ours = run("solver-tools", "python", "--ours", "-c", code, folder=folder)
    assert (ours.stdout, ours.log) == ("ours\n", ["import caffe gives solver_cli.pycaffe: --ours"])


def test_modules_run(folder: Path) -> None:
    (folder / "own.py").write_text("import sys, caffe\nprint(sys.argv[1:], __name__, caffe.__version__)\nsys.exit(3)")
    ended = run("solver-tools", "python", "-m", "own", "-v", folder=folder)
    assert (ended.code, ended.stdout) == (3, "['-v'] __main__ 1.0.0\n")
    assert run("solver-tools", "python", folder=folder).code == 2
