"""The 736 images that the FCN papers validate on: those of VOC 2011's val that SBD does not train on.

PASCAL VOC does not come with the list; it is bundled here and goes where the data layers look for it.
"""

from __future__ import annotations

from pathlib import Path

from tools import project
from tools.atomic import open_atomic

BUNDLED = project.ROOT / "splits" / "seg11valid.txt"
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
            "--dir, or fetch it: python tools/data.py fetch voc2011"
        )
    if path.exists():
        if path.read_text().split() != BUNDLED.read_text().split():
            raise ValueError(
                f"'{path}' names {len(path.read_text().split())} images, expected the 736 of the papers. It is left as "
                "it is: move it away to get theirs."
            )
        return False
    with open_atomic(path) as file:
        file.write(BUNDLED.read_bytes())
    return True


def remedy(error: Exception) -> str:
    """What to do about an error, if it is that the list is missing; otherwise nothing."""
    return " Fetch it: python tools/data.py fetch seg11valid --dir VOC_DIR" if BUNDLED.name in str(error) else ""
