"""fcn new takes annotations as other programs save them: each form becomes the same labels."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.annotations import label_studio as label_studio_form
from fcn_caffe.data_layers.segdata import classes, own_pictures
from fcn_caffe.inference.find import find
from tests.annotations.conftest import (
    CAT,
    DOG,
    HEIGHT,
    NAMES,
    WIDTH,
    base64_png,
    both,
    coco,
    compressed,
    cvat,
    label,
    labelme,
    make,
    png,
    runs,
    shape,
    truth,
)


def class_names():
    return classes.read("tasks/pets/classes.txt").names


def test_labelmes_shapes_are_drawn_in_order(photos, capsys):
    for name in NAMES:
        labelme("json", name, [shape("dog", [[0, 0], [44, 32]], "rectangle"), shape("cat", CAT), shape("dog", DOG)])
    labelme("json", "photo3", [shape("cat", CAT), shape("dog", DOG), shape("tail", [[0, 0], [9, 9]], "linestrip")])
    assert make("json") == 0
    said = capsys.readouterr().out
    assert "labelme's shapes of 4 images, 11 shapes\n  cat 4, dog 7\n  left out: shapes that are linestrips (1)" in said
    assert "drew 4 labels; what no shape covers is background" in said
    assert class_names() == ("background", "cat", "dog")
    np.testing.assert_array_equal(label("photo0"), truth(rest=2))
    np.testing.assert_array_equal(label("photo3"), truth())


def test_labelmes_circles_and_masks(photos):
    for name in NAMES:
        mask = shape("cat", [[4, 6], [15, 17]], "mask", mask=base64_png(np.ones((12, 12))))
        labelme("json", name, [mask, shape("dog", [[30, 16], [30, 22]], "circle")])
    assert make("json") == 0
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    expected = np.where((x - 30) ** 2 + (y - 16) ** 2 <= 36, 2, truth(dog=0))
    np.testing.assert_array_equal(label(), expected)


def test_labelmes_files_may_lie_beside_the_photos(photos):
    for name in NAMES:
        labelme("photos", name, [shape("cat", CAT), shape("dog", DOG)], imagePath=f"{name}.png")
    assert make("photos") == 0
    np.testing.assert_array_equal(label(), truth())


def test_what_is_called_void_is_void(photos):
    for name in NAMES:
        labelme(
            "json",
            name,
            [shape("_background_", DOG), shape("__ignore__", CAT), shape("cat", [[0, 20], [9, 30]], "rectangle")],
        )
    assert make("json") == 0
    assert class_names() == ("_background_", "cat")
    expected = truth(cat=255, dog=0)
    expected[20:30, :9] = 1
    np.testing.assert_array_equal(label(), expected)


def test_a_list_of_classes_says_their_order_and_what_is_not_drawn(photos, capsys):
    for name in NAMES:
        labelme("json", name, [shape("cat", CAT), shape("dog", DOG)])
    Path("classes.txt").write_text("dog 250 0 0\ncat 0 0 250\nvoid 255 255 255\n")
    assert make("json", "--classes", "classes.txt") == 0
    assert "what no shape covers is void" in capsys.readouterr().out
    np.testing.assert_array_equal(label(), truth(cat=1, dog=0, rest=255))
    assert find("pets", weights="x.caffemodel").classes.colours[0].tolist() == [250, 0, 0]


@pytest.mark.parametrize("pack", [lambda counts: counts, compressed], ids=["lists", "compressed"])
def test_cocos_polygons_and_run_lengths_are_drawn_and_crowds_are_void(photos, capsys, pack):
    annotations = [each for index in range(3) for each in both(index)]
    dog = {"size": [HEIGHT, WIDTH], "counts": pack(runs(truth() == 2))}
    crowd = {"size": [HEIGHT, WIDTH], "counts": pack(runs(np.ones((HEIGHT, WIDTH), bool)))}
    annotations += [
        {"image_id": 13, "category_id": 3, "segmentation": dog, "iscrowd": 0},
        {"image_id": 13, "category_id": 7, "segmentation": [sum(CAT, [])], "iscrowd": 0},
        {"image_id": 13, "category_id": 3, "segmentation": crowd, "iscrowd": 1},
        {"image_id": 13, "category_id": 3, "bbox": [0, 0, 9, 9], "segmentation": [], "iscrowd": 0},
    ]
    coco(annotations)
    assert make("instances.json") == 0
    said = capsys.readouterr().out
    assert "COCO's annotations of 4 images, 8 objects\n  cat 4, dog 4\n" in said
    assert "crowds, which are void (1), boxes and points without a segmentation (1)" in said
    assert class_names() == ("background", "cat", "dog")
    np.testing.assert_array_equal(label("photo0"), truth())
    np.testing.assert_array_equal(label("photo3"), truth(rest=255))


def test_cvats_archive_keeps_its_colours(photos, capsys):
    cvat()
    before = Path("cvat.zip").read_bytes()
    assert make("cvat.zip") == 0
    assert "CVAT's masks of 4 images" in capsys.readouterr().out
    assert class_names() == ("background", "dog", "cat")
    np.testing.assert_array_equal(label(), truth(cat=2, dog=1))
    assert find("pets", weights="x.caffemodel").classes.colours[:3].tolist() == [[0, 0, 0], [0, 0, 250], [250, 0, 0]]
    assert Path("cvat.zip").read_bytes() == before
    assert not Path("tasks/pets/unpacked").exists()


def test_cvats_folder(photos):
    cvat()
    zipfile.ZipFile("cvat.zip").extractall("cvat")
    assert make("cvat") == 0
    np.testing.assert_array_equal(label(), truth(cat=2, dog=1))


def test_superviselys_masks(photos, capsys):
    masks = Path("export/ds0/masks_machine")
    masks.mkdir(parents=True)
    Path("export/obj_class_to_machine_color.json").write_text(json.dumps({"cat": [1, 1, 1], "dog": [2, 2, 2]}))
    for name in NAMES:
        (masks / f"{name}.png.png").write_bytes(png(np.uint8(truth())[..., None].repeat(3, 2)))
    assert make("export") == 0
    assert "Supervisely's masks of 4 images" in capsys.readouterr().out
    assert class_names() == ("background", "cat", "dog")
    np.testing.assert_array_equal(label(), truth())


def label_studio():
    Path("brush").mkdir()
    tasks = []
    for index, name in enumerate(NAMES):
        tasks.append({"id": 100 + index, "data": {"image": f"/data/upload/1/0a1b2c3d-{name}.png", "text": "a.b"}})
        for number, (what, value) in enumerate((("cat", 1), ("guide dog", 2))):
            mask = png(np.uint8(truth() == value) * 255)
            Path(f"brush/task-{100 + index}-annotation-{index + 5}-by-1-tag-{what}-{number}.png").write_bytes(mask)
    Path("brush/task-100-annotation-2-by-1-tag-cat-0.png").write_bytes(png(np.full((HEIGHT, WIDTH), 255, np.uint8)))
    return tasks


def test_label_studios_masks(photos, capsys):
    Path("export.json").write_text(json.dumps(label_studio()))
    shutil.move("export.json", "brush/project-1.json")
    assert make("brush") == 0
    said = capsys.readouterr().out
    assert "Label Studio's masks of 4 images, 8 masks\n  cat 4, guide dog 4\n" in said
    assert "older annotations of an image (1)" in said
    assert class_names() == ("background", "cat", "guide dog")
    np.testing.assert_array_equal(label(), truth())


def test_label_studios_masks_need_the_tasks(photos, capsys):
    label_studio()
    assert make("brush") == 1
    assert "Export the project as JSON, too, and put the file into this folder" in capsys.readouterr().err


def test_an_archive_of_label_images(photos):
    with zipfile.ZipFile("labels.zip", "w") as pack:
        for name in NAMES:
            pack.writestr(f"labels/{name}.png", png(np.uint8(truth())))
    assert make("labels.zip") == 0
    np.testing.assert_array_equal(label(), truth())


def test_annotations_without_an_image_are_told_and_left_out(photos, capsys):
    coco(sum(map(both, range(4)), []))
    Path("photos/photo2.png").unlink()
    assert make("instances.json") == 0
    assert "1 annotation(s) are of images that are not there, and left out: some/folder/photo2.png" in (
        capsys.readouterr().out
    )


def test_a_sheet_shows_the_labels(photos, capsys):
    coco(sum(map(both, range(4)), []))
    assert make("instances.json") == 0
    assert "What the labels look like: tasks/pets/labels.png" in capsys.readouterr().out
    with Image.open("tasks/pets/labels.png") as sheet:
        assert sheet.info["Software"] == own_pictures.SOFTWARE
        assert min(sheet.size) > 240
        pixels = np.asarray(sheet.convert("RGB"))
    for line in (0, 255):  # outlines
        assert (pixels[:240] == line).all(2).sum() > 100
    assert (pixels == find("pets", weights="x.caffemodel").classes.colours[1]).all(2).sum() > 100  # the legend


def test_label_studios_names_may_have_hyphens_and_spaces(photos, capsys):
    tasks = label_studio()
    for task in tasks:
        task["data"]["image"] = task["data"]["image"].replace("photo", "my_photo_")
        task["annotations"] = [{"result": [{"from_name": "brush-tag"}]}]
    for path in list(Path("brush").iterdir()):
        path.rename(path.with_name(path.name.replace("by-1-tag-", "by-ann@uni-x.de-brush-tag-")))
    for name in NAMES:
        Path(f"photos/{name}.png").rename(f"photos/my {name[:5]} {name[5:]}.png")
    Path("brush/project.json").write_text(json.dumps(tasks))
    assert make("brush") == 0
    assert class_names() == ("background", "cat", "guide dog")
    np.testing.assert_array_equal(label("my photo 0"), truth())


@pytest.mark.parametrize("who", ["1", "ann@uni-x.de", "ann.b-c@x-y.co.uk"])
def test_label_studios_labels_are_known_without_their_tool(who):
    match = label_studio_form._MASK.fullmatch(f"task-1-annotation-2-by-{who}-tag-guide-dog-0.png")
    assert label_studio_form._label(match[3], []) == "guide-dog"


def test_a_folder_may_have_several_files_of_coco(photos, capsys):
    Path("ann").mkdir()
    for part, indices in {"train": (0, 1, 2), "val": (3,)}.items():
        coco(sum(map(both, indices), []))
        values = json.loads(Path("instances.json").read_text())
        values["images"] = [values["images"][index] for index in indices]
        Path(f"ann/instances_{part}.json").write_text(json.dumps(values))
    Path("ann/captions.json").write_text("{}")
    assert make("ann") == 0
    said = capsys.readouterr().out
    assert (
        "COCO's annotations of 4 images, 8 objects\n  cat 4, dog 4\n  left out: JSON files that are not COCO's (1)"
        in said
    )
    for name in NAMES:
        np.testing.assert_array_equal(label(name), truth())


def test_images_without_an_object_are_told(photos, capsys):
    coco(sum(map(both, range(3)), []))
    assert make("instances.json") == 0
    assert "1 of them have no object: they are background everywhere" in capsys.readouterr().out


def test_an_annotation_is_not_taken_for_an_image_whose_name_is_the_beginning_of_its_own(photos, capsys):
    coco(sum(map(both, range(4)), []))
    text = Path("instances.json").read_text().replace("photo2.png", "photo2.copy.png").replace("photo3.png", "photo3.7")
    Path("instances.json").write_text(text)
    assert make("instances.json") == 0
    assert "2 annotation(s) are of images that are not there, and left out: some/folder/photo2.copy.png" in (
        capsys.readouterr().out
    )


def test_an_image_of_another_folder_that_is_the_only_one_of_its_name_is_told(photos, capsys):
    coco(sum(map(both, range(4)), []))
    Path("photos/here").mkdir()
    for name in ("photo0", "photo1"):
        Path(f"photos/{name}.png").rename(f"photos/here/{name}.png")
    text = Path("instances.json").read_text().replace("some/folder/photo0", "elsewhere/photo0")
    Path("instances.json").write_text(text.replace("some/folder/photo1", "photo1"))
    assert make("instances.json") == 0
    assert (
        "1 annotation(s) name another folder, and were taken for the only image that is called so: elsewhere/photo0.png"
        in (capsys.readouterr().out)
    )
