"""`solver-tools convert-imageset` and `compute-mean`: what Caffe's tools wrote, record for record and byte for byte."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from running import ENVIRONMENT, call, program, run

from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.tools import tools

cv2 = pytest.importorskip("cv2")
SOURCE = Path(__file__).parents[1] / "golden" / "data_layers" / "source"

Records = list[tuple[bytes, bytes]]

EQUAL = {  # what it is called: the flags and the list that Caffe was given for it
    "raw_lmdb": "images/ list.txt",
    "gray_lmdb": "--gray images/ list.txt",
    "encoded_lmdb": "--encoded images/ list.txt",
    "encoded_colour_lmdb": "--encoded images/ list_colour.txt",
    "gray_encoded_lmdb": "--gray --encoded images/ list_colour.txt",
    "one_side_lmdb": "--resize_height=20 images/ list_varied.txt",
    "missing_lmdb": "images/ list_missing.txt",
    "odd_labels_lmdb": "images/ list_odd_labels.txt",
    "resized_lmdb": "--resize_height=20 --resize_width=24 images/ list_varied.txt",
}
ANEW = {  # encoded by Caffe's own libjpeg and libpng: their bytes differ from version to version, PNG's pixels do not
    "png_lmdb": ("--encoded --encode_type=png images/ list_colour.txt", 0),
    "gray_png_resized_lmdb": ("--gray --encode-type png --resize-height 16 --resize-width 20 images/ list_colour.txt", 0),
    "jpg_resized_lmdb": ("--encode_type=jpg --encoded --resize_height=16 --resize_width=20 images/ list_colour.txt", 8),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the golden pictures and lists."""
    for file in SOURCE.glob("list*.txt"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "images").symlink_to(SOURCE / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(path: Path | str) -> Records:
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as transaction:
        return list(transaction.cursor())


def convert(arguments: str) -> list[str]:
    """Run the command; the messages of its log."""
    ended = call(tools, "convert-imageset", *shlex.split(arguments))
    assert ended.code == 0, ended.stderr
    return ended.log


@pytest.mark.parametrize("name", EQUAL)
def test_records_are_caffes(name: str, folder: Path) -> None:
    convert(f"{EQUAL[name]} {name}")
    assert records(name) == records(SOURCE / name)
    assert sorted(path.name for path in (folder / name).iterdir()) == ["data.mdb"]


@pytest.mark.parametrize("name", ANEW)
def test_pictures_encoded_anew_have_caffes_pixels(name: str, folder: Path) -> None:
    arguments, most = ANEW[name]
    convert(f"{arguments} {name}")
    ours, theirs = records(name), records(SOURCE / name)
    assert [key for key, _ in ours] == [key for key, _ in theirs]
    for (_, a), (_, b) in zip(ours, theirs, strict=True):
        one, other = Datum.FromString(a), Datum.FromString(b)
        assert (one.label, one.encoded, one.HasField("channels")) == (other.label, other.encoded, other.HasField("channels"))
        pixels = [cv2.imdecode(np.frombuffer(datum.data, np.uint8), -1).astype(int) for datum in (one, other)]
        assert np.abs(pixels[0] - pixels[1]).max() <= most


def test_a_leveldb_has_caffes_records(folder: Path) -> None:
    plyvel = pytest.importorskip("plyvel")
    assert "Opened leveldb level" in convert("--backend leveldb images/ list.txt level")
    with plyvel.DB("level") as database, database.iterator() as found:
        assert list(found) == records(SOURCE / "raw_lmdb")
    ended = call(tools, "compute-mean", "level", "mean.binaryproto")
    assert ended.code == 0 and Path("mean.binaryproto").read_bytes() == (SOURCE / "mean.binaryproto").read_bytes()


def test_the_log_is_caffes_and_counts_what_is_left_out(folder: Path) -> None:
    lines = convert("images/ list_missing.txt db")
    assert {"A total of 6 images.", "Opened lmdb db", "Processed 5 files."} <= set(lines)
    assert any(line.startswith("Could not open or find file images/not_there.png (") for line in lines)
    assert lines[-1] == "1 of 6 pictures could not be read and are left out."


def test_shuffled_by_a_seed(folder: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        convert(f"--shuffle --seed {seed} images/ list.txt {name}")
    first, same, other = ([key[9:] for key, _ in records(name)] for name in "abc")
    plain = [key[9:] for key, _ in records(SOURCE / "raw_lmdb")]
    assert first == same and len({tuple(plain), tuple(first), tuple(other)}) == 3 and sorted(first) == sorted(plain)
    assert not Path("a.txt").exists()


def test_many_workers_change_nothing(folder: Path) -> None:
    convert("--workers 1 images/ list.txt one")
    convert("--workers 7 images/ list.txt seven")
    assert records("one") == records("seven")


def flowers(folder: Path) -> None:
    """Three classes of 5, 10 and 15 pictures, a text and a broken picture among them."""
    draw = np.random.default_rng(0)
    for count, name in ((10, "rose"), (15, "tulip"), (5, "aster")):
        (folder / "flowers" / name / "deep er").mkdir(parents=True)
        for i in range(count):
            inner = "deep er/" if i % 2 else ""
            cv2.imwrite(str(folder / "flowers" / name / f"{inner}{i}.png"), draw.integers(0, 255, (6, 5, 3), np.uint8))
    (folder / "flowers" / "rose" / "notes.txt").write_text("no picture")
    (folder / "flowers" / "rose" / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")


def test_a_folder_for_each_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flowers(tmp_path)
    lines = convert("flowers all_lmdb")
    assert Path("all_classes.txt").read_text().split() == ["aster", "rose", "tulip"]
    assert any("1 files are passed over" in line for line in lines)
    assert lines[-1] == "1 of 31 pictures could not be read and are left out."
    found = records("all_lmdb")
    labels = [Datum.FromString(value).label for _, value in found]
    assert np.bincount(labels).tolist() == [5, 10, 15] and labels != sorted(labels)
    for key, value in found:
        picture = cv2.imread(os.fsdecode(b"flowers/" + key[9:])).transpose(2, 0, 1)
        assert Datum.FromString(value).data == picture.tobytes()
    convert("flowers/ all.txt again_lmdb")  # the list is one that the command reads
    assert records("again_lmdb") == found


def test_a_share_of_each_class_is_kept_to_test_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flowers(tmp_path)
    (tmp_path / "flowers" / "rose" / "broken.jpg").unlink()
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        convert(f"--val 0.2 --seed {seed} flowers out/{name}_lmdb")
    parts = {path.name: records(path) for path in Path("out").glob("*_lmdb")}
    assert sorted(parts) == [f"{name}_{part}_lmdb" for name in "abc" for part in ("train", "val")]
    labels = {name: np.bincount([Datum.FromString(value).label for _, value in own]) for name, own in parts.items()}
    assert labels["a_train_lmdb"].tolist() == [4, 8, 12] and labels["a_val_lmdb"].tolist() == [1, 2, 3]
    keys = {name: {key[9:] for key, _ in own} for name, own in parts.items()}
    assert not keys["a_train_lmdb"] & keys["a_val_lmdb"] and len(keys["a_train_lmdb"] | keys["a_val_lmdb"]) == 30
    assert parts["a_val_lmdb"] == parts["b_val_lmdb"] and keys["a_val_lmdb"] != keys["c_val_lmdb"]
    assert len(Path("out/a_val.txt").read_text().splitlines()) == 6 and Path("out/a_classes.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("images/ list.txt there", "error: there: is there already, and is left as it is: remove it, or take another name"),
        ("images list.txt db", "error: none of the 20 pictures can be read: the root folder is put in front as it is"),
        ("--check-size images/ list_varied.txt db", "error: images/"),
        ("--check-size --encoded images/ list.txt db", "error: check_size looks at raw pixels, which encoded"),
        ("--encode-type xyz images/ list.txt db", "error: encode_type 'xyz': OpenCV cannot write such files"),
        ("--resize-width=-3 images/ list.txt db", "error: resize_width must be 0 (as it is) or more, not -3"),
        ("images/ no_list.txt db", "error: no_list.txt: No such file or directory"),
        ("nowhere db", "error: nowhere: no such folder"),
        ("images/list_none db", "error: images/list_none: no such folder"),
        ("--val 0.001 images/ list.txt db", "error: 0.001 of 20 pictures leaves none to test on"),
    ],
)  # fmt: skip
def test_refusals(arguments: str, expected: str, folder: Path) -> None:
    Path("there").mkdir()
    before = sorted(path.name for path in folder.iterdir())
    ended = call(tools, "convert-imageset", *shlex.split(arguments))
    assert ended.code == 1 and len(ended.complaints) == 1 and ended.complaints[0].startswith(expected)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_usage(folder: Path) -> None:
    wrong = ("--val 1", "--workers 0", "--resize-width 9999999999")
    for arguments in ("", "list.txt db more", *(f"{option} list.txt db" for option in wrong)):
        assert call(tools, "convert-imageset", "images/", *arguments.split()).code == 2
    assert call(tools, "convert_imageset", "images/", "list.txt", "db").code == 0  # the tool's name of old


def test_interrupted_it_leaves_nothing(folder: Path) -> None:
    (folder / "long.txt").write_text("".join(f"p{i % 3:02d}.png 0\n" for i in range(300_000)))
    command = [program("solver-tools"), "convert-imageset", "images/", "long.txt", "db"]
    heard: dict[str, Any] = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # also where tests are deaf
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, **heard) as process:
        assert process.stderr is not None
        assert any("Processed 1000 files." in line for line in process.stderr)
        assert not (folder / "db").exists()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode != 0
    assert not [path.name for path in folder.iterdir() if "db" in path.name]


# -- means ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("database", "mean"),
    [
        ("raw_lmdb", "mean"),
        ("gray_lmdb", "mean_gray"),
        ("resized_lmdb", "mean_resized"),
        ("encoded_colour_lmdb", "mean_encoded"),
    ],
)
def test_means_are_caffes(database: str, mean: str, folder: Path) -> None:
    ended = call(tools, "compute-mean", str(SOURCE / database), "mean.binaryproto")
    assert ended.code == 0, ended.stderr
    assert Path("mean.binaryproto").read_bytes() == (SOURCE / f"{mean}.binaryproto").read_bytes()


def test_mean_values_are_printed_as_caffe_prints_them(folder: Path) -> None:
    ended = call(tools, "compute-mean", str(SOURCE / "raw_lmdb"))
    assert ended.stdout == "mean_value: 136.002 mean_value: 128.208 mean_value: 123.194\n"
    assert ended.log[-4:] == [
        "Number of channels: 3",
        "mean_value channel [0]: 136.002",
        "mean_value channel [1]: 128.208",
        "mean_value channel [2]: 123.194",
    ]


def test_a_mean_that_cannot_be_written_is_told_before_the_records_are_read(folder: Path) -> None:
    convert("images/ list.txt db")
    ended = call(tools, "compute-mean", "db", "no/mean.binaryproto")
    assert ended.code == 1 and ended.stderr.splitlines() == [
        f"no/mean.binaryproto: the folder '{folder}/no' does not exist: create it, or name another"
    ]


def test_a_mean_of_several_sizes_is_refused(folder: Path) -> None:
    convert("images/ list_varied.txt db")
    ended = call(tools, "compute-mean", "db", "mean.binaryproto")
    assert ended.code == 1 and "a mean needs one size" in ended.complaints[0] and not Path("mean.binaryproto").exists()
    ended = run("solver-tools", "compute-mean", "nothing", folder=folder)
    assert ended.code == 1 and ended.complaints == ["error: nothing: no such database"]
