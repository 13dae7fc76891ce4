"""Every data layer delivers the same here and in real Caffe, whose Python is 3.9, from files in published layouts."""

import numpy as np
import pytest

from fcn_caffe.demo.data import write_segmentation
from tests.data_layers import miniatures
from tests.parity import bvlc, data_layers

CASES = {
    "VOC": ("voc_layers", "VOCSegDataLayer", ["data", "label"], {"voc_dir": "voc", "mean": (1, 2, 3)}),
    "NYUDv2": (
        "nyud_layers",
        "NYUDSegDataLayer",
        ["label", "hha", "color", "depth"],
        {"nyud_dir": "nyud", "split": "trainval", "tops": ["label", "hha", "color", "depth"]},
    ),
    "HHA": (
        "nyud_layers",
        "NYUDSegDataLayer",
        ["hha"],
        {"nyud_dir": "without-hha", "tops": ["hha"], "camera": miniatures.CAMERA},
    ),
    "SIFT Flow": (
        "siftflow_layers",
        "SIFTFlowSegDataLayer",
        ["data", "sem", "geo"],
        {"siftflow_dir": "siftflow", "split": "trainval"},
    ),
    "PASCAL-Context": (
        "pascalcontext_layers",
        "PASCALContextSegDataLayer",
        ["data", "label"],
        {"voc_dir": "voc2010", "context_dir": "context"},
    ),
    "CamVid": ("camvid_layers", "CamVidSegDataLayer", ["data", "label"], {"camvid_dir": "camvid"}),
    "folders": (
        "folder_layers",
        "FolderSegDataLayer",
        ["data", "label"],
        {"images": "voc/JPEGImages", "labels": "voc/SegmentationClass", "n_classes": 21, "split": None},
    ),
}
EXACT = {"label", "sem", "geo", "color", "depth"}


def argument(name):
    module, layer, tops, settings = CASES[name]
    settings = {"split": "train", "seed": 1337, **settings}
    return {"module": module, "layer": layer, "tops": tops, "settings": str(settings)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniatures")
    write_segmentation(folder / "voc", 1, {"train": 3, "val": 1})
    miniatures.nyud(folder / "nyud")
    miniatures.nyud(folder / "without-hha", hha=False)
    miniatures.siftflow(folder / "siftflow")
    miniatures.pascalcontext(folder / "voc2010", folder / "context")
    colours = np.array([[(128, 128, 128), (192, 0, 128), (0, 0, 0)]], np.uint8)
    miniatures.save(colours, folder, "camvid", "701_StillsRaw_full", "a.png")
    miniatures.save(colours, folder, "camvid", "LabeledApproved_full", "a_L.png")
    miniatures.write_split(folder / "camvid", "train.txt", ["a"])
    return folder


@pytest.fixture(scope="module")
def in_real_caffe(folder):
    """Case → what real Caffe's net has in its blobs."""
    tasks = [bvlc.Task("tests.parity.data_layers", "delivered", argument(name), folder) for name in CASES]
    return dict(zip(CASES, bvlc.run_tasks(tasks, copy=["fcn_caffe", "data_layers", "tests/data_layers"]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_tops(name, folder, in_real_caffe, monkeypatch):
    expected = in_real_caffe[name]
    assert not isinstance(expected, bvlc.Refused), expected.words
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CHECKOUT", str(bvlc.ROOT))
    found = data_layers.delivered(argument(name))
    assert found.keys() == expected.keys()
    for key, values in found.items():
        exact = key.split("/")[1] in EXACT
        np.testing.assert_allclose(values, expected[key], atol=1e-5 if exact else 3)  # another JPEG decoder; rounding
