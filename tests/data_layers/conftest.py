"""A small data set in VOC and in SBD layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.data_layers.driver import NAMES


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Five images of different sizes; labels hold 0, 1, 20 and 255. Splits: train, val."""
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    for i, name in enumerate(NAMES):
        size = (8 + i, 6 + 2 * i)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"JPEGImages/{name}.jpg")
        label = Image.fromarray(rng.choice(np.array([0, 1, 20, 255], np.uint8), size))
        label.putpalette(list(range(256)) * 3)
        label.save(tmp_path / f"SegmentationClass/{name}.png")
    for split in ("train", "val"):
        (tmp_path / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path


@pytest.fixture
def sbd(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data set in SBD's layout."""
    root = tmp_path_factory.mktemp("sbd")
    (root / "cls").mkdir()
    (voc / "JPEGImages").rename(root / "img")
    for name in NAMES:
        label = np.asarray(Image.open(voc / f"SegmentationClass/{name}.png"))
        savemat(root / f"cls/{name}.mat", {"GTcls": {"Segmentation": label, "Boundaries": 0}})
    (root / "train.txt").write_text("\n".join(NAMES))
    return root
