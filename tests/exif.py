"""Pictures as cameras store them: what was seen, turned, and a note in EXIF of how."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

STORED_AS = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: np.rot90(seen),
    7: lambda seen: np.rot90(seen, 2).swapaxes(0, 1),
    8: lambda seen: np.rot90(seen, 3),
}
"""What is stored with each of EXIF's orientations."""


def save(stored: np.ndarray, orientation: Any, path: Path) -> None:
    """Write a picture, height×width×3 or height×width, as it is, with this orientation in its EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, **lossless)
