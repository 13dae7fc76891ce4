"""Colours for classes: VOC's, CamVid's, and some that people who are colour-blind can tell apart."""

from __future__ import annotations

import numpy as np

from fcn_caffe.pictures import drawing

CAMVID = (
    *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)),
    *((192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
)
"""As SegNet's authors draw its eleven classes."""
OKABE_ITO = (
    *((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115)),
    *((240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)),
)
"""Okabe and Ito, Color Universal Design, 2008; the same half white and half black follow."""


def _colour_blind() -> np.ndarray:
    first = np.array(OKABE_ITO)
    return np.concatenate([first, (first[1:] + 255) // 2, first[1:] // 2])


_KNOWN = {
    "voc": lambda: np.empty((0, 3), int),
    "camvid": lambda: np.array(CAMVID),
    "colour-blind": _colour_blind,
}
NAMES = tuple(_KNOWN)


def colours(name: str) -> np.ndarray:
    """The palette of a name, 256×3 uint8, red, green and blue; beyond its own colours VOC's. Void is white in all but
    VOC's."""
    found, own = drawing.palette(), _KNOWN[name]()
    found[: len(own)] = own
    if len(own):
        found[-1] = 255
    return found
