"""Pictures a second of the data layers alone, beside a plain DataLoader and beside a bare loop of the decoder.

    python benchmarks/data.py [--records 400] [--rounds 5]

An LMDB of raw 256 x 256 x 3 Datums, cropped to 227, mirrored, less the mean; the same as JPEG records and as files. The
DataLoader reads the same LMDB, parses with the same protobuf and transforms with torchvision (where that cannot be imported,
with the same written out in torch). Batches of 64, every case in a process of its own, all in turn, medians of the rounds;
`per core`: pictures for each second of CPU time of all threads of the process.

`kept`: the C library keeps freed memory, as `solver-train` has it when it trains on a CPU, and a convolution reads the data,
with its channels last. `for a GPU`: what is left to the
CPU when batches are for a GPU, crops of bytes, in the same memory again and again, as torch gives out pinned memory; the
rest is the GPU's.
"""

from __future__ import annotations

import argparse
import functools
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import lmdb
import numpy as np
import torch
from layers import machine
from torch.utils.data import DataLoader, Dataset

from solver_cli import Net
from solver_cli.caffe_pb2 import Datum
from solver_cli.data import crops, transform
from solver_cli.net.layout import keep_memory, lay_out

try:
    from torchvision.transforms import v2
except (ImportError, RuntimeError):  # a build that does not go with torch's
    v2 = None

BATCH, SIDE, CROP = 64, 256, 227
MEAN = (104.0, 117.0, 123.0)
TRANSFORM = f"transform_param {{ crop_size: {CROP} mirror: true mean_value: 104 mean_value: 117 mean_value: 123 }}"
LMDB = f"""layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }} {TRANSFORM}
  data_param {{ source: "%s" batch_size: {BATCH} backend: LMDB }} }}"""
FILES = f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label" include {{ phase: TRAIN }} {TRANSFORM}
  image_data_param {{ source: "list" batch_size: {BATCH} }} }}"""

CONV = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 11 } }
layer { name: "keep" type: "Silence" bottom: "label" }"""


def make(records: int) -> None:
    """Write the LMDBs `raw` and `jpeg`, the files and their `list`, of smooth pictures with noise."""
    draw = np.random.default_rng(1)
    lines = []
    stores = {name: lmdb.open(name, map_size=1 << 34) for name in ("raw", "jpeg")}
    for i in range(records):
        coarse = cv2.resize(draw.integers(0, 256, (8, 8, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        picture = np.clip(coarse + draw.normal(0, 8, coarse.shape), 0, 255).astype(np.uint8)
        raw = Datum(channels=3, height=SIDE, width=SIDE, data=picture.transpose(2, 0, 1).tobytes(), label=i % 1000)
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        encoded = Datum(channels=3, height=SIDE, width=SIDE, data=jpeg, label=i % 1000, encoded=True)
        for store, datum in ((stores["raw"], raw), (stores["jpeg"], encoded)):
            with store.begin(write=True) as transaction:
                transaction.put(b"%08d" % i, datum.SerializeToString())
        Path(f"{i}.jpg").write_bytes(jpeg)
        lines.append(f"{i}.jpg {i % 1000}")
    for store in stores.values():
        store.close()
    Path("list").write_text("\n".join(lines) + "\n")


# -- DataLoader ---------------------------------------------------------------------------------------------------------


class Written:
    """RandomCrop, RandomHorizontalFlip, ToDtype(scale=True) and Normalize, as torchvision has them."""

    def __call__(self, picture: torch.Tensor) -> torch.Tensor:
        top, left = (int(torch.randint(0, SIDE - CROP + 1, ())) for _ in "yx")
        cut = picture[:, top : top + CROP, left : left + CROP]
        cut = cut.flip(-1) if torch.rand(()) < 0.5 else cut
        scaled = cut.contiguous().to(torch.float32).div(255)
        return scaled.sub_(torch.tensor(MEAN).div(255).view(-1, 1, 1)).div_(torch.ones(3).view(-1, 1, 1))


def torchvision_s() -> Callable[[torch.Tensor], torch.Tensor]:
    normal = v2.Normalize([mean / 255 for mean in MEAN], [1, 1, 1])
    return v2.Compose([v2.RandomCrop(CROP), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True), normal])


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """The records of the LMDB `raw`, one at a time, as most datasets in PyTorch are written."""

    def __init__(self, records: int):
        self.records, self.store = records, None
        self.transform = torchvision_s() if v2 else Written()

    def __len__(self) -> int:
        return self.records

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if self.store is None:
            self.store: Any = lmdb.open("raw", readonly=True, lock=False)
        with self.store.begin() as transaction:
            datum = Datum.FromString(transaction.get(b"%08d" % index))
        picture = torch.from_numpy(np.frombuffer(datum.data, np.uint8).reshape(3, SIDE, SIDE).copy())
        return self.transform(picture), datum.label


def loader(records: int, workers: int) -> Callable[[], object]:
    found = DataLoader(Pictures(records), BATCH, drop_last=True, num_workers=workers, persistent_workers=workers > 0)
    rounds = (batch for _ in iter(int, 1) for batch in found)
    return lambda: next(rounds)


# -- ours, and bounds ---------------------------------------------------------------------------------------------------


def source(text: str, for_a_gpu: bool = False) -> Callable[[], object]:
    net = Net.from_text(text if for_a_gpu else text + CONV)
    if not for_a_gpu:
        lay_out(net)
    found: Any = net.nodes[0].source
    if for_a_gpu:
        found.transform.device = torch.device("cpu")
        transform.Transform._finish = lambda self, pixels, rows: pixels  # type: ignore[method-assign]
        transform.staging = crops.staging = functools.cache(crops.staging)  # type: ignore[attr-defined]
    return found.next_batch  # type: ignore[no-any-return]


def decoder() -> Callable[[], object]:
    jpegs = [Path(f"{i}.jpg").read_bytes() for i in range(BATCH)]

    def run() -> None:
        for jpeg in jpegs:
            cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)

    return run


def copies(kind: Any) -> Callable[[], object]:
    """One np.copyto for each record of a batch, into the same memory again and again."""
    pictures = np.random.default_rng(1).integers(0, 256, (BATCH, 3, SIDE, SIDE), np.uint8)
    batch = np.empty((BATCH, 3, CROP, CROP), kind)

    def run() -> None:
        for out, picture in zip(batch, pictures, strict=True):
            np.copyto(out, picture[:, 14 : 14 + CROP, 15 : 15 + CROP])

    return run


CORES = os.cpu_count() or 1
CASES: dict[str, Callable[[int], Callable[[], object]]] = {
    "raw LMDB: Data layer, kept": lambda _: source(LMDB % "raw"),
    "raw LMDB: Data layer": lambda _: source(LMDB % "raw"),
    "raw LMDB: Data layer, for a GPU": lambda _: source(LMDB % "raw", for_a_gpu=True),
    "raw LMDB: DataLoader, 0 workers": lambda records: loader(records, 0),
    "raw LMDB: DataLoader, 0 workers, kept": lambda records: loader(records, 0),
    f"raw LMDB: DataLoader, {CORES} workers": lambda records: loader(records, CORES),
    "raw: np.copyto of the crops to floats": lambda _: copies(np.float32),
    "raw: np.copyto of the crops": lambda _: copies(np.uint8),
    "JPEG LMDB: Data layer, kept": lambda _: source(LMDB % "jpeg"),
    "JPEG LMDB: Data layer, for a GPU": lambda _: source(LMDB % "jpeg", for_a_gpu=True),
    "JPEG files: ImageData layer, kept": lambda _: source(FILES),
    "JPEG files: ImageData layer, for a GPU": lambda _: source(FILES, for_a_gpu=True),
    "JPEG: the decoder in a bare loop": lambda _: decoder(),
}


def work(name: str, records: int, folder: str, pipe: Any) -> None:
    """A process: build one case, then take as many batches as asked for and answer with pictures a second, until told 0."""
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    os.chdir(folder)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with keep_memory() if name.endswith(", kept") else nullcontext():
        take = CASES[name](records)
        while batches := pipe.recv():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(batches):
                take()
            count = BATCH * batches
            pipe.send((count / (time.perf_counter() - wall), count / (time.process_time() - cpu)))


def measure(records: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each case and round: pictures a second, and a second of CPU time."""
    context = multiprocessing.get_context("spawn")
    pipes, found = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make(records)
        for name in CASES:
            pipes[name], other = context.Pipe()
            context.Process(target=work, args=(name, records, folder, other)).start()  # no daemon: DataLoader has workers
            found[name] = [ask(pipes[name], 2)]
        for _ in range(rounds):
            for name, pipe in pipes.items():
                found[name].append(ask(pipe, max(1, records // BATCH)))
        for pipe in pipes.values():
            pipe.send(0)
        for process in multiprocessing.active_children():
            process.join()
        os.chdir("/")
    return {name: taken[1:] for name, taken in found.items()}


def ask(pipe: Any, batches: int) -> tuple[float, float]:
    pipe.send(batches)
    return tuple(pipe.recv())  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = measure(options.records, options.rounds)
    print(f"{machine()}, OpenCV {cv2.__version__}, transforms {'of torchvision' if v2 else 'written out in torch'}")
    print(f"{options.records} records, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':40}{'pictures / s':>14}{'per core':>10}")
    for name, found in rows.items():
        per_core = "-" if "workers" in name and "0 workers" not in name else f"{median(c for _, c in found):.0f}"
        print(f"{name:40}{median(w for w, _ in found):14.0f}{per_core:>10}")


if __name__ == "__main__":
    main()
