"""`solver-tools export --to x.onnx`: onnxruntime computes what we do, for any batch size."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_layers import FORK_TYPES, GOLDEN, TYPES, feed, named, names, registered, set_params
from running import ENVIRONMENT, call, program
from small_nets import DETECTORS, NETS, pictured, randomised, written

from solver_cli import Net
from solver_cli.commands.tools.export import command
from solver_cli.errors import ConfigError
from solver_cli.export import nets, to_onnx
from solver_cli.export.onnx_layers import RULES
from solver_cli.registry import layer_types
from solver_cli.text.netspec import read_test_net

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(model: Any, inputs: dict[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    given = {x.name: inputs[x.name].detach().numpy() for x in session.get_inputs()}
    return dict(zip(outputs, session.run(outputs, given), strict=True))


def assert_same(net: Net, inputs: dict[str, torch.Tensor], model: Any) -> None:
    found = run(model, inputs)
    with torch.no_grad():
        blobs = net(inputs)[1]
    assert [name if name in net.outputs else name.removesuffix("_out") for name in found] == net.outputs
    for name, found_blob in found.items():
        wanted = blobs[name.removesuffix("_out") if name not in blobs else name]
        limit = 1e-6 + 1e-5 * wanted[wanted.isfinite()].abs().max().item() if wanted.isfinite().any() else 0
        torch.testing.assert_close(torch.from_numpy(found_blob), wanted, rtol=0, atol=limit, equal_nan=True)


REFUSED = {  # measures, what only training has, files, and what ONNX has no words for
    *("Accuracy", "BoxAnnotatorOHEM", "DetectNetTransformation", "DetectionEvaluate", "HDF5Output", "LabelsequenceAccuracy"),
    *("MarginInnerProduct", "SegAccuracy"),
    *("BboxAccuracy", "BoxOutput", "DecodeBBox", "DetectionAccuracy", "ProposalTarget", "ROIAlign/mscnn"),
}
HARD = {  # cases of other types that are refused
    *("Convolution/axis_0", "Convolution/axis_2", "Convolution/no_spatial_axes"),
    *("Deconvolution/axis_2", "forks/DetectionOutput/eta", "forks/InnerProduct_normalize/inner_product_normalize"),
}
OTHERS = ("_graphs", "DummyData", "Silence")
CASES = [name for name in names(False, TYPES + FORK_TYPES) if not name.removeprefix("forks/").startswith(OTHERS)]


@pytest.mark.parametrize("name", CASES)
def test_recorded_layer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer that ONNX can say; others are refused at their place."""
    monkeypatch.chdir(GOLDEN)
    case = named(name)
    net = Net.from_text(case["prototxt"], "TEST", case.get("level", 0), tuple(case.get("stages", ())), seed=1)
    set_params(net.params.get("test", []), case)
    try:
        model = to_onnx.model(net)
    except ConfigError as error:
        (node,) = [node for node in net.nodes if node.name == "test"]
        assert node.kind.loss or node.kind.name in REFUSED or name in HARD, error
        assert re.match(r"<text>:\d+:\d+: layer 'test' \(\w+\): ", str(error))
        return
    assert_same(net, feed(case), model)


X = (2, 4, 6, 6)
ROIS = torch.tensor([[0, 0, 0, 11, 9], [1, 2.5, 3.5, 7, 20], [0, 5, 5, 5, 5]])
OWN = {  # types of which no recorded case exists
    "BatchNorm/intel": "batch_norm_param { use_weight_bias: true relu: true stats_batch_size: 2 }",
    "BatchNorm/normface": "batch_norm_param { disable_variance: true }",
    "ContinuationIndicator": "continuation_indicator_param { time_step: 3 }",
    "Gather": "",
    "GroupNorm": "group_norm_param { num_groups: 2 scale_filler { type: 'gaussian' std: 1 } }",
    "HSwish": "",
    "HardSwish": "",
    "Insanity": "insanity_param { lb: 3 ub: 8 }",
    "Mish": "",
    "ROIAlign": "roi_align_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }",
    "Reverse": "reverse_param { axis: 2 }",
    "Scatter": "",
    "SeLu": "",
    "SpatialDropout": "",
    "Transpose": "transpose_param { dim: [0, 3, 1, 2] }",
}


@pytest.mark.parametrize("kind", OWN)
def test_own_case(kind: str) -> None:
    shapes = [X, tuple(ROIS.shape)][: 1 + (kind == "ROIAlign")]
    text = "".join(
        f"""layer {{ name: "x{i}" type: "Input" top: "x{i}"
            input_param {{ shape {{ {" ".join(f"dim: {n}" for n in shape)} }} }} }}"""
        for i, shape in enumerate(shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    text += f'layer {{ name: "test" type: "{kind.partition("/")[0]}" {bottoms} top: "y" {OWN[kind]} }}'
    net = Net.from_text(text, "TEST", seed=1)
    assert net.nodes[-1].kind.name == kind
    randomised(net)
    x = torch.randn(X, generator=torch.Generator().manual_seed(1))
    assert_same(net, dict(zip(net.inputs, (x, ROIS), strict=False)), to_onnx.model(net))


PROPOSAL = """
layer { name: "in" type: "Input" top: "score" top: "delta" top: "info"
  input_param { shape { dim: 2 dim: 12 dim: 5 dim: 6 } shape { dim: 2 dim: 24 dim: 5 dim: 6 } shape { dim: 2 dim: 3 } } }
layer { name: "test" type: "Proposal" bottom: "score" bottom: "delta" bottom: "info" top: "rois" top: "best"
  proposal_param { ratio: 0.5 ratio: 1 ratio: 2 scale: 1 scale: 2
    pre_nms_topn: 100 post_nms_topn: 12 nms_thresh: 0.6 min_size: 8 } }
"""


def test_proposals() -> None:
    generator = torch.Generator().manual_seed(1)
    net = Net.from_text(PROPOSAL, "TEST")
    given = {name: torch.randn(shape, generator=generator) / 2 for name, shape in net.inputs.items()}
    given["score"] = given["score"].sigmoid()
    given["info"] = torch.tensor([[80.0, 96, 1], [70, 90, 1.5]])
    assert_same(net, given, to_onnx.model(net))


def test_every_type_that_is_said_is_held_against_onnxruntime() -> None:
    assert set(RULES) <= {
        *OWN,
        *("AutoCrop", "Proposal", "Silence"),
        *(kind for name in CASES for kind in registered(named(name)["prototxt"])),
    }


def test_all_other_types_are_said() -> None:
    told = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
    assert not [name for name in REFUSED if name not in told and not name.endswith(("Accuracy", "Evaluate"))]
    others = {name for name, kind in layer_types().items() if not (kind.source or kind.loss)}
    assert others - {"Input", "Python"} == set(RULES) | REFUSED


def test_crops_that_find_their_offset_and_axes_in_another_order() -> None:
    net = Net.from_text(
        """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 1, 8, 9] } } }
        layer { name: "big" type: "Convolution" bottom: "x" top: "big"
          convolution_param { num_output: 2 kernel_size: 3 pad: 4 weight_filler { type: "xavier" } } }
        layer { name: "cut" type: "AutoCrop" bottom: "big" bottom: "x" top: "cut" }
        layer { name: "turned" type: "Transpose" bottom: "cut" top: "y" transpose_param { dim: [3, 0, 2, 1] } }""",
        "TEST",
        seed=1,
    )
    assert list(net.by_name["cut"].param.crop_param.offset) == [3, 3]
    assert_same(net, {"x": torch.randn(2, 1, 8, 9)}, to_onnx.model(net))


def deployed(name: str) -> Net:
    """The deploy net of a config, whose text is left in net.prototxt, with weights drawn at random."""
    Path("net.prototxt").write_text(written(name))
    net = nets.build(nets.as_deployed(read_test_net("net.prototxt")), None)
    randomised(net)
    return net


@pytest.mark.parametrize("name", NETS)
def test_net(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The net of a config, some layers narrower, on another batch than the file's."""
    monkeypatch.chdir(tmp_path)
    net = deployed(name)
    net.save("w.caffemodel")
    done = call(command, "net.prototxt", "--weights", "w.caffemodel", "--to", "net.onnx")
    assert (done.code, done.stdout) == (0, "wrote net.onnx\n"), done.stderr
    model = onnx.load("net.onnx")
    assert dims(model) == ["batch", *NETS[name]]
    weights = {f"{node.name}.weight" for node in net.nodes if node.kind.name == "Convolution" and node.name[-2:] != "_p"}
    assert weights <= {x.name for x in model.graph.initializer}
    (data,) = net.inputs
    assert_same(net, {data: torch.rand((3, *NETS[name]), generator=torch.Generator().manual_seed(3))}, model)


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What detectors find, in as many pictures as there are; what poolings of regions and unpoolings give."""
    monkeypatch.chdir(tmp_path)
    net = deployed(name)
    given = dict(zip(net.inputs, (x.float() for x in pictured(name)), strict=False))
    if not name.startswith("faster_rcnn"):
        given["data"] = torch.cat((given["data"], given["data"].flip(3)))
    assert_same(net, given, to_onnx.model(net))


def dims(model: Any) -> list[Any]:
    return [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]


def test_a_net_that_mixes_records_keeps_its_batch() -> None:
    text = """
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "flat" type: "Reshape" bottom: "data" top: "flat" reshape_param { shape { dim: 1 dim: 6 } } }
    """
    net = Net.from_text(text, "TEST")
    model = to_onnx.model(net)
    assert dims(model) == [2, 3]
    assert_same(net, {"data": torch.rand(2, 3)}, model)


def test_without_onnx_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("raise ImportError")
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }\n'
    )
    Net.from_file(str(tmp_path / "net.prototxt"), "TEST").save(str(tmp_path / "w.caffemodel"))
    path = f"{tmp_path}{os.pathsep}{ENVIRONMENT.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [program("solver-tools"), "export", "net.prototxt", "--weights", "w.caffemodel", "--to", "net.onnx"],
        cwd=tmp_path, env={**ENVIRONMENT, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and not (tmp_path / "net.onnx").exists()
    assert done.stderr == "error: writing ONNX needs the package onnx: pip install 'solver-train[onnx]'\n"


@pytest.mark.parametrize(
    "text", ['type: "ELU" elu_param { lambda: 2 }', 'type: "Softmax" softmax_param { scaling_temperature: 2 }']
)
def test_settings_of_forks_that_would_get_lost_are_refused(text: str) -> None:
    shape = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } } '
    net = Net.from_text(f'{shape}layer {{ name: "test" bottom: "x" top: "y" {text} }}', "TEST")
    with pytest.raises(ConfigError, match=r"layer 'test' .*: (lambda|scaling_temperature) 2.* cannot be written"):
        to_onnx.model(net)
