"""Deploy nets beside an independent reader of Caffe's files: OpenCV 4's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from running import call

from solver_cli import Net
from solver_cli.commands.tools import tools

cv2 = pytest.importorskip("cv2")
if not hasattr(cv2.dnn, "readNetFromCaffe"):
    pytest.skip("OpenCV 5 does not read Caffe's files: pip install 'opencv-python-headless<5'", allow_module_level=True)

CONFIGS = Path(__file__).parents[2] / "configs"
NETS = {
    "mnist/lenet_train_test": (1, 1, 28, 28),
    "cifar10/cifar10_full_train_test": (1, 3, 32, 32),
    "cifar10/cifar10_full_sigmoid_train_test_bn": (1, 3, 32, 32),
    "caffenet/train_val": (1, 3, 227, 227),
    "googlenet/train_val": (1, 3, 224, 224),
    "ssd/train_test": (1, 3, 96, 96),
}


def learned(net: Net) -> None:
    """Give the net weights that its outputs hang on."""
    torch.manual_seed(3)
    with torch.no_grad():
        for node in net.nodes:
            blobs = node.blobs()
            if node.param.type in ("Convolution", "InnerProduct"):
                blobs[0].normal_(0, (2 / blobs[0][0].numel()) ** 0.5)
                for bias in blobs[1:]:
                    bias.normal_(0, 0.1)
            elif node.param.type == "BatchNorm":
                blobs[0].normal_(0, 0.1)
                blobs[1].uniform_(0.5, 1.5)
                blobs[2].fill_(1)


@pytest.mark.parametrize("name", NETS)
def test_opencv_gives_our_outputs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shape = NETS[name]
    made = call(tools, "deploy", str(CONFIGS / f"{name}.prototxt"), "net.prototxt", "--shape", ",".join(map(str, shape)))
    assert made.code == 0, made.stderr
    net = Net.from_file("net.prototxt", phase="TEST")
    learned(net)
    net.save("net.caffemodel")
    pictures = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    reader = cv2.dnn.readNetFromCaffe("net.prototxt", "net.caffemodel")
    reader.setInput(pictures)
    ours = net(torch.from_numpy(pictures)).detach().numpy()
    assert ours.std() > 1e-4
    np.testing.assert_allclose(_in_order(reader.forward()), _in_order(ours), rtol=1e-4, atol=1e-5)


def _in_order(found: np.ndarray) -> np.ndarray:
    """Detections by class and score: OpenCV gives the rows of a picture in another order."""
    if found.shape[-1] != 7:
        return found
    rows = found.reshape(-1, 7)
    return rows[np.lexsort((rows[:, 2], rows[:, 1]))]
