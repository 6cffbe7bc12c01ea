"""Whatever a careless user gives: one clear line, the right exit code, and nothing written."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import ENVIRONMENT, NET, SOLVER, Ended, assert_like, call, changed, program, run, write

from solver_cli.caffe_pb2 import BlobProto, Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.commands.train import train

Change = tuple[str, str]

LMDB_NET = changed(
    NET,
    (NET[NET.index('  type: "DummyData"') : NET.index('layer {\n  name: "conv"')],
     '  type: "Data"\n  top: "data"\n  top: "label"\n  data_param {\n    source: "db"\n    batch_size: 4\n    backend: LMDB\n'
     "  }\n}\n"),
)  # fmt: skip
HDF5_NET = changed(
    LMDB_NET,
    ('"Data"', '"HDF5Data"'),
    ("data_param", "hdf5_data_param"),
    ('"db"', '"list.txt"'),
    ("    backend: LMDB\n", ""),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def refused(ended: Ended, expected: str, before: Iterable[Path], code: int = 1) -> None:
    assert ended.code == code
    assert "Traceback" not in ended.stderr
    assert len(ended.complaints) == 1, ended.complaints
    assert_like(ended.complaints[0], expected)
    assert set(Path.cwd().iterdir()) == set(before), "something was written"


def check(expected: str, *options: str, solver: str = "solver.prototxt", saved: Iterable[str] = ()) -> None:
    """`solver-train` on the current folder ends with a line like `expected`, having written nothing but `saved`."""
    before = [*Path.cwd().iterdir(), *map(Path.cwd().joinpath, saved)]
    refused(call(train, solver, *options), expected, before)


def check_usage(expected: str, *options: str) -> None:
    """A wrong command line: usage, one line, exit code 2."""
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == 2
    assert_like(ended.stderr.splitlines()[-1], f"Error: {expected}")


# -- through the real command ---------------------------------------------------------------------------------------


def test_real_command_without_a_file(folder: Path) -> None:
    before = list(folder.iterdir())
    expected = "none.prototxt: cannot read solver file: No such file or directory"
    refused(run("solver-train", "none.prototxt", folder=folder), expected, before)


def test_real_command_with_two_gpus(folder: Path) -> None:
    before = list(folder.iterdir())
    expected = "error: --gpu 0,1: there is no GPU 1: this machine has 0 (leave it out to train on the CPU)"
    refused(run("solver-train", "solver.prototxt", "--gpu", "0,1", folder=folder), expected, before)


def test_real_command_on_a_wrong_net(folder: Path) -> None:
    write(folder, changed(NET, ('"Convolution"', '"Convolutoin"')))
    expected = (
        "net.prototxt:16:3: layer 'conv' (Convolutoin): unknown layer type 'Convolutoin' (did you mean 'Convolution'?)"
    )
    refused(run("solver-train", "solver.prototxt", folder=folder), expected, list(folder.iterdir()))


def test_disk_full(folder: Path) -> None:
    ended = run("bash", "-c", f"ulimit -f 2; exec '{program('solver-train')}' solver.prototxt", folder=folder)
    assert ended.code == 1
    assert ended.complaints == ["snap_iter_2.caffemodel: cannot be written: File too large"]
    assert not list(folder.glob("*snap*")), "a piece of the snapshot was left behind"


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "solver.prototxt: this file says nothing"),
        (b"# only a comment\n", "solver.prototxt: this file says nothing"),
        (b"\x0a\x03\x00\x00abc", "solver.prototxt: this is a binary file, not the text of a solver"),
        (b"\x0a\x03\xff\xfeabc", "solver.prototxt:"),
        (SOLVER.encode("utf-16"), "solver.prototxt: this text is in UTF-16: save it as UTF-8"),
    ],
)  # fmt: skip
def test_not_a_solver(folder: Path, raw: bytes, expected: str) -> None:
    (folder / "solver.prototxt").write_bytes(raw)
    check(expected)


def test_no_solver_at_all() -> None:
    check("none.prototxt: cannot read solver file: No such file or directory", solver="none.prototxt")
    check(".: cannot read solver file: Is a directory", solver=".")
    expected = "net.prototxt:1:1: SolverParameter has no field 'name': this looks like a net, where a solver is expected"
    check(expected, solver="net.prototxt")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + SOLVER.encode(),
        SOLVER.replace("\n", "\r\n").encode(),
        SOLVER.replace("\n", "\r").encode(),
        "# Lösung 解\n".encode() + SOLVER.encode(),
        b"# L\xf6sung\n" + SOLVER.encode(),
        SOLVER.replace("\n", ",\n").encode(),
        SOLVER.replace("\n", "; ").encode(),
        SOLVER.replace(": ", ":").replace('"net.prototxt"', "'net' \".prototxt\"").encode(),
    ],
    ids=["BOM", "CRLF", "CR", "UTF-8", "latin-1", "commas", "semicolons", "string parts"],
)
def test_odd_but_right_text(folder: Path, raw: bytes) -> None:
    (folder / "solver.prototxt").write_bytes(raw)
    ended = call(train, "solver.prototxt")
    assert (ended.code, ended.complaints) == (0, [])
    assert (folder / "snap_iter_2.caffemodel").exists()


def test_net_files(folder: Path) -> None:
    write(folder, solver=changed(SOLVER, ("net.prototxt", "nte.prototxt")))
    check("solver.prototxt:1:1: net file 'nte.prototxt' does not exist")
    write(folder, solver=changed(SOLVER, ("net.prototxt", ".")))
    check("solver.prototxt:1:1: net file '.' is a folder")
    write(folder, solver=changed(SOLVER, ("net.prototxt", "solver.prototxt")))
    check("solver.prototxt:1:1: NetParameter has no field 'net': this looks like a solver, where a net is expected")
    write(folder, net="")
    check("net.prototxt: this file says nothing: expected the text of a net")


def test_net_beside_the_solver_but_not_in_the_working_folder(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    write(inner)
    (folder / "net.prototxt").unlink()
    check("inner/solver.prototxt:1:1: net file 'net.prototxt' does not exist; there is inner/net.prototxt",
          solver="inner/solver.prototxt")  # fmt: skip


# -- the solver's text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("base_lr", "baselr"), "2:1: SolverParameter has no field 'baselr' (did you mean 'base_lr'?)"),
        (("CPU", "CPUU"), "6:14: 'CPUU' is no SolverParameter.SolverMode: expected CPU, GPU (did you mean 'CPU'?)"),
        (("CPU", '"CPU"'), '6:14: "CPU" is a text, but a SolverParameter.SolverMode is a name without quotes'),
        (("0.1", "nan"), "2:1: base_lr is not a number"),
        (("0.1", "O.1"), "2:10: expected a number, not 'O'"),
        (("max_iter: 2", "max_iter: 2.5"), "4:11: expected a whole number, not '2.5'"),
        (("max_iter: 2", "max_iter: 20000000000"), "4:11: 20000000000 is out of range"),
        (("max_iter: 2", "max_iter: 2\nmax_iter: 3"), "5:11: field 'max_iter' of SolverParameter is set twice"),
        (("max_iter: 2", "max_iter = 2"), '4:10: Expected ":"'),
        (("max_iter: 2", "train_state {\nmax_iter: 2"), "5:1: NetState has no field 'max_iter': is a '}' missing ... 4:13?"),
        (("random_seed: 1\n", "random_seed: 1\n}"), "8:1: there is a '}' too many"),
        (("net:", "// a comment\nnet:"), "1:1: expected a field's name, not '/': a comment begins with #"),
        (("fixed", "fixde"), "3:1: unknown lr_policy 'fixde': expected one of fixed, step, ... (did you mean 'fixed'?)"),
        (('lr_policy: "fixed"\n', ""), "lr_policy is missing: expected one of fixed, step"),
        (("fixed", "step"), "3:1: lr_policy 'step' needs a stepsize above 0, not 0"),
        (("max_iter", 'type: "Adma"\nmax_iter'), "4:1: unknown solver type 'Adma' ... (did you mean 'Adam'?)"),
        (("max_iter", "iter_size: 0\nmax_iter"), "4:1: iter_size must be 1 or more, not 0"),
        (("max_iter", "average_loss: 0\nmax_iter"), "4:1: average_loss must be 1 or more, not 0"),
        (("max_iter", 'type: "RMSProp" momentum: 0.9\nmax_iter'), "4:17: RMSProp knows no momentum"),
        (("max_iter", 'weight_decay: 1 regularization_type: "L3"\nmax_iter'), "4:17: unknown regularization_type 'L3'"),
        (("max_iter", 'solver_type: ADAM type: "SGD"\nmax_iter'), "4:1: solver_type and type are both set"),
        (("max_iter", "test_iter: 2\nmax_iter"), "4:1: test_iter asks for tests, but test_interval is 0"),
        (("max_iter", 'train_net: "net.prototxt"\nmax_iter'), "4:1: more than one train net: net, train_net"),
        (('net: "net.prototxt"\n', ""), "no train net; give exactly one of net, net_param"),
        (('"snap"', '"no/such/snap"'), "5:1: cannot write snapshots to 'no/such/snap': the folder 'no/such' does not exist"),
        (("max_iter", 'weights: "a,,b"\nmax_iter'), ""),
    ],
)  # fmt: skip
def test_solver_text(folder: Path, change: Change, expected: str) -> None:
    write(folder, solver=changed(SOLVER, change))
    check("a: no such file" if not expected else f"solver.prototxt:...{expected}")


def test_unclosed_message_names_its_brace(folder: Path) -> None:
    write(folder, solver=SOLVER + "train_state {\n  level: 1\n")
    check("solver.prototxt:8:13: the file ends inside a message: a '}' is missing")


def test_read_only_snapshot_folder(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (folder / "locked").mkdir()
    (folder / "locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    write(folder, solver=changed(SOLVER, ('"snap"', '"locked/snap"')))
    check("solver.prototxt:5:1: cannot write snapshots to 'locked/snap': the folder 'locked' is not writable")


# -- the net's text -------------------------------------------------------------------------------------------------

AFTER_IP = 'layer {\n  name: "loss"'


def inserted(layer: str) -> Change:
    """A layer between `ip` and `loss`, at line 41."""
    return AFTER_IP, f"layer {{ {layer} }}\n{AFTER_IP}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("num_output: 4", "num_outputs: 4"), "20:5: ConvolutionParameter has no field 'num_outputs' (did you mean 'num_output'?)"),
        (("kernel_size: 3", "kernel_size: 3 engine: CUDA"), "21:28: 'CUDA' is no ConvolutionParameter.Engine: expected DEFAULT, CAFFE, CUDNN"),
        (('"conv"\n', '"conv\n'), "15:9: String without its closing quote: '\"conv'"),
        (('"xavier"', "xavier"), "22:27: expected a text in quotes, not 'xavier'"),
        (('"xavier" }\n  }', '"xavier" }'), "24:1: LayerParameter has no field 'layer': is a '}' missing ... 14:7?"),
        (('layer {\n  name: "conv"', 'layers {\n  name: "conv"'), '16:9: "Convolution" is a text... write `layer`, not `layers`'),
        (('  type: "ReLU"\n', ""), "25:1: layer 'relu' (): has no type"),
        (('"ReLU"', '"relu"'), "27:3: layer 'relu' (relu): unknown layer type 'relu' (did you mean 'ReLU'?)"),
        (('"ReLU"', '"Pythin"'), "27:3: layer 'relu' (Pythin): unknown layer type 'Pythin'"),
        (('"xavier"', '"xaviar"'), "layer 'conv' (Convolution): ... 'xaviar' (did you mean 'xavier'?)"),
        (('bottom: "ip"', 'bottom: "ipp"'), "44:3: layer 'loss' (SoftmaxWithLoss): unknown bottom blob 'ipp' (bottom 0): ...(did you mean 'ip'?)"),
        (('bottom: "label"', 'bottom: "target"'), "45:3: ...unknown bottom blob 'target' (bottom 1): no layer before it has such a top (made so far: data, label, conv, ip)"),
        (('bottom: "conv"\n  top: "ip"', 'bottom: "loss"\n  top: "ip"'), "layer 'ip' (InnerProduct): unknown bottom blob 'loss' (bottom 0): layer 'loss' makes it, but only after this one"),
        (('  bottom: "label"\n', ""), "44:3: layer 'loss' (SoftmaxWithLoss): takes 2 ...bottom blob(s), not 1"),
        (inserted('name: "r" type: "ReLU" bottom: "ip" top: "label"'), "41:...layer 'r' (ReLU): top blob 'label' is made by more than one layer"),
        (inserted('name: "e" type: "Eltwise" bottom: "ip" bottom: "data" top: "e"'), "41:...layer 'e' (Eltwise): bottom 1 of shape (4, 3, 8, 8) differs from bottom 0 of shape (4, 5)"),
        (inserted('name: "c" type: "Concat" bottom: "ip" bottom: "data" top: "c"'), "41:...layer 'c' (Concat): bottom 1 of shape (4, 3, 8, 8) does not fit"),
        (inserted('name: "p" type: "Pooling" bottom: "ip" top: "p" pooling_param { kernel_size: 2 }'), "41:...layer 'p' (Pooling): ...(4, 5)"),
        (inserted('name: "s" type: "Slice" bottom: "ip" top: "a" top: "b"'), "41:...layer 's' (Slice): axis 1 of a bottom of shape (4, 5) is not divisible by 2"),
        (inserted('name: "r" type: "Reshape" bottom: "ip" top: "r" reshape_param { shape { dim: 3 dim: -1 } }'), "41:...layer 'r' (Reshape): ...(4, 5)...(3, -1)"),
        (inserted('name: "a" type: "Accuracy" bottom: "ip" bottom: "label" top: "a" accuracy_param { top_k: 7 }'), "41:...layer 'a' (Accuracy): top_k 7 is more than the 5 classes"),
        (("shape { dim: 4 }", "shape { dim: 3 }"), "layer 'loss' (SoftmaxWithLoss): ...(4, 5)...(3,)"),
        (("kernel_size: 3", "kernel_size: 30"), "21:5: layer 'conv' (Convolution): kernel 30 x 30 is larger than the padded input 8 x 8"),
        (("    kernel_size: 3\n", ""), "19:3: layer 'conv' (Convolution): ...kernel_size"),
        (("kernel_size: 3", "kernel_size: 3 kernel_h: 2 kernel_w: 2"), "21:...layer 'conv' (Convolution): ...kernel_size...kernel_h"),
        (("num_output: 4", "num_output: 0"), "20:5: layer 'conv' (Convolution): num_output must be positive"),
        (("num_output: 4", "num_output: -4"), "20:17: -4 is out of range: expected 0 or more"),
        (("num_output: 5", "num_output: 0"), "37:5: layer 'ip' (InnerProduct): num_output must be positive"),
        (("kernel_size: 3", "kernel_size: 3 stride: 0"), "21:20: layer 'conv' (Convolution): stride"),
        (("kernel_size: 3", "kernel_size: 3 group: 2"), "21:20: layer 'conv' (Convolution): group 2 must divide the 3 input channels"),
        (("kernel_size: 3", "kernel_size: 3 pad: -1"), "21:25: -1 is out of range: expected 0 or more"),
        (("kernel_size: 3", "kernel_size: 3 bias_term: maybe"), '21:31: Expected "true" or "false"'),
        (("dim: 4 dim: 3", "dim: -1 dim: 3"), "8:5: layer 'data' (DummyData): every size must be 1 or more, not -1 x 3 x 8 x 8"),
        (("dim: 4 dim: 3", "dim: 0 dim: 3"), "layer 'data' (DummyData): every size must be 1 or more, not 0 x 3 x 8 x 8"),
        (inserted('name: "r" type: "ReLU" bottom: "ip" top: ""'), "41:...layer 'r' (ReLU): top 0 has no name"),
        (("num_output: 5", "num_output: 2000000000"), "31:1: layer 'ip' (InnerProduct): top 0 of shape (4, 2000000000) has more values than a blob may"),
        (("  inner_product_param", "  param {} param {} param {}\n  inner_product_param"), "36:3: layer 'ip' (InnerProduct): has 3 param entries for 2 learned blobs"),
        (('  name: "ip"', '  name: "ip" param { name: "w" }'), ""),
        (('  top: "loss"', '  top: "loss" loss_weight: 1 loss_weight: 1'), "layer 'loss' (SoftmaxWithLoss): loss_weight is given 2 times for 1 top"),
        (('  top: "loss"', '  top: "loss" propagate_down: true'), "layer 'loss' (SoftmaxWithLoss): propagate_down is given 1 times for 2 bottoms"),
        (('  name: "relu"', '  name: "relu" include { phase: TRAIN } exclude { phase: TEST }'), "layer 'relu' (ReLU): specify either include rules or exclude rules"),
        (('  name: "relu"', '  name: "relu" include { phase: TRIAN }'), "26:33: 'TRIAN' is no Phase: expected TRAIN, TEST (did you mean 'TRAIN'?)"),
        (("value: 1", "value: 5"), "41:1: layer 'loss' (SoftmaxWithLoss): label 5 of item 0 of the batch ... is not in 0..4: there are 5 classes"),
        (("value: 1", "value: -1"), "41:1: layer 'loss' (SoftmaxWithLoss): label -1 of item 0"),
    ],
)  # fmt: skip
def test_net_text(folder: Path, change: Change, expected: str) -> None:
    net = changed(NET, change)
    if not expected:
        net = changed(net, ('  name: "conv"', '  name: "conv" param { name: "w" }'))
        expected = (
            "layer 'ip' (InnerProduct): cannot share param 'w' of layer 'conv': its shape is 4 3 3 3 (108), here 5 144"
        )
    write(folder, net)
    check(f"net.prototxt:...{expected}")


def test_layer_left_out_by_its_phase(folder: Path) -> None:
    net = changed(NET, ('  name: "data"', '  name: "data"\n  include { phase: TRAIN }'))
    write(folder, net, SOLVER + "test_iter: 1 test_interval: 1\n")
    check("net.prototxt:18:3: layer 'conv' (Convolution): unknown bottom blob 'data' (bottom 0): layer 'data' makes it, but its "
          "include or exclude rules leave it out of this TEST net")  # fmt: skip


def test_unclosed_layer_names_its_brace(folder: Path) -> None:
    write(folder, NET.rstrip()[:-1])
    check("net.prototxt:41:7: the file ends inside a message: a '}' is missing")


# -- accepted, but hardly meant: a warning --------------------------------------------------------------------------

ONLY_DATA = NET[: NET.index('layer {\n  name: "conv"')]
NO_LOSS = NET[: NET.index('layer {\n  name: "loss"')]
FIXED = "param { lr_mult: 0 } param { lr_mult: 0 } "


@pytest.mark.parametrize(
    ("net", "solver", "expected"),
    [
        (ONLY_DATA, SOLVER, "net.prototxt: no layer of the train net gives a loss: nothing is learned"),
        (NO_LOSS, SOLVER, "net.prototxt: no layer of the train net gives a loss: nothing is learned"),
        (NET.replace("  type:", "  include { phase: TEST } type:"), SOLVER, "solver.prototxt: the train net has no layers"),
        (NET.replace("  type:", "  include { phase: TRAIN } type:"), SOLVER + "test_iter: 1 test_interval: 1",
         "solver.prototxt: test net #0 has no layers"),
        (changed(NET, ("  convolution_param", FIXED + "convolution_param"), ("  inner", FIXED + "inner")), SOLVER,
         "net.prototxt: no layer of the train net has weights to learn"),
        (changed(NET, ('name: "ip"', 'name: "conv"')), SOLVER, "net.prototxt:32:3: another layer is called 'conv' too"),
        (changed(NET, ('"ReLU"', '"ReLU" pooling_param {}')), SOLVER, "net.prototxt:27:16: layer 'relu' (ReLU): pooling_param has no effect"),
        (NET, changed(SOLVER, ("max_iter: 2\n", "")), "solver.prototxt:1:1: max_iter is missing, so 0: there are no iterations"),
        (NET, changed(SOLVER, ("max_iter: 2", "max_iter: -2")), "solver.prototxt:4:1: max_iter is -2: there are no iterations"),
        (NET, changed(SOLVER, ("base_lr: 0.1\n", "")), "solver.prototxt:1:1: base_lr is missing, so 0: the weights do not change"),
        (NET, changed(SOLVER, ("CPU", "GPU")), "solver_mode is GPU, but there is no GPU here: training on the CPU"),
    ],
)  # fmt: skip
def test_warned(folder: Path, monkeypatch: pytest.MonkeyPatch, net: str, solver: str, expected: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    write(folder, net, solver)
    ended = call(train, "solver.prototxt")
    assert (ended.code, ended.complaints) == (0, [])
    (warning,) = [line for line in ended.stderr.splitlines() if line.startswith("W")]
    assert_like(warning.partition("] ")[2], expected)


# -- data -----------------------------------------------------------------------------------------------------------


def database(folder: Path, shapes: list[tuple[int, int, int]], labels: dict[int, int] | None = None) -> None:
    """An LMDB `db` of black pictures, one for each shape, all of label 0 but for `labels`."""
    records = []
    for i, (channels, height, width) in enumerate(shapes):
        label = (labels or {}).get(i, 0)
        datum = Datum(channels=channels, height=height, width=width, data=bytes(channels * height * width), label=label)
        records.append((b"%08d" % i, datum.SerializeToString()))
    write_lmdb(folder / "db", records)
    write(folder, LMDB_NET)


@pytest.mark.parametrize(
    ("shapes", "labels", "expected"),
    [
        (None, {}, "8:5: layer 'data' (Data): db: no such database"),
        ([], {}, "8:5: layer 'data' (Data): db: the database holds no records"),
        ([(3, 8, 8)] * 5 + [(3, 9, 8)], {}, "layer 'data' (Data): record '00000005' of db gives 3 x 9 x 8, but record ... 3 x 8 x 8"),
        ([(3, 8, 8)] * 6, {5: 7}, "layer 'loss' (SoftmaxWithLoss): label 7 of item 1 of the batch ... is not in 0..4: there are 5 classes"),
    ],
)  # fmt: skip
def test_database(folder: Path, shapes: list[tuple[int, int, int]] | None, labels: dict[int, int], expected: str) -> None:
    write(folder, LMDB_NET)
    if shapes is not None:
        database(folder, shapes, labels)
    second = shapes is not None and len(shapes) == 6  # the first batch is good: its iteration is saved
    check(f"net.prototxt:...{expected}", saved=["snap_iter_1.caffemodel", "snap_iter_1.solverstate"] if second else [])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("batch_size: 4", "batch_size: 0"), "9:5: layer 'data' (Data): batch_size must be 1 or more, not 0"),
        (('    source: "db"\n', ""), "layer 'data' (Data): source is not set"),
        (("    backend: LMDB\n", ""), "layer 'data' (Data): "),
        (('"db"', '"net.prototxt"'), "layer 'data' (Data): net.prototxt: is a file, not the folder of a database"),
        (('"db"', '"."'), "layer 'data' (Data): .: not an LMDB"),
        (("  data_param", "  transform_param { crop_size: 9 }\n  data_param"), "7:21: layer 'data' (Data): crop_size 9 is larger than record '00000000' of db, which is 8 x 8"),
        (("  data_param", "  transform_param { mean_value: 1 mean_value: 2 }\n  data_param"), "layer 'data' (Data): 2 mean values for ...3 channels"),
        (("  data_param", '  transform_param { mean_file: "none" }\n  data_param'), "7:21: layer 'data' (Data): none: No such file"),
        (("  data_param", '  transform_param { mean_file: "garbage" }\n  data_param'), "7:21: layer 'data' (Data): garbage: not a BlobProto file"),
        (("  data_param", '  transform_param { mean_file: "mean" }\n  data_param'), "7:21: layer 'data' (Data): the mean file is 3 x 9 x 8, record '00000000' of db is 3 x 8 x 8"),
    ],
)  # fmt: skip
def test_data_settings(folder: Path, change: Change, expected: str) -> None:
    database(folder, [(3, 8, 8)] * 6)
    write(folder, changed(LMDB_NET, change))
    (folder / "garbage").write_bytes(b"garbage\0\xff")
    mean = BlobProto(num=1, channels=3, height=9, width=8, data=[0.0] * 216)
    (folder / "mean").write_bytes(mean.SerializeToString())
    check(f"net.prototxt:...{expected}")


def test_database_of_something_else(folder: Path) -> None:
    write_lmdb(folder / "db", [(b"a", b"no datum at all")])
    write(folder, LMDB_NET)
    check("net.prototxt:8:5: layer 'data' (Data): record 'a' of db is not a Datum")
    (folder / "db" / "data.mdb").write_bytes(b"garbage" * 1000)
    check("net.prototxt:8:5: layer 'data' (Data): db: cannot be opened as an LMDB")


@pytest.mark.parametrize(
    ("listed", "datasets", "expected"),
    [
        (None, {}, "8:5: layer 'data' (HDF5Data): list.txt: No such file"),
        ("\n", {}, "8:5: layer 'data' (HDF5Data): list.txt: the list names no HDF5 file"),
        ("none.h5", {}, "layer 'data' (HDF5Data): list.txt:1: none.h5: no such file"),
        ("net.prototxt", {}, "layer 'data' (HDF5Data): net.prototxt: not an HDF5 file"),
        ("a.h5", {"data": (8, 3, 8, 8), "labels": (8,)}, "layer 'data' (HDF5Data): a.h5: no dataset 'label' (it holds 'data', 'labels')"),
        ("a.h5", {"data": (8, 3, 8, 8), "label": (7,)}, "layer 'data' (HDF5Data): a.h5: the datasets differ in their number of rows: 'data' 8, 'label' 7"),
        ("a.h5", {"data": (0, 3, 8, 8), "label": (0,)}, "layer 'data' (HDF5Data): a.h5: the datasets have no rows"),
    ],
)  # fmt: skip
def test_hdf5_data(folder: Path, listed: str | None, datasets: dict[str, tuple[int, ...]], expected: str) -> None:
    write(folder, HDF5_NET)
    if listed is not None:
        (folder / "list.txt").write_text(listed)
    with h5py.File(folder / "a.h5", "w") as file:
        for name, shape in datasets.items():
            file[name] = np.zeros(shape, np.float32)
    check(f"net.prototxt:...{expected}")


# -- weights and states ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with snapshots of the small net, binary and HDF5."""
    folder = tmp_path_factory.mktemp("snapshots")
    write(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for form in ("BINARYPROTO", "HDF5"):
            assert call(train, "solver.prototxt", "--set", f"snapshot_format={form}").code == 0
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize("suffix", ["", ".h5"])
def test_weights_and_state_taken_for_each_other(snapshots: Path, suffix: str) -> None:
    weights, state = (f"{snapshots}/snap_iter_2.{kind}{suffix}" for kind in ("caffemodel", "solverstate"))
    check(f"{weights}: holds weights (a .caffemodel), not a solver state (a .solverstate): give it as --weights",
          "--snapshot", weights)  # fmt: skip
    check(f"{state}: holds a solver state (a .solverstate), not weights (a .caffemodel): give it as --snapshot",
          "--weights", state)  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".h5"])
def test_weights_of_another_shape(folder: Path, snapshots: Path, suffix: str) -> None:
    write(folder, changed(NET, ("num_output: 5", "num_output: 6")))
    weights = f"{snapshots}/snap_iter_2.caffemodel{suffix}"
    check(f"{weights}: layer 'ip', blob 0: its shape is 5 144 (720) in the file, 6 144 (864) in the net (net.prototxt:31:1): "
          "rename the layer", "--weights", weights)  # fmt: skip


def test_weights_with_another_number_of_blobs(folder: Path, snapshots: Path) -> None:
    write(folder, changed(NET, ("num_output: 5", "num_output: 5 bias_term: false")))
    weights = f"{snapshots}/snap_iter_2.caffemodel"
    check(f"{weights}: layer 'ip' has 2 blob(s) in the file, the net's (net.prototxt:31:1) has 1", "--weights", weights)


def test_history_of_another_solver(folder: Path, snapshots: Path) -> None:
    state = f"{snapshots}/snap_iter_2.solverstate"
    write(folder, solver=changed(SOLVER, ("max_iter", 'type: "Adam"\nmax_iter')))
    check(f"{state}: its history is one of SGD (solver.prototxt), not of Adam: resume with --set type=SGD", "--snapshot", state)
    write(folder, changed(NET, ("num_output: 5", "num_output: 6")))
    check(f"{state}: history blob 2 has the shape 5 144 (720), the net's is 6 144 (864)", "--snapshot", state)


def test_state_without_its_weights(folder: Path, snapshots: Path) -> None:
    (folder / "s.solverstate").write_bytes((snapshots / "snap_iter_2.solverstate").read_bytes())
    check("s.solverstate: its weights file 'snap_iter_2.caffemodel' does not exist", "--snapshot", "s.solverstate")


@pytest.mark.parametrize(("option", "kind"), [("--weights", "caffemodel"), ("--snapshot", "solverstate")])
def test_damaged_files(folder: Path, snapshots: Path, option: str, kind: str) -> None:
    check("none: no such file", option, "none")
    check("net.prototxt: holds text, not ", option, "net.prototxt")
    check(".: cannot be read: Is a directory", option, ".")
    (folder / "file").write_bytes(b"")
    check("file: the file is empty", option, "file")
    for garbage in (b"\xff" * 1000, bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n\0\0\0"):
        (folder / "file").write_bytes(garbage)
        check("file: holds ..., not ", option, "file")
    for suffix in ("", ".h5"):
        whole = (snapshots / f"snap_iter_2.{kind}{suffix}").read_bytes()
        for size in (len(whole) // 2, len(whole) - 1):
            (folder / "file").write_bytes(whole[:size])
            check("file: ...copy it again", option, "file")


def test_weights_that_the_solver_names(folder: Path, snapshots: Path) -> None:
    write(folder, solver=SOLVER + 'weights: "none.caffemodel"\n')
    check("none.caffemodel: no such file")
    write(folder, solver=SOLVER + f'weights: "{snapshots}/snap_iter_2.caffemodel,"\n')
    check("solver.prototxt:8:1: weights '...' has an empty file name beside a comma")


# -- options --------------------------------------------------------------------------------------------------------


def test_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    check("error: --gpu 0: there is no GPU 0: this machine has 0 (leave it out to train on the CPU)", "--gpu", "0")
    check("error: --gpu all: there is no GPU", "--gpu", "all")
    check("error: --gpu 0,1: there is no GPU 1: this machine has 0", "--gpu", "0,1")
    check("error: --gpu 1,1: names a GPU twice", "--gpu", "1,1")
    check("error: --gpu x: expected numbers separated by commas, or all", "--gpu", "x")
    check("error: --gpu -1: a GPU's number is 0 or more", "--gpu", "-1")


def test_options_that_exclude_each_other() -> None:
    check_usage(
        "give --snapshot to resume training or --weights to finetune, but not both", "--snapshot", "a", "--weights", "b"
    )
    check_usage("give --gpu or --cpu, but not both", "--gpu", "0", "--cpu")
    check_usage("--ranks goes with --cpu; on GPUs --gpu 0,1 names them, a rank each", "--ranks", "2")
    check_usage("No such option", "--iterations", "5")


@pytest.mark.parametrize("option", ["--level", "--keep", "--micro-batch"])
@pytest.mark.parametrize("value", ["x", "99999999999", "1.5", "", "٣"])
def test_numbers_that_are_none_or_too_large(option: str, value: str) -> None:
    check_usage(f"Invalid value for '{option}': '{value}': expected a whole number from ", option, value)


@pytest.mark.parametrize("value", ["x", "9" * 400 + "T", "0G", "-1G", "nan"])
def test_amounts_of_memory_that_are_none(value: str) -> None:
    check_usage("...expected an amount of memory, such as 4G or 512M", "--fit", "--memory", value)


def test_names_that_are_not_utf_8() -> None:
    """As the system hands on bytes of the command line that are no text."""
    for option in ("--stage", "--weights", "--snapshot", "--set"):
        check_usage("...these bytes are not UTF-8", option, "caf\udce9=1")
    ended = call(train, "caf\udce9.prototxt")
    assert ended.code == 2 and "these bytes are not UTF-8: rename the file" in ended.stderr


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["--solver=solver.prototxt"], "the solver file is an argument without a name"),
        (["-solver", "solver.prototxt", "-gpu", "0"], "the solver file is an argument without a name"),
        (["train", "solver.prototxt"], "'train' is what `caffe` is told; here it is left out"),
        (["solver.prototxt", "-gpu", "0"], "-gpu: options have two dashes here: --gpu"),
        (["solver.prototxt", "--max_iter", "100"], "--max_iter: this is a field of the solver file; --set max_iter="),
        (["solver.prototxt", "--base_lr=0.1"], "--set base_lr=0.1 sets it for this run"),
    ],
)
def test_what_is_typed_for_caffe_is_explained(args: list[str], hint: str) -> None:
    ended = call(train, *args)
    assert ended.code == 2 and hint in " ".join(ended.stderr.split())


def test_streams_that_are_closed_or_full(tmp_path: Path) -> None:
    """Daemons start programs without a stderr; /dev/full is a disk without room."""
    write(tmp_path)
    for command, code in (
        ("solver-train solver.prototxt 2>&- >&- <&-", 0),
        ("solver-tools layers >/dev/full", 1),
        ("solver-tools plan solver.prototxt >/dev/full", 1),
        ("solver-train solver.prototxt 2>/dev/full", 0),
    ):
        ended = subprocess.run(command, shell=True, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        assert ended.returncode == code, command
        wanted = "error: cannot write to the standard output: No space left on device\n" if code else ""
        assert ended.stderr == wanted, command
    assert (tmp_path / "snap_iter_2.caffemodel").exists()


def test_a_quiet_log() -> None:
    options = "solver.prototxt", "--set", "display=1"
    full, quiet = call(train, *options), call(train, *options, "--quiet")
    assert len(full.log) > 2 * len(quiet.log)
    results = "Iteration ", "    Train net", "Snapshotting", "Optimization Done."
    wanted = [line for line in full.log if line.startswith(results)]
    assert [line.partition(" (")[0] for line in quiet.log] == [line.partition(" (")[0] for line in wanted[:-1]]


def test_glog_says_from_which_level_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "1")
    ended = call(train, "solver.prototxt")
    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("momentum", "expected field=value, such as momentum=0.99"),
        ("=3", "expected field=value"),
        ("momentun=1", "SolverParameter has no field 'momentun' (did you mean 'momentum'?)"),
        ("momentum=abc", "expected a number, not 'abc'"),
        ("max_iter=1.5", "expected a whole number, not '1.5'"),
        ("max_iter=", "expected a whole number"),
        ("max_iter=1 base_lr: 3", "'1 base_lr: 3' is not one value"),
        ("solver_mode=CPPU", "'CPPU' is no SolverParameter.SolverMode: expected CPU, GPU (did you mean 'CPU'?)"),
        ("train_state.lvel=2", "NetState has no field 'lvel' (did you mean 'level'?)"),
        ("max_iter.x=1", "'max_iter' has no fields inside it"),
        ("net_param.layer.name=a", "'layer' is repeated"),
    ],
)
def test_settings_refused(setting: str, expected: str) -> None:
    check_usage(f"Invalid value for '--set': '{setting}': {expected}", "--set", setting)


def test_settings(folder: Path) -> None:
    settings = {
        "train_state.level": "1",
        "test_iter": "1,2",
        "test_interval": "2",
        "solver_mode": "CPU",
        "snapshot_prefix": 'a "b"',
        "momentum": "0.5",
    }
    options = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    ended = call(train, "solver.prototxt", *options)
    assert (ended.code, ended.complaints) == (0, [])
    assert sum("Testing net (#1)" in line for line in ended.log) == 2
    assert (folder / 'a "b"_iter_2.caffemodel').exists()
    assert "momentum: 0.5" in ended.stderr.splitlines()
