"""`solver-tools export` and `import` with state dicts: there and back, by names, maps and torchvision's names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from running import assert_like, call, run
from safetensors.torch import load_file, save_file

from solver_cli import Net
from solver_cli.commands.tools import tools
from solver_cli.export import zoo

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
NET = (
    INPUT
    + """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 4 kernel_size: 3
  weight_filler { type: "xavier" } } param { name: "w" } param { name: "b" } }
layer { name: "conv1_p" type: "Convolution" bottom: "data" top: "conv1_p" convolution_param { num_output: 4 kernel_size: 3 }
  param { name: "w" } param { name: "b" } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "sum" type: "Eltwise" bottom: "conv1" bottom: "conv1_p" top: "sum" }
"""
)
NAMES = ["conv1.weight", "conv1.bias", "bn1.mean", "bn1.variance", "bn1.factor"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    Net.from_file("net.prototxt", "TEST", seed=1).save("w.caffemodel")
    return tmp_path


def tool(*args: str) -> str:
    ended = call(tools, *args)
    assert ended.code == 0, ended.stderr
    return ended.stdout + ended.stderr


def refused(line: str, *args: str) -> None:
    before = {path: path.read_bytes() for path in Path.cwd().iterdir()}
    ended = call(tools, *args)
    assert ended.code == 1 and len(ended.complaints) == 1, ended.stderr
    assert_like(ended.complaints[0], line)
    assert {path: path.read_bytes() for path in Path.cwd().iterdir()} == before


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.safetensors"])
def test_weights_go_out_and_come_back_bit_by_bit(name: str) -> None:
    assert tool("export", "net.prototxt", "--weights", "w.caffemodel", "--to", name) == f"wrote {name}\n"
    state = load_file(name) if name.endswith("safetensors") else torch.load(name, weights_only=True)
    assert sorted(state) == sorted(NAMES)
    assert tool("import", name, "--net", "net.prototxt", "--to", "again.caffemodel") == "wrote again.caffemodel\n"
    assert Path("again.caffemodel").read_bytes() == Path("w.caffemodel").read_bytes()


def test_the_real_commands(folder: Path) -> None:
    done = run("solver-tools", "export", "net.prototxt", "--weights", "w.caffemodel", "--to", "w.pt", folder=folder)
    assert (done.code, done.stdout, done.stderr) == (0, "wrote w.pt\n", "")
    done = run("solver-tools", "import", "w.pt", "--net", "net.prototxt", "--to", "w.caffemodel.h5", folder=folder)
    assert (done.code, done.stdout, done.stderr) == (0, "wrote w.caffemodel.h5\n", "")


def test_a_map_says_what_is_what() -> None:
    state = {f"model.{i}": torch.full(shape, i + 1.0) for i, shape in enumerate([(4, 3, 3, 3), (4,), (4,), (4,), (1,)])}
    torch.save({"state_dict": {**state, "step": torch.tensor(3)}, "epoch": 2}, "theirs.pt")
    lines = "".join(f"model.{i} {name}\n" for i, name in enumerate(NAMES))
    Path("names.txt").write_text("# theirs ours\n\n" + lines)
    said = tool("import", "theirs.pt", "--net", "net.prototxt", "--to", "new.caffemodel", "--map", "names.txt")
    assert said.splitlines() == ["wrote new.caffemodel", "not used: step"]
    net = Net.from_file("net.prototxt", "TEST")
    net.load("new.caffemodel")
    assert [blob.flatten()[0].item() for blob in net.state_dict().values()] == [1, 2, 1, 2, 3, 4, 5]
    Path("names.txt").write_text("model.0 conv1.weight\nmodel.9 conv1.bias\n")
    line = "names.txt:2:1: the file has no 'model.9'"
    refused(line, "import", "theirs.pt", "--net", "net.prototxt", "--to", "x.caffemodel", "--map", "names.txt")


def test_what_does_not_fit_is_listed_and_nothing_is_written() -> None:
    save_file({"conv1.weight": torch.zeros(4, 3, 5, 5), "bn1.mean": torch.zeros(4), "fc": torch.zeros(1)}, "x.safetensors")
    line = (
        "x.safetensors: does not fit the net: conv1.weight is (4, 3, 5, 5), (4, 3, 3, 3) is wanted; there is no conv1.bias, "
        "bn1.variance, bn1.factor; not used: fc (--map FILE says what is what)"
    )
    refused(line, "import", "x.safetensors", "--net", "net.prototxt", "--to", "new.caffemodel")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, ("evil",)  # type: ignore[return-value]


def test_files_that_are_no_state_dicts() -> None:
    torch.save({"a": Evil()}, "evil.pt")
    rest = ("--net", "net.prototxt", "--to", "y.caffemodel")
    refused("evil.pt: not a state dict of tensors alone: ", "import", "evil.pt", *rest)
    assert not Path("evil").exists()
    Path("x.safetensors").write_bytes(b"nonsense")
    refused("x.safetensors: not a safetensors file", "import", "x.safetensors", *rest)
    refused("none.pt: cannot read it: No such file", "import", "none.pt", *rest)
    torch.save([1, 2], "list.pt")
    refused("list.pt: not a state dict: expected {name", "import", "list.pt", *rest)


def test_usage() -> None:
    told = ("export", "net.prototxt", "--weights", "w.caffemodel", "--to")
    assert "must end in one of .onnx, .py, .safetensors, .pt, .pth" in call(tools, *told, "x.bin").stderr
    assert call(tools, *told, "x.onnx", "--torchvision", "vgg16").code == 2
    both = ("--map", "m", "--torchvision", "vgg16")
    assert call(tools, "import", "x.pt", "--net", "net.prototxt", "--to", "y", *both).code == 2


# -- torchvision ----------------------------------------------------------------------------------------------------


def text_of(model: str) -> str:
    """A net with the layers of torchvision's model, one after the other."""
    lines, bottom = [], "data"
    for part in zoo.MODELS[model]():
        top = part.layer
        if len(part.shape) == 4:
            told = f"num_output: {part.shape[0]} kernel_size: {part.shape[2]} stride: {part.stride} pad: {part.pad}"
            told += " bias_term: false" * (model == "resnet50" and part.layer != "conv1")
            lines.append(f'type: "Convolution" convolution_param {{ {told} }}')
        elif part.shape:
            lines.append(f'type: "InnerProduct" inner_product_param {{ num_output: {part.shape[0]} }}')
        else:
            kind = "BatchNorm" if part.layer.startswith("bn") else "Scale"
            lines.append(f'type: "{kind}"' + " scale_param { bias_term: true }" * (kind == "Scale"))
        lines[-1] = f'layer {{ name: "{part.layer}" bottom: "{bottom}" top: "{top}" {lines[-1]} }}'
        bottom = top
    return "\n".join(lines)


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of torchvision's in little, so that tests are quick: two layers of VGG-16."""
    parts = list(zoo.MODELS["vgg16"]())[:2]
    monkeypatch.setitem(zoo.MODELS, "vgg16", lambda: iter(parts))


def test_vgg_by_torchvisions_names(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    Path("vgg.prototxt").write_text(INPUT + text_of("vgg16"))
    Net.from_file("vgg.prototxt", "TEST", seed=1).save("vgg.caffemodel")
    tool("export", "vgg.prototxt", "--weights", "vgg.caffemodel", "--to", "vgg.pt", "--torchvision", "vgg16")
    state = torch.load("vgg.pt", weights_only=True)
    assert list(state) == ["features.0.weight", "features.0.bias", "features.2.weight", "features.2.bias"]
    tool("import", "vgg.pt", "--net", "vgg.prototxt", "--to", "again.caffemodel", "--torchvision", "vgg16")
    assert Path("again.caffemodel").read_bytes() == Path("vgg.caffemodel").read_bytes()


def test_resnet_by_torchvisions_names(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part for part in zoo.MODELS["resnet50"]() if part.layer in ("conv1", "bn_conv1", "scale_conv1")]
    monkeypatch.setitem(zoo.MODELS, "resnet50", lambda: iter(parts))
    Path("r.prototxt").write_text(INPUT + text_of("resnet50"))
    theirs = {"conv1.weight": torch.randn(64, 3, 7, 7), "bn1.weight": torch.rand(64), "bn1.bias": torch.rand(64)}
    theirs |= {
        "bn1.running_mean": torch.rand(64),
        "bn1.running_var": torch.rand(64),
        "bn1.num_batches_tracked": torch.tensor(7),
    }
    torch.save(theirs, "r.pth")
    tool("import", "r.pth", "--net", "r.prototxt", "--to", "r.caffemodel", "--torchvision", "resnet50")
    net = Net.from_file("r.prototxt", "TEST")
    net.load("r.caffemodel")
    images = torch.randn(2, 3, 8, 8)
    y = torch.nn.functional.conv2d(images, theirs["conv1.weight"], stride=2, padding=3)
    y = torch.nn.functional.batch_norm(y, *(theirs[f"bn1.{x}"] for x in ("running_mean", "running_var", "weight", "bias")))
    torch.testing.assert_close(net(images), y, rtol=1e-5, atol=1e-5)
    tool("export", "r.prototxt", "--weights", "r.caffemodel", "--to", "back.pt", "--torchvision", "resnet50")
    back = torch.load("back.pt", weights_only=True)
    assert set(back) == set(theirs)
    assert all(torch.equal(back[x], theirs[x]) for x in theirs if x != "bn1.num_batches_tracked")


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (
            "alexnet",
            "net.prototxt: torchvision's alexnet is another net: it has no layer 'conv2'; ... and 5 more",
        ),
        ("googlenet", "net.prototxt: torchvision's googlenet is another net: it normalises behind every convolution"),
        ("vgg61", "error: unknown model 'vgg61': expected one of alexnet, vgg16, resnet50 (did you mean 'vgg16'?)"),
    ],
)
def test_other_nets_are_refused(model: str, line: str) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, "theirs.pt")
    refused(line, "import", "theirs.pt", "--net", "net.prototxt", "--to", "x.caffemodel", "--torchvision", model)


def test_kaiming_hes_resnet_has_its_strides_elsewhere() -> None:
    """Weights of the one in the net of the other would fit, and give nonsense."""
    config = Path(__file__).parents[2] / "configs/resnet50/train_val.prototxt"
    torch.save({"conv1.weight": torch.zeros(1)}, "theirs.pt")
    line = f"{config}: torchvision's resnet50 is another net: layer 'res3a_branch2a' has stride 2, 1 there; layer"
    refused(line, "import", "theirs.pt", "--net", str(config), "--to", "x.caffemodel", "--torchvision", "resnet50")


def test_the_tables_are_torchvisions() -> None:
    try:
        from torchvision import models
    except (ImportError, RuntimeError):  # a torchvision for another torch
        pytest.skip("torchvision cannot be imported here")
    for name, parts in zoo.MODELS.items():
        with torch.device("meta"):
            modules = dict(getattr(models, name)(weights=None).named_modules())
        for part in parts():
            module = modules[part.module]
            assert not part.shape or tuple(module.weight.shape) == part.shape
            if isinstance(module, torch.nn.Conv2d):
                assert (module.stride, module.padding) == ((part.stride,) * 2, (part.pad,) * 2)
        learned = {name for name, module in modules.items() if list(module.parameters(recurse=False))}
        assert learned == {part.module for part in parts()}
