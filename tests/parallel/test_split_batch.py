"""--split-batch: ranks that divide the batch of the file learn what one rank learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golden_ranks import assert_like_one, copied, on_two_ranks
from rank_runs import RANKS, SOLVER, write_records, write_run
from running import PICTURES, changed, run, write
from test_gradients import DROPOUT

LOSS = 'bottom: "label"\n  top: "loss"\n  loss_param { ignore_label: 1 normalization: VALID }'
SUM = [("normalization: VALID", "normalization: NONE"), ('top: "loss"', 'top: "loss" loss_weight: 0.1')]
MADE = [  # the labels that count are those that a layer makes
    (LOSS, LOSS.replace('"label"', '"shifted"')),
    ('layer {\n  name: "small"', 'layer { name: "shift" type: "Power" bottom: "label" top: "shifted" '
     'power_param { shift: 0 } include { phase: TRAIN } }\nlayer {\n  name: "small"'),
]  # fmt: skip
WEIGHED = [('top: "fc2"\n', 'top: "fc2" loss_weight: 0.001\n')]  # a blob whose values add up to a loss
CASES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("iter_size_ignore_1x32", {}, []),
    ("iter_size_ignore_1x32", {"micro_batch": 5}, []),
    ("iter_size_ignore_4x8", {}, []),
    ("iter_size_ignore_4x8", {"micro_batch": 3, "recompute": True}, []),
    ("iter_size_ignore_full_4x8", {}, []),
    ("iter_size_ignore_1x32", {}, SUM),
    ("iter_size_ignore_1x32", {"micro_batch": 5}, SUM),
    ("iter_size_ignore_1x32", {}, MADE),
    ("iter_size_ignore_1x32", {"micro_batch": 5}, MADE),
    ("iter_size_ignore_4x8", {}, WEIGHED),
    ("multi_loss", {}, []),
    ("reg_adam_l2_clip", {}, []),
    ("reg_sgd", {}, DROPOUT),
    ("reg_sgd", {"compile": True}, []),
]


@pytest.fixture(scope="module")
def folder(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case, trained on two ranks."""
    folder = tmp_path_factory.mktemp("split")
    (folder / "data").symlink_to(golden / "data")
    for number, (case, _, changes) in enumerate(CASES):
        copied(golden, case, folder / "runs" / str(number), 1, changes)
    on_two_ranks([(folder / "runs" / str(i), {**case[1], "split_batch": True}) for i, case in enumerate(CASES)])
    return folder


@pytest.mark.parametrize("number", range(len(CASES)))
def test_two_ranks_learn_what_one_learns(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = folder / "runs" / str(number)
    monkeypatch.chdir(own)
    assert_like_one(own, CASES[number][0])


def test_a_batch_that_does_not_divide_is_refused_and_layers_that_join_records_are_named(tmp_path: Path) -> None:
    write_run(tmp_path)
    only = [*RANKS, "--split-batch", "--set", "max_iter=2"]
    end = run("solver-train", "solver.prototxt", *only, folder=tmp_path)
    assert end.code == 1
    assert end.complaints == [
        "net.prototxt:3:90: layer 'data' (Data): batch_size 7 cannot be divided among 2 ranks (--split-batch): 6 and 8 can"
    ]
    write(tmp_path, changed(PICTURES, ("batch_size: 7", "batch_size: 8")), SOLVER)
    end = run("solver-train", "solver.prototxt", *only, folder=tmp_path)
    assert (end.code, end.complaints) == (0, []), end.stderr
    assert "An update takes 4 x 2 x 2 = 16 records (a rank's part of batch_size 8 x iter_size x ranks)" in end.stderr
    (named,) = [line for line in end.log if "joins the records" in line]
    assert named == (
        "net.prototxt:8:1: layer 'bn' (BatchNorm) joins the records of a batch: with --split-batch it sees those of each "
        "rank's part only"
    )


def test_data_that_fail_on_one_rank_end_both(tmp_path: Path) -> None:
    """The other one waits for the number of its labels meanwhile."""
    net = changed(
        PICTURES, ("batch_size: 7", "batch_size: 8"), ('top: "loss" }', 'top: "loss" loss_param { ignore_label: 1 } }')
    )
    write(tmp_path, net, SOLVER)
    write_records(tmp_path, [(bytes(432 if i != 101 else 5), 0) for i in range(300)])
    end = run("solver-train", "solver.prototxt", *RANKS, "--split-batch", folder=tmp_path)
    assert end.code == 1
    (complaint,) = end.complaints
    assert complaint.startswith("rank 1: net.prototxt:3:"), complaint
