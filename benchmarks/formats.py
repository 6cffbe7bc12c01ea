"""Time and peak memory of weights files, beside a plain read or write with one copy.

    python benchmarks/formats.py [--megabytes 240] [--repeat 5]

Times are medians over the repeats, taken in turn with the yardstick's. Peak memory is what reading or writing adds to the
VmHWM of a fresh process, with the arrays that were read or are to be written.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from solver_cli import caffe_pb2
from solver_cli.formats import caffemodel, solverstate

# CaffeNet's blobs; scaled to the size asked for through the columns of fc6
SHAPES = [
    (96, 3, 11, 11),
    (256, 48, 5, 5),
    (384, 256, 3, 3),
    (384, 192, 3, 3),
    (256, 192, 3, 3),
    (4096, 9216),
    (4096, 4096),
    (1000, 4096),
]

PEAK = """
import sys
sys.path.insert(0, {here!r})
import formats as bench
import h5py
from solver_cli.formats import caffemodel, solverstate
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
{setup}
before = peak()
{action}
print(peak() - before)
"""


def main() -> None:
    """Make the files, measure, print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=240)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    print("$ python " + " ".join([Path(sys.argv[0]).as_posix(), *sys.argv[1:]]))
    print(f"python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}, {args.repeat} repeats\n")
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), args.megabytes, args.repeat)


def run(folder: Path, megabytes: int, repeat: int) -> None:
    """All cases on files of about this size."""
    net, blobs = make(megabytes)
    state = as_state(blobs)
    print(f"{'':22}{'ours s':>8}{'plain s':>9}{'ratio':>7}{'peak MB':>9}{'file MB':>9}{'ratio':>7}")
    for name, module, call, arguments in (
        ("binary weights", caffemodel, "caffemodel.write", (net, blobs)),
        ("HDF5 weights", caffemodel, "caffemodel.write_hdf5", (net, blobs)),
        ("binary state", solverstate, "solverstate.write", (state,)),
        ("HDF5 state", solverstate, "solverstate.write_hdf5", (state,)),
    ):
        path = folder / "file"
        write = partial(write_to, path, getattr(module, call.split(".")[1]), *arguments)
        write()
        size = path.stat().st_size
        times = in_turn(partial(module.read, path), partial(plain_read, path), repeat)
        memory = peak("", f"kept = {call.split('.')[0]}.read({str(path)!r})")
        report(f"{name} read", times, memory, size)
        times = in_turn(write, partial(plain_write, folder / "plain", blobs), repeat)
        given = "net, blobs" if module is caffemodel else "bench.as_state(blobs)"
        memory = peak(f"net, blobs = bench.make({megabytes})", f"bench.write_to({str(path)!r}, {call}, {given})")
        report(f"{name} write", times, memory + size, size)


def as_state(blobs: list[list[np.ndarray]]) -> solverstate.State:
    """A solver state with these blobs as its history."""
    return solverstate.State(1000, "weights.caffemodel", 2, [array for arrays in blobs for array in arrays])


def write_to(path: str | Path, write: Callable[..., None], *arguments: object) -> None:
    """Write as snapshots are written: through a file object that can be read as well."""
    with open(path, "w+b") as out:
        write(out, *arguments)


def make(megabytes: int) -> tuple[caffe_pb2.NetParameter, list[list[np.ndarray]]]:
    """A net and blobs of about this size in all."""
    net = caffe_pb2.NetParameter(name="sized")
    fixed = sum(int(np.prod(shape)) for i, shape in enumerate(SHAPES) if i != 5)
    columns = max(1, (megabytes * 1_000_000 // 4 - fixed) // 4096)
    blobs = []
    for i, shape in enumerate(SHAPES):
        net.layer.add(name=f"layer{i}", type="InnerProduct")
        shape = (4096, columns) if i == 5 else shape
        blobs.append([np.random.default_rng(i).random(shape, np.float32), np.zeros(shape[0], np.float32)])
    return net, blobs


def plain_read(path: Path) -> np.ndarray:
    """Read the file and copy it once."""
    return np.frombuffer(path.read_bytes(), np.uint8).copy()


def plain_write(path: Path, blobs: list[list[np.ndarray]]) -> None:
    """Copy the arrays into one piece and write it."""
    path.write_bytes(b"".join(array.tobytes() for arrays in blobs for array in arrays))


def in_turn(ours: Callable[[], object], plain: Callable[[], object], repeat: int) -> tuple[float, float]:
    """The median times of both, measured alternately after one warm-up each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat + 1):
        for function, spent in zip((ours, plain), times, strict=True):
            start = time.perf_counter()
            function()
            spent.append(time.perf_counter() - start)
    return median(times[0][1:]), median(times[1][1:])


def peak(setup: str, action: str) -> int:
    """What the action adds to the peak memory of a fresh process that has done the setup, in bytes."""
    script = PEAK.format(here=str(Path(__file__).parent), setup=setup, action=action)
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def report(name: str, times: tuple[float, float], memory: int, size: int) -> None:
    """One line of the table; peak memory counts the arrays, read or given."""
    line = f"{name:22}{times[0]:8.3f}{times[1]:9.3f}{times[0] / times[1]:7.2f}"
    print(line + f"{memory / 1e6:9.0f}{size / 1e6:9.0f}{memory / size:7.2f}", flush=True)


if __name__ == "__main__":
    main()
