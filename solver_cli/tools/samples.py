"""What a net that is being trained sees in a few pictures of its test data: boxes or masks, for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import torch

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.crops import Picture
from solver_cli.data.decode import decode, read_file
from solver_cli.data.image import read_list
from solver_cli.data.pairs import read_pairs
from solver_cli.errors import Error
from solver_cli.net.net import Net
from solver_cli.solver.tensorboard import TensorBoard
from solver_cli.solver.watchers import Tested, Watcher
from solver_cli.text.netspec import NetSpec, filter_layers
from solver_cli.tools import contents, nets, predict
from solver_cli.tools.deployed import deployed
from solver_cli.tools.drawing import drawn
from solver_cli.tools.pictures import Said, preparation

COUNT = 4  # pictures
SHARE = 0.003  # of the time, at most
THRESHOLD = 0.3  # the least score of a box that is drawn


class Samples(Watcher):
    """Draws what test net 0 sees in its first pictures, after each test, unless that takes more than SHARE of the time."""

    may_fail = (OSError, Error)

    def __init__(self, spec: NetSpec, train: Net, board: TensorBoard, python_layers: bool):
        """`spec`: the test net's, in its state. Raises Error where it takes no pictures that are there."""
        with log.silent():
            found = deployed(spec, None, None)
            prepared = preparation(found, Said())
            self.net = nets.build(found.spec, train.device, python_layers)
            self.net.share_with(train)
            self.ask = predict.Asked(self.net, found, None, {}, 1, THRESHOLD)
            found_there = first_pictures(spec, prepared.channels > 1)
            self.pictures = [prepared.prepare(picture, name) for picture, name in found_there]
        self.board, self.spent, self.begun_at = board, 0.0, time.perf_counter()

    @property
    def places(self) -> bool:
        """Whether the net tells where things are: classes alone need no drawing."""
        return self.ask.boxes or self.ask.mask

    def tested(self, test: Tested) -> None:
        before = time.perf_counter()
        if test.index or test.means is None or self.spent > SHARE * (before - self.begun_at):
            return
        for number, picture in enumerate(self.pictures):
            seen = drawn(self.ask(picture, ""))
            self.board.show(f"samples/{number}", test.iteration, torch.from_numpy(seen[..., ::-1].copy()))
        self.spent += time.perf_counter() - before


def watched(spec: NetSpec, train: Net, board: TensorBoard, python_layers: bool) -> list[Samples]:
    """The watcher, if the test net tells of places in pictures."""
    try:
        found = Samples(spec, train, board, python_layers)
    except Error:  # no pictures, or none that are there: the run has said what it needs to
        return []
    return [found] if found.places else []


def first_pictures(spec: NetSpec, colour: bool) -> Iterator[tuple[Picture, str]]:
    """The first pictures [channels, height, width] of the net's data layer, and their names. Raises Error."""
    with log.silent():
        params = [layer.param for layer in filter_layers(spec)]
    for param in params:
        if param.HasField("data_param"):
            source = param.data_param.source
            return ((picture, f"record {i} of {source}") for i, (picture, _) in enumerate(contents.pictures(source, COUNT)))
        if names := _files(param):
            return ((decode(read_file(name, ""), f"picture '{name}'", colour, ""), name) for name in islice(names, COUNT))
    return iter(())


def _files(param: LayerParameter) -> list[str]:
    """The picture files of a data layer that has a list of them."""
    if param.type == "ImageData":
        files = param.image_data_param
        return [files.root_folder + name for name, _ in read_list(files.source, files.root_folder)]
    if param.type in ("ImageSegData", "ImageLabelmapData"):
        files = param.image_data_param
        return [files.root_folder + name for name, _ in read_pairs(files.source, "image_data_param", False)]
    if param.type == "DenseImageData":
        dense = param.dense_image_data_param
        folder = dense.root_folder + dense.root_folder_image
        return [folder + name for name, _ in read_pairs(dense.source, "dense_image_data_param", True)]
    return []
