"""NYUDv2: any tops in any order, depth with holes, HHA from files or computed, classes from 1."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from fcn_caffe.data_layers.nyud_layers import CLASSES, NYUDSegDataLayer
from fcn_caffe.data_layers.segdata import hha
from tests.data_layers import miniatures
from tests.data_layers.driver import Driver
from tests.data_layers.miniatures import CAMERA, NAMES

FILE = {"metres": "depth"}
"""Of which file a top is, where it has another name."""
MEANS = {"color": (116.190, 97.203, 92.318), "hha": (132.431, 94.076, 118.477)}


def driver(folder: Path, *tops: str, **params: Any) -> Driver:
    params = {"nyud_dir": str(folder), "split": "test", "tops": list(tops), "seed": 1, **params}
    return Driver(NYUDSegDataLayer, tops=len(params["tops"]), param_str=repr(params))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, dict[str, np.ndarray]]:
    return miniatures.nyud(tmp_path)


def expected(top: str, stored: np.ndarray) -> np.ndarray:
    """What a top should hold of what its file holds."""
    stored = stored.astype(np.float64)
    if top == "depth":
        return np.where(stored > 0, np.log(np.maximum(stored, 1)) - 7.844, 0)[np.newaxis]
    if top == "metres":
        return stored[np.newaxis] / 1000
    if top == "label":
        return np.where(stored > 0, stored - 1, 255)[np.newaxis]
    order = slice(None, None, -1 if top == "color" else 1)
    return stored[:, :, order].transpose(2, 0, 1) - np.reshape(MEANS[top], (3, 1, 1))


@pytest.mark.parametrize(
    "tops",
    [
        ("color", "label"),
        ("label", "hha"),
        ("color", "depth", "label"),
        ("hha", "depth", "color", "label"),
        ("color", "metres"),
    ],
)
def test_tops_come_in_the_order_asked_for(files, tmp_path: Path, tops: tuple[str, ...]) -> None:
    layer = driver(tmp_path, *tops)
    for name in NAMES:
        for top, found in zip(tops, layer.forward(), strict=True):
            np.testing.assert_allclose(found[0], expected(top, files[name][FILE.get(top, top)]), atol=2e-5)


def test_forty_classes(files, tmp_path: Path) -> None:
    assert len(CLASSES) == 40
    (label,) = driver(tmp_path, "label").forward()
    assert label[0, 0, 0, :2].tolist() == [255, 39]


def test_void_is_not_taken_for_a_class(files, tmp_path: Path) -> None:
    """255 in a file, which the published layer's arithmetic turns into class 254."""
    label = files[NAMES[0]]["label"]
    label[3, 3] = 255
    savemat(tmp_path / f"segmentation/img_{NAMES[0]}.mat", {"segmentation": label})
    with pytest.raises(ValueError, match=r"img_5001.mat' has the value\(s\) 255, expected 0..40"):
        driver(tmp_path, "label")


def test_holes_in_depth_have_the_mean(tmp_path: Path) -> None:
    files = miniatures.nyud(tmp_path)
    depth = files[NAMES[0]]["depth"].astype(np.float32)
    depth[1, :3] = np.nan, np.inf, 2550
    Image.fromarray(depth).save(tmp_path / f"data/depth/img_{NAMES[0]}.png", format="TIFF")
    (found,) = driver(tmp_path, "depth").forward()
    assert np.isfinite(found).all()
    assert found[0, 0, 0, 0] == found[0, 0, 1, 0] == found[0, 0, 1, 1] == 0
    assert found[0, 0, 1, 2] == pytest.approx(np.log(2550) - 7.844, abs=1e-6)


def test_a_picture_of_depth_is_refused(files, tmp_path: Path) -> None:
    Image.fromarray(np.ones((20, 30), np.uint8)).save(tmp_path / f"data/depth/img_{NAMES[0]}.png")
    with pytest.raises(ValueError, match="img_5001.png' has mode L, expected a gray image with 16 bits"):
        driver(tmp_path, "depth")


def test_hha_is_computed_where_it_is_absent(tmp_path: Path) -> None:
    files = miniatures.nyud(tmp_path, hha=False)
    (found,) = driver(tmp_path, "hha", camera=CAMERA).forward()
    depth = files[NAMES[0]]["depth"].astype(np.float32)
    depth[depth == 0] = np.nan
    np.testing.assert_allclose(found[0], expected("hha", hha.encode(depth, hha.Camera(*CAMERA))), atol=2e-5)


def test_hha_of_another_camera_needs_that_camera(tmp_path: Path) -> None:
    miniatures.nyud(tmp_path, hha=False)
    with pytest.raises(ValueError, match=r"30×20 pixels is none of NYUDv2's, which are 640×480, .* give its camera"):
        driver(tmp_path, "hha")


def test_trainval_is_train_and_val_unless_there_is_a_list(files, tmp_path: Path) -> None:
    assert driver(tmp_path, "label", split="trainval").layer.indices == NAMES
    (tmp_path / "trainval.txt").write_text(NAMES[1])
    assert driver(tmp_path, "label", split="trainval").layer.indices == [NAMES[1]]
    (tmp_path / "trainval.txt").unlink()
    (tmp_path / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match="trainval.txt'; the splits there are: test, train"):
        driver(tmp_path, "label", split="trainval")


def test_trainval_is_drawn_at_random_and_test_is_not(files, tmp_path: Path) -> None:
    assert driver(tmp_path, "label", split="trainval").indices(20) != [0, 1, 2] * 6 + [0, 1]
    assert driver(tmp_path, "label", split="test").indices(4) == [0, 1, 2, 0]


def test_classes_are_chosen(files, tmp_path: Path) -> None:
    (label,) = driver(tmp_path, "label", classes=[39, 4]).forward()
    stored = files[NAMES[0]]["label"]
    assert (label[0, 0] == np.select([stored == 40, stored == 5], [0, 1], 255)).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"tops": ["color", "lable"]},
            r"tops is \['color', 'lable'\], expected .* of color, depth, hha, metres, label",
        ),
        ({"tops": ["color", "color"]}, "list of different ones"),
        ({"tops": []}, "list of different ones"),
        ({"tops": "color"}, "list of different ones"),
        ({"camera": (1, 2, 3)}, "camera is .*expected four numbers"),
        ({"camera": (0, 2, 3, 4)}, "expected fx and fy above 0"),
        ({"nyu_dir": "x"}, "unknown key 'nyu_dir'; did you mean 'nyud_dir'"),
    ],
)
def test_param_str_is_checked(files, tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        driver(tmp_path, "color", **params)


def test_as_many_tops_as_asked_for(files, tmp_path: Path) -> None:
    params = repr({"nyud_dir": str(tmp_path), "split": "test", "tops": ["color", "hha", "label"]})
    with pytest.raises(ValueError, match=r"has 2 top\(s\). Need to define three tops: color, hha and label"):
        Driver(NYUDSegDataLayer, param_str=params)


def test_sizes_must_agree(files, tmp_path: Path) -> None:
    Image.fromarray(np.ones((5, 6), np.uint16)).save(tmp_path / f"data/depth/img_{NAMES[0]}.png")
    with pytest.raises(ValueError, match="the image is 30×20 pixels, its depth 6×5; expected one size"):
        driver(tmp_path, "color", "depth", "label")
