"""Data layers of forks against what they delivered, and the rules of what they draw at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.data.prefetch import Prefetcher
from solver_cli.data.source import Source
from solver_cli.registry import lookup

cv2 = pytest.importorskip("cv2")
GOLDEN = Path(__file__).parents[1] / "golden" / "forks" / "data_layers"
CASES: dict[str, Any] = json.loads((GOLDEN / "cases.json").read_text())
EXACT = ("plain", "raw", "empty", "no_label", "wrap", "crop", "warp_nearest", "noise_inverse", "noise_posterize")


@pytest.fixture(autouse=True)
def beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "expected.npz") as arrays:
        return dict(arrays)


def build(text: str, phase: str = "TEST", seed: int = 1) -> tuple[LayerParameter, Source]:
    (layer,) = text_format.Parse(text, NetParameter()).layer
    return layer, lookup(layer.type).build(layer, phase == "TRAIN", np.random.default_rng(seed))


@pytest.mark.parametrize("name", CASES)
def test_batches_are_the_forks(name: str, expected: dict[str, np.ndarray]) -> None:
    case = CASES[name]
    layer, source = build(case["net"], case["phase"])
    source = Prefetcher(source, 2)
    for k in range(case["batches"]):
        for top, blob in zip(layer.top, source.next_batch(), strict=True):
            want = expected[f"{name}/b{k}_{top}"].astype(np.float32)
            assert blob.shape == want.shape and blob.is_floating_point()
            if top == "data" and name == "sampler_whole_picture":  # through a JPEG file of another library
                continue
            levels = 0 if top != "data" or name.startswith(EXACT) else 2 if name in ("warp_cubic", "warp_lanczos4") else 1
            np.testing.assert_allclose(blob.numpy(), want, atol=levels + 1e-5 * max(1, np.abs(want).max()))
    source.close()
