"""What DetectionOutput writes (`save_output_param`), and boxes in the pixels of pictures whose sizes stand in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from google.protobuf import text_format
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import DetectionOutputParameter, LabelMap, ResizeParameter
from solver_cli.errors import ConfigError, DataError

FIELD = "detection_output_param.save_output_param"


class DetectionFiles:
    """Gathers what is found in each picture of a test and writes it behind the last: VOC, COCO or ILSVRC."""

    def __init__(self, param: DetectionOutputParameter):
        save = param.save_output_param
        self.folder, self.prefix, self.form = Path(save.output_directory), save.output_name_prefix, save.output_format
        if self.form not in ("VOC", "COCO", "ILSVRC"):
            raise ConfigError(
                f"output_format must be VOC, COCO or ILSVRC, not '{self.form}'", field=f"{FIELD}.output_format"
            )
        self.names = label_names(save.label_map_file)
        self.classes = [c for c in range(param.num_classes) if c != param.background_label_id]
        if missing := [c for c in self.classes if c not in self.names]:
            raise ConfigError(f"{save.label_map_file} has no name for class {missing[0]}", field=f"{FIELD}.label_map_file")
        self.pictures = picture_sizes(save.name_size_file, f"{FIELD}.name_size_file")
        self.count = save.num_test_image if save.HasField("num_test_image") else len(self.pictures)
        if not 0 < self.count <= len(self.pictures):
            raise ConfigError(
                f"num_test_image {self.count} is not in 1..{len(self.pictures)}, the pictures of {save.name_size_file}",
                field=f"{FIELD}.num_test_image",
            )
        self.resize = save.resize_param if save.HasField("resize_param") else None
        self.at, self.rows = 0, list[dict[str, Any]]()

    @staticmethod
    def of(param: DetectionOutputParameter) -> DetectionFiles | None:
        """None unless directory, label map and sizes are all given; half of them is worth a warning."""
        save = param.save_output_param
        missing = [f for f in ("output_directory", "label_map_file", "name_size_file") if not getattr(save, f)]
        if 0 < len(missing) < 3:
            log.warning("detection_output_layer.cpp", f"save_output_param writes nothing without {', '.join(missing)}")
        return None if missing else DetectionFiles(param)

    def add(self, found: Tensor, num: int) -> None:
        """Take the rows (n, 7) of a batch of `num` pictures."""
        found = found.cpu()
        for i in range(num):
            name, height, width = self.pictures[self.at]
            rows = found[found[:, 0] == i]
            pixels = to_pixels(rows[:, 3:], height, width, self.resize).double()
            places = torch.cat((pixels[:, :2], pixels[:, 2:] - pixels[:, :2]), 1).mul(100).round().div(100)
            for (_, label, score, *_), place in zip(rows.tolist(), places.tolist(), strict=True):
                self.rows.append({"image_id": name, "category_id": int(label), "bbox": place, "score": score})
            self.at += 1
            if self.at == self.count:
                self._write()
                self.at, self.rows = 0, []

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, lines in self._texts().items():
            (self.folder / path).write_text("".join(f"{line}\n" for line in lines))

    def _texts(self) -> dict[str, list[str]]:
        """The lines of each file by its name."""
        if self.form == "COCO":
            rows = [{**row, "category_id": _number(self.names[row["category_id"]]), "image_id": _number(row["image_id"])}
                    for row in self.rows]  # fmt: skip
            return {f"{self.prefix}.json": [json.dumps(rows, indent=4)]}
        if self.form == "ILSVRC":
            return {f"{self.prefix}.txt": [f"{r['image_id']} {r['category_id']} {_score_and_box(r)}" for r in self.rows]}
        return {
            f"{self.prefix}{self.names[c]}.txt": [
                f"{r['image_id']} {_score_and_box(r)}" for r in self.rows if r["category_id"] == c
            ]
            for c in self.classes
        }


def _score_and_box(row: dict[str, Any]) -> str:
    x, y, width, height = map(int, row["bbox"])
    return f"{row['score']:g} {x} {y} {x + width} {y + height}"


def _number(text: str) -> int | str:
    """COCO's names of pictures and classes are numbers."""
    return int(text) if text.isdecimal() else text


def label_names(path: str) -> dict[int, str]:
    """The names of classes from a label map, a text of LabelMap. Raises DataError."""
    try:
        items = text_format.Parse(Path(path).read_text(), LabelMap()).item
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise DataError(f"cannot read the label map {path}: {error}", field=f"{FIELD}.label_map_file") from None
    return {item.label: item.name for item in items}


def picture_sizes(path: str, field: str) -> list[tuple[str, int, int]]:
    """Name, height and width of each picture, a line each. Raises DataError."""
    try:
        lines = [line.split() for line in Path(path).read_text().splitlines() if line.strip()]
        return [(name, int(height), int(width)) for name, height, width in lines]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}; wanted are lines of name, height, width", field=field) from None


def to_pixels(box: Tensor, height: int, width: int, resize: ResizeParameter | None) -> Tensor:
    """Boxes (n, 4) as shares of what the net saw, in pixels of the picture that it was made from, cut at its edges."""
    scale = box.new_tensor((width, height, width, height))
    mode = ResizeParameter.WARP if resize is None else resize.resize_mode
    if resize is not None and mode == ResizeParameter.FIT_SMALL_SIZE and resize.height_scale and resize.width_scale:
        seen = box.new_tensor((resize.width_scale, resize.height_scale) * 2)
        return (box * seen).clamp(min=0).minimum(scale)
    if resize is not None and mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        box = _without_padding(box, height, width, resize)
    return box.clamp(0, 1) * scale


def _without_padding(box: Tensor, height: int, width: int, resize: ResizeParameter) -> Tensor:
    """As shares of the picture within its padding; a box that lies in the padding alone stays as it is."""
    aspect, wide, high = width / height, float(resize.width), float(resize.height)
    pad_x, pad_y = 0.0, 0.0
    if aspect > wide / high:
        pad_y = (high - wide / aspect) / 2 / high
    else:
        pad_x = (wide - high * aspect) / 2 / wide
    begin, end = box.new_tensor((pad_x, pad_y)), box.new_tensor((1 - pad_x, 1 - pad_y))
    apart = ((box[:, :2] >= end) | (box[:, 2:] <= begin)).any(1, keepdim=True)
    return torch.where(apart, box, (box - begin.repeat(2)) / (end - begin).repeat(2))
