"""tools/data.py check: every defect that a data set can have is found, and named with its file."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from fcn_caffe.commands import data
from fcn_caffe.pictures import drawing, outputs
from tests.tools.conftest import SIZE, write_voc

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def voc(tmp_path):
    """Six images: four to train on, two to score on."""
    write_voc(tmp_path / "voc", images=6)
    lists = tmp_path / "voc/ImageSets/Segmentation"
    for split, names in (("train", range(4)), ("val", (4, 5)), ("test", ())):
        (lists / f"{split}.txt").write_text("".join(f"image{index}\n" for index in names))
    (lists / "test.txt").unlink()
    return tmp_path / "voc"


def check(folder, *options):
    """Exit status and what --json has."""
    path = folder.parent / "found.json"
    path.unlink(missing_ok=True)
    status = data.main(["check", "--dir", str(folder), "--json", str(path), *options])
    return status, json.loads(path.read_text()) if path.exists() else None


def label(voc, index, values, **options):
    Image.fromarray(np.asarray(values)).save(voc / f"SegmentationClass/image{index}.png", **options)


def image(voc, index, picture):
    picture.save(voc / f"JPEGImages/image{index}.png")


def test_a_data_set_that_is_well_has_no_errors(voc, capsys):
    status, found = check(voc)
    assert status == 0
    assert found["errors"] == found["warnings"] == {}
    assert found["lists"] == {"train": 4, "val": 2}
    assert found["sizes"] == {f"{SIZE[1]}x{SIZE[0]}": 6}
    assert found["label_kinds"] == {"8-bit gray": 6}
    assert "no errors, no warnings" in capsys.readouterr().out


def test_classes_are_counted(voc, capsys):
    label(voc, 0, np.full(SIZE, 2, np.uint8))
    label(voc, 4, np.full(SIZE, 255, np.uint8))
    (voc / "classes.txt").write_text("sand\nkelp\nseal\nwhale\n")
    status, found = check(voc, "--allow-absent")
    labels = [np.asarray(Image.open(path)) for path in sorted((voc / "SegmentationClass").iterdir())]
    counts = np.bincount(np.ravel(labels), minlength=256)
    assert [found["classes"][str(cls)]["pixels"] for cls in range(4)] == counts[:4].tolist()
    assert found["void_pixels"] == counts[255] == SIZE[0] * SIZE[1]
    assert found["classes"]["0"] == {"name": "sand", "pixels": int(counts[0]), "train": 3, "val": 1}
    assert found["warnings"] == {
        "classes that no image to train on shows": ["whale"],
        "labels that are void everywhere": ["image4"],
    }
    assert status == 0
    assert f"{counts[2] / counts.sum():10.3%}" in capsys.readouterr().out


DEFECTS = {
    "missing images": lambda voc: (voc / "JPEGImages/image1.png").unlink(),
    "missing labels": lambda voc: (voc / "SegmentationClass/image1.png").unlink(),
    "unreadable images": lambda voc: (voc / "JPEGImages/image1.png").write_bytes(b"\x89PNG no"),
    "labels that cannot be used": lambda voc: (voc / "SegmentationClass/image1.png").write_bytes(b"GIF"),
    "image and label differ in size": lambda voc: label(voc, 1, np.zeros((SIZE[1], SIZE[0]), np.uint8)),
    "label values that are neither 0..2 nor 255": lambda voc: label(voc, 1, np.full(SIZE, 3, np.uint8)),
    "labels with values over 8 bits": lambda voc: label(voc, 1, np.full(SIZE, 700, np.uint16)),
    "labels in colours, not class indices": lambda voc: label(voc, 1, np.zeros((*SIZE, 3), np.uint8)),
    "images of list train are in list val, too": lambda voc: (
        voc / "ImageSets/Segmentation/val.txt"
    ).write_text("image1\nimage5\n"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_an_error_with_its_file(voc, capsys, defect):
    DEFECTS[defect](voc)
    status, found = check(voc, "--classes", "3")
    assert status == 1
    ((kind, examples),) = found["errors"].items()
    assert defect in kind
    assert len(examples) == 1
    assert "image1" in examples[0]
    assert f"ERROR: {kind} (1): {examples[0]}" in capsys.readouterr().out


def test_all_defects_are_found_in_one_go(voc):
    for index, value in enumerate((40, 41, 42)):
        label(voc, index, np.full(SIZE, value, np.uint8))
    (voc / "JPEGImages/image3.png").unlink()
    status, found = check(voc, "--classes", "3")
    assert {kind: len(examples) for kind, examples in found["errors"].items()} == {
        "label values that are neither 0..2 nor 255": 3,
        "missing images": 1,
    }


def test_images_that_are_no_plain_rgb_are_told(voc):
    rng = np.random.default_rng(1)
    gray = rng.integers(0, 256, SIZE, dtype=np.uint8)
    image(voc, 0, Image.fromarray(gray))
    image(voc, 1, Image.fromarray(rng.integers(0, 65536, SIZE, dtype=np.uint16)))
    image(voc, 2, Image.fromarray(rng.integers(0, 256, (*SIZE, 4), dtype=np.uint8)))
    status, found = check(voc)
    assert status == 0
    assert found["warnings"] == {
        "gray images, which are read as gray RGB": ["image0"],
        "16-bit images, which are scaled to 8": ["image1"],
        "images of mode RGBA, which are converted to RGB": ["image2"],
    }


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [(0, 1, "the same image twice"), (3, 5, "the same image under two names, to train on and to score on")],
)
def test_duplicates_are_found_whatever_their_files(voc, first, second, words):
    original = Image.open(voc / f"JPEGImages/image{first}.png")
    original.save(voc / f"JPEGImages/image{second}.png", compress_level=0)
    _, found = check(voc)
    assert found["warnings"] == {words: [f"image{first} = image{second}"]}


def test_trainval_holds_val_and_may_not_hold_test(voc):
    lists = voc / "ImageSets/Segmentation"
    (lists / "trainval.txt").write_text((lists / "train.txt").read_text() + (lists / "val.txt").read_text())
    assert check(voc)[0] == 0
    (lists / "test.txt").write_text("image5\n")
    status, found = check(voc)
    assert status == 1
    assert found["errors"] == {"images of list trainval are in list test, too": ["image5"]}


def test_a_palette_is_recognised(voc):
    for path in (voc / "SegmentationClass").iterdir():
        drawing.save_labels(np.asarray(Image.open(path)), path)
    picture = Image.open(voc / "SegmentationClass/image0.png")
    picture.putpalette([9, 9, 9] * 256)
    picture.save(voc / "SegmentationClass/image0.png")
    _, found = check(voc)
    assert found["label_kinds"] == {"palette, other colours": 1, "palette, VOC's colours": 5}


def test_labels_in_vocs_colours_are_recognised(voc):
    for path in (voc / "SegmentationClass").iterdir():
        drawing.label_image(np.asarray(Image.open(path))).convert("RGB").save(path)
    status, found = check(voc)
    assert status == 1
    assert sorted(map(tuple, found["colours"])) == [(0, 0, 0), (0, 128, 0), (128, 0, 0)]
    assert any("all of VOC's palette" in kind for kind in found["warnings"])


def test_labels_in_listed_colours_are_classes(voc, tmp_path):
    original = np.asarray(Image.open(voc / "SegmentationClass/image0.png"))
    for path in (voc / "SegmentationClass").iterdir():
        drawing.label_image(np.asarray(Image.open(path))).convert("RGB").save(path)
    colours = tmp_path / "colours.txt"
    colours.write_text("sand 0 0 0\nkelp 128 0 0\nseal 0 128 0\n")
    status, found = check(voc, "--classes", str(colours))
    assert status == 0
    assert found["classes"]["2"]["pixels"] >= (original == 2).sum() > 0
    colours.write_text("sand 0 0 0\nkelp 128 0 0\n")
    status, found = check(voc, "--classes", str(colours))
    assert status == 1
    assert "(0, 128, 0)" in found["errors"]["labels that cannot be used"][0]


def test_names_that_come_twice_are_told(voc):
    path = voc / "ImageSets/Segmentation/val.txt"
    path.write_text(path.read_text() + "image5\n")
    _, found = check(voc)
    assert found["warnings"] == {"names twice in list val": ["image5"]}
    assert found["images"] == 6


def test_two_folders_are_a_data_set(tmp_path, capsys):
    write_voc(tmp_path / "voc")
    images, labels = tmp_path / "voc/JPEGImages", tmp_path / "voc/SegmentationClass"
    assert data.main(["check", "--images", str(images), "--labels", str(labels)]) == 0
    assert "4 images; lists: all (4)" in capsys.readouterr().out
    (labels / "image0.png").rename(labels / "else.png")
    assert data.main(["check", "--images", str(images), "--labels", str(labels)]) == 1
    out = capsys.readouterr().out
    assert "ERROR: missing images (1)" in out
    assert "ERROR: missing labels (1)" in out
    images.rename(tmp_path / "voc/images")
    labels.rename(tmp_path / "voc/masks")
    for path in (tmp_path / "voc/ImageSets/Segmentation").iterdir():
        path.unlink()
    assert check(tmp_path / "voc")[1]["images"] == 5


def test_labels_as_jpeg_are_an_error(tmp_path):
    write_voc(tmp_path / "voc")
    labels = tmp_path / "voc/SegmentationClass"
    for path in list(labels.iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    found = tmp_path / "f.json"
    line = ["check", "--images", str(tmp_path / "voc/JPEGImages"), "--labels", str(labels), "--json", str(found)]
    assert data.main(line) == 1
    assert any(kind.startswith("labels as JPEG") for kind in json.loads(found.read_text())["errors"])


def test_segnets_layout_is_known(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind, values in ((split, 256), (f"{split}annot", 3)):
            (tmp_path / "set" / kind).mkdir(parents=True)
            shape = (5, 6, 3) if values == 256 else (5, 6)
            Image.fromarray(rng.integers(0, values, shape, dtype=np.uint8)).save(tmp_path / f"set/{kind}/a.png")
    outputs.save_picture(Image.new("RGB", (6, 5)), tmp_path / "set/train/a_overlay.png")
    status, found = check(tmp_path / "set")
    assert status == 0
    assert found["lists"] == {"train": 1, "val": 1}


def test_sbd_is_read_as_in_training_and_held_against_the_papers_list(tmp_path, capsys):
    sbd = tmp_path / "sbd"
    for folder in ("img", "cls"):
        (sbd / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("2007_000033", "2008_000002", "2008_000003"):
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(sbd / f"img/{name}.jpg")
        values = rng.integers(0, 21, SIZE, dtype=np.uint8)
        scipy.io.savemat(sbd / f"cls/{name}.mat", {"GTcls": {"Segmentation": values}})
    (sbd / "train.txt").write_text("2008_000002\n")
    (sbd / "val.txt").write_text("2007_000033\n2008_000003\n")
    status, found = check(sbd, "sbd")
    assert (status, found["errors"]) == (0, {})
    assert found["classes"]["20"]["name"] == "tvmonitor"
    (sbd / "train.txt").write_text("2007_000033\n")
    (sbd / "val.txt").write_text("2008_000003\n")
    scipy.io.savemat(sbd / "cls/2008_000003.mat", {"GTcls": {"Segmentation": np.full(SIZE, 77, np.uint8)}})
    status, found = check(sbd, "sbd")
    assert status == 1
    assert found["errors"]["images of list train are in list seg11valid, too"] == ["2007_000033"]
    assert "the value(s) 77" in found["errors"]["labels that cannot be used"][0]


def test_nyudv2_and_sift_flow_are_read_as_in_training(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ("data/images", "segmentation"):
        (tmp_path / "nyud" / folder).mkdir(parents=True)
    scenes = "spatial_envelope_256x256_static_8outdoorcategories"
    for folder in ("Images", "SemanticLabels", "GeoLabels"):
        (tmp_path / "sift" / folder / scenes).mkdir(parents=True)
    for index, split in enumerate(("train", "val", "test")):
        picture = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        picture.save(tmp_path / f"nyud/data/images/img_{index}.png")
        values = rng.integers(0, 41, SIZE, dtype=np.uint8)
        scipy.io.savemat(tmp_path / f"nyud/segmentation/img_{index}.mat", {"segmentation": values})
        (tmp_path / f"nyud/{split}.txt").write_text(f"{index}\n")
        picture.save(tmp_path / f"sift/Images/{scenes}/{index}.jpg")
        for folder, most in (("SemanticLabels", 33), ("GeoLabels", 3)):
            values = rng.integers(0, most + 1, SIZE).astype(np.int16)
            scipy.io.savemat(tmp_path / f"sift/{folder}/{scenes}/{index}.mat", {"S": values})
    (tmp_path / "sift/trainval.txt").write_text("0\n1\n")
    (tmp_path / "sift/test.txt").write_text("2\n")
    status, found = check(tmp_path / "nyud", "nyudv2")
    assert (status, found["images"], found["classes"]["0"]["name"]) == (0, 3, "wall")
    status, found = check(tmp_path / "sift", "siftflow")
    assert (status, found["images"], found["classes"]["32"]["name"]) == (0, 3, "window")
    scipy.io.savemat(tmp_path / f"sift/GeoLabels/{scenes}/1.mat", {"S": np.full(SIZE, 9)})
    assert check(tmp_path / "sift", "siftflow")[0] == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["check", "voc2013"], "no data set of that name"),
        (["check", "--dir", "nowhere"], "there is no folder 'nowhere'"),
        (["check", "--dir", "."], "expected PASCAL VOC's layout"),
    ],
)
def test_what_is_no_data_set_is_said(tmp_path, monkeypatch, capsys, line, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert data.main(line) == 1
    assert words in capsys.readouterr().err


def test_the_demos_own_pictures_are_well(tmp_path):
    from fcn_caffe.demo.data import write_segmentation

    write_segmentation(tmp_path / "VOC", 1, {"train": 3, "val": 2})
    status, found = check(tmp_path / "VOC")
    assert (status, found["errors"]) == (0, {})


def test_pictures_over_pillows_limit_are_named_and_the_others_still_looked_at(voc, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIZE[0] * SIZE[1])
    image(voc, 0, Image.new("RGB", (10 * SIZE[1], SIZE[0])))
    label(voc, 1, np.zeros((SIZE[0], 10 * SIZE[1]), np.uint8))
    status, found = check(voc)
    assert status == 1
    (picture,) = found["errors"]["unreadable images"]
    (mask,) = found["errors"]["labels that cannot be used"]
    assert "image0.png' is too large" in picture
    assert "image1.png' is too large" in mask
    assert sum(found["sizes"].values()) == 5
