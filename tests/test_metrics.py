"""The four metrics, by hand, by the paper's formulas, and on the complete official labels."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.scoring.metrics import absent, confusion, is_all_background, scores, without

DATA = Path(os.environ.get("FCN_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def test_confusion_counts_truth_by_prediction() -> None:
    truth = np.array([[0, 0, 1], [2, 255, 1]], np.uint8)
    prediction = np.array([[0, 1, 1], [2, 0, 0]])
    assert confusion(truth, prediction, 3).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_confusion_takes_float_labels_as_nets_give_them() -> None:
    assert confusion(np.array([0.0, 1.0, 255.0], np.float32), np.array([0, 0, 1]), 2).tolist() == [[1, 0], [1, 0]]


def test_confusion_of_void_alone_is_zero() -> None:
    assert confusion(np.full((2, 2), 255), np.zeros((2, 2), int), 2).tolist() == [[0, 0], [0, 0]]


def test_confusion_refuses_other_shapes_and_classes() -> None:
    with pytest.raises(ValueError, match="expected one shape"):
        confusion(np.zeros((2, 2)), np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match=r"range from 0 to 5; expected classes 0\.\.1"):
        confusion(np.zeros(2), np.array([0, 5]), 2)


def test_metrics_by_hand() -> None:
    found = scores(np.array([[6, 2], [1, 1]]))
    assert found.pixel_accuracy == pytest.approx(7 / 10)
    assert found.accuracy == pytest.approx([6 / 8, 1 / 2])
    assert found.mean_accuracy == pytest.approx((6 / 8 + 1 / 2) / 2)
    assert found.iu == pytest.approx([6 / 9, 1 / 4])
    assert found.mean_iu == pytest.approx((6 / 9 + 1 / 4) / 2)
    assert found.fw_iu == pytest.approx((8 * 6 / 9 + 2 * 1 / 4) / 10)


def test_metrics_by_the_paper() -> None:
    n = np.random.default_rng(0).integers(1, 100, (5, 5))
    k, t = 5, n.sum(1)
    ratios = [n[i, i] / (t[i] + n[:, i].sum() - n[i, i]) for i in range(k)]
    found = scores(n)
    assert found.pixel_accuracy == pytest.approx(sum(n[i, i] for i in range(k)) / t.sum())
    assert found.mean_accuracy == pytest.approx(sum(n[i, i] / t[i] for i in range(k)) / k)
    assert found.mean_iu == pytest.approx(sum(ratios) / k)
    assert found.fw_iu == pytest.approx(sum(t[i] * ratios[i] for i in range(k)) / t.sum())


def test_class_absent_from_truth_and_prediction_has_no_score() -> None:
    found = scores(np.array([[3, 0, 1], [0, 0, 0], [0, 0, 4]]))
    assert math.isnan(found.iu[1])
    assert math.isnan(found.accuracy[1])
    assert found.mean_iu == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_class_predicted_but_absent_from_truth() -> None:
    hist = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 4]])
    assert scores(hist).mean_iu == pytest.approx((3 / 4 + 0 + 1) / 3)
    excluded = scores(hist, exclude_absent=True)
    assert excluded.mean_iu == pytest.approx((3 / 4 + 1) / 2)
    assert math.isnan(excluded.iu[1])
    assert excluded.pixel_accuracy == scores(hist).pixel_accuracy == pytest.approx(7 / 8)


def test_ignored_classes_count_as_void() -> None:
    hist = np.array([[3, 1, 0], [2, 5, 1], [0, 0, 4]])
    ignored = without(hist, [1])
    assert ignored.tolist() == [[3, 1, 0], [0, 0, 0], [0, 0, 4]]
    assert hist[1, 1] == 5
    assert absent(ignored) == [1]
    assert absent(hist) == []
    with pytest.raises(ValueError, match=r"no class 3 to leave out, expected 0\.\.2"):
        without(hist, [3])


def test_no_pixels_score_nan_and_json_knows_it_as_null() -> None:
    found = scores(np.zeros((2, 2))).as_dict()
    assert json.loads(json.dumps(found)) == {
        "pixel_accuracy": None,
        "mean_accuracy": None,
        "mean_iu": None,
        "fw_iu": None,
        "accuracy": [None, None],
        "iu": [None, None],
    }


def test_all_background_signature() -> None:
    assert is_all_background(np.array([[9000, 0], [990, 10]]))
    assert not is_all_background(np.array([[9000, 0], [900, 100]]))
    assert not is_all_background(np.array([[9000, 0], [0, 0]]))


@pytest.mark.parametrize(
    ("split", "images", "accuracy", "mean_iu", "fw_iu"),
    [
        pytest.param(
            *("val", 1449, 0.7331802130973, 0.034913343, 0.537553225),
            marks=pytest.mark.slow(reason="1,449 labels; half as many are not slow"),
        ),
        ("seg11valid", 736, 0.728528704731, 0.728528704731 / 21, 0.728528704731**2),
    ],
)
def test_background_everywhere_on_official_voc_labels(
    split: str, images: int, accuracy: float, mean_iu: float, fw_iu: float
) -> None:
    root = DATA / "voc-labels"
    if not root.is_dir():
        pytest.skip(f"needs the official VOC labels in {root} (FCN_SHARED_DATA names another folder)")
    names = (root / f"ImageSets/Segmentation/{split}.txt").read_text().split()
    assert len(names) == images
    hist = np.zeros((21, 21), np.int64)
    for name in names:
        label = np.asarray(Image.open(root / f"SegmentationClass/{name}.png"))
        hist += confusion(label, np.zeros_like(label), 21)
    found = scores(hist)
    assert is_all_background(hist)
    assert found.pixel_accuracy == pytest.approx(accuracy, abs=1e-12)
    assert found.mean_accuracy == pytest.approx(1 / 21, abs=1e-12)
    assert found.mean_iu == pytest.approx(mean_iu, abs=1e-9)
    assert found.fw_iu == pytest.approx(fw_iu, abs=1e-9)
