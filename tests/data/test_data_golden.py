"""Data layers against what Caffe delivered: every batch, every random outcome, every refusal."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format

import solver_cli.data  # noqa: F401
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.data.prefetch import Prefetcher
from solver_cli.data.source import Source
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import lookup

GOLDEN = Path(__file__).parents[1] / "golden" / "data_layers"
CASES: dict[str, Any] = json.loads((GOLDEN / "cases.json").read_text())
REFUSED: list[dict[str, Any]] = json.loads((GOLDEN / "refused.json").read_text())
DISTINCT = [name for name, case in CASES.items() if case["kind"] == "distinct"]
BATCHES = [name for name, case in CASES.items() if case["kind"] == "batches"]


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(autouse=True)
def beside_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN / "source")


def layers(text: str) -> list[LayerParameter]:
    return list(text_format.Parse(text, NetParameter()).layer)


def build(layer: LayerParameter, phase: str = "TEST", seed: int = 1) -> Source:
    if layer.type == "Data" and layer.data_param.backend == layer.data_param.LEVELDB:
        pytest.importorskip("plyvel")
    if layer.type in ("ImageData", "WindowData") or "encoded" in layer.data_param.source:
        pytest.importorskip("cv2")
    return lookup(layer.type).build(layer, phase == "TRAIN", np.random.default_rng(seed))


@pytest.mark.parametrize("ahead", [0, 3], ids=["plain", "prefetched"])
@pytest.mark.parametrize("name", BATCHES)
def test_batches_are_caffes(name: str, ahead: int, expected: dict[str, np.ndarray]) -> None:
    case = CASES[name]
    layer = layers(case["net"])[0]
    source = build(layer, case["phase"])
    if ahead:
        source = Prefetcher(source, ahead)
    for k in range(case["batches"]):
        for top, blob in zip(layer.top, source.next_batch(), strict=True):
            want = expected[f"{name}/b{k}_{top}"]
            assert blob.dtype.is_floating_point and blob.shape == want.shape
            np.testing.assert_allclose(blob.numpy(), want, rtol=1e-6, atol=1e-6 * np.abs(want).max())
    source.close()


@pytest.mark.parametrize("name", BATCHES)
def test_shapes_are_known_before_the_first_batch(name: str, expected: dict[str, np.ndarray]) -> None:
    layer = layers(CASES[name]["net"])[0]
    source = build(layer)
    for top, shape in zip(layer.top, source.shapes, strict=True):
        assert shape == expected[f"{name}/b0_{top}"].shape
    source.close()


@pytest.mark.parametrize("name", DISTINCT)
def test_random_outcomes_are_caffes(name: str, expected: dict[str, np.ndarray]) -> None:
    """The same set of outcomes, each about equally often, and drawn for each picture on its own."""
    case = CASES[name]
    source = build(layers(case["net"])[0], case["phase"])
    want = {item.astype(np.float32).tobytes() for item in expected[f"{name}/results"]}
    batches = [source.next_batch()[0].numpy() for _ in range(400)]
    found = Counter(item.tobytes() for batch in batches for item in batch)
    assert set(found) == want
    mean = sum(found.values()) / len(want)
    assert all(abs(count - mean) < 6 * mean**0.5 for count in found.values())
    if len(batches[0]) > 1:
        equal = sum(batch[0].tobytes() == batch[1].tobytes() for batch in batches) / len(batches)
        assert abs(equal - 1 / len(want)) < 6 * (1 / len(want) / len(batches)) ** 0.5
    source.close()


def test_dummy_data_draws_random_tops_anew_and_constant_ones_once() -> None:
    case = CASES["dummy_random"]
    layer = layers(case["net"])[0]
    source = build(layer)
    first, second = (dict(zip(layer.top, source.next_batch(), strict=True)) for _ in range(2))
    for top, want in case["expected"].items():
        values = first[top].numpy()
        assert list(values.shape) == want["shape"]
        assert (first[top] is second[top]) != want["refilled"]
        assert bool((first[top] == second[top]).all()) != want["refilled"]
        assert values.mean() == pytest.approx(want["mean"], abs=0.1) and values.std() == pytest.approx(want["std"], rel=0.1)


def test_memory_data_delivers_the_arrays_as_they_are(expected: dict[str, np.ndarray], caplog: Any) -> None:
    (layer,) = layers(CASES["memory_data"]["net"])
    source: Any = build(layer)
    assert source.shapes == [tuple(expected[f"memory_data/before_{top}"]) for top in layer.top]
    with np.load("memory.npz") as arrays:
        source.reset(arrays["data"], arrays["label"])
    assert "does not transform array data" in caplog.text
    for k in range(CASES["memory_data"]["batches"]):
        for top, blob in zip(layer.top, source.next_batch(), strict=True):
            np.testing.assert_array_equal(blob.numpy(), expected[f"memory_data/b{k}_{top}"], strict=True)


def test_data_of_the_feature_extraction(expected: dict[str, np.ndarray]) -> None:
    case = CASES["extract_features"]
    source = build(layers(case["net"])[0])
    batches = [source.next_batch() for _ in range(case["batches"])]
    data, label = (torch.cat(tops) for tops in zip(*batches, strict=True))
    np.testing.assert_array_equal(label[:, None].numpy(), expected["extract_features/label"])
    pool = torch.nn.functional.avg_pool2d(data, 8).flatten(1).numpy()
    np.testing.assert_allclose(pool, expected["extract_features/pool"], rtol=1e-5)


def output(layer: LayerParameter, folder: Path) -> tuple[Any, Path]:
    layer.hdf5_output_param.file_name = str(folder / "stored.h5")
    kind = lookup("HDF5Output")
    assert kind.param == "hdf5_output_param"
    return kind.build(layer.hdf5_output_param, [(6, 2, 3, 4), (6,)]), folder / "stored.h5"


def test_hdf5_output_stores_four_axes(tmp_path: Path) -> None:
    data, store = layers(CASES["hdf5_output"]["net"])
    sink, path = output(store, tmp_path)
    assert sink(*build(data).next_batch()) == ()
    with h5py.File(path) as found, h5py.File(GOLDEN / "stored.h5") as want:
        assert sorted(found) == sorted(want) == ["data", "label"]
        for name in want:
            np.testing.assert_array_equal(found[name][...], want[name][...], strict=True)


@pytest.mark.parametrize("row", REFUSED, ids=[row["name"] for row in REFUSED])
def test_what_caffe_refuses_is_refused(row: dict[str, Any], tmp_path: Path) -> None:
    first, *rest = layers(row["net"])
    with pytest.raises((ConfigError, DataError)) as caught:
        source = build(first)
        sink = output(rest[0], tmp_path)[0] if rest else None
        for _ in range(row["batches"]):
            batch = source.next_batch()
            if sink:
                sink(*batch)
    assert "\n" not in str(caught.value)
    assert caught.value.field
