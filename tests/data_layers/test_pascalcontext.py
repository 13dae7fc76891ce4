"""PASCAL-Context: 459 labelled classes become 59, 33 or all of them, with the background as a class or as void."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_caffe.data_layers.pascalcontext_layers import CLASSES_33, VALUES, PASCALContextSegDataLayer
from tests.data_layers import miniatures
from tests.data_layers.driver import Driver
from tests.data_layers.miniatures import NAMES

AEROPLANE, TABLE, LAST, NUMBER_255, UNLABELLED = range(5)
"""Columns of the first row of the miniature labels."""


def driver(folder: Path, **params: Any) -> Driver:
    params = {"split": "val", "seed": 1, **params}
    return Driver(PASCALContextSegDataLayer, voc_dir=str(folder / "voc"), context_dir=str(folder / "context"), **params)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, dict[str, np.ndarray]]:
    return miniatures.pascalcontext(tmp_path / "voc", tmp_path / "context")


def expected(stored: np.ndarray, values: list[int], background: bool) -> np.ndarray:
    found = np.full(stored.shape, 0 if background else 255)
    for cls, value in enumerate(values):
        found[stored == value] = cls + background
    return found


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("task", [33, 59])
def test_labels_of_a_task(files, tmp_path: Path, task: int, background: bool) -> None:
    values = [VALUES[name] for name in (VALUES if task == 59 else CLASSES_33)]
    layer = driver(tmp_path, task=task, background=background)
    for name in NAMES:
        data, label = layer.forward()
        assert (label[0, 0] == expected(files[name]["label"], values, background)).all()
        mean = np.reshape((104.007, 116.669, 122.679), (3, 1, 1))
        np.testing.assert_allclose(data[0], files[name]["data"][:, :, ::-1].transpose(2, 0, 1) - mean, atol=1e-5)


def test_published_default_is_59_classes_and_the_background(files, tmp_path: Path) -> None:
    (_, found), (_, asked) = driver(tmp_path).forward(), driver(tmp_path, task=59, background=True).forward()
    assert (found == asked).all()
    assert found[0, 0, 0, [AEROPLANE, TABLE, LAST, UNLABELLED]].tolist() == [1, 11, 0, 0]


def test_all_classes(files, tmp_path: Path) -> None:
    label = files[NAMES[0]]["label"].astype(float)
    _, found = driver(tmp_path, task=459).forward()
    assert (found[0, 0] == label).all()
    _, found = driver(tmp_path, task=459, background=False).forward()
    assert (found[0, 0] == np.where(label > 0, label - 1, 65535)).all()
    assert found[0, 0, 0, [NUMBER_255, UNLABELLED]].tolist() == [254, 65535]


def test_some_of_all_classes(files, tmp_path: Path) -> None:
    _, found = driver(tmp_path, task=459, background=False, classes=[458, 254]).forward()
    assert found[0, 0, 0, :5].tolist() == [255, 255, 0, 1, 255]


def test_lists() -> None:
    names = list(VALUES)
    assert (len(names), len(set(VALUES.values())), len(CLASSES_33)) == (59, 59, 33)
    assert set(CLASSES_33) < set(names)
    assert tuple(names[:20]) == CLASSES_33[:20]
    assert [VALUES[name] for name in ("diningtable", "bedcloth", "clothes", "wood")] == [397, 19, 80, 458]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"task": 60}, "task is 60, expected one of 59, 33, 459"),
        ({"background": "yes"}, "background is 'yes', expected one of True, False"),
        ({"task": 33, "classes": [34]}, r"ids in 0\.\.33"),
        ({"n_classes": 59}, "unknown key 'n_classes'"),
    ],
)
def test_param_str_is_checked(files, tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        driver(tmp_path, **params)


def test_values_are_checked(files, tmp_path: Path) -> None:
    label = np.full(miniatures.SIZES[NAMES[0]], 460, np.uint16)
    miniatures.save_mat({"LabelMap": label}, tmp_path, "context", "trainval", f"{NAMES[0]}.mat")
    with pytest.raises(ValueError, match=r"5001.mat' has the value\(s\) 460, expected 0..459"):
        driver(tmp_path)
