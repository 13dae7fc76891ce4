"""Untrusted HDF5 files: all code of the engine that reads HDF5 uses these functions.

Nothing outside of the file is read: no links to other files, no numbers that lie in other files (external storage,
virtual datasets). Sizes are compared with the stored bytes before memory is allocated.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import h5py
import numpy as np

from caffe.errors import CaffeError, FormatError
from caffe.formats.atomic import replacing
from caffe.formats.blobproto import check_shape
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file
from caffe.shapes import shape_text

Hdf5Node: TypeAlias = h5py.Group | h5py.Dataset

MOST_DEEP = 32
"""Groups within groups."""
MOST_LINKS = 16
MOST_COMPRESSION = 1032
"""What a byte becomes at most, by deflate."""
LARGE = 1 << 28
"""Bytes. A chunk that could unpack to more is checked before HDF5 unpacks it, which has no limit."""


@contextmanager
def opened(path: PathLike) -> Iterator[h5py.File]:
    """An HDF5 file to read. What HDF5 finds wrong with it inside the block becomes FormatError."""
    found = identify(map_file(path))
    if found is not Kind.HDF5:
        raise wrong_kind(path, found, Kind.HDF5.value)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except CaffeError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise FormatError(f"{path}: damaged or truncated HDF5 ({error}). Copy or download it again.") from error
    except MemoryError as error:
        raise FormatError(
            f"{path}: there is not the memory for what it declares. Copy or download it again."
        ) from error


@contextmanager
def created(path: PathLike) -> Iterator[h5py.File]:
    """An HDF5 file to fill; it becomes `path` when the block ends without an error."""
    with replacing(path) as temporary:
        try:
            with h5py.File(temporary, "w") as file:
                yield file
        except CaffeError:
            raise
        except RuntimeError as error:
            raise OSError(str(error)) from error


def find(group: h5py.Group, name: str) -> Hdf5Node | None:
    """What a name such as "data/ip/0" leads to within the file; None if nothing. FormatError if it leads out of it."""
    node: Any = group
    parts = name.split("/")[::-1]
    links = 0
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if not isinstance(node, h5py.Group):
            return None
        link = node.get(part, getlink=True)
        if isinstance(link, h5py.HardLink):
            node = node[part]
        elif isinstance(link, h5py.SoftLink):
            links += 1
            if links > MOST_LINKS:
                raise FormatError(
                    f"{_place(group)}/{name} is a link that leads to links without end. Write the file again."
                )
            node = group.file if link.path.startswith("/") else node
            parts += link.path.split("/")[::-1]
        elif link is None:
            return None
        else:
            raise FormatError(
                f"{_place(node)}/{part} is a link to {getattr(link, 'filename', 'something else')!r}, expected what is "
                "in the file itself: links to other files are not followed. Copy the data into the file."
            )
    return node if isinstance(node, h5py.Group | h5py.Dataset) else None


def walk(root: h5py.Group) -> Iterator[tuple[str, Hdf5Node]]:
    """The name, from `root` on, of every group and dataset below it, and the object; each group once."""
    yield from _walk(root, "", {_address(root)}, 1)


def _walk(group: h5py.Group, prefix: str, met: set[int], depth: int) -> Iterator[tuple[str, Hdf5Node]]:
    if depth > MOST_DEEP:
        raise FormatError(
            f"{_place(group)} is a group within {depth} others, expected at most {MOST_DEEP}."
            " Write the file with fewer levels."
        )
    for name in group:
        node = find(group, name)
        if isinstance(node, h5py.Group):
            address = _address(node)
            if address in met:
                continue
            met.add(address)
        if node is not None:
            yield prefix + name, node
        if isinstance(node, h5py.Group):
            yield from _walk(node, f"{prefix}{name}/", met, depth + 1)


def _address(node: Hdf5Node) -> int:
    return h5py.h5o.get_info(node.id).addr


def _place(node: Hdf5Node) -> str:
    return f"{node.file.filename}: {(node.name or '').rstrip('/')}"


def read_array(dataset: Any, source: str, dtype: type[np.generic] = np.float32) -> np.ndarray:
    """A dataset of numbers, after its size and its place have been checked. Raises FormatError."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
        where = f"{source}: {dataset.name}" if isinstance(dataset, Hdf5Node) else source
        found = "missing" if dataset is None else str(dataset)
        raise FormatError(f"{where} is {found}, expected a dataset of numbers. Copy or download the file again.")
    where = f"{source}: {dataset.name}"
    shape = check_shape(dataset.shape or (), where)
    if dataset.external or dataset.is_virtual:
        raise FormatError(f"{where} points to another file; expected the values themselves. Write them into this file.")
    stored = dataset.id.get_storage_size()
    if stored > os.path.getsize(dataset.file.filename):
        raise FormatError(f"{where} is said to take {stored:,} bytes, more than the file has. It is truncated.")
    if dataset.nbytes > max(stored, 1) * MOST_COMPRESSION:
        raise FormatError(f"{where} declares shape {shape_text(shape)} but stores nearly nothing. The file is damaged.")
    if dataset.chunks and stored * MOST_COMPRESSION > LARGE:
        _check_chunks(dataset, where)
    return np.asarray(dataset[()], dtype)


def _check_chunks(dataset: h5py.Dataset, where: str) -> None:
    """Refuse chunks that unpack to more than a chunk has."""
    settings = dataset.id.get_create_plist()
    filters = [settings.get_filter(index)[0] for index in range(settings.get_nfilters())]
    if filters.count(h5py.h5z.FILTER_DEFLATE) > 1:
        raise FormatError(f"{where} is compressed several times over, expected once. Write it with one filter.")
    if h5py.h5z.FILTER_DEFLATE not in filters:
        return
    assert dataset.chunks is not None
    room = int(np.prod(dataset.chunks, dtype=np.int64)) * dataset.dtype.itemsize + 64
    for index in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(index)
        if chunk.size * MOST_COMPRESSION <= LARGE:
            continue
        skipped, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
        if not skipped and len(zlib.decompressobj().decompress(packed, room + 1)) > room:
            raise FormatError(
                f"{where} has a chunk that unpacks to more than its {room:,} bytes. The file is damaged or harmful."
            )
