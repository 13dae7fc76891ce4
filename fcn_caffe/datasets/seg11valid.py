"""The 736 images that the FCN papers validate on: those of VOC 2011's val that SBD does not train on.

PASCAL VOC does not come with the list; it is bundled here and goes where the data layers look for it.
"""

from __future__ import annotations

from pathlib import Path

from fcn_caffe import data_file
from fcn_caffe.data_layers.segdata import splits
from fcn_caffe.whole_files import open_atomic

LIST = "seg11valid"
BUNDLED = data_file(f"splits/{LIST}.txt")
PLACE = Path("ImageSets") / "Segmentation" / BUNDLED.name
"""In a folder of PASCAL VOC."""


def install(voc_dir: Path) -> bool:
    """Put the list into a folder of PASCAL VOC; False if one is there already, which is left alone.

    Raises FileNotFoundError for a folder that is not PASCAL VOC's, and ValueError for a list that is another one.
    """
    path = voc_dir / PLACE
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"'{voc_dir}' has no folder ImageSets/Segmentation, expected PASCAL VOC 2011 or 2012. Name its folder with "
            "--dir, or fetch it: fcn data fetch voc2011"
        )
    if path.exists():
        found = splits.read_names(str(path), LIST)
        if found != names():
            raise ValueError(
                f"'{path}' names {len(found)} images, expected the 736 of the papers. It is left as "
                "it is: move it away to get theirs."
            )
        return False
    with open_atomic(path) as file:
        file.write(BUNDLED.read_bytes())
    return True


def names() -> list[str]:
    """The names of the 736 images."""
    return splits.read_names(str(BUNDLED), LIST)


def remedy(error: Exception) -> str:
    """What to do about an error, if it is that the list is missing; otherwise nothing."""
    return " Fetch it: fcn data fetch seg11valid --dir VOC_DIR" if BUNDLED.name in str(error) else ""
