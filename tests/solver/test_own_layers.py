"""Layer types of a user's own (--layers, packages): as the page shows them, and what goes wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
import torch
from running import ENVIRONMENT, call, changed, write

from solver_cli import Net, Solver, registry, schema
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train

PAGE = (Path(__file__).parents[2] / "docs" / "own-layers.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)[0]
TEXT = re.findall(r"```\n(layer .*?)```", PAGE, flags=re.S)[0].replace("ip2", "ip")
LOSS = running.NET[running.NET.index('layer {\n  name: "loss"') :]
MINE = changed(running.NET, (LOSS, TEXT))
CLASS = '''
import torch
from torch import nn
from solver_cli.registry import layer

@layer("Squash")
class Squash(nn.Module):
    """top = tanh(W x + b), values dropped by chance"""

    generator = None

    def __init__(self, message, shapes, *, hidden: int, drop: float = 0.0, scales: tuple[float, ...]):
        super().__init__()
        self.fc, self.drop, self.scales = nn.Linear(shapes[0][1], hidden), drop, scales

    def forward(self, x):
        x = torch.tanh(self.fc(x))
        kept = torch.rand(x.shape, generator=self.generator, device=x.device) >= self.drop
        return x * kept * sum(self.scales)
'''
SQUASH = 'layer { name: "sq" type: "Squash" bottom: "ip" top: "sq" squash_param { hidden: 5 drop: 0.3 scales: [1, 0.5] } }\n'
NET = changed(running.NET, (LOSS, SQUASH + LOSS.replace('bottom: "ip"', 'bottom: "sq"')))


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test brings along goes with it."""
    monkeypatch.chdir(tmp_path)
    registry.find("Python")
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    monkeypatch.setattr(schema, "SCHEMA", schema.Schema())
    monkeypatch.setattr(schema, "_added", set())
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]
    registry._load.cache_clear()


def own(text: str, net: str = NET, solver: str = running.SOLVER) -> None:
    """Put a net, a solver and `own.py` into the working folder."""
    write(Path(), net, solver)
    Path("own.py").write_text(text)


def complaint(*args: str) -> str:
    ended = call(train, "solver.prototxt", *args)
    assert ended.code == 1, ended.stderr
    return ended.complaints[-1]


def test_the_page_s_example(tmp_path: Path) -> None:
    write(tmp_path, MINE, running.SOLVER + "max_iter: 20\ndisplay: 1\n".replace("max_iter: 20\n", ""))
    (tmp_path / "my_layers.py").write_text(EXAMPLE)
    assert len(EXAMPLE.strip().splitlines()) <= 10
    ended = running.run("solver-train", "solver.prototxt", "--layers", "my_layers.py", folder=tmp_path)
    assert ended.code == 0, ended.stderr
    first, second = (float(value) for value in re.findall(r"Iteration \d .*, loss = ([\d.]+)", "\n".join(ended.log))[:2])
    assert 0 < second < first
    assert "margin: 2" in ended.stderr


def test_a_function_counts_as_it_says() -> None:
    Path("my_layers.py").write_text(EXAMPLE)
    registry_before = set(registry._types)
    Path("solver.prototxt").write_text(running.SOLVER)
    Path("net.prototxt").write_text(MINE)
    solver = Solver("solver.prototxt", layers=["my_layers.py"])
    assert set(registry._types) - registry_before == {"MarginLoss"}
    (loss,) = [node for node in solver.net.nodes if node.name == "loss"]
    scores = torch.tensor([[3.0, 1, 0, 0, 0], [0, 2.5, 1, 0, 0]])
    assert loss.run(scores, torch.tensor([0.0, 0])).item() == pytest.approx(((2 - 3 + 1) + (2 - 0 + 2.5)) / 2)
    assert loss.loss_weights == (1.0,)
    solver.close()


def test_pieces_learn_what_the_whole_batch_does() -> None:
    own(EXAMPLE, MINE)
    trained = []
    for micro_batch in (None, 2):
        solver = Solver("solver.prototxt", layers=["own.py"], micro_batch=micro_batch)
        solver.step(2)
        trained.append(solver.net.params["ip"][0].detach().clone())
        solver.close()
    assert torch.allclose(*trained, rtol=0, atol=1e-6)


def test_a_class_is_filled_by_the_seed_and_resumes_alike() -> None:
    own(CLASS, solver=running.SOLVER.replace("max_iter: 2", "max_iter: 4"))
    whole = Solver("solver.prototxt", layers=["own.py"])
    weight = whole.net.params["sq"][0].detach().clone()
    assert weight.shape == (5, 5) and weight.abs().min() > 0
    whole.step(2)
    state = whole.snapshot()
    whole.step(2)
    resumed = Solver("solver.prototxt", layers=["own.py"])
    assert torch.equal(resumed.net.params["sq"][0], weight)
    resumed.restore(state)
    resumed.step(2)
    for name, blobs in whole.net.params.items():
        for one, other in zip(blobs, resumed.net.params[name], strict=True):
            assert torch.equal(one, other), name
    whole.close()
    resumed.close()


def test_the_plan_and_the_list_of_types_know_it() -> None:
    own(CLASS)
    ended = call(tools, "plan", "solver.prototxt", "--layers", "own.py")
    assert (ended.code, ended.complaints) == (0, [])
    assert re.search(r"sq +Squash +4 x 5 +30", ended.stdout)
    ended = call(tools, "layers", "Squash", "--layers", "own.py")
    assert "  origin: own\n" in ended.stdout
    assert "hidden  int64\n" in ended.stdout and "repeated float\n" in ended.stdout


def test_it_may_use_fields_that_caffe_s_own_types_refuse() -> None:
    weight = "loss_param.class_weighting[0]"
    mine = changed(EXAMPLE, ("*, margin: float = 1.0", "*, loss_param"), ("(margin -", f"({weight} -"))
    text = changed(TEXT, ("margin_loss_param { margin: 2 }", "loss_param { class_weighting: 3 }"))
    own(mine, changed(running.NET, (LOSS, text)))
    solver = Solver("solver.prototxt", layers=["own.py"])
    (node,) = [node for node in solver.net.nodes if node.name == "loss"]
    assert node.run(torch.tensor([[1.0, 0, 0, 0, 0]]), torch.zeros(1)).item() == 2
    solver.close()


def test_bottoms_are_the_arguments() -> None:
    own(LOSER.format("Mine", "", ", y=None, *more", "return x"), changed(running.NET, RELU))
    solver = Solver("solver.prototxt", layers=["own.py"])
    solver.close()
    assert registry.lookup("Mine").bottoms == (1, None)
    write(Path(), changed(running.NET, ('type: "ReLU"\n  bottom: "conv"\n  top: "conv"', 'type: "Mine" top: "none"')))
    assert complaint("--layers", "own.py").endswith("layer 'relu' (Mine): takes 1 or more bottom blob(s), not 0")


LOSER = 'from solver_cli.registry import layer\n\n@layer("{}"{})\ndef mine(x{}):\n    {}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import torch\nx = 1 / 0\n", "own.py:2: ZeroDivisionError: division by zero"),
        ("import torch\ndef f(:\n", "own.py:2: SyntaxError: ..."),
        ("import no_such_module\n", "own.py:1: ModuleNotFoundError: ..."),
        ("raise SystemExit(3)", "own.py:1: SystemExit: 3"),
        (LOSER.format("ReLU", "", "", "return x"), "own.py:3: layer type 'ReLU' is there already, BVLC's: give ..."),
        (LOSER.format("Mine", "", ", *, k", "return x"), "own.py:3: argument 'k' says no setting...--schema..."),
        (LOSER.format("Mine", ", bottms=2", "", "return x"), "own.py:3: TypeError: ..."),
    ],
)  # fmt: skip
def test_a_file_that_fails_is_one_line(text: str, expected: str) -> None:
    own(text)
    running.assert_like(complaint("--layers", "own.py"), expected)


RELU = ('type: "ReLU"', 'type: "Mine"')


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("return [x, x]", "29:3", "gives list: expected one Tensor"),
        ("return None", "29:3", "gives nothing: expected one Tensor"),
        ("return x.no_such_thing", "27:3", "fails on tensors without data (own.py:5): AttributeError: ..."),
        ("return x[x > 0]", "27:3", "fails on tensors without data (own.py:5): NotImplementedError: ..."),
        ("return x if x.is_meta else x.no_such_thing", "27:3", "fails (own.py:5): AttributeError: ..."),
    ],
)
def test_code_that_fails_in_a_net(text: str, place: str, expected: str) -> None:
    own(LOSER.format("Mine", "", "", text), changed(running.NET, RELU))
    running.assert_like(complaint("--layers", "own.py"), f"net.prototxt:{place}: layer 'relu' (Mine): {expected}")


BACKWARD = """
import torch
from solver_cli.registry import layer

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return grad.no_such_thing

@layer("Mine")
def mine(x):
    return Double.apply(x)
"""


def test_a_backward_pass_that_fails() -> None:
    own(BACKWARD, changed(running.NET, RELU))
    running.assert_like(complaint("--layers", "own.py"), "own.py:12: AttributeError: ...")


def test_a_buffer_that_no_snapshot_would_hold() -> None:
    own(CLASS.replace("super().__init__()", 'super().__init__()\n        self.register_buffer("mean", torch.zeros(3))'))
    assert "has the buffer 'mean', which no snapshot would hold" in complaint("--layers", "own.py")


def test_files_that_cannot_be_had() -> None:
    write(Path())
    assert complaint("--layers", "own.py") == "own.py: this file of layers does not exist"
    Path("torch.py").write_text("")
    assert complaint("--layers", "torch.py") == "torch.py: there is a module 'torch' already: rename this file"


def test_settings_that_nobody_asks_for() -> None:
    own(CLASS, NET.replace("drop: 0.3", "dorp: 0.3"))
    assert "SquashParameter has no field 'dorp' (did you mean 'drop'?)" in complaint("--layers", "own.py")


def test_without_the_option_the_remedy_is_named() -> None:
    own(CLASS, NET)
    expected = "LayerParameter has no field 'squash_param': --schema reads what ..., --layers brings types of your own"
    running.assert_like(complaint(), f"net.prototxt:41:58: {expected}")
    write(Path(), changed(running.NET, ('"ReLU"', '"Correlation"')))
    expected = "unknown layer type 'Correlation' (of FlowNet2's fork): --layers brings types of your own, written in Python"
    assert complaint().endswith(expected)


def test_no_python_layers() -> None:
    own(CLASS)
    ended = call(train, "solver.prototxt", "--layers", "own.py", "--no-python-layers")
    assert ended.code == 2
    assert "--layers brings Python layers, and --no-python-layers refuses them" in ended.stderr


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings Squash."""
    site = tmp_path / "site"
    info = site / "acme_layers-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-layers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[solver_cli.layers]\nsquash = acme_layers\n")
    (site / "acme_layers.py").write_text(CLASS)
    monkeypatch.syspath_prepend(site)
    registry._load.cache_clear()


@pytest.mark.usefixtures("package")
def test_an_installed_package_needs_no_option() -> None:
    write(Path(), NET)
    assert call(train, "solver.prototxt").code == 0
    assert registry.lookup("Squash").origin == "acme_layers"
    assert "(Squash): is code (acme_layers), and Python layers are refused" in complaint("--no-python-layers")
    text = 'layer { name: "x" type: "Input" top: "ip" input_param { shape { dim: 2 dim: 3 } } }' + SQUASH
    assert Net.from_text(text).blob_shapes["sq"] == (2, 5)


@pytest.mark.usefixtures("package")
def test_a_package_is_not_even_imported_where_it_is_refused() -> None:
    write(Path(), changed(running.NET, ('"ReLU"', '"Squash"')))
    assert "unknown layer type 'Squash'" in complaint("--no-python-layers")
    assert "acme_layers" not in sys.modules


WORKER = """
import multiprocessing

def origin(name):
    from solver_cli.registry import find
    return find(name).origin

def told():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(origin, ["Squash"])
"""
SCRIPT = """
from solver_cli.solver.building import bring
if __name__ == "__main__":
    bring([], ["sub/own.py"])
    import own
    print(own.told())
"""


def test_a_process_that_a_layer_starts_knows_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "own.py").write_text(CLASS + WORKER)
    (tmp_path / "script.py").write_text(SCRIPT)
    script = [sys.executable, "script.py"]
    done = subprocess.run(script, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "['own']\n", done.stderr
