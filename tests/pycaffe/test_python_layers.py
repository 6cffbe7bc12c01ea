"""Layers written in Python: in training, from the command, with iter_size, snapshots and resumes; and what goes wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import running
import torch
from one_layer import dims
from running import Ended, run

from solver_cli import Net, Solver
from solver_cli.errors import ConfigError
from solver_cli.formats import caffemodel
from solver_cli.text.user_code import UserCodeError

LAYERS = '''
import json
import caffe
import numpy as np


class Points(caffe.Layer):
    """Points in the plane and whether their sum is positive; as many as it likes in each batch."""

    def setup(self, bottom, top):
        self.settings = json.loads(self.param_str or "{}")
        self.rng = np.random.RandomState(self.settings.get("seed", 1))
        self.size = self.settings.get("size", 6)

    def reshape(self, bottom, top):
        if self.settings.get("vary"):
            self.size = self.size % 5 + 3
        top[0].reshape(self.size, 2)
        top[1].reshape(self.size)

    def forward(self, bottom, top):
        top[0].data[...] = self.rng.randn(self.size, 2)
        top[1].data[...] = top[0].data.sum(axis=1) > 0


class Remembered(Points):
    def state_dict(self):
        kind, keys, pos, gauss, cached = self.rng.get_state()
        return {"keys": keys, "rest": [pos, gauss, cached], "size": self.size}

    def load_state_dict(self, state):
        self.rng.set_state(("MT19937", state["keys"], *state["rest"]))
        self.size = state["size"]


class Scale(caffe.Layer):
    """top = w * bottom, with a learned w"""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 2

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum()
        if propagate_down[0]:
            bottom[0].diff[...] = self.blobs[0].data * top[0].diff


class Squared(caffe.Layer):
    """loss = sum (a - b)^2 / (2 N)"""

    def setup(self, bottom, top):
        assert len(bottom) == 2

    def reshape(self, bottom, top):
        self.diff = np.zeros_like(bottom[0].data)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data.reshape(bottom[0].shape)
        top[0].data[...] = (self.diff ** 2).sum() / bottom[0].num / 2

    def backward(self, top, propagate_down, bottom):
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                bottom[i].diff[...] = (sign * top[0].diff[0] / bottom[i].num * self.diff).reshape(bottom[i].shape)


class Both(caffe.Layer):
    """Sum and difference of two bottoms"""

    def reshape(self, bottom, top):
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data + bottom[1].data
        top[1].data[...] = bottom[0].data - bottom[1].data

    def backward(self, top, propagate_down, bottom):
        self.asked = list(propagate_down)
        bottom[0].diff[...] = top[0].diff + top[1].diff
        bottom[1].diff[...] = top[0].diff - top[1].diff


class Clip(caffe.Layer):
    """Negative numbers become 0, in place: it touches nothing else"""

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        self.negative = bottom[0].data < 0
        top[0].data[self.negative] = 0

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[self.negative] = 0


class Faulty(Scale):
    def fault(self, where):
        if self.param_str == where:
            [][where]

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.fault("setup")

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.fault("reshape")

    def forward(self, bottom, top):
        self.fault("forward")

    def backward(self, top, propagate_down, bottom):
        self.fault("backward")


class NoLayer:
    pass
'''

DATA = (
    'layer { name: "data" type: "Python" top: "x" top: "y" '
    'python_param { module: "own" layer: "Points" param_str: "%s" } }\n'
)
REST = """
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 1 weight_filler { type: "constant" value: 0.5 } } }
layer { name: "scale" type: "Python" bottom: "ip" top: "scaled" python_param { module: "own" layer: "Scale" } }
layer { name: "loss" type: "Python" bottom: "scaled" bottom: "y" top: "loss" loss_weight: 1
  python_param { module: "own" layer: "Squared" } }
"""
NET = DATA % "" + REST
SOLVER = """net: "net.prototxt" base_lr: 0.05 momentum: 0.9 lr_policy: "fixed" max_iter: 6 display: 3 snapshot_prefix: "snap"
solver_mode: CPU random_seed: 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a solver, its net and a module of layers; modules and search path as before afterwards."""
    (tmp_path / "own.py").write_text(LAYERS)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name == "own" or name.partition(".")[0] == "caffe":
            del sys.modules[name]


def train(folder: Path, *args: str, solver: str = "") -> Ended:
    if solver:
        (folder / "solver.prototxt").write_text(solver)
    return run("solver-train", "solver.prototxt", *args, folder=folder)


def middle(text: str, *shapes: tuple[int, ...], phase: str = "TRAIN", rest: str = "") -> Net:
    """A net of Input layers and a Python layer; `text`: its class, blobs and settings."""
    inputs = "".join(
        f'layer {{ name: "in{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
        for i, shape in enumerate(shapes)
    )
    return Net.from_text(f'{inputs}layer {{ name: "own" type: "Python" {text} }}\n{rest}', phase=phase)


def layer(name: str, param_str: str = "") -> str:
    return f'python_param {{ module: "own" layer: "{name}" param_str: "{param_str}" }}'


# -- from the command ---------------------------------------------------------------------------------------------------


def test_a_net_of_python_layers_trains(folder: Path) -> None:
    """A data layer that changes its size, a learned layer in the middle, a loss."""
    (folder / "net.prototxt").write_text(DATA % '{\\"vary\\": 1}' + REST)
    ended = train(folder, solver=SOLVER.replace("max_iter: 6", "max_iter: 60"))
    assert (ended.code, ended.complaints) == (0, [])
    losses = [float(line.rpartition("= ")[2]) for line in ended.log if re.match(r"Iteration \d+ \(", line)]
    assert losses[-1] < 0.5 * losses[0]
    (named,) = [line for line in ended.log if line.startswith("Python module")]
    assert named == f"Python module own is {folder / 'own.py'}"
    (chosen,) = [line for line in ended.log if line.startswith("import caffe")]
    assert chosen == "import caffe gives solver_cli.pycaffe: there is no other caffe"
    weights = {x.name: x.blobs for x in caffemodel.read("snap_iter_60.caffemodel").layers}
    assert weights["scale"][0].shape == (1,) and weights["scale"][0][0] != 2


@pytest.mark.parametrize("place", ["beside the solver", "PYTHONPATH"])
def test_modules_are_found(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder / "other"
    other.mkdir()
    (folder / "own.py").rename(other / "own.py")
    solver = "solver.prototxt"
    if place == "PYTHONPATH":
        monkeypatch.setitem(running.ENVIRONMENT, "PYTHONPATH", str(other))
    else:
        (folder / solver).rename(other / solver)
        solver = f"other/{solver}"
    ended = run("solver-train", solver, folder=folder)
    assert (ended.code, ended.complaints) == (0, [])
    assert f"Python module own is {other / 'own.py'}" in ended.log


def test_no_python_layers(folder: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit('run')")
    ended = train(folder, "--no-python-layers")
    assert ended.code == 1
    assert ended.complaints == [
        "net.prototxt:1:22: layer 'data' (Python): is code (own.Points), and Python layers are refused (--no-python-layers)"
    ]


@pytest.mark.parametrize("where", ["setup", "reshape", "forward", "backward"])
def test_an_error_shows_the_users_own_lines(folder: Path, where: str) -> None:
    scale = 'layer: "Scale" }'
    (folder / "net.prototxt").write_text(NET.replace(scale, f'layer: "Faulty" param_str: "{where}" }}'))
    ended = train(folder)
    assert ended.code == 1
    first, *frames, last, line = ended.complaints
    assert first == "Traceback (most recent call last):"
    assert [frame.strip() for frame in frames if frame.startswith("  File")] == [
        f'File "{folder}/own.py", line {number}, in {name}'
        for number, name in zip(_lines(where), (where, "fault"), strict=True)
    ]
    assert last == "TypeError: list indices must be integers or slices, not str"
    assert line == f"net.prototxt:5:94: layer 'scale' (Python): fails in its {where}: {last}"


def _lines(where: str) -> tuple[int, int]:
    lines = LAYERS.splitlines()
    call = next(i for i, line in enumerate(lines, 1) if f'self.fault("{where}")' in line)
    return call, next(i for i, line in enumerate(lines, 1) if "[][where]" in line)


def test_a_module_that_cannot_be_imported_shows_its_lines(folder: Path) -> None:
    (folder / "own.py").write_text("import caffe\nimport json.nothing\n")
    ended = train(folder)
    assert ended.code == 1
    assert ended.complaints[:3] == [
        "Traceback (most recent call last):",
        f'  File "{folder}/own.py", line 2, in <module>',
        "    import json.nothing",
    ]
    assert ended.complaints[-1].startswith("net.prototxt:1:70: layer 'data' (Python): cannot import its module 'own': ")


def test_resumed_is_never_stopped(folder: Path) -> None:
    """A data layer with state_dict goes on where it was; one without is named."""
    (folder / "net.prototxt").write_text(NET.replace('"Points"', '"Remembered"'))
    ended = train(folder, solver=SOLVER + "snapshot: 3")
    assert ended.code == 0
    (named,) = [line for line in ended.log if "state_dict" in line]
    assert named.endswith("begin anew when a run is resumed: scale, loss")
    whole = Path("snap_iter_6.caffemodel").read_bytes()
    again = train(folder, "--snapshot", "snap_iter_3.solverstate")
    assert (again.code, again.complaints) == (0, [])
    assert Path("snap_iter_6.caffemodel").read_bytes() == whole
    (folder / "net.prototxt").write_text(NET)
    assert train(folder, "--snapshot", "snap_iter_3.solverstate").code == 0
    assert Path("snap_iter_6.caffemodel").read_bytes() != whole


# -- passes -------------------------------------------------------------------------------------------------------------


def test_a_python_layer_is_one_among_others(folder: Path) -> None:
    """The figures of the layer that it stands for: Scale as Scale, Squared as EuclideanLoss."""
    caffes = (
        REST.replace('type: "Python" bottom: "ip" top: "scaled" python_param { module: "own" layer: "Scale" }',
                     'type: "Scale" bottom: "ip" top: "scaled" scale_param { axis: 0 num_axes: 0 filler { value: 2 } }')
        .replace('type: "Python" bottom: "scaled"', 'type: "EuclideanLoss" bottom: "scaled"')
        .replace('python_param { module: "own" layer: "Squared" }', "")
    )  # fmt: skip
    shapes = "shape { dim: 5 dim: 2 } shape { dim: 5 dim: 1 }"
    entry = f'layer {{ name: "in" type: "Input" top: "x" top: "y" input_param {{ {shapes} }} }}\n'
    nets = [Net.from_text(entry + text) for text in (REST, caffes)]
    generator = torch.Generator().manual_seed(1)
    batch = {"x": torch.randn(5, 2, generator=generator), "y": torch.randn(5, 1, generator=generator)}
    for net in nets:
        loss, _ = net(batch)
        loss.sum().backward()
    own, theirs = nets
    torch.testing.assert_close(own(batch)[0], theirs(batch)[0])
    for a, b in zip(own.learned, theirs.learned, strict=True):
        torch.testing.assert_close(a.blob.grad.flatten(), b.blob.grad.flatten())


def test_iter_size_adds_up(folder: Path) -> None:
    """Three batches of 4 with iter_size 3 are one batch of 12."""

    def weights(size: int, iter_size: int) -> list[torch.Tensor]:
        (folder / "net.prototxt").write_text(DATA % f'{{\\"size\\": {size}}}' + REST)
        (folder / "solver.prototxt").write_text(SOLVER + f"iter_size: {iter_size}")
        solver = Solver("solver.prototxt")
        solver.step(4)
        return [learned.blob.detach() for learned in solver.net.learned]

    for a, b in zip(weights(4, 3), weights(12, 1), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_several_bottoms_and_tops(folder: Path) -> None:
    net = middle(f'bottom: "x0" bottom: "x1" top: "sum" top: "difference" {layer("Both")}', (2, 3), (2, 3))
    a, b = (torch.full((2, 3), v, requires_grad=True) for v in (5.0, 3.0))
    _, blobs = net({"x0": a, "x1": b})
    assert (blobs["sum"].unique().tolist(), blobs["difference"].unique().tolist()) == ([8], [2])
    (blobs["sum"] + 10 * blobs["difference"]).sum().backward()
    assert (a.grad.unique().tolist(), b.grad.unique().tolist()) == ([11], [-9])
    _, blobs = net({"x0": a, "x1": b.detach()})
    blobs["sum"].sum().backward()
    assert net.python_layers["own"].asked == [True, False]


def test_propagate_down(folder: Path) -> None:
    text = (
        f'bottom: "x0" bottom: "x1" top: "sum" top: "difference" propagate_down: false propagate_down: true {layer("Both")}'
    )
    net = middle(text, (2,), (2,))
    a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
    net({"x0": a, "x1": b})[1]["sum"].sum().backward()
    assert net.python_layers["own"].asked == [False, True]
    assert (a.grad, b.grad.tolist()) == (None, [1, 1])


def test_in_place(folder: Path) -> None:
    """The top holds the bottom's numbers before forward, and the bottom's diff the top's before backward."""
    before = 'layer { name: "twice" type: "Power" bottom: "x0" top: "y" power_param { scale: 2 } }\n'
    net = Net.from_text(
        'layer { name: "in" type: "Input" top: "x0" input_param { shape { dim: 4 } } }\n'
        + before
        + f'layer {{ name: "own" type: "Python" bottom: "y" top: "y" {layer("Clip")} }}'
    )
    x = torch.tensor([-1.0, 2, -3, 4], requires_grad=True)
    _, blobs = net({"x0": x})
    assert blobs["y"].tolist() == [0, 4, 0, 8]
    blobs["y"].sum().backward()
    assert x.grad.tolist() == [0, 2, 0, 2]


def test_setup_runs_once_on_zeros_of_the_known_shapes(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import caffe\n"
        "class Seen(caffe.Layer):\n"
        "    def setup(self, bottom, top): self.seen = [bottom[0].data.copy()]; self.kind = (self.param_str, self.phase)\n"
        "    def reshape(self, bottom, top): self.seen.append(bottom[0].shape); top[0].reshape(7, bottom[0].num)\n"
        "    def forward(self, bottom, top): pass\n"
    )
    net = middle(f'bottom: "x0" top: "y" {layer("Seen", "text")}', (3, 2), phase="TEST")
    own = net.python_layers["own"]
    assert own.seen[0].shape == (3, 2) and not own.seen[0].any()
    assert (own.seen[1:], own.kind, str(own.phase)) == ([(3, 2)], ("text", 1), "TEST")
    assert net.blob_shapes["y"] == (7, 3)
    assert net({"x0": torch.ones(5, 2)})[1]["y"].shape == (7, 5)


def test_tops_keep_what_was_written_once(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import caffe\n"
        "class Once(caffe.Layer):\n"
        "    def setup(self, bottom, top): top[0].reshape(2); top[0].data[...] = 3\n"
        "    def forward(self, bottom, top): pass\n"
    )
    net = middle(f'top: "y" {layer("Once")}')
    first, again = (net()[1]["y"] for _ in range(2))
    first.zero_()
    assert again.tolist() == [3, 3]


def test_learned_blobs_are_shared_by_name_and_by_layer(folder: Path) -> None:
    own = layer("Scale")
    text = f'bottom: "x0" top: "y" param {{ name: "w" }} {own}'
    net = middle(
        text, (2,), rest=f'layer {{ name: "more" type: "Python" bottom: "y" top: "z" param {{ name: "w" }} {own} }}'
    )
    other = middle(text, (2,))
    other.share_with(net)
    with torch.no_grad():
        net.learned[0].blob.fill_(3)
    x = torch.ones(2)
    assert net({"x0": x})[1]["z"].tolist() == [9, 9]
    assert other({"x0": x})[1]["y"].tolist() == [3, 3]
    loss = net({"x0": x})[1]["z"].sum()
    loss.backward()
    assert net.learned[0].blob.grad.tolist() == [2 * 2 * 3]  # of w^2, for each of two numbers


def test_a_fixed_blob_still_lets_gradients_through(folder: Path) -> None:
    net = middle(f'bottom: "x0" top: "y" param {{ lr_mult: 0 }} {layer("Scale")}', (2,))
    x = torch.ones(2, requires_grad=True)
    net({"x0": x})[1]["y"].sum().backward()
    assert x.grad.tolist() == [2, 2]


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'module: "onw" layer: "Scale"',
            "there is no Python module 'onw' (did you mean 'own'?): it is looked for on PYTHONPATH",
        ),
        ('layer: "Scale"', "names no module"),
        ('module: "own" layer: "Scael"', "has no class 'Scael' (did you mean 'Scale'?)"),
        ('module: "own" layer: "json"', "has no class 'json'"),
        ('module: "own" layer: "NoLayer"', "class NoLayer is no layer: it must derive from caffe.Layer"),
    ],
)
def test_refused(folder: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        middle(f'bottom: "x0" top: "y" python_param {{ {text} }}', (2,))
    assert str(caught.value).startswith("<text>:2:") and "layer 'own' (Python)" in str(caught.value)


def test_an_error_is_the_users_own(folder: Path) -> None:
    with pytest.raises(UserCodeError, match=r"layer 'own' \(Python\): fails in its setup: TypeError") as caught:
        middle(f'bottom: "x0" top: "y" {layer("Faulty", "setup")}', (2,))
    assert isinstance(caught.value.error, TypeError)


# -- another Caffe ------------------------------------------------------------------------------------------------------


def test_another_caffe_is_not_shadowed(folder: Path) -> None:
    """Its layers cannot run here, which one line says."""
    (folder / "caffe").mkdir()
    (folder / "caffe/__init__.py").write_text("class Layer: pass\n")
    ended = train(folder)
    assert ended.code == 1
    assert f"import caffe gives {folder}/caffe/__init__.py, not solver_cli.pycaffe" in ended.log
    (line,) = ended.complaints
    assert f"class Points is a layer of {folder}/caffe/__init__.py, another Caffe, and runs in that one only" in line


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("from caffe._caffe import Net", "the caffe that was found fails with 'No module named 'caffe._caffe''"),
        (None, "is a folder without Python code"),
    ],
)
def test_a_caffe_that_cannot_be_imported_is_replaced(folder: Path, text: str | None, why: str) -> None:
    (folder / "caffe").mkdir()
    if text:
        (folder / "caffe/__init__.py").write_text(text)
    ended = train(folder)
    assert (ended.code, ended.complaints) == (0, [])
    (line,) = [line for line in ended.log if line.startswith("import caffe gives")]
    assert line.startswith("import caffe gives solver_cli.pycaffe: ") and line.endswith(why)


# -- a layer where the memory of the net is not the host's ---------------------------------------------------------------


def test_with_memory_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: learned blobs are copied to the host, and what is written into them back."""
    monkeypatch.setattr("solver_cli.pycaffe.blob.on_host", lambda device: False)
    solver = Solver("solver.prototxt")
    solver.step(4)
    apart = [learned.blob.detach().clone() for learned in solver.net.learned]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    solver = Solver("solver.prototxt")
    solver.step(4)
    for a, b in zip(apart, solver.net.learned, strict=True):
        assert np.array_equal(a.numpy(), b.blob.detach().numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(folder: Path) -> None:
    losses = []
    for device in ("cpu", "cuda"):
        solver = Solver("solver.prototxt", device=device)
        solver.step(4)
        losses.append([learned.blob.detach().cpu() for learned in solver.net.learned])
    for a, b in zip(*losses, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
