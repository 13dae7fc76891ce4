"""The layers of VOC and SBD, called as Net calls them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from fcn_caffe.data_layers.voc_layers import SBDDSegDataLayer, VOCSegDataLayer
from tests.data_layers.driver import MEAN, NAMES, Driver


def voc_driver(voc: Path, **params: Any) -> Driver:
    return Driver(VOCSegDataLayer, **{"voc_dir": str(voc), "split": "train", "mean": MEAN, "seed": 1337, **params})


def overwrite_label(voc: Path, name: str, values: list[list[int]]) -> None:
    Image.fromarray(np.array(values, np.uint8)).save(voc / f"SegmentationClass/{name}.png")


def test_tops(voc: Path) -> None:
    driver = voc_driver(voc, split="val")
    for name in NAMES:
        data, label = driver.forward()
        rgb = np.asarray(Image.open(voc / f"JPEGImages/{name}.jpg"))
        expected = (rgb[:, :, ::-1].astype(np.float64) - MEAN).astype(np.float32)
        assert data.shape == (1, 3, *rgb.shape[:2])
        assert (data[0] == expected.transpose(2, 0, 1)).all()
        truth = np.asarray(Image.open(voc / f"SegmentationClass/{name}.png"))
        assert label.shape == (1, 1, *truth.shape)
        assert (label[0, 0] == truth).all()


def test_sbd_reads_mat_labels(sbd: Path, voc: Path) -> None:
    driver = Driver(SBDDSegDataLayer, sbdd_dir=str(sbd), split="train", mean=MEAN, randomize=False)
    for name in NAMES:
        truth = np.asarray(Image.open(voc / f"SegmentationClass/{name}.png"))
        assert (driver.forward()[1][0, 0] == truth).all()


def test_a_truncated_sbd_label_is_named(sbd: Path) -> None:
    path = sbd / "cls/a.mat"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"image 'a' of split '.*train.txt': label '.*cls/a.mat' ends in the middle"):
        Driver(SBDDSegDataLayer, sbdd_dir=str(sbd), split="train", mean=MEAN, randomize=False)


def test_an_instance_label_is_not_taken_for_a_class_label(sbd: Path) -> None:
    """SBD's folder inst has files of the same names, with GTinst."""
    savemat(sbd / "cls/a.mat", {"GTinst": {"Segmentation": np.zeros((8, 6), np.uint8)}})
    with pytest.raises(ValueError, match=r"cls/a.mat' has no field GTcls; there is GTinst"):
        Driver(SBDDSegDataLayer, sbdd_dir=str(sbd), split="train", mean=MEAN, randomize=False)


def test_mirrored(voc: Path) -> None:
    """Image and label together, some and not others, and the same ones again after a restart."""
    plain, mirrored, restarted = voc_driver(voc), voc_driver(voc, mirror=True), voc_driver(voc, mirror=True)
    turned = []
    for position in range(12):
        expected, found = plain.forward(), mirrored.forward()
        turned.append(not (found[0] == expected[0]).all())
        for values, others in zip(found, expected, strict=True):
            assert (values == (others[..., ::-1] if turned[-1] else others)).all()
        restarted.layer.set_state({**mirrored.layer.state(), "position": position})
        assert (restarted.forward()[0] == found[0]).all()
    assert 0 < sum(turned) < 12


def test_only_training_images_are_mirrored(voc: Path) -> None:
    for settings in ({"split": "val"}, {"randomize": False}):
        plain, mirrored = voc_driver(voc, **settings), voc_driver(voc, mirror=True, **settings)
        for _ in range(6):
            assert (plain.forward()[0] == mirrored.forward()[0]).all()


def test_published_sequence(voc: Path) -> None:
    assert voc_driver(voc, order="py2").indices(8) == [
        int(i * 5 / 8498) for i in (5249, 4531, 3108, 4978, 1408, 7005, 3260, 6710)
    ]


def test_every_reshape_of_one_turn_sees_the_same_image(voc: Path) -> None:
    driver, other = voc_driver(voc), voc_driver(voc)
    driver.layer.reshape(driver.bottom, driver.top)
    driver.layer.reshape(driver.bottom, driver.top)
    assert (driver.forward()[0] == other.forward()[0]).all()


def test_layers_do_not_disturb_each_other(voc: Path) -> None:
    alone = voc_driver(voc).indices(10)
    one, two = voc_driver(voc), voc_driver(voc, seed=7)
    assert [(two.forward(), one.indices(1)[0])[1] for _ in range(10)] == alone


def test_scoring_splits_go_in_order(voc: Path) -> None:
    assert voc_driver(voc, split="val").indices(7) == [0, 1, 2, 3, 4, 0, 1]
    assert voc_driver(voc, randomize=False).indices(6) == [0, 1, 2, 3, 4, 0]


def test_without_a_seed_every_layer_has_its_own_order(voc: Path) -> None:
    assert voc_driver(voc, seed=None).indices(40) != voc_driver(voc, seed=None).indices(40)


@pytest.mark.parametrize("order", ["py3", "py2", "shuffle"])
@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_prefetch_changes_nothing(voc: Path, order: str, prefetch: int) -> None:
    plain, ahead = voc_driver(voc, order=order, prefetch=0), voc_driver(voc, order=order, prefetch=prefetch)
    for _ in range(12):
        assert ahead.layer.idx == plain.layer.idx
        for one, other in zip(ahead.forward(), plain.forward(), strict=True):
            assert one.shape == other.shape
            assert (one == other).all()


@pytest.mark.parametrize("order", ["py3", "py2", "shuffle"])
@pytest.mark.parametrize("seed", [1337, None])
def test_state_goes_on_where_it_was_taken(voc: Path, order: str, seed: int | None) -> None:
    first = voc_driver(voc, order=order, seed=seed)
    first.indices(7)
    state = first.layer.state()
    second = voc_driver(voc, order=order, seed=seed)
    second.indices(3)
    second.layer.set_state(state)
    assert second.indices(10) == first.indices(10)
    assert second.layer.state() == first.layer.state()


def test_state_of_another_split_is_refused(voc: Path) -> None:
    state = voc_driver(voc).layer.state()
    with pytest.raises(ValueError, match="belongs to split 'train', this layer has 'val'"):
        voc_driver(voc, split="val").layer.set_state(state)


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_bad_image_raises_in_its_turn(voc: Path, prefetch: int) -> None:
    (voc / "JPEGImages/c.jpg").unlink()
    driver = voc_driver(voc, split="val", prefetch=prefetch)
    driver.forward()
    driver.forward()
    for _ in range(2):
        with pytest.raises(
            FileNotFoundError, match=r"image 'c' of split '.*val.txt': there is no file '.*JPEGImages/c.jpg'"
        ):
            driver.forward()


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_mended_image_is_taken_at_the_next_try(voc: Path, prefetch: int) -> None:
    overwrite_label(voc, "b", [[77]])
    driver = voc_driver(voc, split="val", prefetch=prefetch)
    driver.forward()
    with pytest.raises(ValueError, match="the value.s. 77"):
        driver.forward()
    size = np.asarray(Image.open(voc / "JPEGImages/b.jpg")).shape[:2]
    overwrite_label(voc, "b", np.ones(size).tolist())
    assert (driver.forward()[1] == 1).all()


def test_label_values_are_checked(voc: Path) -> None:
    overwrite_label(voc, "a", [[0, 21], [254, 255]])
    with pytest.raises(
        ValueError, match=r"image 'a' .*SegmentationClass/a.png' has the value\(s\) 21, 254, expected 0\.\.20 or 255"
    ):
        voc_driver(voc, split="val")
    overwrite_label(voc, "a", np.zeros((8, 6)).tolist())
    driver = voc_driver(voc, split="val", n_classes=5)
    driver.forward()
    with pytest.raises(ValueError, match=r"image 'b' .*has the value\(s\) 20, expected 0\.\.4 or 255"):
        driver.forward()


def test_classes_are_renumbered_and_the_others_void(voc: Path) -> None:
    _, label = voc_driver(voc, split="val", classes=[20, 0]).forward()
    truth = np.asarray(Image.open(voc / "SegmentationClass/a.png"))
    assert (label[0, 0] == np.select([truth == 20, truth == 0], [0, 1], 255)).all()


def test_sizes_must_agree(voc: Path) -> None:
    overwrite_label(voc, "a", [[0, 0, 0]])
    with pytest.raises(ValueError, match="the image is 6×8 pixels, its label 3×1"):
        voc_driver(voc, split="val")


def test_missing_split_lists_those_that_exist(voc: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the splits there are: train, val"):
        voc_driver(voc, split="trainval")


def test_missing_data_set_is_named(voc: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not even its folder '.*nowhere/ImageSets/Segmentation' exists"):
        voc_driver(voc, voc_dir=str(voc / "nowhere"))


def test_empty_split_is_refused(voc: Path) -> None:
    (voc / "ImageSets/Segmentation/none.txt").write_text("\n\n")
    with pytest.raises(ValueError, match="names no image"):
        voc_driver(voc, split="none")


@pytest.mark.parametrize("tops", [1, 3])
def test_two_tops_are_needed(voc: Path, tops: int) -> None:
    with pytest.raises(ValueError, match="Need to define two tops: data and label"):
        voc_driver(voc, tops=tops)


def test_bottoms_are_refused(voc: Path) -> None:
    with pytest.raises(ValueError, match="Do not define a bottom"):
        voc_driver(voc, bottoms=1)


@pytest.mark.parametrize(
    ("param_str", "message"),
    [
        ("__import__('os').abort()", "not a Python literal"),
        ("{'split': }", "not a Python literal"),
        ("['train']", "is a list, not a dictionary"),
        ("{'split': 'train'}", "lacks 'voc_dir' and 'mean'"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'sed': 1}", "unknown key 'sed'; did you mean 'seed'"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2)}", "mean is .*expected three numbers"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 1" + "0" * 400 + ")}", "mean is .*expected three numbers"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': 'gray'}", "mean is .*expected three numbers"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'order': 'py4'}", "expected one of py3, py2, shuffle"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'seed': 'x'}", "seed is 'x', expected a whole number"),
        (
            "{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'seed': 0x1" + "0" * 5000 + "}",
            "is not a Python literal",
        ),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'prefetch': 4294967296}", "expected at most 1024"),
        (r"{'voc_dir': '.', 'split': 'tr\0in', 'mean': (1, 2, 3)}", "split is .*, and no name has a zero byte"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'prefetch': -1}", "prefetch is -1, expected a whole"),
        (
            "{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'n_classes': 300}",
            "n_classes is 300, expected at most",
        ),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'classes': [0, 21]}", "different ids in 0..20"),
        ("{'voc_dir': '.', 'split': 'train', 'mean': (1, 2, 3), 'classes': [1, 1]}", "different ids in 0..20"),
    ],
)
def test_param_str_is_checked(param_str: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Driver(VOCSegDataLayer, param_str=param_str)
