"""Reads downloaded HDF5 files by h5py's public names, and only numbers that are in the file itself.

HDF5 lets a file name others: links to them, and data sets whose values lie there (external storage, virtual data
sets). A downloaded file must not decide which files of this machine are read. What a data set stores is held against
what it declares, and a chunk is not unpacked to more than it declares. caffe/formats/hdf5_file.py does the same for the
engine; this runs where there is none.
"""

from __future__ import annotations

import math
import os
import zlib
from typing import Any

MOST_COMPRESSION = 1032
"""What a byte becomes at most, by deflate."""
LARGE = 1 << 28
"""Bytes. What cannot unpack to more is not looked at before HDF5 unpacks it."""
SMALL_PRINT = 64
"""Bytes that filters may add to a chunk, such as checksums."""


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
    if found.chunks:
        _check_chunks(found, where)
    return found


def _check_chunks(found: Any, where: str) -> None:
    """Raises ValueError for a chunk that unpacks to more than it declares: HDF5 takes the memory before it looks."""
    import h5py

    settings = found.id.get_create_plist()
    filters = [settings.get_filter(index)[0] for index in range(settings.get_nfilters())]
    if filters.count(h5py.h5z.FILTER_DEFLATE) > 1:
        raise ValueError(f"{where} is compressed several times over, expected once. Fetch the file again.")
    room = math.prod(found.chunks) * found.dtype.itemsize + SMALL_PRINT
    for index in range(found.id.get_num_chunks()) if h5py.h5z.FILTER_DEFLATE in filters else ():
        chunk = found.id.get_chunk_info(index)
        if chunk.size * MOST_COMPRESSION <= LARGE:
            continue
        skipped, packed = found.id.read_direct_chunk(chunk.chunk_offset)
        if not skipped and len(zlib.decompressobj().decompress(packed, room + 1)) > room:
            raise ValueError(
                f"{where} has a chunk that unpacks to more than its {room:,} bytes. The file is damaged or harmful: "
                "fetch it again."
            )
