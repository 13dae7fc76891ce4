"""SIFT Flow: an image with two labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_caffe.data_layers.siftflow_layers import GEOMETRIC, SEMANTIC, SIFTFlowSegDataLayer
from tests.data_layers import miniatures
from tests.data_layers.driver import Driver
from tests.data_layers.miniatures import NAMES

MEAN = np.reshape((114.578, 115.294, 108.353), (3, 1, 1))
SCENES = "spatial_envelope_256x256_static_8outdoorcategories"


def driver(folder: Path, **params: Any) -> Driver:
    return Driver(SIFTFlowSegDataLayer, tops=3, siftflow_dir=str(folder), **{"split": "test", "seed": 1, **params})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, dict[str, np.ndarray]]:
    return miniatures.siftflow(tmp_path)


def test_tops(files, tmp_path: Path) -> None:
    layer = driver(tmp_path)
    for name in NAMES:
        data, sem, geo = layer.forward()
        stored = files[name]
        np.testing.assert_allclose(data[0], stored["data"][:, :, ::-1].transpose(2, 0, 1) - MEAN, atol=1e-5)
        assert (sem[0, 0] == np.where(stored["sem"] > 0, stored["sem"] - 1.0, 255)).all()
        assert (geo[0, 0] == np.where(stored["geo"] > 0, stored["geo"] - 1.0, 255)).all()


def test_classes(files, tmp_path: Path) -> None:
    assert (len(SEMANTIC), len(GEOMETRIC)) == (33, 3)
    assert [SEMANTIC[0], SEMANTIC[8], SEMANTIC[32]] == ["awning", "cow", "window"]


def test_geometric_void_may_be_zero(files, tmp_path: Path) -> None:
    geo = files[NAMES[0]]["geo"].copy()
    geo[0, 0] = 0
    miniatures.save_mat({"S": geo}, tmp_path, "GeoLabels", SCENES, f"{NAMES[0]}.mat")
    assert driver(tmp_path).forward()[2][0, 0, 0, 0] == 255


def test_classes_choose_among_the_semantic_ones(files, tmp_path: Path) -> None:
    _, sem, geo = driver(tmp_path, classes=[32, 2]).forward()
    stored = files[NAMES[0]]
    assert (sem[0, 0] == np.select([stored["sem"] == 33, stored["sem"] == 3], [0, 1], 255)).all()
    assert set(geo.ravel()) == {0, 1, 2, 255}


@pytest.mark.parametrize(("folder", "value", "legal"), [("SemanticLabels", 34, "0..33"), ("GeoLabels", 4, "-1..3")])
def test_values_are_checked(files, tmp_path: Path, folder: str, value: int, legal: str) -> None:
    label = np.full(miniatures.SIZES[NAMES[0]], value, np.int16)
    miniatures.save_mat({"S": label}, tmp_path, folder, SCENES, f"{NAMES[0]}.mat")
    with pytest.raises(ValueError, match=rf"{folder}/.*5001.mat' has the value\(s\) {value}, expected {legal}"):
        driver(tmp_path)


def test_both_labels_have_the_size_of_the_image(files, tmp_path: Path) -> None:
    miniatures.save_mat({"S": np.ones((4, 5))}, tmp_path, "GeoLabels", SCENES, f"{NAMES[0]}.mat")
    with pytest.raises(ValueError, match="the image is 30×20 pixels, its geo 5×4"):
        driver(tmp_path)


def test_three_tops_are_needed(files, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Need to define three tops: data, sem and geo"):
        Driver(SIFTFlowSegDataLayer, siftflow_dir=str(tmp_path), split="test")


def test_mean_may_be_given(files, tmp_path: Path) -> None:
    own, zero = (driver(tmp_path, **params).forward()[0] for params in ({}, {"mean": (0, 0, 0)}))
    np.testing.assert_allclose(zero[0] - own[0], np.broadcast_to(MEAN, own[0].shape), atol=1e-5)


def test_state_goes_on_where_it_was_taken(files, tmp_path: Path) -> None:
    first = driver(tmp_path, split="trainval")
    first.indices(5)
    second = driver(tmp_path, split="trainval", seed=9)
    second.layer.set_state(first.layer.state())
    assert second.indices(12) == first.indices(12)
