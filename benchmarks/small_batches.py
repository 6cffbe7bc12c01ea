"""What to do when the GPU's memory allows only tiny batches: the small U-Net of configs/unet, trained in several ways.

    python benchmarks/small_batches.py [--samples 1800] [--seeds 1,2,3] [--ways one,two] [--work FOLDER] [--show]

Every way sees the same number of pictures. Each run is one `solver-train` in a process of its own, on one thread; its log,
its time and its peak of memory are kept in the work folder, and runs that are there already are not made again. In the end
(or at once, with --show) a table is printed and the plots go to docs/images/ (matplotlib: the extra `plots`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SOLVER = "configs/unet/unet_small_solver.prototxt"
NET = "configs/unet/unet_small.prototxt"
WINDOW = 10  # pictures that a point of the loss curves is the mean of: the largest batch
TESTS = 4  # in a run


@dataclass(frozen=True)
class Way:
    """How to train: what stands in the solver and how large the training batches and the pictures are."""

    text: str
    momentum: float = 0.9
    rate: float = 0.02
    iter_size: int = 1
    batch_size: int = 1
    shrink: int = 1
    drop: bool = False  # the rate to a tenth after half of the run
    grow: bool = False  # instead of it the batch ten times as large: --grow-batch

    @property
    def pictures(self) -> int:
        """How many an update takes the gradient of (at first, if that grows)."""
        return self.iter_size * self.batch_size

    @property
    def push(self) -> float:
        """How far a picture's gradient moves the weights in the end, in units of it: rate / (batch (1 - momentum))."""
        return self.rate / (self.pictures * (1 - self.momentum))

    def seen(self, updates: int) -> np.ndarray:
        """How many pictures have been seen after each update."""
        sizes = np.full(updates, self.pictures)
        if self.grow:  # n updates of 1 and n / 10 of 10 see the same number
            sizes[updates * 10 // 11 :] = 10
        return np.cumsum(sizes)


WAYS = {
    "one": Way("one picture, momentum 0.9"),
    "heavy": Way("momentum 0.99, same rate", momentum=0.99),
    "heavy-slow": Way("momentum 0.99, rate / 10", momentum=0.99, rate=0.002),
    "gather": Way("iter_size 10, same rate", iter_size=10),
    "gather-fast": Way("iter_size 10, rate x 5", iter_size=10, rate=0.1),
    "batch": Way("a batch of 10, same rate", batch_size=10),
    "half": Way("one picture of half the size", shrink=2),
    "wild": Way("one picture, rate x 2.5", rate=0.05),
    "wild-heavy": Way("momentum 0.99, rate x 2.5 / 10", momentum=0.99, rate=0.005),
    "wild-gather": Way("iter_size 10, rate x 2.5", iter_size=10, rate=0.05),
    "drop": Way("rate / 10 after half of the run", drop=True),
    "grow": Way("--grow-batch 10 instead", drop=True, grow=True),
}


@dataclass
class Result:
    """What a run gave: the loss of each update, the overlap in each test, CPU seconds, peak of memory in MB."""

    losses: list[float]
    overlaps: list[float]
    seconds: float
    peak: float


def solver_train() -> str:
    return str(Path(sys.executable).with_name("solver-train"))


def make_data(folder: Path, shrink: int) -> None:
    """The cells, once."""
    if not (folder / "cells_test.txt").exists():
        program = [sys.executable, "configs/unet/make_cells.py", "--to", str(folder), "--shrink", str(shrink)]
        subprocess.run(program, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def net_file(work: Path, way: Way) -> Path:
    """The net with the way's data and batch size, the test net's left at 1."""
    data = work / f"cells{way.shrink}"
    make_data(data, way.shrink)
    text = (ROOT / NET).read_text().replace("configs/unet/cells_", f"{data.as_posix()}/cells_")
    path = work / f"net-{way.batch_size}-{way.shrink}.prototxt"
    path.write_text(text.replace("batch_size: 1 ", f"batch_size: {way.batch_size} ", 1))
    return path


def command(work: Path, way: Way, samples: int, seed: int) -> list[str]:
    updates = samples // way.pictures
    settings: dict[str, Any] = {
        "net": net_file(work, way),
        "base_lr": way.rate,
        "momentum": way.momentum,
        "iter_size": way.iter_size,
        "random_seed": seed,
        "max_iter": updates,
        "test_interval": max(1, updates // TESTS),
        "test_initialization": "false",
        "display": 1,
        "average_loss": 1,
        "snapshot": 0,
        "snapshot_after_train": "false",
        "snapshot_prefix": work / "snapshot",
    }
    if way.drop:
        settings |= {"lr_policy": "multistep", "gamma": 0.1, "stepvalue": updates // 2}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return [solver_train(), SOLVER, "--cpu", *(("--grow-batch", "10") if way.grow else ()), *options]


def run(work: Path, name: str, samples: int, seed: int) -> None:
    """Train once; keep the log and, beside it, time and peak."""
    log = work / f"{name}-{samples}-{seed}.log"
    if log.with_suffix(".json").exists():
        return
    print(f"{name}, seed {seed} ...", file=sys.stderr, flush=True)
    with log.open("w") as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            command(work, WAYS[name], samples, seed), cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=out
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{name}, seed {seed} failed: see {log}")
    facts = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}
    log.with_suffix(".json").write_text(json.dumps(facts))


def read(work: Path, name: str, samples: int, seed: int) -> Result | None:
    """What the log of a run says, None while there is none."""
    log = work / f"{name}-{samples}-{seed}.log"
    if not log.with_suffix(".json").exists():
        return None
    facts = json.loads(log.with_suffix(".json").read_text())
    losses, overlaps = [], []
    for line in log.read_text().splitlines():
        if found := re.search(r"\] Iteration \d+ \(.*, loss = (\S+)", line):
            losses.append(float(found[1]))
        elif found := re.search(r"\]     Test net output #\d+: iou = (\S+)", line):
            overlaps.append(float(found[1]))
    return Result(losses, overlaps, facts["cpu"], facts["peak"])


def curve(name: str, result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Pictures seen and loss, as means over windows of as many pictures, whatever the batch."""
    seen = WAYS[name].seen(len(result.losses))
    window = (seen - 1) // WINDOW
    sums = np.bincount(window, result.losses), np.bincount(window)
    return (np.arange(len(sums[0])) + 1) * WINDOW, sums[0] / sums[1]


def unrest(losses: np.ndarray) -> float:
    """How far the last third of a curve scatters around its own straight line: the standard deviation."""
    tail = losses[-len(losses) // 3 :]
    x = np.arange(len(tail))
    return float(np.std(tail - np.polyval(np.polyfit(x, tail, 1), x)))


def loaded() -> float:
    """The peak of memory, in MB, of a program that imports ours and does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import solver_cli.solver.solver, solver_cli.layers, solver_cli.data"])
    return os.wait4(process.pid, 0)[2].ru_maxrss / 1024


def spread(values: list[float], digits: int = 3) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values) if len(values) > 1 else 0:.{digits}f}"


def table(results: dict[str, list[Result]], samples: int) -> str:
    """One row for each way: means over the seeds and their standard deviations."""
    base = loaded()
    rows = [
        f"{samples} pictures in each run; memory: peak of the process less the {base:.0f} MB of one that only imports",
        "",
        "| way | rate | push | updates | runs | overlap at the end | loss at the end | unrest | MB | CPU seconds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, runs in results.items():
        way, curves = WAYS[name], [curve(name, result)[1] for result in runs]
        columns = [
            *(f"`{name}`: {way.text}", f"{way.rate:g}", f"{way.push:.3g}", str(len(runs[0].losses)), str(len(runs))),
            spread([result.overlaps[-1] for result in runs]),
            spread([float(losses[-18:].mean()) for losses in curves]),
            f"{mean([unrest(losses) for losses in curves]):.3f}",
            f"{mean([result.peak for result in runs]) - base:.0f}",
            f"{median([result.seconds for result in runs]):.0f}",
        ]
        rows.append(f"| {' | '.join(columns)} |")
    return "\n".join(rows)


def pyplot() -> Any:
    """matplotlib without a screen."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("the plots need matplotlib: pip install 'solver-train[plots]'")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def save(figure: Any, name: str) -> None:
    """A PNG of 64 colours: less than half of the size."""
    from PIL import Image

    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    Image.fromarray(pixels).quantize(64).save(folder / name, optimize=True)


def plot_curves(results: dict[str, list[Result]], samples: int) -> None:
    """The loss of every seed, thin, and their mean."""
    plt = pyplot()
    columns = 4
    rows = -(-len(results) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(13, 2.5 * rows), sharex=True, sharey=True, dpi=75, squeeze=False)
    for name, axis in zip(results, axes.flat, strict=False):
        curves = [curve(name, result)[1] for result in results[name]]
        x, _ = curve(name, results[name][0])
        for losses in curves:
            axis.plot(x, losses, linewidth=0.6, alpha=0.6)
        axis.plot(x, np.mean(curves, axis=0), "k", linewidth=1)
        axis.set_title(f"{name}: {WAYS[name].text}", fontsize=9)
        axis.set(ylim=(0.1, 0.9), xlim=(0, samples))
    for axis in axes.flat[len(results) :]:
        axis.axis("off")
    figure.supxlabel("pictures seen")
    figure.supylabel("loss")
    save(figure, "small-batches-loss.png")


def plot_overlaps(results: dict[str, list[Result]]) -> None:
    """The overlap on the test pictures: each seed a dot, the mean a bar."""
    plt = pyplot()
    figure, axis = plt.subplots(figsize=(9, 4), dpi=80)
    for place, runs in enumerate(results.values()):
        ends = [result.overlaps[-1] for result in runs]
        axis.barh(place, mean(ends), color="0.8")
        axis.plot(ends, [place] * len(ends), "k.")
    axis.set_yticks(range(len(results)), [f"{WAYS[name].text}, rate {WAYS[name].rate:g}" for name in results], fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel="overlap of found and real cells (IoU) on the test pictures", xlim=(0, 1))
    save(figure, "small-batches-overlap.png")


def plot_examples(data: Path) -> None:
    """Some pictures and their labels."""
    import h5py

    plt = pyplot()
    figure, axes = plt.subplots(2, 6, figsize=(9, 3.1), dpi=75)
    with h5py.File(data / "cells_train.h5") as file:
        pairs = zip(file["data"][:6, 0], file["label"][:6, 0], strict=True)
        for column, (picture, labels) in enumerate(pairs):
            axes[0, column].imshow(picture, "gray", vmin=-1.5, vmax=2)
            axes[1, column].imshow(np.where(labels == 255, 0.5, labels), "gray", vmin=0, vmax=1)
    for axis in axes.flat:
        axis.axis("off")
    save(figure, "cells.png")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the small U-Net in several ways; table and plots.")
    parser.add_argument("--samples", type=int, default=1800, help="pictures that each run sees [%(default)s]")
    parser.add_argument("--seeds", default="1,2,3", help="[%(default)s]")
    parser.add_argument("--ways", default=",".join(WAYS), help="[%(default)s]")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "small_batches", help="[%(default)s]")
    parser.add_argument("--show", action="store_true", help="only the table and the plots, of the runs that are there")
    args = parser.parse_args()
    work, names, seeds = args.work.resolve(), args.ways.split(","), [int(seed) for seed in args.seeds.split(",")]
    if unknown := set(names) - set(WAYS):
        parser.error(f"unknown ways {', '.join(sorted(unknown))}: known are {', '.join(WAYS)}")
    pyplot()
    work.mkdir(parents=True, exist_ok=True)
    if not args.show:
        for seed in seeds:
            for name in names:
                run(work, name, args.samples, seed)
    found = {name: [read(work, name, args.samples, seed) for seed in seeds] for name in names}
    results = {name: done for name, runs in found.items() if (done := [result for result in runs if result])}
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"python {' '.join(sys.argv)}\n{platform.platform()}, {os.cpu_count()} cores, load {load}\n")
    print(table(results, args.samples))
    plot_curves(results, args.samples)
    plot_overlaps(results)
    plot_examples(work / "cells1")


if __name__ == "__main__":
    main()
