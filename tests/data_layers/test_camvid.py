"""CamVid's own labels, in colours, become SegNet's 11 classes; SegNet's labels are read in VOC's layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.data_layers.camvid_layers import CLASSES, VOID_COLOUR, CamVidSegDataLayer
from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
from tests.data_layers.driver import MEAN, Driver
from tests.data_layers.miniatures import save, write_split

COLOURS = [colour for parts in CLASSES.values() for colour in parts.values()]
REAL = Path(__file__).resolve().parents[2] / "data/camvid"


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """One image of one row: a pixel of each colour, and one of void."""
    label = np.array([[*COLOURS, VOID_COLOUR]], np.uint8)
    save(np.zeros_like(label), tmp_path, "701_StillsRaw_full", "0001TP_006690.png")
    save(label, tmp_path, "LabeledApproved_full", "0001TP_006690_L.png")
    write_split(tmp_path, "test.txt", ["0001TP_006690"])
    line = "/SegNet/CamVid/train/0001TP_006690.png /SegNet/CamVid/trainannot/0001TP_006690.png"
    write_split(tmp_path, "train.txt", [line])
    return tmp_path


@pytest.mark.parametrize("split", ["test", "train"])
def test_every_colour_becomes_its_class(camvid: Path, split: str) -> None:
    _, label = Driver(CamVidSegDataLayer, camvid_dir=str(camvid), split=split).forward()
    assert label[0, 0, 0].tolist() == [*np.repeat(range(11), [len(parts) for parts in CLASSES.values()]), 255]


def test_the_classes() -> None:
    assert (len(CLASSES), len(COLOURS), len(set(COLOURS))) == (11, 31, 31)
    assert " ".join(CLASSES) == "sky building pole road pavement tree sign fence car pedestrian bicyclist"


def test_unknown_colours_are_named(camvid: Path) -> None:
    save(np.full((1, 32, 3), (1, 2, 3), np.uint8), camvid, "LabeledApproved_full", "0001TP_006690_L.png")
    with pytest.raises(ValueError, match=r"_L.png' has 1 colour\(s\) that no class has, such as \(1, 2, 3\), at 32"):
        Driver(CamVidSegDataLayer, camvid_dir=str(camvid), split="test")


@pytest.mark.skipif(not REAL.exists(), reason="the real CamVid is not at data/camvid")
def test_the_real_one_in_voc_layout() -> None:
    driver = Driver(VOCSegDataLayer, voc_dir=str(REAL), split="val", mean=MEAN, n_classes=11)
    assert len(driver.layer.indices) == 101
    for name in driver.layer.indices[:3]:
        data, label = driver.forward()
        assert data.shape == (1, 3, 360, 480)
        assert (label[0, 0] == np.asarray(Image.open(REAL / f"SegmentationClass/{name}.png"))).all()
        assert set(np.unique(label)) <= {*range(11), 255}
