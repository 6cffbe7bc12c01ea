"""`to_prototxt`: the text of a Caffe net from a PyTorch module, and its weights; built from them it computes the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from solver_cli import Net, to_prototxt
from solver_cli.errors import ConfigError


class Residual(nn.Module):
    """A block as in ResNet-18, with a shortcut that halves the picture."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.downsample(x)
        return self.relu(y)


class Fire(nn.Module):
    """A block as in SqueezeNet."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, 4, 1)
        self.one, self.three = nn.Conv2d(4, 6, 1), nn.Conv2d(4, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.one(x).relu_(), self.three(x).relu_()], 1)


class Classes(nn.Module):
    """What the pictures of `body` are, as torchvision's nets end."""

    def __init__(self, body: nn.Module, outputs: int) -> None:
        super().__init__()
        self.body, self.avgpool, self.fc = body, nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(outputs, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.avgpool(self.body(x)), 1)).softmax(1)


def alexnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), nn.Conv2d(8, 12, 3, groups=2, padding=1)),
        *(nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True), nn.AdaptiveAvgPool2d((4, 4)), nn.Flatten(), nn.Dropout()),
        *(nn.Linear(192, 9), nn.ELU(0.5), nn.Linear(9, 7, bias=False), nn.LeakyReLU(0.2), nn.PReLU(7)),
        *(nn.Hardtanh(-0.5, 0.5), nn.SiLU(), nn.Tanh(), nn.Sigmoid()),
    )


def upwards() -> nn.Module:
    up = nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2, bias=False)
    return nn.Sequential(nn.Conv2d(3, 4, (3, 5), (2, 1), (1, 2)), nn.ReLU6(), up)


MODULES = {
    "alexnet": alexnet,
    "resnet": lambda: Classes(nn.Sequential(nn.Conv2d(3, 6, 3), nn.MaxPool2d(3, 2, 1), Residual(6, 8), Residual(8, 8)), 8),
    "squeezenet": lambda: Classes(nn.Sequential(Fire(3), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(12)), 12),
    "upwards": upwards,
}


def same(module: nn.Module, images: Tensor, folder: Path) -> Net:
    """The net of the module's text, with its weights; it computes what the module does."""
    text = to_prototxt(module, images[:1], str(folder / "w.caffemodel"))
    net = Net.from_text(text, "TEST")
    net.load(str(folder / "w.caffemodel"))
    with torch.no_grad():
        torch.testing.assert_close(net(images), module.eval()(images), rtol=1e-5, atol=1e-5)
    return net


@pytest.mark.parametrize("name", MODULES)
def test_a_net_of_the_text_computes_what_the_module_does(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = MODULES[name]()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.weight, part.bias, part.running_mean, part.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]
    images = torch.randn(3, 3, 32, 32)
    net = same(module.train(), images, tmp_path)
    state = module.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items() if key in state)
    assert len([key for key in net.state_dict() if key in state]) >= 3


def test_the_text_is_in_caffes_words(tmp_path: Path) -> None:
    net = same(MODULES["resnet"](), torch.randn(2, 3, 32, 32), tmp_path)
    types = [layer.type for layer in net.param.layer]
    assert types[:6] == ["Input", "Convolution", "Pooling", "Convolution", "BatchNorm", "Scale"]
    assert types[-4:] == ["Pooling", "Flatten", "InnerProduct", "Softmax"]
    assert [layer.name for layer in net.param.layer if layer.type == "Eltwise"] == ["add_", "add__1"]
    assert "body.2.downsample.0" in net.params and "fc" in net.params


def test_the_module_stays_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout()).train()
    to_prototxt(module, torch.zeros(1, 3))
    assert module.training and module[1].training


class Squares(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("ij,ik->jk", x, x)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (nn.Sequential(nn.Linear(6, 6), nn.GELU()), r"module '1', aten.gelu.default: Caffe has no such layer"),
        (Squares(), r"the outermost module, aten.einsum.default: Caffe has no such layer"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(4)), r"module '0', .*: \[6, 6\] pixels in \[4, 4\] windows"),
    ],
)
def test_what_caffe_does_not_have_is_refused_by_the_modules_name(module: nn.Module, line: str, tmp_path: Path) -> None:
    shape = (1, 3, 6, 6) if "windows" in line else (1, 6)
    with pytest.raises(ConfigError, match=line):
        to_prototxt(module, torch.zeros(shape), str(tmp_path / "w.caffemodel"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18", "squeezenet1_1"])
def test_torchvisions_nets(name: str, tmp_path: Path) -> None:
    try:
        from torchvision import models
    except (ImportError, RuntimeError):  # a torchvision for another torch
        pytest.skip("torchvision cannot be imported here")
    torch.manual_seed(1)
    same(getattr(models, name)(weights=None), torch.randn(1, 3, 224, 224), tmp_path)
