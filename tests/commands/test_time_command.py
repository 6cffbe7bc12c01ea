"""`solver-tools time` and `devices`: the lines of `caffe time`, and a table and a picture of the layers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from running import NET, Ended, call, changed, write

from solver_cli.commands.tools import tools
from solver_cli.net.net import Net
from solver_cli.passes.pace import multiply_adds
from solver_cli.passes.passes import forward_backward
from solver_cli.passes.timing import ByLayer, whole

PREFIX = re.compile(r"(?m)^[IWE]\d+ \S+ +\d+ (?=[\w.]+:\d+\])")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?(?= ms)")


def timed(*args: str) -> Ended:
    return call(tools, "time", *args)


def table(ended: Ended) -> dict[str, list[str]]:
    """{layer: the cells behind its name} of the table."""
    rows = [re.split(r"  +", line.strip()) for line in ended.stdout.splitlines() if line.startswith("  ")]
    return {row[0]: row[1:] for row in rows}


def test_the_log_is_that_of_caffe(case_folder, golden: Path) -> None:
    """Line by line; the times are our own."""
    case_folder("multi_loss")
    ended = timed("net.prototxt", "--iterations", "4")
    assert ended.code == 0, ended.stderr
    ours, theirs = (
        [NUMBER.sub("#", line) for line in PREFIX.sub("", text).splitlines() if "caffe.cpp" in line]
        for text in (ended.stderr, (golden / "logs/time.txt").read_text())
    )
    initial = [i for i, line in enumerate(theirs) if "Initial loss" in line]
    assert [line for i, line in enumerate(ours) if i not in initial] == [
        line for i, line in enumerate(theirs) if i not in initial
    ]
    assert "Initial loss: " in ours[initial[0]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def test_the_times_add_up(folder: Path) -> None:
    """Every figure of the log is a mean or a sum of others."""
    text = timed("--model", "net.prototxt", "--iterations", "3").stderr
    each = [float(value) for value in re.findall(r"forward-backward time: (\S+) ms", text)]
    layers = {way: sum(map(float, re.findall(rf"\t{way}: (\S+) ms", text))) for way in ("forward", "backward")}
    means = {what: float(value) for what, value in re.findall(r"(Average \S+(?: pass)?|Total Time): (\S+) ms", text)}
    assert len(each) == 3 and min(each) > 0
    assert means["Total Time"] == pytest.approx(sum(each), rel=1e-4)
    assert means["Average Forward-Backward"] == pytest.approx(sum(each) / 3, rel=1e-4)
    assert means["Average Forward pass"] == pytest.approx(layers["forward"], rel=1e-3)
    assert means["Average Backward pass"] == pytest.approx(layers["backward"], rel=1e-3)
    assert layers["forward"] + layers["backward"] <= sum(each) / 3 * 1.01


def test_the_table(folder: Path) -> None:
    ended = timed("net.prototxt", "--iterations", "2", "--table")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("small, TRAIN, on the CPU, a batch of 4: an average iteration, layer by layer\n")
    rows = table(ended)
    assert list(rows)[1:6] == ["data", "conv", "relu", "ip", "loss"]
    assert rows["conv"][0] == "Convolution" and len(rows["conv"]) == 8
    assert sum(float(rows[name][3].removesuffix(" %")) for name in list(rows)[1:6]) == pytest.approx(100, abs=0.5)
    assert "iter/s, " in ended.stdout and "update " in ended.stdout


def test_what_a_layer_takes(folder: Path) -> None:
    """Bytes of learned blobs and of what is left for the way back; the work of products of matrices."""
    net = Net.from_file("net.prototxt", seed=1)
    passes = ByLayer(net)
    passes.look()
    data, conv, relu, ip, loss = passes.layers
    assert (conv.learned, ip.learned, relu.learned) == (4 * (4 * 27 + 4), 4 * (144 * 5 + 5), 0)
    assert data.kept == 4 * (4 * 3 * 8 * 8 + 4)
    assert conv.kept >= 4 * 4 * 4 * 6 * 6
    assert (conv.bottoms, conv.tops) == ([(4, 3, 8, 8)], [(4, 4, 6, 6)])
    assert multiply_adds(conv.node, conv.bottoms, conv.tops) == 4 * 4 * 36 * 27
    assert (conv.products, ip.products, relu.products, loss.products) == (1, 2, 1, 1)  # no gradient of data


def test_layer_by_layer_gives_the_gradients_of_the_whole(case_folder) -> None:
    """What is timed is the pass that training makes: the same loss and gradients, splits included."""
    case_folder("multi_loss")
    (one, other) = (Net.from_file("net.prototxt", seed=3) for _ in range(2))
    passes = ByLayer(one)
    passes.look()
    loss, _ = forward_backward(other, [other.next_batch()])
    assert passes.loss == pytest.approx(float(loss), rel=1e-5)
    for a, b in zip(one.learned, other.learned, strict=True):
        assert (a.blob.grad is None) == (b.blob.grad is None)
        if a.blob.grad is not None:
            torch.testing.assert_close(a.blob.grad, b.blob.grad)
    one.close()
    other.close()


def test_halves(folder: Path) -> None:
    """Layers that can work on bfloat16 leave half as much behind."""
    net = Net.from_file("net.prototxt", seed=1)
    kept = []
    for half in (None, torch.bfloat16):
        passes = ByLayer(net, half)
        passes.look()
        passes.run()
        kept.append(passes.layers[2].kept)
    assert kept[0] == 2 * kept[1] > 0
    ended = timed("net.prototxt", "--iterations", "1", "--precision", "bf16")
    assert ended.code == 0 and [line for line in ended.log if line.startswith("--precision bf16: ")]


def test_weights_stay(folder: Path) -> None:
    net = Net.from_file("net.prototxt", seed=1)
    before = [learned.blob.detach().clone() for learned in net.learned]
    found = whole(net, 2)
    assert min(found.forward, found.backward, found.update) > 0
    assert all(torch.equal(learned.blob, blob) for learned, blob in zip(net.learned, before, strict=True))


def test_a_net_to_test_with_inputs(folder: Path) -> None:
    """No labels, no loss, nothing on the way back."""
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }\n'
    body = NET[NET.index('layer {\n  name: "conv"') : NET.index('layer {\n  name: "loss"')]
    Path("net.prototxt").write_text(f'name: "deploy"\n{data}{body}')
    ended = timed("net.prototxt", "--phase", "TEST", "--iterations", "1", "--table")
    assert (ended.code, ended.stderr) == (0, "")
    assert "deploy, TEST, on the CPU, a batch of 2" in ended.stdout
    assert {len(row) for name, row in table(ended).items() if name in ("conv", "ip")} == {7}  # no FLOP/s on a way back


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_picture(kind: str, folder: Path) -> None:
    pytest.importorskip("matplotlib")
    ended = timed("net.prototxt", "--iterations", "1", "--table", "--picture", f"layers.{kind}")
    assert (ended.code, ended.stderr) == (0, "")
    raw = (folder / f"layers.{kind}").read_bytes()
    if kind == "png":
        assert raw.startswith(b"\x89PNG")
    else:
        texts = re.findall(r">([^<>\n]+)</text>", raw.decode())
        assert {"data", "conv", "relu", "ip", "loss", "ms", "MiB", "forward", "backward", "learned", "kept"} <= set(texts)
        assert "small, TRAIN, on the CPU, a batch of 4" in texts


def test_a_picture_that_cannot_be_written_is_told_before_the_time_is_taken(folder: Path) -> None:
    ended = timed("net.prototxt", "--picture", "no/layers.svg")
    assert ended.code == 1 and len(ended.stderr.splitlines()) == 1 and ended.stderr.startswith("no/layers.svg: the folder '")


def test_a_picture_of_another_kind(folder: Path) -> None:
    """Said before anything is timed."""
    ended = timed("net.prototxt", "--picture", "layers.gif")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == "layers.gif: a picture's name ends with .png or .svg, not '.gif'\n"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "give the net's file"),
        (["net.prototxt", "--iterations", "0"], 2, "expected a whole number from 1"),
        (["net.prototxt", "--phase", "train"], 2, "'train' is not one of"),
        (["gone"], 1, "gone: cannot read net file"),
        (["bad.prototxt"], 1, "bad.prototxt:16:3: layer 'conv' (Convolutoin)"),
    ],
)
def test_what_is_refused(args: list[str], code: int, words: str, folder: Path) -> None:
    Path("bad.prototxt").write_text(changed(NET, ('"Convolution"', '"Convolutoin"')))
    ended = timed(*args)
    assert (ended.code, ended.stdout) == (code, "")
    assert words in ended.complaints[-1]


def test_devices() -> None:
    ended = call(tools, "devices")
    assert (ended.code, ended.stderr) == (0, "")
    *gpus, cpu, software = ended.stdout.splitlines()
    count = torch.cuda.device_count()
    assert [line.partition(":")[0] for line in gpus] == ([f"GPU {i}" for i in range(count)] or ["no GPU"])
    assert re.match(r"CPU: .+, \d+ cores for this process(, [\d.]+ GiB)?; torch uses \d+ threads$", cpu)
    assert software.startswith(f"torch {torch.__version__}, built ")
