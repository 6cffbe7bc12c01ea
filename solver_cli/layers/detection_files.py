"""What DetectionOutput writes (`save_output_param`), and boxes in the pixels of pictures whose sizes stand in a file."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from google.protobuf import text_format
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import DetectionOutputParameter, LabelMap, ResizeParameter
from solver_cli.errors import ConfigError, DataError

FIELD = "detection_output_param.save_output_param"
Found = tuple[str, int, float, list[float]]  # picture, class, score, place


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
        self.at = 0
        self.rows = torch.empty(0, 7, dtype=torch.float64, device="cpu")  # picture, class, score, left, top, width, height

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
            rows = found[found[:, 0] == i].double()
            box = to_pixels(rows[:, 3:].float(), *self.pictures[self.at][1:], self.resize).double()
            box = torch.cat((box[:, :2], box[:, 2:] - box[:, :2]), 1).mul(100).round().div(100)
            self.rows = torch.cat((self.rows, torch.cat((torch.full_like(rows[:, :1], self.at), rows[:, 1:3], box), 1)))
            self.at += 1
            if self.at == self.count:
                self._write()
                self.at, self.rows = 0, self.rows[:0]

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        found = [(self.pictures[int(at)][0], int(label), score, box) for at, label, score, *box in self.rows.tolist()]
        for name, text in self._texts(found).items():
            (self.folder / name).write_text(text)

    def _texts(self, found: list[Found]) -> dict[str, str]:
        """The text of each file by its name."""
        if self.form == "COCO":
            rows = [
                {"image_id": _number(name), "category_id": _number(self.names[label]), "bbox": box, "score": score}
                for name, label, score, box in found
            ]
            return {f"{self.prefix}.json": json.dumps(rows, indent=4) + "\n"}
        if self.form == "ILSVRC":
            lines = (f"{name} {label} {_score_and_box(score, box)}\n" for name, label, score, box in found)
            return {f"{self.prefix}.txt": "".join(lines)}
        texts = dict.fromkeys(self.classes, "")
        for name, label, score, box in found:
            texts[label] += f"{name} {_score_and_box(score, box)}\n"
        return {f"{self.prefix}{self.names[label]}.txt": text for label, text in texts.items()}


def _score_and_box(score: float, box: list[float]) -> str:
    x, y, width, height = map(int, box)
    return f"{score:g} {x} {y} {x + width} {y + height}"


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
