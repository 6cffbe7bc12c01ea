"""Measure a trained SegNet on all test pictures: `solver-tools python configs/segnet/measure_overlap.py WEIGHTS`.

Prints for each class how many pixels are of it in both scores and labels, as a share of those that are of it in either
(intersection over union), and the mean; ignored labels are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
import numpy as np

FOLDER = Path("configs/segnet")
NAMES = ("background", "circle", "square", "triangle")
IGNORED = 255


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the overlap of what a trained SegNet finds and what is there.")
    parser.add_argument("weights", help="a .caffemodel of configs/segnet")
    args = parser.parse_args()
    net = caffe.Net((FOLDER / "train_test.prototxt").as_posix(), args.weights, caffe.TEST)
    pictures = len((FOLDER / "shapes_test.txt").read_text().splitlines())
    counts = np.zeros((len(NAMES), len(NAMES)), int)  # by label and by what is found
    for _ in range(0, pictures, net.blobs["data"].num):
        net.forward()
        found, label = net.blobs["score"].data.argmax(1), net.blobs["label"].data[:, 0].astype(int)
        there = label != IGNORED
        np.add.at(counts, (label[there], found[there]), 1)
    overlaps = counts.diagonal() / np.maximum(counts.sum(0) + counts.sum(1) - counts.diagonal(), 1)
    for name, overlap in zip((*NAMES, "mean"), (*overlaps, overlaps.mean()), strict=True):
        print(f"{name:10} {overlap:.3f}")


if __name__ == "__main__":
    main()
