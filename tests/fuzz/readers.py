"""Every reader of files that others wrote, as a function of bytes, and the seeds that fuzzing starts from.

The rule: a reader succeeds or raises one errors.Error whose text is one line. Anything else is a finding.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import lmdb
import numpy as np

from solver_cli.caffe_pb2 import Datum, NetParameter, NetState, Phase, SolverParameter
from solver_cli.commands import upgrading
from solver_cli.data import database, decode, hdf5, image, window
from solver_cli.data.crops import Encoded
from solver_cli.data.datum import Datums
from solver_cli.data.pool import Pool
from solver_cli.errors import Error
from solver_cli.formats import blobproto, caffemodel, runstate, solverstate
from solver_cli.net.plan import Planner
from solver_cli.snapshots import archive
from solver_cli.solver import solverspec
from solver_cli.solver.solver import Solver
from solver_cli.solver.solverspec import SolverSpec, read_solver
from solver_cli.text.netspec import NetSpec, filter_layers, insert_splits, read_net

GOLDEN = Path(__file__).parent.parent / "golden"
SOURCE = GOLDEN / "data_layers" / "source"
FOUND = GOLDEN / "fuzz"
LAYERS = 60  # of a net that are planned; the rest of it is only read
HERE = "@FOLDER@"  # stands for the folder of the data in the states of runs
NUMBERS = 1 << 20  # that a net may ask DummyData for: what a net asks for is no fault

POOL = Pool()


@dataclass(frozen=True)
class Reader:
    """`read` takes the content of a file. `text`: seeds are mutated word by word as well."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    text: bool = False


def attempt(reader: Reader, content: bytes) -> str:
    """Read; "" or the error's line. Whatever else is raised is a finding."""
    try:
        reader.read(content)
    except Error as error:
        line = str(error)
        assert line.strip(), "an error without words"
        assert len(line.splitlines()) == 1, f"an error of several lines: {line!r}"
        assert len(line) < 3000, f"an error of {len(line)} characters"
        return line
    return ""


@functools.cache
def _folder() -> Path:
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _file(content: bytes, name: str = "input") -> str:
    path = _folder() / name
    path.write_bytes(content)
    return str(path)


# -- texts ----------------------------------------------------------------------------------------------------------


def read_net_text(content: bytes) -> None:
    """Read, upgrade, filter, and build every layer up to its shapes."""
    _plan(read_net(_file(content)))


def _plan(net: NetSpec) -> None:
    for phase in ("TRAIN", "TEST"):
        spec = net.with_state(NetState(phase=Phase.Value(phase)), NetState())
        planner = Planner(Phase.Value(phase), np.random.default_rng(1), python_layers=False)
        for layer in insert_splits(filter_layers(spec), spec.param)[:LAYERS]:
            if not _greedy(layer.param):
                planner.add(layer)


def _greedy(layer: Any) -> bool:
    shapes = [list(shape.dim) for shape in layer.dummy_data_param.shape]
    old = [max(getattr(layer.dummy_data_param, axis), default=1) for axis in ("num", "channels", "height", "width")]
    return any(np.prod([float(dim) for dim in shape]) > NUMBERS for shape in [*shapes, old])


def read_solver_text(content: bytes) -> None:
    """Read, upgrade, check, and plan the nets inside the solver."""
    spec = read_solver(_file(content))
    solverspec.check(spec)
    _plan(solverspec.train_net(spec))
    for _, net in solverspec.test_nets(spec):
        _plan(net)


@functools.cache
def _runs() -> dict[str, list[bytes]]:
    """The texts of some golden runs: nets and solvers."""
    found: dict[str, list[bytes]] = {"net.prototxt": [], "solver.prototxt": []}
    with tarfile.open(GOLDEN / "solvers.tar.xz", "r|xz") as runs:
        for member in runs:
            texts = found.get(Path(member.name).name)
            if texts is not None and member.size < 6000:
                texts.append(runs.extractfile(member).read())  # type: ignore[union-attr]
                if len(found["net.prototxt"]) == 25:
                    break
    return found


def net_seeds() -> list[bytes]:
    texts = [path.read_bytes() for path in sorted(GOLDEN.glob("upgrade/*.in.prototxt")) if "solver" not in path.name]
    texts += [case["prototxt"].encode() for case in json.loads((GOLDEN / "layers" / "refused.json").read_text())]
    texts += [case["net"].encode() for case in json.loads((GOLDEN / "data_layers" / "cases.json").read_text()).values()]
    return texts + _runs()["net.prototxt"] + _layer_texts()


def _layer_texts() -> list[bytes]:
    """Two nets of every layer type."""
    texts = []
    for path in sorted((GOLDEN / "layers").glob("*.npz")):
        with np.load(path) as arrays:
            cases = json.loads(arrays["cases"].tobytes())
        texts += [str(case["prototxt"]).encode() for case in list(cases.values())[:2]]
    return texts


def solver_seeds() -> list[bytes]:
    texts = [path.read_bytes() for path in sorted(GOLDEN.glob("upgrade/solver*.in.prototxt"))]
    net = b'net_param { layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } } }\n'
    rest = b'base_lr: 0.1 lr_policy: "step" gamma: 0.5 stepsize: 3 max_iter: 9 test_iter: 2 test_interval: 4 random_seed: 1'
    return [*texts, net + rest, *_runs()["solver.prototxt"]]


def upgrade(content: bytes) -> None:
    """What solver-tools upgrade does: nets and solvers in text, weights in binary."""
    upgrading.upgrade_file(_file(content), str(_folder() / "upgraded"))


# -- weights and states ---------------------------------------------------------------------------------------------


def read_weights(content: bytes) -> None:
    caffemodel.read(_file(content))


def read_state(content: bytes) -> None:
    """Read a state, and look for the weights that it names."""
    path = _file(content)
    archive.weights_of(solverstate.read(path), path)


def read_run(content: bytes) -> None:
    """Take up a run whose state is this JSON text, and go one step."""
    text = content.decode("utf-8", "backslashreplace").replace(HERE, str(_folder()))
    try:
        _restore(text)
        _solver().step(1)
    finally:
        _restore(_pristine())


def _restore(text: str) -> None:
    path, history = _folder() / "state", [blob.numpy() for blob in _solver().history]
    solverstate.write(path, solverstate.State(3, "", 0, history, text))
    _solver().restore(str(path))


NET = """
layer { name: "data" type: "Data" top: "data" top: "label" transform_param { mirror: true }
  data_param { source: "%(db)s" batch_size: 2 backend: LMDB } }
layer { name: "rows" type: "HDF5Data" top: "x" top: "cont"
  hdf5_data_param { source: "%(list)s" batch_size: 2 shuffle: true } }
layer { name: "noise" type: "DummyData" top: "noise"
  dummy_data_param { shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "lstm" recurrent_param { num_output: 2 } }
layer { name: "drop" type: "Dropout" bottom: "noise" top: "drop" }
layer { name: "fc" type: "InnerProduct" bottom: "drop" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "s" type: "Reduction" bottom: "fc" top: "s" loss_weight: 1 }
"""


@functools.cache
def _solver() -> Solver:

    folder = _folder()
    with lmdb.open(str(folder / "db"), map_size=1 << 20) as env, env.begin(write=True) as transaction:
        for i in range(5):
            record = Datum(channels=1, height=2, width=2, data=bytes(range(i, i + 4)), label=i)
            transaction.put(b"%03d" % i, record.SerializeToString())
    with h5py.File(folder / "rows.h5", "w") as file:
        file["x"], file["cont"] = np.ones((6, 2, 3), np.float32), np.ones((6, 2), np.float32)
    (folder / "list.txt").write_text(f"{folder / 'rows.h5'}\n")
    text = NET % {"db": folder / "db", "list": folder / "list.txt"}
    param = SolverParameter(base_lr=0.01, lr_policy="fixed", max_iter=5, average_loss=3, random_seed=1, display=1)
    param.solver_mode, param.snapshot_after_train, param.snapshot_prefix = SolverParameter.CPU, False, str(folder / "snap")
    (folder / "net.prototxt").write_text(text)
    param.net = str(folder / "net.prototxt")
    solver = Solver(SolverSpec(param))
    for node in solver.net.nodes:  # no thread that reads ahead: an error comes out where it arises
        if node.source is not None:
            node.source = getattr(node.source, "_source", node.source)
    return solver


@functools.cache
def _pristine() -> str:
    return runstate.dumps(_solver().parts.state())


def run_seeds() -> list[bytes]:
    _solver().step(2)
    told = {"weights": {"size": 3, "crc32": 5}, "bytes": b"ab"}
    blobs = [(learned.node.name, learned.index) for learned in _solver().net.learned]
    origin = {"type": "SGD", "file": "", "random_seed": 1, "blobs": blobs}
    now = _solver().parts.state()
    states = [_pristine(), runstate.dumps(now), runstate.dumps({**now, "origin": origin}), runstate.dumps(told)]
    return [text.replace(str(_folder()), HERE).encode() for text in states]


@functools.cache
def _ours(hdf5_file: bool) -> bytes:
    """A state with the fields that Caffe skips."""
    path = _folder() / "ours"
    state = solverstate.State(7, "", 1, [np.ones((2, 3), np.float32)], '{"train":{}}')
    (solverstate.write_hdf5 if hdf5_file else solverstate.write)(path, state)
    return path.read_bytes()


def older_state() -> bytes:
    """An HDF5 state as this program once wrote it: what the run says is a text of free length."""
    path = _folder() / "older"
    path.write_bytes(_ours(True))
    with h5py.File(path, "r+") as file:
        said = file["run"][()].decode()
        del file["run"]
        file["run"] = said
    return path.read_bytes()


def _small_weights() -> bytes:
    path, net = _folder() / "small", NetParameter()
    net.layer.add(name="a/b", type="InnerProduct")
    caffemodel.write_hdf5(path, net, [[np.ones((2, 3), np.float32), np.ones(2, np.float32)]])
    return path.read_bytes()


def _formats(*patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted((GOLDEN / "formats").glob(pattern))]


# -- data -----------------------------------------------------------------------------------------------------------


def read_mean(content: bytes) -> None:
    blobproto.read(_file(content))


def read_datum(content: bytes) -> None:
    """One record, read as the first of a batch, beside a whole one, and by itself."""
    whole = Datum(channels=1, height=2, width=2, data=b"abcd", label=3).SerializeToString()
    for force in (None, True, False):
        reader, error = Datums(force, "data_param.source"), None
        for values in ([content], [content, content], [whole, content]):
            try:
                pictures, _ = reader.read(values, "record {}".format)
                taken = POOL.map(pictures.read, range(pictures.count)) if isinstance(pictures, Encoded) else pictures
                assert len(taken) == len(values)
            except Error as found:
                error = found
        if error:
            raise error


def datum_seeds() -> list[bytes]:
    seeds: dict[bytes, None] = {}
    for folder in sorted(SOURCE.glob("*_lmdb")):
        with (
            tempfile.TemporaryDirectory() as copy,  # a process opens a database once, and another test may have it open
            lmdb.open(shutil.copytree(folder, f"{copy}/db"), readonly=True, lock=False) as env,
            env.begin() as transaction,
        ):
            seeds.update((value, None) for _, (_, value) in zip(range(2), transaction.cursor(), strict=False))
    return list(seeds)


def read_image(content: bytes) -> None:
    for colour in (None, True, False):
        decode.decode(content, "picture 'x'", colour, "image_data_param.source")


def image_seeds() -> list[bytes]:
    cv2 = decode.opencv()
    picture = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    kinds = (".bmp", ".tiff", ".webp", ".ppm", ".jp2", ".gif")
    made = [bytes(cv2.imencode(kind, picture)[1]) for kind in kinds if cv2.haveImageWriter("x" + kind)]
    paths = sorted(SOURCE.glob("images/*.*g")) + sorted(SOURCE.glob("images/*/*.*g"))
    return [path.read_bytes() for path in paths] + made


def read_image_list(content: bytes) -> None:
    rows = image.read_list(_file(content))
    import torch

    torch.tensor([label for _, label in rows], dtype=torch.float32)
    for name, _ in rows[:2]:
        decode.read_file(f"{SOURCE}/images/{name}", "image_data_param.source")


def read_window_file(content: bytes) -> None:
    """Read the windows, and cut the first of them out of golden pictures."""
    from numpy.random import default_rng

    from solver_cli.caffe_pb2 import LayerParameter

    layer = LayerParameter(name="w", type="WindowData", top=["data", "label"])
    param = layer.window_data_param
    param.source, param.root_folder, param.batch_size = _file(content), f"{SOURCE}/images/", 4
    layer.transform_param.crop_size = 6
    for pad, mode in ((0, "warp"), (2, "warp"), (1, "square")):
        param.context_pad, param.crop_mode = pad, mode
        source = window.WindowData(layer, True, default_rng(1))
        try:
            source.next_batch()
        finally:
            source.close()


def read_hdf5_list(content: bytes) -> None:
    """Read a list, whose files are looked for beside the golden ones, and the first files on it."""
    here, path = Path.cwd(), _file(content)
    os.chdir(SOURCE)
    try:
        for name in hdf5.read_list(path)[:3]:
            hdf5.read_file(name, ["data"])
    finally:
        os.chdir(here)


def read_hdf5_data(content: bytes) -> None:
    """The golden files' datasets, and members that are none: an error if none can be read."""
    errors, path = [], _file(content)
    for names in (["data", "label"], ["data"], ["."], ["data/x"]):
        try:
            hdf5.read_file(path, names)
        except Error as found:
            errors.append(found)
    if len(errors) == 4:
        raise errors[0]


def _small_data() -> bytes:

    with h5py.File(_folder() / "small.h5", "w") as file:
        file["data"], file["label"] = np.ones((2, 3), np.float32), np.arange(2.0)
    return (_folder() / "small.h5").read_bytes()


def read_lmdb(content: bytes) -> None:
    """Every record of a database, from the first on and from one in the middle on, and the bytes of their values."""
    folder = _folder() / "pages"
    folder.mkdir(exist_ok=True)
    (folder / "data.mdb").unlink(missing_ok=True)  # a map of it may still be there
    (folder / "data.mdb").write_bytes(content)
    found = database.Lmdb(folder)
    for start in (b"", b"00000030"):
        for key, value in found.records(start):
            assert key >= start
            bytes(value)
    found.check()


def lmdb_seeds() -> list[bytes]:
    """A tree of one leaf; leaves that are alike; and a branch, leaves and large values, of which some pages are free."""
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    seeds = [(SOURCE / "count_lmdb" / "data.mdb").read_bytes()]
    with lmdb.open(str(folder), map_size=1 << 20) as env:
        for size in (300, 3000):  # the later one writes over some of the former
            with env.begin(write=True) as transaction:
                for i in range(0, 60, size // 300):
                    transaction.put(b"%08d" % i, bytes([i]) * size)
            seeds.append((folder / "data.mdb").read_bytes())
    return seeds


def _source(*patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted(SOURCE.glob(pattern))]


READERS: dict[str, Reader] = {
    "net": Reader(read_net_text, net_seeds, text=True),
    "solver": Reader(read_solver_text, solver_seeds, text=True),
    "upgrade": Reader(upgrade, lambda: [*_formats("*.caffemodel"), *solver_seeds()[:10], *net_seeds()[:30]]),
    "caffemodel": Reader(read_weights, lambda: _formats("*.caffemodel")),
    "caffemodel_h5": Reader(read_weights, lambda: [*_formats("*.caffemodel.h5"), *[_small_weights()] * 4]),
    "solverstate": Reader(read_state, lambda: [*_formats("*.solverstate"), _ours(False), b"\x08\5"]),
    "solverstate_h5": Reader(read_state, lambda: [*_formats("*.solverstate.h5"), *[_ours(True)] * 4, *[older_state()] * 2]),
    "runstate": Reader(read_run, run_seeds, text=True),
    "mean": Reader(read_mean, lambda: _source("mean_count.binaryproto", "mean_gray.binaryproto")),
    "datum": Reader(read_datum, datum_seeds),
    "lmdb": Reader(read_lmdb, lmdb_seeds),
    "image": Reader(read_image, image_seeds),
    "image_list": Reader(read_image_list, lambda: _source("list*.txt"), text=True),
    "window_file": Reader(read_window_file, lambda: _source("win*.txt"), text=True),
    "hdf5_list": Reader(read_hdf5_list, lambda: _source("h5*.txt"), text=True),
    "hdf5_data": Reader(read_hdf5_data, lambda: [*_source("h5*.h5"), *[_small_data()] * 4]),
}
