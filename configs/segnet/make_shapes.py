"""Draw pictures of shapes with a label for each pixel, to train a SegNet with: `python configs/segnet/make_shapes.py`.

Writes the folders train, train_labels, test and test_labels of PNG pictures, and shapes_train.txt and shapes_test.txt, which
list them as DenseImageData with the folder as its root_folder reads them. A label is 0 (background) to 3, or 255 (ignored)
along the rims. The same seed draws the same pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from shapes import drawing, encoded, made

SIZE = 96  # side of a picture in pixels


def make(folder: str | Path, seed: int = 1, train: int = 300, test: int = 60) -> list[Path]:
    """Draw `train` and `test` pictures into `folder`; the paths of the two lists."""
    written = []
    for number, (part, count) in enumerate((("train", train), ("test", test))):
        rng = np.random.default_rng([seed, number])
        names = [(f"{part}/{i:04d}.png", f"{part}_labels/{i:04d}.png") for i in range(count)]
        for name in names[0]:
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
        for row in names:
            drawn = drawing(SIZE, rng)
            for name, picture in zip(row, (drawn.picture, drawn.label), strict=True):
                (Path(folder) / name).write_bytes(encoded(picture, ".png"))
        written.append(Path(folder) / f"shapes_{part}.txt")
        written[-1].write_text("".join(f"{picture} {label}\n" for picture, label in names))
    return written


if __name__ == "__main__":
    for path in made(make, "segnet", "Draw pictures of shapes with a label for each pixel.", 300, 60):
        print(f"wrote {path} and its pictures")
