"""HDF5 files from elsewhere, by h5py's public names: only numbers that lie in the file itself are read.

HDF5 lets a file name others: links to them, and data sets whose values lie there (external storage, virtual data
sets). A downloaded file must not decide which files of this machine are read. What a data set stores is held against
what it declares, as caffe/formats/hdf5_file.py does for the engine.
"""

from __future__ import annotations

import os
from typing import Any

MOST_COMPRESSION = 1032
"""What a byte becomes at most, by deflate."""


def dataset(file: Any, name: str) -> Any:
    """The data set of numbers at the top level of an open h5py.File; nothing of it has been read.

    Raises KeyError if there is none of this name, ValueError for a link, for what is no data set of numbers, for values
    in other files, and for a size that the file cannot hold.
    """
    import h5py

    where = f"'{file.filename}': /{name}"
    link = file.get(name, getlink=True)
    if link is None:
        raise KeyError(name)
    if not isinstance(link, h5py.HardLink):
        target = getattr(link, "filename", getattr(link, "path", "elsewhere"))
        raise ValueError(f"{where} is a link to {target!r}, expected what is in the file itself. Fetch the file again.")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu":
        raise ValueError(f"{where} is {found}, expected a data set of numbers. Fetch the file again.")
    if found.external or found.is_virtual:
        raise ValueError(f"{where} takes its values from other files, expected its own. Fetch the file again.")
    stored = found.id.get_storage_size()
    if stored > os.path.getsize(file.filename) or found.size * found.dtype.itemsize > max(stored, 1) * MOST_COMPRESSION:
        raise ValueError(
            f"{where} declares {found.size * found.dtype.itemsize:,} bytes and stores {stored:,} of them, which the "
            "file cannot hold, or not unpack to so many. It is damaged: fetch it again."
        )
    return found
