"""Annotations that cannot be used are refused in words, with the place, and nothing is written."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fcn_caffe.annotations import regions
from tests.annotations.conftest import CAT, HEIGHT, NAMES, WIDTH, both, coco, cvat, labelme, make, png, shape


def one_shape(**more):
    for name in NAMES:
        labelme("json", name, [shape("cat", CAT) | more])
    return "json"


def one_object(segmentation=None, **more):
    coco([*both(0), {"image_id": 11, "category_id": 3, "segmentation": segmentation or [sum(CAT, [])]} | more])
    return "instances.json"


def rle(counts, size=(HEIGHT, WIDTH)):
    return one_object({"size": list(size), "counts": counts})


def text(content, name="instances.json"):
    Path(name).write_text(content)
    return name


def bad_archive(name):
    with zipfile.ZipFile("x.zip", "w") as pack:
        pack.writestr(name, "x")
    return "x.zip"


def strange_mask():
    cvat()
    with zipfile.ZipFile("cvat.zip", "a") as pack:
        pack.writestr("SegmentationClass/photo9.png", png(np.full((4, 4, 3), 77, np.uint8)))
    return "cvat.zip"


def supervisely(values):
    Path("export/masks_machine").mkdir(parents=True)
    Path("export/obj_class_to_machine_color.json").write_text(json.dumps(values))
    return "export"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (lambda: "nowhere", "no folder or file '.*nowhere' of labels"),
        (lambda: text("x", "labels.xml"), "neither a folder of labels nor a JSON file"),
        (lambda: text("{"), "is not whole JSON .* Export it again"),
        (lambda: text("[" * 100_000), "is not whole JSON"),
        (lambda: text("[1]"), "a list, expected COCO's"),
        (lambda: text('{"a": 1}'), "has a, expected COCO's images, annotations and categories"),
        (lambda: one_shape(points=[[1, 2]]), r"json', shape 0: \[\[1, 2\]\] are the points.*at least 3 pairs"),
        (lambda: one_shape(points=[[1, 2], [3, 4], [5, "x"]]), "at least 3 pairs of numbers"),
        (lambda: one_shape(points=[[0, 0], [1, 1], [1e30, 2]]), "expected pixels"),
        (lambda: one_shape(points=[[0, 0], [1, 1], [float("nan"), 2]]), "expected pixels"),
        (lambda: one_shape(label=3), "label is a int, expected text"),
        (lambda: one_shape(label="\x1b[2J"), "a class is called .* Rename it"),
        (lambda: one_shape(shape_type="mask", mask="x"), "the mask cannot be used"),
        (lambda: one_object(category_id=8), "annotation 2: there is no category 8"),
        (lambda: one_object(image_id=99), "1 image.s. have annotations and are not listed.*99"),
        (lambda: one_object(image_id="x"), "image_id is a str, expected a whole number"),
        (lambda: one_object([[1, 2, 3, 4]]), "expected at least 3 pairs"),
        (lambda: one_object("polygon"), "neither polygons nor run lengths"),
        (lambda: rle([1, 2]), "run lengths come to 3 pixels, expected the image's 44×32"),
        (lambda: rle([10**30]), "no numbers of pixels"),
        (lambda: rle([-5, WIDTH * HEIGHT + 5]), "no numbers of pixels"),
        (lambda: rle("~~"), "no compressed run lengths"),
        (lambda: rle("o" * 40), "no compressed run lengths"),
        (lambda: rle("P"), "end in the midst of a number"),
        (lambda: rle([10**9], (10**6, 10**6)), "are of .1000000, 1000000. rows and columns"),
        (lambda: bad_archive("../x"), "expected names of files below one folder"),
        (lambda: text("no archive", "x.zip"), "not a whole tar or zip archive"),
        (strange_mask, r"colour\(s\) that no class has, such as \(77, 77, 77\)"),
        (lambda: supervisely({"cat": [1, 1, 300]}), "expected three numbers of 0 to 255"),
        (lambda: supervisely({"cat": [1, 1, 1], "dog": [1, 1, 1]}), "others for each class"),
        (lambda: supervisely({"cat": [1, 1, 1]}), "no image file"),
    ],
)
def test_wrong_annotations_are_told_and_nothing_is_written(photos, capsys, labels, words):
    assert make(labels()) == 1
    assert re.search(words, capsys.readouterr().err)
    assert not Path("tasks").exists()


def test_boxes_alone_are_refused(photos, capsys):
    coco([{"image_id": 10, "category_id": 7, "bbox": [0, 0, 5, 5]}])
    assert make("instances.json") == 1
    assert "boxes or points alone, expected segmentations" in capsys.readouterr().err


def test_annotations_of_other_images_are_refused(photos, capsys):
    coco(both(0), images=[{"id": 10, "file_name": "other.png"}])
    assert make("instances.json") == 1
    assert re.search("no annotation is of an image that is there.*other.png.*photo0", capsys.readouterr().err)


def test_annotations_of_another_size_are_told_with_every_image(photos, capsys):
    for name in NAMES:
        labelme("json", name, [shape("cat", CAT)], imageWidth=10**12)
    assert make("json") == 1
    said = capsys.readouterr().err
    assert said.count("is of an image of 1000000000000×32, and 'photos/photo") == 3
    assert "And 1 more of the kind" in said


def test_classes_that_the_list_lacks_are_named(photos, capsys):
    one_shape()
    Path("classes.txt").write_text("background\nbird\n")
    assert make("json", "--classes", "classes.txt") == 1
    assert "the classes cat, which the list of classes has not" in capsys.readouterr().err


def test_a_polygon_that_leaves_the_image_is_cut_off():
    whole = regions.polygon(np.array([[-9.0, -9], [99, -9], [99, 99], [-9, 99]]), 5, 4)
    assert (whole.top, whole.left, whole.mask.shape, whole.mask.all()) == (0, 0, (4, 5), True)
    outside = regions.polygon(np.array([[-9.0, -9], [-1, -9], [-1, -1]]), 5, 4)
    assert outside.mask.size == 0


def test_two_images_of_one_id_are_refused(photos, capsys):
    coco(sum(map(both, range(4)), []))
    values = json.loads(Path("instances.json").read_text())
    values["images"][2]["id"] = values["images"][1]["id"]
    values["annotations"] = values["annotations"][:2]
    Path("instances.json").write_text(json.dumps(values))
    assert make("instances.json") == 1
    assert "image 2 has the id 11, as has image 1" in capsys.readouterr().err
    assert not Path("tasks").exists()
