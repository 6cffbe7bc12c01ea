"""Every layer type says which Caffe has it."""

from __future__ import annotations

from golden_layers import TESTED_ELSEWHERE, TYPES

from solver_cli import elsewhere
from solver_cli.net import plan as _plan  # noqa: F401 - registers every layer
from solver_cli.registry import layer_types

FORKS_DATA = {"AnnotatedData", "DenseImageData", "ImageGtData", "ImageSegData", "VideoData"}
OTHERS = {name for name in TESTED_ELSEWHERE if name in FORKS_DATA or "/" in name}
BVLCS = {name for name in TYPES if name[0] != "_"} | TESTED_ELSEWHERE - OTHERS


def test_bvlc_s_types_are_those_that_it_has_been_recorded_with() -> None:
    assert {name for name, kind in layer_types().items() if kind.origin == "BVLC"} == BVLCS


def test_the_others_name_their_fork() -> None:
    """A new type of a fork: `@layer("Name", origin="whose")`."""
    assert not [name for name, kind in layer_types().items() if not kind.origin.strip()]
    for name, kind in layer_types().items():
        dialect = name.partition("/")[2]
        same = {"mscnn": "MS-CNN", "rcnn": "R-CNN", "rfcn": "R-FCN", "yolo": "MobileNet-YOLO"}.get(dialect, dialect)
        assert not dialect or kind.origin.lower() == same.lower()


def test_names_that_only_forks_have() -> None:
    assert elsewhere.has_type("Correlation") == " (of FlowNet2's fork)"
    assert elsewhere.has_field("clustering_param") == " (of CharlesShang's fork)"
    assert elsewhere.has_type("Convolution") == elsewhere.has_field("convolution_param") == ""
    names = [name for rows in (elsewhere.TYPES, elsewhere.FIELDS) for text in rows.values() for name in text.split()]
    assert len(names) == len(set(names))
