"""`solver-tools draw`: what stands in the drawings."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import cv2
import pytest
from running import NET, call, changed

from solver_cli.commands.tools import tools

SVG = "{http://www.w3.org/2000/svg}"
CONFIGS = Path(__file__).parents[2] / "configs"


def drawn(folder: Path, net: str | Path, *options: str) -> tuple[dict[str, list[str]], dict[tuple[str, str], str], str]:
    """({name: lines of the box}, {(from, to): what the arrow says}, the whole text) of a drawing in Graphviz's language."""
    path = net
    if isinstance(net, str):
        path = folder / "net.prototxt"
        path.write_text(net)
    ended = call(tools, "draw", str(path), "--to", str(folder / "x.dot"), *options)
    assert (ended.code, ended.stdout) == (0, f"wrote {folder}/x.dot\n"), ended.stderr
    text = (folder / "x.dot").read_text()
    nodes = {number: label.split("\\n") for number, label in re.findall(r'(n\d+) \[label="(.*?)", fill', text)}
    arrows = re.findall(r'(n\d+) -> (n\d+) \[label="(.*?)"', text)
    boxes = {lines[0]: lines[1:] for lines in nodes.values()}
    return boxes, {(nodes[a][0], nodes[b][0]): label.strip() for a, b, label in arrows}, text


def test_layers_shapes_and_what_works_in_place(tmp_path: Path) -> None:
    boxes, arrows, _ = drawn(tmp_path, NET)
    assert boxes["conv"] == ["Convolution", "out 4, kernel 3", "+ ReLU"]
    assert "relu" not in boxes
    assert arrows == {("data", "conv"): "3×8×8", ("conv", "ip"): "4×6×6", ("ip", "loss"): "5", ("data", "loss"): ""}


def test_a_blob_that_is_read_before_it_is_changed_is_not_folded(tmp_path: Path) -> None:
    early = 'layer { name: "early" type: "Silence" bottom: "conv" }\nlayer {\n  name: "relu"'
    boxes, arrows, _ = drawn(tmp_path, changed(NET, ('layer {\n  name: "relu"', early)))
    assert boxes["conv"] == ["Convolution", "out 4, kernel 3"]
    assert {("conv", "early"), ("conv", "relu"), ("relu", "ip")} <= set(arrows)


def test_phases(tmp_path: Path) -> None:
    extra = '\nlayer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" include { phase: TEST } }'
    names = {phase: drawn(tmp_path, NET + extra, "--phase", phase)[0] for phase in ("TRAIN", "TEST", "ALL")}
    assert "acc" not in names["TRAIN"]
    assert names["TEST"]["acc"] == ["Accuracy"] and names["ALL"]["acc"] == ["Accuracy", "TEST only"]


def test_each_phase_is_fed_by_its_own_data(tmp_path: Path) -> None:
    _, _, text = drawn(tmp_path, CONFIGS / "cifar10/cifar10_quick_train_test.prototxt")
    assert text.count("TRAIN only") == text.count("\\nbatch 100\\nTRAIN only") == 1
    assert len(re.findall(r"n[01] -> n2 ", text)) == 2


def test_repeated_blocks_of_resnet_are_drawn_once(tmp_path: Path) -> None:
    boxes, arrows, text = drawn(tmp_path, CONFIGS / "resnet50/train_val.prototxt", "--phase", "TRAIN")
    frames = re.findall(r'graph \[label="(.*?)"', text)
    assert frames == [
        *("res2a", "res2b ... res2c: 2 ×", "res3a", "res3b ... res3d: 3 ×"),
        *("res4a", "res4b ... res4f: 5 ×", "res5a", "res5b ... res5c: 2 ×"),
    ]
    assert "res4b_branch2a" in boxes and "res4c_branch2a" not in boxes
    assert arrows["res4a", "res4b_branch2a"] == "1024×14×14" and ("res4b", "res5a_branch1") in arrows
    assert boxes["conv1"][-1] == "+ BatchNorm, Scale, ReLU"
    assert boxes["loss"] == ["SoftmaxWithLoss", "reads label"]
    whole, _, plain = drawn(tmp_path, CONFIGS / "resnet50/train_val.prototxt", "--phase", "TRAIN", "--no-fold")
    assert "res4c_branch2a" in whole and "subgraph" not in plain


def test_blocks_whose_names_do_not_tell_where_they_begin(tmp_path: Path) -> None:
    settings = "inner_product_param {{ num_output: {3} }}"
    layer = 'layer {{ name: "conv4_{0}_{1}" type: "InnerProduct" bottom: "{2}" top: "{0}{1}" ' + settings + " }}\n"
    net = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 } } }\n'
    bottom = "x"
    for block in range(1, 21):
        for part, outputs in (("reduce", 4), ("wide", 6), ("increase", 8)):
            net += layer.format(block, part, bottom, outputs)
            bottom = f"{block}{part}"
    boxes, _, text = drawn(tmp_path, net, "--phase", "TEST")
    assert list(boxes) == ["in", "conv4_1_reduce", "conv4_1_wide", "conv4_1_increase"]
    assert "conv4_1_reduce ... conv4_20_reduce: 20 ×" in text


def test_inception_modules_have_frames(tmp_path: Path) -> None:
    _, _, text = drawn(tmp_path, CONFIGS / "googlenet/train_val.prototxt", "--phase", "TEST", "--rankdir", "LR")
    frames = re.findall(r'graph \[label="(inception_.*?)"', text)
    assert frames == [f"inception_{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
    assert 'label="5x5_reduce\\nConvolution' in text, "without what stands on the frame"
    assert "rankdir=LR" in text


def test_a_net_that_cannot_be_built_is_drawn_without_shapes(tmp_path: Path) -> None:
    net = tmp_path / "bad.prototxt"
    net.write_text(changed(NET, ('type: "SoftmaxWithLoss"', 'type: "Mystery"')))
    ended = call(tools, "draw", str(net), "--phase", "TRAIN", "--to", str(tmp_path / "x.dot"))
    assert ended.code == 0
    assert re.search(
        r"drawn without shapes: .*bad.prototxt:43:3: layer 'loss' \(Mystery\): unknown layer type", ended.stderr
    )
    assert "Mystery" in (tmp_path / "x.dot").read_text()


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
def test_pictures_by_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    for name in ("net.svg", "x.png", "x.pdf"):
        options = [] if name == "net.svg" else ["--to", name]
        assert call(tools, "draw", "net.prototxt", *options).stdout == f"wrote {name}\n"
    assert {">conv<", ">Convolution<", "4×6×6"} <= set(
        re.findall(r">conv<|>Convolution<|4×6×6", Path("net.svg").read_text())
    )
    assert cv2.imread("x.png").mean() > 200
    assert Path("x.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
def test_an_svg_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rankdir: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config, path = CONFIGS / "googlenet/train_val.prototxt", tmp_path / "x.svg"
    assert call(tools, "draw", str(config), "--phase", "TRAIN", "--to", str(path), "--rankdir", rankdir).code == 0
    tree = ET.parse(path)
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert {"inception_4b", "5x5_reduce", "Concat", "192×28×28", "reads label"} <= set(texts)
    boxes = []
    for rect in tree.iter(f"{SVG}rect"):
        if rect.get("rx") == "7":
            x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
            assert x >= 0 and y >= 0 and x + width <= float(tree.getroot().attrib["width"])
            boxes.append((x, y, x + width, y + height))
    assert len(boxes) == 95
    overlaps = [(a, b) for a, b in combinations(boxes, 2) if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
    assert not overlaps


def test_a_word_of_several_forks_has_its_settings(tmp_path: Path) -> None:
    norm = 'layer { name: "n" type: "Normalize" bottom: "conv" top: "n" norm_param { across_spatial: false } }'
    boxes, _, text = drawn(tmp_path, NET + norm)
    assert boxes["n"] == ["Normalize", "across_spatial false"]
    assert re.search(r'label="n\\nNormalize.*fillcolor="#F6F1B5"', text)


def test_names_that_graphviz_would_take_for_something_else(tmp_path: Path) -> None:
    _, _, text = drawn(tmp_path, changed(NET, ('name: "conv"', r'name: "a\"b\\n{|}"')))
    assert r'label="a\"b\\n{|}\nConvolution' in text


def test_what_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    ended = call(tools, "draw", "net.prototxt", "--to", "x.gif")
    assert ended.stderr == "x.gif: a drawing's name ends with .svg, .png, .pdf or .dot, not '.gif'\n"
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = call(tools, "draw", "net.prototxt", "--to", "x.png")
    assert (ended.code, len(ended.stderr.splitlines())) == (1, 1)
    assert "needs Graphviz's program dot on the PATH (apt install graphviz" in ended.stderr
    assert not Path("x.png").exists()
