"""The bounds on mean IU by downsampling factor: the paper's figures, and the sampling by hand."""

import numpy as np
import pytest
from PIL import Image

from analyses import upper_bound
from analyses.upper_bound import Procedure


def test_the_papers_figures_on_the_complete_labels(official):
    """Ten seconds: all 736 labels at all six factors."""
    (found,) = upper_bound.bounds(official, "seg11valid", [Procedure()]).values()
    assert found == pytest.approx(upper_bound.PUBLISHED, abs=0.5)
    assert found == pytest.approx({128: 50.47, 64: 72.96, 32: 86.25, 16: 92.85, 8: 96.50, 4: 98.50}, abs=0.02)


LABEL = np.array([[0, 0, 1, 1, 2], [0, 1, 1, 1, 2], [255, 1, 0, 0, 2]], np.uint8)


@pytest.mark.parametrize(
    ("down", "cells"),
    [
        ("mean", [[0, 1, 2], [0, 0, 2]]),  # of 0, 0, 0, 1 | 1, 1, 1, 1 | 2, 2 and void, 1 | 0, 0 | 2
        ("majority", [[0, 1, 2], [0, 0, 2]]),
        ("nearest", [[1, 1, 2], [1, 0, 2]]),
    ],
)
def test_cells_by_hand(down, cells):
    expected = np.repeat(np.repeat(cells, 2, 0), 2, 1)[:3, :5]
    assert Procedure(down, "nearest")(LABEL, 2).tolist() == expected.tolist()


@pytest.mark.parametrize(("void", "corner"), [("background", 0), ("class", 255), ("nothing", 1)])
def test_void_is_what_is_asked_for(void, corner):
    label = np.array([[255, 255, 255, 1]], np.uint8)
    assert Procedure("mean", "nearest", void)(label, 4)[0, 0] == corner


@pytest.mark.parametrize("up", upper_bound.UP)
def test_shares_stay_shares_on_the_way_up(up):
    weights = upper_bound._up(up, 21, 8)
    assert weights.shape == (21, 3)
    assert weights.sum(1) == pytest.approx(np.ones((21, 1)))


def test_doubling_once_is_bilinear():
    assert (upper_bound._up("doubling", 9, 2) != upper_bound._up("bilinear", 9, 2)).nnz == 0
    assert (upper_bound._up("doubling", 9, 4) != upper_bound._up("bilinear", 9, 4)).nnz > 0


def test_factor_1_loses_nothing():
    for down in upper_bound.DOWN:
        assert (Procedure(down)(LABEL, 1) == np.where(LABEL == 255, 0, LABEL)).all()


@pytest.fixture
def folder(tmp_path):
    for name in ("ImageSets/Segmentation", "SegmentationClass"):
        (tmp_path / name).mkdir(parents=True)
    label = np.kron(LABEL, np.ones((40, 40), np.uint8))
    for name, values in (("a", label), ("b", np.full_like(label, 255))):
        Image.fromarray(values).save(tmp_path / f"SegmentationClass/{name}.png")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("a\nb\n")
    return tmp_path


def test_the_command_compares_procedures(folder, capsys):
    assert upper_bound.main(["--voc-dir", str(folder), "--split", "val", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4 * 3 * 3
    away = [float(line.split()[-1]) for line in lines[2:]]
    assert away == sorted(away)


def test_finer_scores_can_be_better(folder):
    (found,) = upper_bound.bounds(folder, "val", [Procedure()]).values()
    assert list(found.values()) == sorted(found.values())
    assert found[4] > 95
