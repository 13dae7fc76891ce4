"""The painted data set: its layout, its labels, and that it can be painted again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.demo import data as demo_data
from fcn_caffe.demo.tidepool.creatures import CLASSES, CREATURES
from fcn_caffe.demo.tidepool.scene import outlined, place


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    demo_data.write_segmentation(root / "VOC", 1, {"train": 10, "val": 3})
    demo_data.write_classification(root / "classification", 1, {"train": 6, "val": 3})
    return root


def names(root: Path, split: str) -> list[str]:
    return (root / f"VOC/ImageSets/Segmentation/{split}.txt").read_text().split()


def test_splits_name_every_image_once(root: Path) -> None:
    listed = names(root, "train") + names(root, "val")
    assert len(set(listed)) == len(listed) == 13
    for folder, ending in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png")):
        assert {path.name for path in (root / "VOC" / folder).iterdir()} == {name + ending for name in listed}


def test_labels_fit_their_images(root: Path) -> None:
    sizes, values = set(), set()
    for name in names(root, "train"):
        image = Image.open(root / f"VOC/JPEGImages/{name}.jpg")
        label = Image.open(root / f"VOC/SegmentationClass/{name}.png")
        assert (image.mode, label.mode) == ("RGB", "P")
        assert image.size == label.size
        assert all(100 <= side <= 160 for side in image.size)
        sizes.add(image.size)
        values |= set(np.unique(np.asarray(label)).tolist())
    assert len(sizes) > 5
    assert values == {0, 1, 2, 3, 4, 5, 255}


def test_classes_are_named(root: Path) -> None:
    assert (root / "VOC/classes.txt").read_text().split() == list(CLASSES)
    assert len(CLASSES) == 6


def test_labels_have_the_colours_of_voc(root: Path) -> None:
    label = Image.open(root / f"VOC/SegmentationClass/{names(root, 'train')[0]}.png")
    palette = np.array(label.getpalette()).reshape(256, 3)
    assert palette[[1, 5, 255]].tolist() == [[128, 0, 0], [128, 0, 128], [224, 224, 192]]


def test_portraits_are_listed_with_their_classes(root: Path) -> None:
    lines = (root / "classification/train.txt").read_text().splitlines()
    assert [int(line.split()[1]) for line in lines] == [0, 1, 2, 3, 4, 5]
    for line in lines:
        assert Image.open(root / "classification" / line.split()[0]).size == (96, 96)


def test_same_seed_same_bytes_other_seed_other_pictures(root: Path, tmp_path: Path) -> None:
    demo_data.write_segmentation(tmp_path / "same", 1, {"train": 2})
    demo_data.write_segmentation(tmp_path / "other", 2, {"train": 2})
    for folder in ("JPEGImages", "SegmentationClass"):
        first = sorted((tmp_path / "same" / folder).iterdir())[0]
        assert first.read_bytes() == (root / "VOC" / folder / first.name).read_bytes()
        assert first.read_bytes() != (tmp_path / "other" / folder / first.name).read_bytes()


def test_borders_are_void() -> None:
    label = np.zeros((4, 6), np.uint8)
    label[:, 3:] = 2
    assert outlined(label).tolist() == [[0, 0, 255, 255, 2, 2]] * 4


@pytest.mark.parametrize("kind", range(len(CREATURES)))
@pytest.mark.parametrize("centre", [(30, 30), (0, 59)])
def test_creatures_stay_within_their_radius(kind: int, centre: tuple[int, int]) -> None:
    label = np.zeros((60, 60), np.uint8)
    picture = np.full((60, 60, 3), 100.0)
    place(np.random.default_rng(kind), picture, label, kind, centre, 20)
    y, x = np.nonzero(label == kind + 1)
    assert y.size > 60
    assert np.hypot(y - centre[0], x - centre[1]).max() < 22
    assert np.isfinite(picture).all()
