"""NYUDv2's one large file (HDF5, as MATLAB writes it) in the folders that the FCN authors published.

Images, depth and labels are cut to the 425×560 pixels that Gupta et al. use, without the margin that colour and depth
do not share; the 894 labels become their 40 classes. Names are 5001 to 6449, in the order of the file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from fcn_caffe.datasets import own_hdf5
from fcn_caffe.progress import progress

FIRST = 5001
ROWS, COLUMNS = slice(45, 470), slice(40, 600)
"""MATLAB's 46:470 and 41:600."""
CLASSES = 40


def convert(labeled: Path, class_mapping: Path, out: Path) -> None:
    """Write data/images/img_N.png, data/depth/img_N.png (millimetres, 16 bit, holes filled) and
    segmentation/img_N.mat (0: void, 1 to 40) into `out`.

    labeled: nyu_depth_v2_labeled.mat. class_mapping: classMapping40.mat, whose `mapClass` says which of the 40 classes
    each label is. Raises ValueError for files that hold something else.
    """
    import h5py

    table = _class_table(class_mapping)
    folders = [out / name for name in ("data/images", "data/depth", "segmentation")]
    for folder in folders:
        folder.mkdir(parents=True)
    images, depths, segmentation = folders
    try:
        with h5py.File(labeled, "r") as file:
            colour, depth, label = (own_hdf5.dataset(file, name) for name in ("images", "depths", "labels"))
            _check_shapes(colour.shape, depth.shape, label.shape)
            with progress("converting", "images", len(colour)) as advance:
                for index in range(len(colour)):
                    name = f"img_{FIRST + index}"
                    Image.fromarray(colour[index].transpose(2, 1, 0)[ROWS, COLUMNS]).save(images / f"{name}.png")
                    millimetres = np.round(depth[index].T[ROWS, COLUMNS] * 1000).clip(0, 65535).astype(np.uint16)
                    Image.fromarray(millimetres).save(depths / f"{name}.png")
                    classes = table[label[index].T[ROWS, COLUMNS]]
                    path = str(segmentation / f"{name}.mat")
                    scipy.io.savemat(path, {"segmentation": classes}, do_compression=True)
                    advance()
    except LookupError as error:
        raise ValueError(f"'{labeled}' is not NYUDv2's labeled data set ({error}). Fetch it again.") from error


def _class_table(path: Path) -> np.ndarray:
    """Label to class, 0 for void; uint8."""
    mapping = scipy.io.loadmat(str(path)).get("mapClass")
    if mapping is None or mapping.size == 0 or not 1 <= mapping.min() <= mapping.max() <= CLASSES:
        raise ValueError(f"'{path}' has no mapClass with values 1..{CLASSES}, expected that. Fetch it again.")
    return np.concatenate([[0], mapping.ravel()]).astype(np.uint8)


def _check_shapes(colour: tuple[int, ...], depth: tuple[int, ...], label: tuple[int, ...]) -> None:
    count, size = colour[0], colour[2:]
    if colour[1:2] != (3,) or depth != (count, *size) or label != (count, *size) or size != (640, 480):
        raise ValueError(
            f"images, depths and labels are {colour}, {depth} and {label}, expected (N, 3, 640, 480) and twice "
            "(N, 640, 480). Is it NYUDv2's labeled data set?"
        )
