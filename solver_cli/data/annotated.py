"""AnnotatedData: pictures with boxes around what they show, as SSD has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import AnnotatedDatum, LayerParameter, TransformationParameter
from solver_cli.data.augment import Augment
from solver_cli.data.boxes import objects_of
from solver_cli.data.crops import Encoded, Picture
from solver_cli.data.database import FIELD, Record, Records
from solver_cli.data.datum import Datums
from solver_cli.data.dealing import Dealing
from solver_cli.data.pool import Pool
from solver_cli.data.source import check_fields, log, say, state_field
from solver_cli.data.transform import Transform, only
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

FINISH = ("scale", "mean_file", "mean_value", "force_color", "force_gray")  # of transform_param: done to the whole batch
OWN = ("batch_sampler", "label_map_file", "anno_type", "yolo_data_type", "yolo_data_jitter", "train_diffcult")
SEGMENTS = ("single_class", "seg_scales", "seg_resize_width", "seg_resize_height")  # of a third top
COLUMNS = 8  # of the label: item, label, instance, xmin, ymin, xmax, ymax, difficult
YOLO = (300, 5)  # of MobileNet-YOLO's label, for each picture: class, x, y, width, height; 0 where there is no object


@source("AnnotatedData", origin="SSD", tops=(1, 2), transforms=True, dynamic=True, reads=("data_param",))
class AnnotatedData:
    """Pictures of an LMDB or LevelDB with boxes around objects, distorted, expanded, sampled, resized and cropped along.

    Tops: pictures [N, channels, height, width]; the boxes of all of them, [1, 1, n, 8] with another n for each batch: item,
    label, instance, xmin, ymin, xmax, ymax, difficult (one row of -1 if there are none); [N, 1, 1, 1] labels of records
    without annotations. It reads data_param as Data does. With FIT_SMALL_SIZE the
    batch_size is 1, and the pictures differ in size. MobileNet-YOLO's `yolo_data_type: 1`: boxes as [N, 1, 300, 5], class,
    x, y of the middle, width, height, and unless there are samplers, `yolo_data_jitter` cuts pictures.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        own, param = layer.annotated_data_param, layer.transform_param
        check_fields(own, "annotated_data_param", OWN, SEGMENTS)
        self._yolo, self._difficult = own.yolo_data_type == 1, own.train_diffcult
        self._boxes = len(layer.top) > 1
        self.dealing = Dealing()
        self._records = Records(layer.data_param, generator)
        self.transform = Transform(only(param, FINISH), training, generator, f"{FIELD}.source")
        force = self.transform.force
        jitter = own.yolo_data_jitter if self._yolo or own.HasField("yolo_data_jitter") else 0
        self._augment = Augment(param, own.batch_sampler, training, force, f"{FIELD}.source", jitter)
        self._batch = self._records.batch_size
        if any(fit.varies for fit in self._augment.fits) and self._batch != 1:
            text = "FIT_SMALL_SIZE needs a batch_size of 1: the pictures differ in size"
            raise ConfigError(text, field=f"{FIELD}.batch_size")
        self._datums = Datums(force, f"{FIELD}.source")
        self._pool = Pool()
        self._type = own.anno_type if own.HasField("anno_type") else None
        first = self._parse(self._records.next)
        self._plain = self._type is None and not first.HasField("type")
        if self._type is not None:
            log.warning("type stored in AnnotatedDatum is shadowed.")
            self._check_type(self._type, "annotated_data_param.anno_type")
        self.shapes = self._shapes(first, param)
        say(f"output data size: {','.join(map(str, self.shapes[0]))}", "annotated_data_layer.cpp:62")

    def _shapes(self, first: AnnotatedDatum, param: TransformationParameter) -> list[tuple[int, ...]]:
        """The tops' shapes by the first record, as SSD has them before the first batch."""
        name = self._records.name(self._records.next)
        picture = self._datums.picture(first.datum, name)
        shape = self._augment.shape(name, picture.shape)
        self.transform.shape(name, shape)
        if not first.datum.encoded:
            self.transform.warn_raw()
            self._augment.warn_raw()
            if param.mirror and param.HasField("mean_file"):
                text = f"mean_file does not go with mirror here: {name} is not encoded"
                raise ConfigError(text, field="transform_param.mean_file")
        boxes = max(1, sum(len(group.annotation) for group in first.annotation_group))
        some = (self._batch, 1, *YOLO) if self._yolo else (1, 1, boxes, COLUMNS)
        label = (self._batch, 1, 1, 1) if self._plain else some
        return [(self._batch, *shape), label][: 1 + self._boxes]

    @property
    def records(self) -> int:
        return self._records.count

    def next_batch(self) -> tuple[Tensor, ...]:
        numbers, records = self._records.take(self.dealing)
        labels: list[Any] = [None] * len(records)

        def name(i: int) -> str:
            return self._records.name(records[i])

        def read(i: int) -> Picture:
            picture, labels[i] = self._read(records[i], numbers[i], i)
            return picture

        data = self.transform(Encoded(read, len(records)), numbers, name, self._pool)
        if self._records.spoilt():
            self.dealing.undo()
            return self.next_batch()
        return (data, self._label(labels)) if self._boxes else (data,)

    def _read(self, record: Record, number: int, item: int) -> tuple[Picture, Any]:
        """A record's picture and its part of the label."""
        name = self._records.name(record)
        datum = self._parse(record)
        if self._boxes and not self._plain:
            self._check_record(datum, name)
        picture = self._datums.picture(datum.datum, name)
        random = np.random.default_rng((self.transform.seed, number))
        try:
            fit = self._augment.chosen(self.transform.seed, number // self.dealing.block(self._batch))
            picture, objects = self._augment(picture, datum.datum.encoded, objects_of(datum), fit, random, name)
        except DataError as error:
            raise error if name in error.message else DataError(f"{name}: {error.message}", field=error.field) from None
        if not self._plain:
            return picture, objects.centred(self._difficult, *YOLO) if self._yolo else objects.rows(item)
        if self._boxes and not datum.datum.HasField("label"):
            raise DataError(f"{name} has neither a label nor a type of annotation", field=f"{FIELD}.source")
        return picture, datum.datum.label

    def _label(self, labels: list[Any]) -> Tensor:
        if self._plain:
            return torch.tensor(labels, dtype=torch.float32).view(-1, 1, 1, 1)
        if self._yolo:
            return torch.from_numpy(np.stack(labels))[:, None]
        rows = np.concatenate(labels)
        return torch.from_numpy(rows if len(rows) else np.full((1, COLUMNS), -1, np.float32))[None, None]

    def _parse(self, record: Record) -> AnnotatedDatum:
        try:
            return AnnotatedDatum.FromString(bytes(record[1]))
        except DecodeError:
            name = self._records.name(record)
            raise DataError(f"{name} is not an AnnotatedDatum ({len(record[1])} bytes)", field=f"{FIELD}.source") from None

    def _check_record(self, datum: AnnotatedDatum, name: str) -> None:
        if self._type is None:
            if not datum.HasField("type"):
                raise DataError(f"{name} has no type of annotation, but the first record has", field=f"{FIELD}.source")
            self._check_type(datum.type, f"{FIELD}.source", f"{name}: ")

    def _check_type(self, kind: int, field: str, where: str = "") -> None:
        if kind != AnnotatedDatum.BBOX:
            name = AnnotatedDatum.AnnotationType.Name(kind)  # type: ignore[arg-type]
            raise DataError(f"{where}annotations of type {name} are not supported: expected BBOX", field=field)

    def state_dict(self) -> dict[str, Any]:
        return {**self._records.state_dict(), "seed": self.transform.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._records.load_state_dict(state)
        self.transform.seed = state_field(state, "seed")

    def close(self) -> None:
        self._pool.close()
        self._records.close()
