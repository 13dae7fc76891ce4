"""Photos as phones make them, and lists as people have them, from folders to a task and its data layer."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import data, infer, solve
from fcn_caffe.commands import new as new_task
from fcn_caffe.variants import tasks
from fcn_caffe.variants.customise import everything
from tests.exif import STORED_AS, save

SIZE = (12, 20)
"""Of what was seen."""
WHERE = ["--images", "photos", "--labels", "masks", "--classes", "classes.txt"]
AS_STORED = "images that EXIF turns upright, with labels made on the pictures as they are stored"
CANNOT_TELL = "images that EXIF turns upright by half a turn, mirrors, or that are square"


@pytest.fixture
def folder(empty):
    for name in ("photos", "masks"):
        Path(name).mkdir()
    Path("classes.txt").write_text("background\nthing\n")
    return empty


def photo(name, orientation, stored_label=False, size=SIZE, ending="jpg", mask=None):
    """A photo as a camera stores it, and a label made on what was seen, or on what is stored."""
    rng = np.random.default_rng(sum(name.encode()))
    seen, label = rng.integers(0, 256, (*size, 3), dtype=np.uint8), np.zeros(size, np.uint8)
    label[: size[0] // 2, : size[1] // 2] = 1
    save(STORED_AS[orientation](seen), orientation, Path(f"photos/{name}.{ending}"))
    label = STORED_AS[orientation](label) if stored_label else label
    Image.fromarray(np.ascontiguousarray(label)).save(f"masks/{mask or name}.png")


def check(*options):
    status = data.main(["check", *WHERE, "--json", "found.json", *options])
    found = json.loads(Path("found.json").read_text())
    return status, found["errors"], found["warnings"]


def layer_of(task, split="val"):
    """A data layer of a task, as its net sets it up."""
    row = everything().find(task)
    from fcn_caffe.data_layers.folder_layers import FolderSegDataLayer
    from tests.data_layers.driver import Driver

    return Driver(FolderSegDataLayer, **getattr(row.data, split).params)


def test_photos_on_their_side_fit_labels_of_what_was_seen(folder):
    for index, orientation in enumerate((1, 6, 8)):
        photo(f"p{index}", orientation)
    assert check() == (0, {}, {})
    assert json.loads(Path("found.json").read_text())["sizes"] == {"20x12": 3}


def test_labels_of_stored_pictures_are_told_with_the_option_that_reads_so(folder):
    for index, orientation in enumerate((1, 6, 8)):
        photo(f"p{index}", orientation, stored_label=True)
    status, errors, _ = check()
    assert status == 1
    ((kind, examples),) = errors.items()
    assert kind.startswith(AS_STORED)
    assert "--as-stored" in kind
    assert examples == ["p1: image 20×12, label 12×20", "p2: image 20×12, label 12×20"]
    assert check("--as-stored") == (0, {}, {})


def test_labels_of_upright_pictures_are_told_when_pictures_are_taken_as_stored(folder):
    photo("p0", 1)
    photo("p1", 6)
    status, errors, _ = check("--as-stored")
    assert status == 1
    assert [kind.split(" (")[0] for kind in errors] == [
        "labels made on the upright picture, images taken as they are stored"
    ]


def test_where_sizes_cannot_tell_there_is_one_warning_with_the_count(folder, capsys):
    photo("p0", 3)
    photo("p1", 3, stored_label=True)
    photo("p2", 6, size=(16, 16))
    photo("p3", 1, size=(16, 16))
    photo("p4", 8)
    status, errors, warnings = check()
    assert (status, errors) == (0, {})
    ((kind, examples),) = warnings.items()
    assert kind.startswith(CANNOT_TELL)
    assert examples == ["p0", "p1", "p2"]
    assert re.search(rf"warning: {CANNOT_TELL}.* \(3\): p0; p1; p2", capsys.readouterr().out)
    assert check("--as-stored")[2] == {}


@pytest.mark.parametrize("as_stored", [False, True])
def test_a_task_reads_photos_as_it_was_made_to(folder, as_stored):
    for index in range(3):
        photo(f"p{index}", 6, stored_label=as_stored)
    options = ["--as-stored"] if as_stored else []
    assert new_task.main(["mine", *WHERE, *options]) == 0
    assert tasks.read(Path("tasks/mine")).upright is not as_stored
    text = Path("tasks/mine/nets/mine-fcn8s/val.prototxt").read_text()
    assert ("upright" in text) is as_stored
    image, label = layer_of("mine").forward()
    assert image.shape[2:] == label.shape[2:] == (SIZE[::-1] if as_stored else SIZE)


def test_a_task_made_before_there_was_the_choice_is_upright(folder):
    for index in range(3):
        photo(f"p{index}", 6)
    assert new_task.main(["mine", *WHERE]) == 0
    file = Path("tasks/mine/task.json")
    values = json.loads(file.read_text())
    del values["upright"]
    file.write_text(json.dumps(values))
    assert tasks.read(Path("tasks/mine")).upright


def test_own_data_in_vocs_layout_are_trained_on_as_stored_if_asked(folder, capsys, monkeypatch):
    for index in range(2):
        photo(f"p{index}", 6, stored_label=True)
    Path("voc/ImageSets/Segmentation").mkdir(parents=True)
    shutil.move("photos", "voc/JPEGImages")
    shutil.move("masks", "voc/SegmentationClass")
    for index, split in enumerate(("train", "val")):
        Path(f"voc/ImageSets/Segmentation/{split}.txt").write_text(f"p{index}\n")
    monkeypatch.setattr(solve.missing, "check", lambda *ignored: None)
    rows = []
    monkeypatch.setattr(solve, "train", lambda row, *ignored: rows.append(row))
    line = ["voc-fcn32s", "--voc-dir", "voc", "--classes", "2", "--name", "mine"]
    assert solve.main(line) == 1
    assert AS_STORED in capsys.readouterr().out
    assert solve.main([*line, "--as-stored"]) == 0
    assert rows[0].data.train.params["upright"] is rows[0].data.val.params["upright"] is False


@pytest.mark.parametrize("as_stored", [False, True])
def test_photos_are_segmented_as_they_were_trained_on(folder, classifier, monkeypatch, as_stored):
    for index in range(3):
        photo(f"p{index}", 6, stored_label=as_stored)
    line = ["mine", *WHERE, "--backbone", "alexnet", "--stride", "32"]
    assert new_task.main([*line, *(["--as-stored"] if as_stored else [])]) == 0
    nets = everything()
    net_file = nets.net_file(nets.find("mine"), "deploy")
    caffe.Net(net_file, caffe.TEST).save("x.caffemodel")
    monkeypatch.setattr(infer, "deploy_net", lambda *ignored: caffe.Net(net_file, caffe.TEST))
    assert infer.main(["mine", "photos/p0.jpg", "--weights", "x.caffemodel", "--out", "seen"]) == 0
    height, width = SIZE
    assert Image.open("seen/p0.png").size == ((height, width) if as_stored else (width, height))
    assert infer.main(["mine", "photos", "--weights", "x.caffemodel", "--out", "seen", "--as-stored"]) == 0
    assert {Image.open(f"seen/p{index}.png").size for index in range(3)} == {(height, width)}


LISTS = {
    "names": ("p0\np1\n", "p2\n"),
    "endings": ("p0.jpg\np1.JPG\n", "p2.jpg\n"),
    "pairs": ("photos/p0.jpg masks/p0.png\nphotos/p1.JPG masks/p1.png\n", "photos/p2.jpg masks/p2.png\n"),
    "a third column": ("p0.jpg p0.png 1\np1.jpg p1.png 0\n", "p2.jpg p2.png 1\n"),
    "CSV": ("image,mask\np0.jpg,p0.png\np1.jpg,p1.png\n", "image,mask\np2.jpg,p2.png\n"),
    "a mark and CRLF": ("\ufeffp0\r\np1\r\n", "\ufeffp2\r\n"),
    "other paths": ("/home/me/photos/p0.jpg\nC:\\photos\\p1.JPG\n", "./p2.jpg\n"),
}


@pytest.mark.parametrize("form", LISTS)
def test_lists_are_read_as_people_have_them(folder, form):
    for index, ending in enumerate(("jpg", "JPG", "jpg")):
        photo(f"p{index}", 1, ending=ending)
    for file, text in zip(("a.txt", "b.txt"), LISTS[form], strict=True):
        Path(file).write_bytes(text.encode())
    assert new_task.main(["mine", *WHERE, "--train", "a.txt", "--val", "b.txt"]) == 0
    assert [Path(f"tasks/mine/{split}.txt").read_text() for split in ("train", "val")] == ["p0\np1\n", "p2\n"]


def test_labels_may_have_names_of_their_own_where_lists_pair_them(folder, capsys):
    for index in range(3):
        photo(f"my photo {index}", 1, mask=f"mask {index}")
    assert new_task.main(["mine", *WHERE]) == 1
    assert "or list the pairs (--train and --val)" in capsys.readouterr().err
    Path("a.txt").write_text("my photo 0.jpg\tmask 0.png\nmy photo 1.jpg\tmask 1.png\n")
    Path("b.txt").write_text("photos/my photo 2.jpg masks/mask 2.png\n")
    assert new_task.main(["mine", *WHERE, "--train", "a.txt", "--val", "b.txt"]) == 0
    layer = layer_of("mine")
    assert layer.layer.indices == ["my photo 2"]
    assert layer.forward()[1].max() == 1
    assert len(layer_of("mine", "train").layer.indices) == 2
    assert everything().find("mine").data.train.images == 2


def test_upper_case_endings_are_read_everywhere(folder):
    for index in range(3):
        photo(f"p{index}", 1, ending="JPG")
        Path(f"masks/p{index}.png").rename(f"masks/p{index}.PNG")
    assert new_task.main(["mine", *WHERE]) == 0
    Path("voc/ImageSets/Segmentation").mkdir(parents=True)
    shutil.move("photos", "voc/JPEGImages")
    shutil.move("masks", "voc/SegmentationClass")
    Path("voc/ImageSets/Segmentation/train.txt").write_text("p0.JPG p0.PNG 1\np1.JPG p1.PNG 0\n")
    Path("voc/ImageSets/Segmentation/val.txt").write_text("/JPEGImages/p2.JPG /SegmentationClass/p2.PNG\n")
    assert data.main(["check", "--dir", "voc", "--classes", "2"]) == 0
    from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
    from tests.data_layers.driver import Driver

    layer = Driver(VOCSegDataLayer, voc_dir="voc", split="train", n_classes=2, mean=(0, 0, 0), randomize=False)
    assert layer.layer.indices == ["p0", "p1"]
    assert layer.forward()[1].shape == (1, 1, *SIZE)


def test_a_class_list_of_another_program_makes_a_task(folder):
    for index in range(3):
        photo(f"p{index}", 1)
    colours = np.array([(0, 0, 0), (0, 128, 0)], np.uint8)
    for path in Path("masks").iterdir():
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(path)
    for name, text in {
        "cvat": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nthing:0,128,0::\n",
        "csv": "\ufeffname,r,g,b\r\nbackground,0,0,0\r\nthing,0,128,0\r\n",
        "street": "0 0 0\tbackground\n0 128 0\tthing\n",
    }.items():
        Path("classes.txt").write_bytes(text.encode())
        assert new_task.main([name, *WHERE]) == 0
        assert set(np.unique(layer_of(name).forward()[1])) == {0, 1}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
@pytest.mark.parametrize("file", ["classes.txt", "a.txt"])
def test_text_in_other_encodings_is_refused_by_name(folder, capsys, file, encoding):
    for index in range(3):
        photo(f"fuß{index}", 1)
    texts = {"classes.txt": "Gräser\nSträucher\n", "a.txt": "fuß0\nfuß1\n", "b.txt": "fuß2\n"}
    for name, text in texts.items():
        Path(name).write_bytes(text.encode(encoding if name == file else "utf-8"))
    assert new_task.main(["mine", *WHERE, "--train", "a.txt", "--val", "b.txt"]) == 1
    said = capsys.readouterr().err
    assert f"'{file}':1 is " in said
    assert "Save it as UTF-8" in said
    assert not Path("tasks").exists()
