"""The painted data set: its layout, its labels, and that it can be painted again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.demo import data as demo_data
from fcn_caffe.demo.tidepool import perspective
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


PICTURE = (120, 160)


@pytest.mark.parametrize("pitch", [0.55, 0.7, 0.95])
@pytest.mark.parametrize("above", [0.8, 1.6])
def test_a_ray_meets_the_ground_where_its_depth_says(above: float, pitch: float) -> None:
    """A point of the ground, seen by a camera that is moved and turned, comes to lie on the row that it came from."""
    rows = np.arange(PICTURE[0]) + 0.5
    y = (rows - PICTURE[0] / 2) / perspective.FOCAL
    depth = perspective.ground_depth(y, above, pitch)
    forward = depth * (np.cos(pitch) - y * np.sin(pitch))
    turned = np.array([[np.cos(pitch), -np.sin(pitch)], [np.sin(pitch), np.cos(pitch)]])
    down, along = turned @ np.stack([np.full_like(forward, above), forward])
    np.testing.assert_allclose(along, depth)
    np.testing.assert_allclose(down / along, y)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_creatures_stand_on_the_ground_and_hide_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture, depth = perspective.view(rng, *PICTURE, 6)
    assert (picture.shape, picture.dtype) == ((*PICTURE, 3), np.uint8)
    bare = depth.max(axis=1)
    assert (np.diff(bare) <= 1e-9).all(), "farther above"
    assert (depth <= bare[:, None] + 1e-9).all()
    assert (depth < bare[:, None] - 1e-9).any()
    assert 0.3 < depth.min() < depth.max() < 12


def test_scenes_with_depth_are_in_nyudv2s_layout(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        demo_data.write_depth(tmp_path / folder, 3, {"train": 2, "val": 1})
    names = (tmp_path / "one/train.txt").read_text().split()
    assert len(names) == 2
    for name in names:
        depth = np.asarray(Image.open(tmp_path / f"one/data/depth/img_{name}.png"))
        assert depth.dtype.kind in "iu"  # Pillow 9 reads 16 bits into 32
        assert 300 < depth.min() < depth.max() < 12000
        assert Image.open(tmp_path / f"one/data/images/img_{name}.png").size == depth.shape[::-1]
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes() for path in files)
