"""Images and labels in two folders, paired by name."""

from __future__ import annotations

import os
from collections.abc import Iterable

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def by_stem(folder: str, what: str) -> dict[str, str]:
    """Every image file in a folder and the folders below it, by its path there without ending.

    what: images or labels, for errors. Raises FileNotFoundError for a folder that does not exist, and ValueError for
    one without image files, or with two that differ in their ending only.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"there is no folder '{os.path.abspath(folder)}' of {what}. Correct param_str, or start from the folder "
            "that it is relative to."
        )
    found: dict[str, str] = {}
    for path in sorted(os.path.join(where, file) for where, _, files in os.walk(folder) for file in files):
        stem, ending = os.path.splitext(os.path.relpath(path, folder))
        if ending.lower() not in ENDINGS or os.path.basename(path).startswith("."):
            continue
        if stem in found:
            raise ValueError(f"{what} '{found[stem]}' and '{path}' have one name. Keep one of them.")
        found[stem] = path
    if not found:
        raise ValueError(f"the folder '{folder}' of {what} has no image file. Put them there, or correct param_str.")
    return found


def check_partners(names: Iterable[str], images: dict[str, str], labels: dict[str, str], source: str) -> None:
    """Raises FileNotFoundError unless every name has an image and a label; `source` is where the names are from."""
    for what, files in (("image", images), ("label", labels)):
        missing = [name for name in names if name not in files]
        if missing:
            some = ", ".join(missing[:4]) + (", …" if len(missing) > 4 else "")
            raise FileNotFoundError(
                f"{len(missing)} name(s) of {source} have no {what}: {some}. The two files of a pair have one name but "
                "for their endings. Add what is missing, or list the complete pairs in a file (split)."
            )
