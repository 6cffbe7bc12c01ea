"""Pictures a second of the data layers alone, beside a plain DataLoader and beside a bare loop of the decoder.

    python benchmarks/data.py [--records 400] [--rounds 3]

An LMDB of raw 256 x 256 x 3 Datums, cropped to 227, mirrored, less the mean; the same as JPEG records and as files. The
DataLoader reads the same LMDB, parses with the same protobuf and transforms as torchvision's RandomCrop,
RandomHorizontalFlip, ToTensor and Normalize do, written out here in torch. Batches of 64, everything in turn, medians of
rounds. `per core`: pictures for each second of CPU time of all threads.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import lmdb
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from solver_cli import Net
from solver_cli.caffe_pb2 import Datum

BATCH, SIDE, CROP = 64, 256, 227
MEAN = (104.0, 117.0, 123.0)
TRANSFORM = f"transform_param {{ crop_size: {CROP} mirror: true mean_value: 104 mean_value: 117 mean_value: 123 }}"
LMDB = f"""layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }} {TRANSFORM}
  data_param {{ source: "%s" batch_size: {BATCH} backend: LMDB }} }}"""
FILES = f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label" include {{ phase: TRAIN }} {TRANSFORM}
  image_data_param {{ source: "list" batch_size: {BATCH} }} }}"""


def make(records: int) -> list[bytes]:
    """Write the LMDBs `raw` and `jpeg`, the files and their `list`, of smooth pictures with noise; the JPEGs."""
    draw = np.random.default_rng(1)
    jpegs, lines = [], []
    stores = {name: lmdb.open(name, map_size=1 << 34) for name in ("raw", "jpeg")}
    for i in range(records):
        coarse = cv2.resize(draw.integers(0, 256, (8, 8, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        picture = np.clip(coarse + draw.normal(0, 8, coarse.shape), 0, 255).astype(np.uint8)
        raw = Datum(channels=3, height=SIDE, width=SIDE, data=picture.transpose(2, 0, 1).tobytes(), label=i % 1000)
        jpegs.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        encoded = Datum(channels=3, height=SIDE, width=SIDE, data=jpegs[-1], label=i % 1000, encoded=True)
        for store, datum in ((stores["raw"], raw), (stores["jpeg"], encoded)):
            with store.begin(write=True) as transaction:
                transaction.put(b"%08d" % i, datum.SerializeToString())
        Path(f"{i}.jpg").write_bytes(jpegs[-1])
        lines.append(f"{i}.jpg {i % 1000}")
    for store in stores.values():
        store.close()
    Path("list").write_text("\n".join(lines) + "\n")
    return jpegs


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """The records of the LMDB, one at a time, as most datasets in PyTorch are written."""

    def __init__(self, path: str, records: int):
        self.path, self.records, self.store = path, records, None

    def __len__(self) -> int:
        return self.records

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if self.store is None:
            self.store: Any = lmdb.open(self.path, readonly=True, lock=False)
        with self.store.begin() as transaction:
            datum = Datum.FromString(transaction.get(b"%08d" % index))
        picture = torch.from_numpy(np.frombuffer(datum.data, np.uint8).reshape(3, SIDE, SIDE).copy())
        top, left = (int(torch.randint(0, SIDE - CROP + 1, ())) for _ in "yx")
        cut = picture[:, top : top + CROP, left : left + CROP]
        cut = cut.flip(-1) if torch.rand(()) < 0.5 else cut
        scaled = cut.contiguous().to(torch.float32).div(255)
        mean = torch.tensor(MEAN).div(255).view(-1, 1, 1)
        return scaled.sub_(mean).div_(torch.ones(3).view(-1, 1, 1)), datum.label


def measured(take: Callable[[], object], batches: int) -> tuple[float, float]:
    """Pictures a second, and a second of CPU time."""
    take()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(batches):
        take()
    return BATCH * batches / (time.perf_counter() - wall), BATCH * batches / (time.process_time() - cpu)


def endless(loader: DataLoader[Any]) -> Any:
    while True:
        yield from loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        jpegs = make(options.records)
        for copy in ("same0", f"same{cores}"):  # a process may open an LMDB once, and so may its children
            shutil.copytree("raw", copy)
        batches = max(1, options.records // BATCH)

        def source(text: str) -> Callable[[], object]:
            (node,) = Net.from_text(text).nodes
            assert node.source is not None
            return node.source.next_batch

        def loader(workers: int) -> Callable[[], object]:
            pictures = Pictures(f"same{workers}", options.records)
            found = DataLoader(pictures, BATCH, drop_last=True, num_workers=workers, persistent_workers=workers > 0)
            rounds = endless(found)
            return lambda: next(rounds)

        def bare() -> None:
            for jpeg in jpegs[:BATCH]:
                cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)

        cases = {
            "raw LMDB: Data layer": source(LMDB % "raw"),
            "raw LMDB: DataLoader, 0 workers": loader(0),
            f"raw LMDB: DataLoader, {cores} workers": loader(cores),
            "JPEG LMDB: Data layer": source(LMDB % "jpeg"),
            "JPEG files: ImageData layer": source(FILES),
            "JPEG: the decoder in a bare loop": bare,
        }
        cv2.setNumThreads(1)
        rows: dict[str, list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for name, take in cases.items():
                rows.setdefault(name, []).append(measured(take, batches))
        print(f"{platform.machine()}, {cores} CPUs, torch {torch.__version__}, OpenCV {cv2.__version__}")
        print(f"{options.records} records, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
        print(f"{'':36}{'pictures / s':>14}{'per core':>10}")
        for name, found in rows.items():
            per_core = "-" if f"{cores} workers" in name else f"{median(c for _, c in found):.0f}"  # other processes' time
            print(f"{name:36}{median(w for w, _ in found):14.0f}{per_core:>10}")
        os.chdir("/")


if __name__ == "__main__":
    main()
