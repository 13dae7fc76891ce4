"""tools/new_task.py: folders of images and labels become nets that every tool knows by name."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import data, infer, score, solve
from fcn_caffe.commands import new as new_task
from fcn_caffe.inference.find import find
from fcn_caffe.variants import tasks
from fcn_caffe.variants.customise import everything
from tests.tools.conftest import ROOT
from tests.tools.test_infer import INPUT, LINE, SCORE, write

CLASSES = "water\nrock\nbird\n"
COLOURED = "water 0 0 200\nrock 90 90 90\nbird 250 0 0\nbird 250 0 9\nvoid 255 255 255\n"
FOLDERS = ["--images", "mine/JPEGImages", "--labels", "mine/SegmentationClass", "--classes", "classes.txt"]
SQUEEZENET = [*FOLDERS, "--backbone", "squeezenet"]


def make(*line, name="pools"):
    return new_task.main([name, *line])


@pytest.fixture
def photos(folder):
    """`mine` without its lists, and a list of classes."""
    shutil.rmtree("mine/ImageSets")
    Path("classes.txt").write_text(CLASSES)
    return folder


@pytest.fixture(scope="session")
def random_squeezenet(tmp_path_factory):
    caffe.set_random_seed(1)
    path = tmp_path_factory.mktemp("squeezenet") / "conv.caffemodel"
    caffe.Net(str(ROOT / "nets/ilsvrc/squeezenet_v1.1/conv.prototxt"), caffe.TEST).save(str(path))
    return path


def lists(name="pools"):
    return {split: Path(f"tasks/{name}/{split}.txt").read_text().split() for split in ("train", "val")}


def test_from_folders_to_pictures_by_name(photos, random_squeezenet, monkeypatch, capsys):
    assert make(*SQUEEZENET) == 0
    said = capsys.readouterr().out
    assert "wrote tasks/pools/: pools-fcn16s, pools-fcn8s. Missing before training:" in said
    assert "squeezenet_v1.1.caffemodel" in said
    assert "SQUEEZENET_V1_1_CAFFEMODEL=" in said
    assert "Then: fcn solve pools --chain" in said
    monkeypatch.setenv("SQUEEZENET_V1_1_CAFFEMODEL", str(random_squeezenet))
    assert solve.main(["pools", "--chain", "--iterations", "1"]) == 0
    assert "fcn infer pools-fcn8s IMAGE" in capsys.readouterr().out
    assert score.main(["pools", "--json", "out/pools.json"]) == 0
    assert len(json.loads(Path("out/pools.json").read_text())["iu"]) == 3
    assert infer.main(["pools", "mine/JPEGImages/image0.png"]) == 0
    said = capsys.readouterr().out
    assert any(f"image0.png: {name} " in said for name in CLASSES.split())
    assert Path("out/infer/legend.png").exists()
    assert solve.main(["--list"]) == 0
    assert "pools-fcn8s" in capsys.readouterr().out


def test_the_stages_are_those_down_to_the_stride(photos):
    for backbone, stride, names in (
        ("vgg16", 8, ["32", "16", "8"]),
        ("alexnet", 32, ["32"]),
        ("googlenet", 16, ["32", "16"]),
    ):
        assert make(*FOLDERS, "--backbone", backbone, "--stride", str(stride), name=backbone) == 0
        assert [row.name for row in tasks.rows(tasks.read(Path("tasks", backbone)))] == [
            f"{backbone}-fcn{each}s" for each in names
        ]


def test_the_lists_depend_on_names_and_seed_alone(photos):
    for name, line in (("one", []), ("two", []), ("three", ["--seed", "3"]), ("four", ["--val-share", "0.5"])):
        assert make(*FOLDERS, *line, name=name) == 0
    assert lists("one") == lists("two")
    assert (len(lists("one")["train"]), len(lists("one")["val"])) == (3, 1)
    assert (len(lists("four")["train"]), len(lists("four")["val"])) == (2, 2)
    assert sorted(lists("three")["train"] + lists("three")["val"]) == [f"image{index}" for index in range(4)]


def test_lists_may_be_given(photos):
    Path("a.txt").write_text("image3\nimage0\n")
    Path("b.txt").write_text("image1\n")
    assert make(*FOLDERS, "--train", "a.txt", "--val", "b.txt") == 0
    assert lists() == {"train": ["image3", "image0"], "val": ["image1"]}


def test_labels_may_be_colours_and_results_have_the_same(photos):
    Path("classes.txt").write_text(COLOURED)
    colours = np.array([line.split()[1:] for line in COLOURED.splitlines()], np.uint8)
    for path in Path("mine/SegmentationClass").iterdir():
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(path)
    assert make(*SQUEEZENET) == 0
    row = everything().find("pools")
    assert row.data.heads[0].classes == 3
    legend = find("pools", weights="x.caffemodel").classes
    assert legend.names == ("water", "rock", "bird")
    assert legend.colours[[0, 2, 255]].tolist() == [[0, 0, 200], [250, 0, 0], [255, 255, 255]]


def test_a_solver_that_was_changed_counts(photos):
    assert make(*SQUEEZENET) == 0
    path = Path("tasks/pools/solvers/pools-fcn8s.prototxt")
    path.write_text(path.read_text().replace("max_iter: 312", "max_iter: 7"))
    assert everything().find("pools").recipe.iterations == 7


def test_images_without_labels_are_left_out(photos, capsys):
    shutil.copy("mine/JPEGImages/image0.png", "mine/JPEGImages/more.png")
    assert make(*FOLDERS) == 0
    assert "1 of 5 images have no partner" in capsys.readouterr().out
    assert "more" not in sum(lists().values(), [])


def test_results_beside_the_photos_change_no_task(photos, capsys):
    for path in list(Path("mine/JPEGImages").iterdir()):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    assert make(*FOLDERS) == 0
    before = lists()
    write("net.prototxt", INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 1"))
    for _ in range(2):
        assert infer.main([*LINE, "mine/JPEGImages", "--out", "mine/JPEGImages"]) == 0
        assert len(list(Path("mine/JPEGImages").iterdir())) == 4 * 3
    capsys.readouterr()
    assert make(*FOLDERS, name="again") == 0
    assert lists("again") == before
    said = capsys.readouterr()
    assert "8 picture(s) of 'mine/JPEGImages' are results" in said.err
    assert data.main(["check", *FOLDERS]) == 0


def test_a_class_that_nothing_is_learned_of_is_told(photos, capsys):
    Path("classes.txt").write_text(CLASSES + "kelp\n")
    assert make(*FOLDERS) == 1
    assert re.search(r"ERROR: classes that no image to train on shows.*--allow-absent.*: kelp", capsys.readouterr().out)
    assert not Path("tasks/pools").exists()
    assert make(*FOLDERS, "--allow-absent") == 0
    assert "warning: classes that no image to train on shows (1): kelp" in capsys.readouterr().out


def spoil_label(values):
    Image.fromarray(np.asarray(values, np.uint8)).save("mine/SegmentationClass/image1.png")


@pytest.mark.parametrize(
    ("spoil", "line", "words"),
    [
        (lambda: spoil_label(np.full((18, 22), 7)), [], "neither 0..2 nor 255.*image1.png: 7"),
        (lambda: spoil_label(np.zeros((18, 21))), [], "image1: image 22×18, label 21×18"),
        (lambda: spoil_label(np.zeros((18, 22, 3))), [], "labels in colours, not class indices"),
        (lambda: Path("classes.txt").write_text("water\n"), [], "expected two or more"),
        (lambda: Path("classes.txt").unlink(), [], "there is no file"),
        (lambda: shutil.rmtree("mine/JPEGImages"), [], "no folder"),
        (lambda: [path.unlink() for path in list(Path("mine/JPEGImages").iterdir())[1:]], [], "expected at least two"),
        (
            lambda: Path("a.txt").write_text("image0\n"),
            ["--train", "a.txt", "--val", "a.txt"],
            "of list train are in list val",
        ),
        (
            lambda: Path("a.txt").write_text("x\n"),
            ["--train", "a.txt", "--val", "a.txt"],
            "no pair of image and label: x",
        ),
        (lambda: None, ["--backbone", "vgg16", "--stride", "4"], "vgg16 can be scored at 32, 16, 8"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_written(photos, capsys, spoil, line, words):
    spoil()
    assert make(*FOLDERS, *line) == 1
    said = capsys.readouterr()
    assert re.search(words, said.out + said.err)
    assert not list(Path().glob("tasks/*"))


@pytest.mark.parametrize("name", ["voc", "demo", "my task", "../x", "-x", "test"])
def test_names_that_cannot_be(photos, capsys, name):
    assert new_task.main([*FOLDERS, "--", name]) == 1
    assert "Choose another" in capsys.readouterr().err


def test_a_task_is_not_overwritten(photos, capsys):
    assert make(*FOLDERS) == 0
    before = Path("tasks/pools/train.txt").read_text()
    assert make(*FOLDERS, "--seed", "7") == 1
    assert "is there already" in capsys.readouterr().err
    assert Path("tasks/pools/train.txt").read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"name": "pools"}',
        '{"name": 3}',
        "[" * 100_000,
        '{"stride": ' + "9" * 5000 + "}",
        '{"name": "\xe9"}',
    ],
)
def test_a_damaged_description_is_refused(photos, text, capsys):
    assert make(*FOLDERS) == 0
    Path("tasks/pools/task.json").write_text(text, encoding="latin-1")
    assert solve.main(["pools"]) == 1
    assert "run fcn new again" in capsys.readouterr().err


def test_weights_that_are_there_are_not_missed(photos, random_squeezenet, monkeypatch, capsys):
    monkeypatch.setenv("SQUEEZENET_V1_1_CAFFEMODEL", str(random_squeezenet))
    assert make(*SQUEEZENET) == 0
    assert "pools-fcn8s. Next: fcn solve pools --chain" in capsys.readouterr().out
