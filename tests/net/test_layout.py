"""What makes training on a CPU faster must not be seen in its results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from solver_cli import Net, Solver
from solver_cli.formats import caffemodel
from solver_cli.net.layout import lay_out

NET = """
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 2 dim: 3 dim: 9 dim: 9 } shape { dim: 2 }
  data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = 'base_lr: 0.1 momentum: 0.9 weight_decay: 0.01 lr_policy: "fixed" max_iter: 3 random_seed: 3 solver_mode: CPU '


def test_weights_of_another_layout_are_saved_as_ever(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(f'{SOLVER} net: "{tmp_path}/net.prototxt" snapshot_prefix: "{tmp_path}/s"')
    solver = Solver(str(tmp_path / "solver.prototxt"))
    blob = solver.net.params["conv"][0]
    assert blob.is_contiguous(memory_format=torch.channels_last) and not blob.is_contiguous()
    solver.solve()
    (conv,) = [x for x in caffemodel.read(tmp_path / "s_iter_3.caffemodel").layers if x.name == "conv"]
    assert np.array_equal(conv.blobs[0], blob.detach().numpy())
    solver.close()


NORM = 'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }'


@pytest.mark.parametrize("norm", ["", NORM])
def test_the_layout_changes_no_values(norm: str) -> None:
    text = NET.replace('layer { name: "relu"', norm + 'layer { name: "relu"')
    nets = [Net.from_text(text, seed=1) for _ in range(2)]
    lay_out(nets[1])
    grads = []
    for net in nets:
        loss, _ = net({"data": torch.linspace(-9, 9, 486).sin().reshape(2, 3, 9, 9), "label": torch.ones(2)})
        loss.backward()
        grads.append([loss.detach(), *(learned.blob.grad for learned in net.learned)])
    for usual, other in zip(*grads, strict=True):
        torch.testing.assert_close(usual, other)


@pytest.mark.parametrize("also", ["", 'layer { name: "abs" type: "AbsVal" bottom: "data" top: "abs" }'])
def test_decoded_pictures_for_convolutions_alone_keep_their_order(tmp_path: Path, also: str) -> None:
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(1).integers(0, 256, (12, 14, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), pixels)
    (tmp_path / "list").write_text(f"{tmp_path}/a.jpg 1\n")
    source = f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label" image_data_param {{
      source: "{tmp_path}/list"
      batch_size: 2 }} transform_param {{ crop_size: 9 mirror: true mean_value: 99 }} }}"""
    text = source + NET[NET.index('layer { name: "conv"') :] + also
    net = Net.from_text(text, phase="TRAIN", seed=1)
    lay_out(net)
    (node,) = [node for node in net.nodes if node.source is not None]
    state = node.source.state_dict()
    losses = []
    for usual in (False, True):
        node.source.load_state_dict(state)
        node.source.transform.channels_last &= not usual
        batch = net.next_batch()
        assert batch["data"].is_contiguous() == (usual or bool(also))
        losses.append(net(batch)[0])
    assert torch.equal(*losses)


def test_a_blob_that_is_shared_in_another_shape_keeps_the_usual_layout() -> None:
    shared = NET.replace('top: "conv"\n', 'top: "conv" param { name: "w" }\n').replace(
        'top: "ip"\n', 'top: "ip" param { name: "w" share_mode: PERMISSIVE }\n'
    )
    text = shared.replace("dim: 9 dim: 9", "dim: 5 dim: 5").replace("num_output: 4", "num_output: 2")
    net = Net.from_text(text, seed=1)
    lay_out(net)
    assert all(learned.blob.is_contiguous() for learned in net.learned)
    loss, _ = net()
    loss.backward()


def test_a_relu_in_place_overwrites_its_bottom_only_on_the_way_to_a_gradient() -> None:
    net = Net.from_text(NET, seed=1)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    relu = next(node for node in net.nodes if node.name == "relu")
    quick = relu.quick
    assert quick is not None

    def watched(x: torch.Tensor) -> torch.Tensor:
        seen.append((x, quick(x)))
        return seen[-1][1]

    relu.quick = watched
    net()
    with torch.no_grad():
        net()
    assert [bottom is top for bottom, top in seen] == [True, False]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_memory_is_kept_and_given_back() -> None:
    """A block that is freed stays in the process until the end of what keeps it: /proc says how much it holds."""
    code = (
        "import numpy as np; from solver_cli.net.layout import keep_memory\n"
        "def held(): return int(open('/proc/self/statm').read().split()[1]) * 4096 >= 2**28\n"
        "with keep_memory():\n  x = np.ones(2**25); del x; print(held())\n"
        "print(held())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
