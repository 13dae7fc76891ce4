"""What labels teach nothing, or something else than is meant, is an error before training, with or without a list of
classes, in every command that begins one."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.commands import data, solve
from fcn_caffe.commands import new as new_task
from fcn_caffe.data_layers.folder_layers import FolderSegDataLayer
from fcn_caffe.scoring.score_table import report
from fcn_caffe.training import own_data
from tests.data_layers.driver import Driver
from tests.tools.conftest import SIZE, write_voc

TWO = {
    "none": None,
    "names": "background\nthing\n",
    "number": "2",
    "three names": "background\nthing\nother\n",
}


@pytest.fixture
def voc(tmp_path, monkeypatch):
    write_voc(tmp_path / "voc", n_classes=2)
    lists = tmp_path / "voc/ImageSets/Segmentation"
    (lists / "train.txt").write_text("image0\nimage1\nimage2\n")
    (lists / "val.txt").write_text("image3\n")
    (lists / "test.txt").unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "voc"


def labels():
    return sorted(Path("voc/SegmentationClass").iterdir())


def rewrite(change):
    """Give every label other values: uint8, height×width, or colours."""
    for path in labels():
        Image.fromarray(np.asarray(change(np.asarray(Image.open(path))), np.uint8)).save(path)


def class_list(text):
    """The options for a list of classes."""
    if text is None:
        return []
    if text.isdecimal():
        return ["--classes", text]
    Path("classes.txt").write_text(text)
    return ["--classes", "classes.txt"]


def check(text=None, *options, folders=False):
    """The exit status of data.py check, its errors and its warnings."""
    where = ["--images", "voc/JPEGImages", "--labels", "voc/SegmentationClass"] if folders else ["--dir", "voc"]
    status = data.main(["check", *where, *class_list(text), "--json", "found.json", *options])
    found = json.loads(Path("found.json").read_text())
    return status, found["errors"], found["warnings"]


WHERE = {"images": "voc/JPEGImages", "labels": "voc/SegmentationClass"}


def make(text, *options):
    where = ["--images", "voc/JPEGImages", "--labels", "voc/SegmentationClass"]
    return new_task.main(["mine", *where, *class_list(text), "--backbone", "squeezenet", *options])


def train(*options):
    return solve.main(["voc-fcn32s", "--voc-dir", "voc", "--name", "mine", *options])


@pytest.mark.parametrize("listed", TWO)
@pytest.mark.parametrize("folders", [False, True])
def test_masks_of_0_and_255_are_an_error_that_tells_the_cure(voc, capsys, listed, folders):
    rewrite(lambda label: label * 255)
    status, errors, _ = check(TWO[listed], folders=folders)
    assert status == 1
    (kind,) = errors
    assert kind.startswith("masks of 0 and 255")
    assert "`background 0 0 0` and `thing 255 255 255`" in kind
    if listed in ("names", "three names"):
        assert make(TWO[listed]) == 1
        assert not Path("tasks").exists()
        assert "masks of 0 and 255" in capsys.readouterr().out


def test_the_cure_for_masks_of_0_and_255_is_one(voc, capsys):
    rewrite(lambda label: label * 255)
    assert check("background 0 0 0\nthing 255 255 255\n")[:2] == (0, {})
    assert make("background 0 0 0\nthing 255 255 255\n") == 0
    assert re.search(r" 1  thing +[1-9]", capsys.readouterr().out)


def test_the_cure_holds_for_masks_that_were_saved_with_16_bits(voc):
    for white in (255, 65535):
        for path in labels():
            Image.fromarray((np.asarray(Image.open(path)) != 0).astype(np.uint16) * white).save(path)
        assert make("background 0 0 0\nthing 255 255 255\n", "--allow-absent") == 0
        layer = Driver(FolderSegDataLayer, **{**WHERE, "classes_file": "tasks/mine/classes.txt"})
        assert set(np.unique(layer.forward()[1])) == {0, 1}
        shutil.rmtree("tasks")


def test_jpeg_labels_are_told_whatever_they_are_called(voc):
    for path in labels():
        Image.open(path).convert("L").save(path, format="JPEG")
    status, errors, _ = check("background\nthing\n")
    assert status == 1
    assert all("JPEG" in kind for kind in errors)


def test_a_mask_in_the_transparency_is_told(voc):
    for path in labels():
        white = np.full((*SIZE, 4), 255, np.uint8)
        white[..., 3] = np.asarray(Image.open(path)) * 255
        Image.fromarray(white).save(path)
    for text in ("background\nthing\n", "background 0 0 0\nthing 255 255 255\n"):
        status, _, warnings = check(text, folders=True)
        assert status == 1
        assert any("transparent" in kind for kind in warnings)


@pytest.mark.parametrize("listed", ["none", "names", "number"])
def test_masks_with_blurred_edges_are_recognised(voc, listed):
    blurred = [20, 50, 90, 120, 150, 180, 200, 220, 240]

    def change(label):
        label = label * 255
        label[0, : len(blurred)] = blurred
        return label

    rewrite(change)
    status, errors, _ = check(TWO[listed])
    assert status == 1
    assert any(kind.startswith("masks of 0 and 255 with blurred edges") for kind in errors)


@pytest.mark.parametrize("listed", TWO)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (255, "every pixel of every label is void"),
        (0, "the labels have one class only"),
        (1, "the labels have one class only"),
    ],
)
def test_labels_that_teach_nothing_are_an_error(voc, listed, value, words):
    rewrite(lambda label: np.full(SIZE, value))
    status, errors, _ = check(TWO[listed])
    assert status == 1
    assert [kind for kind in errors if kind.startswith(words)] == list(errors)


@pytest.mark.parametrize("text", ["background 0 0 0\nthing 9 9 9\n", "thing 9 9 9\nbackground 0 0 0\n"])
def test_one_colour_is_one_class(voc, text):
    rewrite(lambda label: np.zeros((*SIZE, 3)))
    status, errors, _ = check(text)
    assert status == 1
    assert list(errors.values()) == [["background"]]


@pytest.mark.parametrize("text", ["sky\nsea\nship\n", "3", "sky 0 0 0\nsea 1 1 1\nship 2 2 2\n"])
@pytest.mark.parametrize("where", ["nowhere", "val only"])
def test_a_class_without_a_pixel_to_train_on_is_an_error(voc, text, where):
    if where == "val only":
        label = np.array(Image.open("voc/SegmentationClass/image3.png"))
        label[0, 0] = 2
        Image.fromarray(label).save("voc/SegmentationClass/image3.png")
    name = "class 2" if text == "3" else "ship"
    status, errors, warnings = check(text)
    assert status == 1
    ((kind, examples),) = errors.items()
    assert kind.startswith("classes that no image to train on shows")
    assert examples == [name]
    status, errors, warnings = check(text, "--allow-absent")
    assert (status, errors) == (0, {})
    assert warnings == {"classes that no image to train on shows": [name]}


def test_what_unusable_labels_may_have_is_not_called_absent(voc):
    Path("voc/SegmentationClass/image1.png").write_bytes(b"no image")
    _, errors, _ = check("sky\nsea\nship\n")
    assert list(errors) == ["labels that cannot be used"]


@pytest.mark.parametrize("text", ["a\nb\nc\n", "3"])
def test_gray_levels_of_as_many_values_are_told_apart_from_class_indices(voc, text):
    rewrite(lambda label: np.minimum(label + (np.arange(SIZE[1]) == 0), 2) * 100)
    status, errors, warnings = check(text)
    assert status == 1
    assert list(errors) == ["label values that are neither 0..2 nor 255"]
    ((kind, levels),) = warnings.items()
    assert "`name 100 100 100`" in kind
    assert levels == ["0, 100, 200"]
    assert check("a 0 0 0\nb 100 100 100\nc 200 200 200\n")[0] == 0


def test_gray_levels_are_a_warning_where_nobody_says_how_many_classes_there_are(voc):
    rewrite(lambda label: label * 100)
    assert check()[2] == {"gaps in the label values: are they class indices?": ["0, 100"]}


def test_class_indices_where_colours_are_listed_are_recognised(voc):
    status, errors, _ = check("sky 1 2 3\nsea 4 5 6\n")
    assert status == 1
    ((kind, examples),) = errors.items()
    assert kind.startswith("labels that are class indices, while the list of classes has colours")
    assert len(examples) == 4


def test_labels_as_jpeg_are_one_error(voc):
    for path in labels():
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    status, errors, _ = check("2", folders=True)
    assert status == 1
    ((kind, examples),) = errors.items()
    assert kind.startswith("labels as JPEG")
    assert len(examples) == 4


def test_a_list_of_another_length_than_the_number_is_refused(voc, capsys):
    Path("voc/classes.txt").write_text("sky\nsea\nship\n")
    assert data.main(["check", "--dir", "voc", "--classes", "2"]) == 1
    assert "has a classes.txt with 3 classes, but --classes says 2" in capsys.readouterr().err


SPOILT = {
    "masks of 0 and 255": lambda: rewrite(lambda label: label * 255),
    "the labels have one class only": lambda: rewrite(lambda label: label * 0),
    "labels in colours": lambda: rewrite(lambda label: np.repeat(label[..., None], 3, axis=2)),
    "missing labels": lambda: Path("voc/SegmentationClass/image1.png").unlink(),
    "image and label differ in size": lambda: rewrite(lambda label: label[1:]),
}


@pytest.mark.parametrize("words", SPOILT)
def test_own_data_in_vocs_layout_are_looked_over_before_training(voc, capsys, monkeypatch, words):
    monkeypatch.setattr(solve.missing, "check", lambda *ignored: None)
    SPOILT[words]()
    assert train("--classes", "2") == 1
    said = capsys.readouterr()
    assert f"ERROR: {words}" in said.out
    assert "'voc' cannot be trained on" in said.err
    assert not Path("snapshot").exists()
    monkeypatch.setattr(solve, "train", lambda row, *ignored: print(f"training {row.name}"))
    assert train("--classes", "2", "--no-check") == 0


def test_a_class_that_own_data_in_vocs_layout_lack_is_an_error_before_training(voc, capsys, monkeypatch):
    monkeypatch.setattr(solve.missing, "check", lambda *ignored: None)
    monkeypatch.setattr(solve, "train", lambda row, *ignored: print(f"training {row.name}"))
    assert train("--classes", "3") == 1
    assert "ERROR: classes that no image to train on shows" in capsys.readouterr().out
    assert train("--classes", "3", "--allow-absent") == 0
    assert "training mine-fcn32s" in capsys.readouterr().out


def test_own_data_are_looked_over_once_until_a_file_changes(voc, capsys, monkeypatch):
    monkeypatch.setattr(solve.missing, "check", lambda *ignored: None)
    monkeypatch.setattr(solve, "train", lambda row, *ignored: print(f"training {row.name}"))
    looked, look_over = [], own_data.lint.look_over
    monkeypatch.setattr(own_data.lint, "look_over", lambda layout: looked.append(1) or look_over(layout))
    assert train("--classes", "2") == 0
    first = capsys.readouterr().out
    assert train("--classes", "2") == 0
    again = capsys.readouterr().out
    assert len(looked) == 1
    assert again.replace("(This was found before; no file was written since.)\n", "") == first
    label = Path("voc/SegmentationClass/image1.png")
    kept, status = label.read_bytes(), label.stat()
    label.write_bytes(kept)
    os.utime(label, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert train("--classes", "2") == 0
    assert len(looked) == 2
    assert train("--classes", "2", "--allow-absent") == 0
    assert len(looked) == 3
    label.unlink()
    assert train("--classes", "2") == 1
    label.write_bytes(kept)
    assert "ERROR: missing labels" in capsys.readouterr().out


def test_only_the_lists_that_are_trained_on_and_scored_count(voc, capsys, monkeypatch):
    monkeypatch.setattr(solve.missing, "check", lambda *ignored: None)
    monkeypatch.setattr(solve, "train", lambda row, *ignored: print(f"training {row.name}"))
    lists = Path("voc/ImageSets/Segmentation")
    (lists / "trainval.txt").write_text("image0\nnowhere\n")
    (lists / "empty.txt").touch()
    (lists / "a.txt").write_text("image0\n")
    (lists / "b.txt").write_text("image1\n")
    assert train("--classes", "2", "--splits", "a", "b") == 0
    said = capsys.readouterr().out
    assert "2 images; lists: a (1), b (1)" in said
    assert "training mine-fcn32s" in said


def test_a_score_over_one_class_says_so():
    told = report(np.array([[50, 0], [0, 0]]), names=["sky", "sea"])
    assert "mean IU –" in told
    assert "1.0000   mean accuracy –" in told
    assert "every pixel that counts is truly sky: a mean over one class says nothing" in told
    assert "mean IU 1.0000" in report(np.array([[50, 0], [0, 1]]))


def test_a_score_over_no_pixel_says_so():
    told = report(np.zeros((2, 2), int), names=["sky", "sea"])
    assert told.startswith("pixel accuracy –   mean accuracy –   mean IU –   frequency weighted IU –\n")
    assert "no pixel counts: each is void or of no class that the net knows" in told
    assert "nan" not in told
    assert "WARNING: no pixel" not in report(np.array([[50, 0], [0, 1]]))
