"""tools/trimap.py: which pixels are in the band, and their scores."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.commands import trimap
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring import trimap as bands

VOID = 255


def write(root, truths, predictions):
    for folder in ("SegmentationClass", "ImageSets/Segmentation", "predicted"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = [f"n{index}" for index in range(len(truths))]
    for name, truth, predicted in zip(names, truths, predictions, strict=True):
        Image.fromarray(np.asarray(truth, np.uint8)).save(root / f"SegmentationClass/{name}.png")
        Image.fromarray(np.asarray(predicted, np.uint8)).save(root / f"predicted/{name}.png")
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(names))
    return root


def stripes():
    """20×30: class 0, a void column at 14, class 1."""
    truth = np.zeros((20, 30), np.uint8)
    truth[:, 14], truth[:, 15:] = VOID, 1
    return truth


def test_distance_from_void_is_counted_in_pixels():
    assert bands.distances(stripes(), "void")[0, 10:19].tolist() == [4, 3, 2, 1, 0, 1, 2, 3, 4]


def test_distance_from_where_classes_meet_is_one_on_both_sides():
    truth = np.zeros((5, 8), np.uint8)
    truth[:, 4:] = 1
    assert bands.distances(truth, "classes")[2].tolist() == [4, 3, 2, 1, 1, 2, 3, 4]


def test_void_is_no_class_that_another_meets():
    assert np.isinf(bands.distances(stripes(), "classes")).all()


def test_distance_is_the_one_to_the_nearest_void_pixel():
    rng = np.random.default_rng(0)
    truth = np.where(rng.random((17, 23)) < 0.03, VOID, 0)
    at = np.argwhere(truth == VOID)
    grid = np.stack(np.mgrid[:17, :23], -1)[:, :, None]
    expected = np.sqrt(((grid - at) ** 2).sum(-1)).min(-1)
    np.testing.assert_allclose(bands.distances(truth, "void"), expected)


def test_an_error_at_the_boundary_weighs_most_in_the_narrow_band(tmp_path):
    predicted = stripes()
    predicted[:, 14:17] = 0  # two columns too many of class 0
    write(tmp_path, [stripes()], [predicted])
    (counted,) = bands.count([tmp_path / "predicted"], tmp_path, "val", [2, 4], 2, "void")
    expected = [40 / 80, 0, 80 / 120, 40 / 80, (14 * 20) / (16 * 20), (13 * 20) / (15 * 20)]
    assert np.ravel([metrics.scores(hist).iu for hist in counted.hists]) == pytest.approx(expected)


def test_the_last_matrix_is_that_of_whole_images(tmp_path):
    rng = np.random.default_rng(1)
    truths = [np.where(rng.random((9, 11)) < 0.1, VOID, rng.integers(0, 3, (9, 11))) for _ in range(3)]
    predictions = [rng.integers(0, 3, (9, 11)) for _ in range(3)]
    write(tmp_path, truths, predictions)
    (counted,) = bands.count([tmp_path / "predicted"], tmp_path, "val", [1], 3, "void")
    whole = sum(metrics.confusion(truth, predicted, 3) for truth, predicted in zip(truths, predictions, strict=True))
    assert (counted.hists[-1] == whole).all()
    assert (counted.hists[0] <= whole).all()


def test_classes_that_are_not_kept_do_not_count(tmp_path):
    truth = np.array([[0, 0, 255, 5, 5, 255, 9, 9]] * 2, np.uint8)
    predicted = np.array([[0, 1, 0, 1, 1, 0, 0, 0]] * 2, np.uint8)
    write(tmp_path, [truth], [predicted])
    (counted,) = bands.count([tmp_path / "predicted"], tmp_path, "val", [1], 10, "void", kept=[0, 5])
    assert counted.hists.tolist() == [[[0, 2], [0, 4]], [[2, 2], [0, 4]]]


def test_the_command_writes_table_json_and_plot(tmp_path, capsys):
    write(tmp_path, [stripes()], [np.where(stripes() == 1, 1, 0)])
    out = ["--json", str(tmp_path / "out/t.json"), "--plot", str(tmp_path / "out/t.png")]
    voc = ["--voc-dir", str(tmp_path), "--classes", "2", "--widths", "3", "1"]
    assert trimap.main([str(tmp_path / "predicted"), *voc, *out]) == 0
    assert "      1      1.0000\n      3      1.0000\n  image      1.0000" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "out/t.json").read_text())["predictions"]
    assert found["widths"] == [1, 3]
    assert [band["mean_iu"] for band in found["bands"]] == [1, 1, 1]
    assert Image.open(tmp_path / "out/t.png").width > 0


@pytest.mark.parametrize(
    ("truth", "predicted", "words"),
    [
        (np.zeros((4, 4)), np.zeros((4, 4)), "give --boundary classes"),
        (stripes(), np.zeros((4, 4)), "is 4×4, expected the label's 30×20"),
        (stripes(), np.full((20, 30), 9), "range from 9 to 9"),
    ],
)
def test_what_cannot_be_scored_is_said(tmp_path, capsys, truth, predicted, words):
    write(tmp_path, [truth], [predicted])
    assert trimap.main([str(tmp_path / "predicted"), "--voc-dir", str(tmp_path), "--classes", "2"]) == 1
    assert words in capsys.readouterr().err


def test_a_missing_prediction_is_named(tmp_path, capsys):
    write(tmp_path, [stripes()], [stripes()])
    Path(tmp_path / "predicted/n0.png").unlink()
    assert trimap.main([str(tmp_path / "predicted"), "--voc-dir", str(tmp_path)]) == 1
    assert "predicted/n0.png" in capsys.readouterr().err
