"""Draw what a trained SSD finds in the test pictures: `solver-tools python configs/ssd/draw_boxes.py WEIGHTS`.

Writes one picture of them all, beside each other and twice as large: a box around each find, its class and score.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
import cv2
import numpy as np

NET = "configs/ssd/train_test.prototxt"
MEAN, SCALE = 127, 0.0157  # of its transform_param
NAMES = ("background", "circle", "square", "triangle")
COLOURS = ((0, 0, 0), (0, 0, 255), (255, 255, 255), (0, 255, 255))  # blue, green, red
ENLARGED = 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw what a trained SSD finds in the test pictures.")
    parser.add_argument("weights", help="a .caffemodel of configs/ssd")
    parser.add_argument("--to", type=Path, default=Path("configs/ssd/found.png"), help="picture to write [%(default)s]")
    parser.add_argument("--count", type=int, default=12, help="how many test pictures [%(default)s]")
    parser.add_argument("--columns", type=int, default=6, help="pictures in a row [%(default)s]")
    parser.add_argument("--least", type=float, default=0.5, help="least score of what is drawn [%(default)s]")
    args = parser.parse_args()
    if min(args.count, args.columns) < 1:
        parser.error("--count and --columns must be 1 or more")
    net = caffe.Net(NET, args.weights, caffe.TEST)
    drawn: list[np.ndarray] = []
    while len(drawn) < args.count:
        net.forward()
        found = net.blobs["detection_out"].data.reshape(-1, 7)
        drawn += [draw(data, found[found[:, 0] == i], args.least) for i, data in enumerate(net.blobs["data"].data)]
    drawn = drawn[: args.count]
    drawn += [np.zeros_like(drawn[0])] * (-len(drawn) % args.columns)
    rows = [np.hstack(drawn[i : i + args.columns]) for i in range(0, len(drawn), args.columns)]
    args.to.write_bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())
    print(f"wrote {args.to}")


def draw(data: np.ndarray, found: np.ndarray, least: float) -> np.ndarray:
    """The picture that the net saw as `data`, with the rows of DetectionOutput that reach the least score."""
    pixels = (data.transpose(1, 2, 0) / SCALE + MEAN).clip(0, 255).astype(np.uint8)
    picture = cv2.resize(pixels, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    height, width = picture.shape[:2]
    for _, label, score, *box in found[(found[:, 1] > 0) & (found[:, 2] >= least)]:
        left, top, right, bottom = (round(float(side)) for side in np.multiply(box, (width, height, width, height)))
        colour = COLOURS[int(label)]
        cv2.rectangle(picture, (left, top), (right, bottom), colour, 1)
        text, above = f"{NAMES[int(label)]} {score:.2f}", top - 3 if top > 10 else bottom + 9
        cv2.putText(picture, text, (max(0, left), above), cv2.FONT_HERSHEY_SIMPLEX, 0.32, colour, 1, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    main()
