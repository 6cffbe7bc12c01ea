"""Two ranks with half the batch each learn what one rank learns, whatever the rule and however a batch runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_ranks import assert_like_one, copied, on_two_ranks

RULES = [
    "lenet_sgd_momentum", "lenet_nesterov_l2_inv", "lenet_adagrad_l1_delta", "lenet_rmsprop_l2_delta",
    "lenet_adadelta_l2_delta", "lenet_adam_l2_delta", "reg_adam_l2_clip", "clip_gradients", "lr_mult_decay_mult",
    "shared_permissive", "siamese_shared", "quick_lrn_within",
]  # fmt: skip
TANH = 'name: "tanh1"\n  type: "TanH"\n  bottom: "fc1"\n  top: "fc1"\n}\n'
DROPOUT = [(TANH, TANH + 'layer { name: "drop" type: "Dropout" bottom: "fc1" top: "fc1" }\n')]
CASES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [(case, {}, []) for case in RULES]
CASES += [
    ("iter_size_clip_4x8", {}, []),
    ("iter_size_clip_4x8", {"micro_batch": 3}, []),
    ("siamese_shared", {"micro_batch": 3, "recompute": True}, []),
    ("lenet_sgd_momentum", {"recompute": True}, []),
    ("reg_sgd", {}, DROPOUT),
    ("reg_sgd", {"micro_batch": 3}, DROPOUT),
    ("lr_multistep", {"grow_batch": 4}, []),  # an update of more passes than the one before
    ("lr_mult_frozen_layers", {}, []),
    ("stop_gradient", {}, []),
    ("reg_sgd", {"compile": True}, []),
]
NAMES = ["-".join([case, *options, *("dropout" for _ in changes)]) for case, options, changes in CASES]


@pytest.fixture(scope="module")
def folder(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case twice, with its batch whole and halved; the halves have been trained on two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "data").symlink_to(golden / "data")
    for name, (case, _, changes) in zip(NAMES, CASES, strict=True):
        copied(golden, case, folder / "whole" / name, 1, changes)
        copied(golden, case, folder / "half" / name, 2, changes)
    on_two_ranks([(folder / "half" / name, options) for name, (_, options, _) in zip(NAMES, CASES, strict=True)])
    return folder


@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES)
def test_golden_case_on_two_ranks(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, (case, options, _) = NAMES[number], CASES[number]
    monkeypatch.chdir(folder / "whole" / name)
    assert_like_one(folder / "half" / name, case, grow_batch=options.get("grow_batch"))
    early, buckets = np.load(folder / "half" / name / "sent.npy")
    assert early == buckets or "grow_batch" in options, "gradients have waited for the end of the backward pass"
