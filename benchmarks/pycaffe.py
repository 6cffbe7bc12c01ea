"""What a step costs through pycaffe's interface, and what a Python layer in the middle of a net costs.

    python benchmarks/pycaffe.py [--repeats 30] [--threads 1]

Both sides run in turn in one process, each on a solver of its own; times are CPU time (the machine may be busy), medians of
one step; ratios are medians of neighbouring samples. "looking" reads a loss, a blob and a gradient after each step. malloc
is told to keep what is freed: else page faults, which come and go with its thresholds, hide everything else.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

import solver_cli.pycaffe as caffe
from solver_cli import Solver
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.text import prototxt

CONFIGS = Path(__file__).parent.parent / "configs"
NETS = {
    "lenet, batch 64": ("mnist/lenet_train_test.prototxt", (64, 1, 28, 28)),
    "cifar10_quick, batch 100": ("cifar10/cifar10_quick_train_test.prototxt", (100, 3, 32, 32)),
}
LAYER = """
import caffe

class Double(caffe.Layer):
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 2 * top[0].diff
"""


def train_net(path: str, shape: tuple[int, ...], after: str = "") -> NetParameter:
    """A config's train net on constant memory instead of its data; with a Python layer in place behind the blob `after`."""
    net, _ = prototxt.read(str(CONFIGS / path), NetParameter, "net")
    kept = [layer for layer in net.layer if not any(rule.phase == caffe.TEST for rule in layer.include)]
    data = LayerParameter(name="data", type="DummyData", top=["data", "label"])
    for dims in (shape, shape[:1]):
        data.dummy_data_param.shape.add(dim=dims)
    data.dummy_data_param.data_filler.add(type="constant", value=0.5)
    data.dummy_data_param.data_filler.add(type="constant", value=1)
    result = NetParameter(name=net.name, layer=[data])
    for layer in kept:
        if layer.type != "Data":
            result.layer.append(layer)
            if after in layer.top and not any(x.type == "Python" for x in result.layer):
                own = result.layer.add(name="own", type="Python", bottom=[after], top=[after])
                own.python_param.module, own.python_param.layer = "double_layer", "Double"
    return result


def solver_file(net: NetParameter) -> str:
    """Write the net and a solver for it into the working folder."""
    Path("net.prototxt").write_text(prototxt.to_text(net))
    text = 'net: "net.prototxt" base_lr: 0.001 momentum: 0.9 lr_policy: "fixed" max_iter: 100 snapshot_prefix: "s"'
    Path("solver.prototxt").write_text(text + " snapshot_after_train: false random_seed: 1 solver_mode: CPU")
    return "solver.prototxt"


def seconds(run: Callable[[], object]) -> float:
    """The CPU time of one run."""
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median ratio second / first."""
    for run in (first, second, first, second):
        run()
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(b / a for a, b in pairs)


def steps(repeats: int) -> None:
    """Solver.step beside the same through the facade."""
    print(f"{'core ms':>9} {'pycaffe':>9} {'ratio':>6}")
    for name, (path, shape) in NETS.items():
        file = solver_file(train_net(path, shape))
        core, facade, looking = Solver(file, device="cpu"), caffe.SGDSolver(file), caffe.SGDSolver(file)

        def look(solver: caffe.Solver = looking) -> float:
            solver.step(1)
            net = solver.net
            return (
                float(net.blobs["loss"].data) + net.blobs["conv1"].data[0, 0, 0, 0] + net.params["conv1"][0].diff[0, 0, 0, 0]
            )

        for what, run in ((name, lambda s=facade: s.step(1)), (f"{name}, looking", look)):
            own, through, ratio = compare(lambda s=core: s.step(1), run, repeats)
            print(f"{own * 1e3:9.2f} {through * 1e3:9.2f} {ratio:6.3f}  {what}", flush=True)


def python_layer(repeats: int) -> None:
    """A net with and without a Python layer behind its first convolution, and what the layer's own numpy costs."""
    print(
        f"\n{'without':>9} {'with':>9} {'more':>9} {'numpy':>9}   ms; numpy: the layer's own two statements on such arrays"
    )
    for name, (path, shape) in NETS.items():
        without = Solver(solver_file(train_net(path, shape)), device="cpu")
        own = Solver(solver_file(train_net(path, shape, "conv1")), device="cpu")
        blob = torch.zeros(own.net.blob_shapes["conv1"]).numpy()
        first, second, _ = compare(partial(without.step, 1), partial(own.step, 1), repeats)

        def numpy_alone(blob: np.ndarray = blob) -> None:
            for _ in range(2):
                blob[...] = 2 * blob

        alone = median(seconds(numpy_alone) for _ in range(repeats))
        copies = median(seconds(lambda blob=blob: [blob.copy() for _ in range(4)]) for _ in range(repeats))
        figures = (first, second, second - first, alone, copies)
        print(" ".join(f"{figure * 1e3:9.2f}" for figure in figures), f" {name}", flush=True)
    print("numpy: the layer's own two statements on such arrays; copies: four, of bottom, top and their diffs")


def main() -> None:
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.environ.update(MALLOC_TRIM_THRESHOLD_=str(2**40), MALLOC_MMAP_THRESHOLD_=str(2**40))
        os.execv(sys.executable, [sys.executable, *sys.argv])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    print(f"$ python {' '.join(sys.argv)}")
    print(f"python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("double_layer.py").write_text(LAYER)
        steps(options.repeats)
        python_layer(options.repeats)
        os.chdir("/")


if __name__ == "__main__":
    main()
