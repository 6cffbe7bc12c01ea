"""Passes as CUDA graphs give the bits that they give as they are. What records in place of a GPU: `standin.Replays`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
import test_gpu_waits
import torch
from standin import CPU, GPU, Replays, as_if_cuda
from test_configs import built_from

from solver_cli import Solver
from solver_cli.text import prototxt
from solver_cli.updates.rules import RULES

SOLVER = """net: "net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.9 stepsize: 2 weight_decay: 0.0005 max_iter: 100
            display: 1 snapshot_prefix: "snap" random_seed: 1 """
DATA = """layer { name: "data" type: "DummyData" top: "x" top: "label" dummy_data_param {
        shape { dim: 6 dim: 3 dim: 8 dim: 8 } shape { dim: 6 }
        data_filler { type: "gaussian" std: 1 } data_filler { type: "uniform" min: 0 max: 4.9 } } }
"""
SMALL = DATA + test_gpu_waits.SMALL.partition("shape { dim: 6 } } }\n")[2]
SEQUENCES = """
layer { name: "data" type: "DummyData" top: "x" top: "cont" top: "y" dummy_data_param {
        shape { dim: 4 dim: 2 dim: 3 } shape { dim: 4 dim: 2 } shape { dim: 4 dim: 2 dim: 5 }
        data_filler { type: "gaussian" std: 1 } data_filler { value: 1 } data_filler { type: "gaussian" std: 1 } } }
layer { name: "rnn" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 5 weight_filler { type: "uniform" min: -0.3 max: 0.3 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "h" bottom: "y" top: "loss" }
"""
COUNTED = SMALL.replace('type: "BatchNorm"', 'type: "BatchNorm" batch_norm_param { scale_bias: true }').replace(
    'layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }', ""
)
USUAL = 'momentum: 0.9 type: "SGD" '


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(
    text: str,
    settings: str = USUAL,
    graphs: bool = True,
    between: Callable[[Solver], None] = lambda _: None,
    gpu: bool = True,
    recorder: Callable[[torch.Generator | None], Replays] = Replays,
    **options: Any,
) -> tuple[list[torch.Tensor], int]:
    """All that two times seven iterations leave, by a GPU's ways or a CPU's, and how many graphs there are."""
    Path("net.prototxt").write_text(text)
    Path("solver.prototxt").write_text(SOLVER + settings)
    with closing(Solver("solver.prototxt", device="cpu", **options)) as solver:
        recording = recorder(solver.net.draws)
        if graphs:
            solver.passes.record(recording)
        solver.net.device = GPU if gpu else CPU
        with as_if_cuda() if gpu else nullcontext():
            solver.step(7)
            between(solver)
            solver.step(7)
        left = [x.blob.detach().clone() for x in solver.net.learned] + [x.clone() for x in solver.history]
        left += [torch.tensor(loss) for loss in solver.losses.smoothed.losses]
        left += [torch.tensor(solver.noise.scale()).nan_to_num(-1)] if solver.passes.noise else []
        return left, recording.recorded


def same(text: str, settings: str = USUAL, **more: Any) -> int:
    """Whether graphs change nothing; how many there were."""
    (found, graphs), (wanted, _) = trained(text, settings, **more), trained(text, settings, graphs=False, **more)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    return graphs


@pytest.mark.parametrize("kind", RULES)
def test_rules(kind: str) -> None:
    momentum = 0.0 if kind in ("AdaGrad", "RMSProp") else 0.9
    assert same(SMALL, f'type: "{kind}" momentum: {momentum} clip_gradients: 0.1') == 1


def test_accumulation_and_noise_scale() -> None:
    assert same(SMALL, USUAL + "iter_size: 3") == 1


@pytest.mark.parametrize("text", [SEQUENCES, SEQUENCES.replace("LSTM", "RNN"), COUNTED], ids=["LSTM", "RNN", "counts"])
def test_what_goes_on_from_batch_to_batch(text: str) -> None:
    assert same(text) == 1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_halves(precision: str) -> None:
    """By the CPU's autocast."""
    assert same(SMALL, precision=precision, gpu=False) == 1


def test_a_snapshot_in_between() -> None:
    """States that are brought back lie elsewhere; the graph takes them up."""

    def again(solver: Solver) -> None:
        state = solver.snapshot()
        solver.step(3)
        solver.restore(state)

    assert same(SEQUENCES.replace("LSTM", "RNN"), between=again, gpu=False) == 1
    assert same(SMALL, between=again, gpu=False) == 1


def test_weights_elsewhere_are_another_graph() -> None:
    def moved(solver: Solver) -> None:
        blob = solver.net.learned[0].blob
        blob.data = blob.data.clone()

    assert same(SMALL, between=moved) == 2


def test_observers_and_pieces_run_as_they_are() -> None:
    assert same(SMALL, USUAL + "debug_info: true") == 0
    assert same(SMALL, micro_batch=2) == 0


@pytest.mark.parametrize("name", ["mnist/lenet_train_test", "cifar10/cifar10_full_sigmoid_train_test_bn", "unet/unet_small"])
def test_configs(name: str) -> None:
    assert same(prototxt.to_text(built_from(name, "TRAIN").param)) == 1


class Short(Replays):
    """What fails for want of memory, when it records or the second time that it replays."""

    def __init__(self, draws: torch.Generator | None, recording: bool):
        super().__init__(draws)
        self.recording, self.left = recording, 2

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        again = super().record(work)
        if self.recording:
            raise torch.OutOfMemoryError("CUDA out of memory")

        def replay() -> None:
            self.left -= 1
            if not self.left:
                raise torch.OutOfMemoryError("CUDA out of memory")
            again()

        return replay


@pytest.mark.parametrize("recording", [True, False])
def test_memory_goes_to_the_pass_first(recording: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Where it runs out the graphs go, and the pass is made again from the same records and numbers."""
    found, graphs = trained(SMALL, recorder=lambda draws: Short(draws, recording), gpu=False)
    wanted, _ = trained(SMALL, graphs=False, gpu=False)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)) and graphs == 1
    told = "Passes run without a CUDA graph: there is not enough memory for one"
    assert (told if recording else "The memory ran out (CUDA out of memory): once more without a CUDA graph") in caplog.text


def test_what_cannot_be_recorded_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Replays):
        def record(self, work: Callable[[], None]) -> Callable[[], None]:
            super().record(work)
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    found, _ = trained(SMALL, recorder=Broken)
    wanted, _ = trained(SMALL, graphs=False)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert "Passes run without a CUDA graph: operation not permitted when stream is capturing" in caplog.text
    layer = SMALL + 'layer { name: "some" type: "Filter" bottom: "ip" bottom: "label" top: "some" }'
    assert trained(layer, gpu=False)[1] == 0
    assert "Passes run without a CUDA graph: layer 'some' (Filter) does what a graph cannot" in caplog.text
