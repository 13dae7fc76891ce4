"""Background everywhere, on the complete official labels."""

import pytest

from analyses import background
from fcn_caffe.scoring import metrics


@pytest.mark.parametrize(("split", "p"), [("val", 0.7331802130973), ("seg11valid", 0.728528704731)])
def test_the_signature(official, split, p):
    hist = background.confusion(official, split)
    found = metrics.scores(hist)
    assert metrics.is_all_background(hist)
    assert found.pixel_accuracy == pytest.approx(p, abs=1e-12)
    assert found.mean_accuracy == pytest.approx(1 / 21, abs=1e-12)
    assert found.mean_iu == pytest.approx(p / 21, abs=1e-12)
    assert found.fw_iu == pytest.approx(p**2, abs=1e-11)


def test_a_missing_split_is_named(tmp_path, capsys):
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/mine.txt").write_text("a\n")
    assert background.main(["--voc-dir", str(tmp_path), "--splits", "val"]) == 1
    assert "the splits there are: mine" in capsys.readouterr().err
