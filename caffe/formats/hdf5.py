"""Weights as HDF5, in Caffe's layout (Net::ToHDF5, Net::CopyTrainedLayersFromHDF5 in net.cpp; util/hdf5.cpp).

    /data/<layer>/<i>   parameter i, float32; a group for every layer, also for one without parameters
    /diff/<layer>/<i>   its gradient, if it was asked for

A parameter that another layer owns has no dataset under /data. A '/' in a layer's name makes nested groups
(/data/inception_3a/1x1/0), and the name is put together again on reading; BVLC Caffe itself can neither write nor read
such names, nor any net with two layers of one name. Files have no size limit.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import h5py
import numpy as np

from caffe.errors import CaffeError, FormatError
from caffe.formats.atomic import replacing
from caffe.formats.blobproto import check_shape
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file

MAX_BLOBS_PER_LAYER = 1024
_MAX_COMPRESSION = 1032  # the most that deflate can do


def read(path: PathLike) -> list[LayerWeights]:
    """The weights in an HDF5 file, in the order of their names; LayerWeights.type is empty. Raises FormatError."""
    with opened(path) as file:
        if contents(file) is not Kind.WEIGHTS:
            raise wrong_kind(path, contents(file), Kind.WEIGHTS.value)
        data = _layers(file["data"], os.fspath(path))
        diff = _layers(file["diff"], os.fspath(path)) if isinstance(file.get("diff"), h5py.Group) else {}
    return [LayerWeights(name, "", blobs, diff.get(name, [])) for name, blobs in data.items()]


def write(path: PathLike, layers: Iterable[tuple[str, Sequence[tuple[np.ndarray | None, np.ndarray | None]]]]) -> None:
    """Write (name, [(data or None, diff or None), …]) for each layer; atomically.

    /diff is written if any diff is given. Raises FormatError for names that HDF5 cannot tell apart, and on a full disk.
    """
    layers = list(layers)
    _check_names([name for name, _ in layers], os.fspath(path))
    roots = ["data"]
    if any(diff is not None for _, blobs in layers for _, diff in blobs):
        roots.append("diff")
    with created(path) as file:
        for part, root in enumerate(roots):
            for name, blobs in layers:
                group = file.require_group(f"{root}/{name}")
                for index, arrays in enumerate(blobs):
                    array = arrays[part]
                    if array is not None:
                        group.create_dataset(str(index), data=np.asarray(array, np.float32))


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
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise FormatError(f"{path}: damaged or truncated HDF5 ({error}). Copy or download it again.") from error


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


def contents(file: h5py.File) -> Kind:
    """What an HDF5 file holds: weights, a solver's state, or neither."""
    if isinstance(file.get("history"), h5py.Group) and "iter" in file:
        return Kind.STATE
    return Kind.WEIGHTS if isinstance(file.get("data"), h5py.Group) else Kind.OTHER_HDF5


def read_array(dataset: h5py.Dataset, source: str, dtype: type[np.generic] = np.float32) -> np.ndarray:
    """A dataset of numbers, after its size and its place have been checked. Raises FormatError."""
    where = f"{source}: {dataset.name}"
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
        raise FormatError(f"{where} is {dataset}, expected a dataset of numbers.")
    shape = check_shape(dataset.shape or (), where)
    if dataset.external or dataset.is_virtual:
        raise FormatError(f"{where} points to another file; expected the values themselves.")
    if dataset.nbytes > max(dataset.id.get_storage_size(), 1) * _MAX_COMPRESSION:
        raise FormatError(f"{where} declares shape {shape} but stores nearly nothing. The file is damaged.")
    return np.asarray(dataset[()], dtype)


def _layers(root: h5py.Group, source: str) -> dict[str, list[np.ndarray | None]]:
    """Layer name → its blobs. Links to other files are not followed, and each object is read once."""
    layers: dict[str, list[np.ndarray | None]] = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Group):
            layers.setdefault(name, [])
            return
        layer, _, index = name.rpartition("/")
        if not layer or not (index.isascii() and index.isdecimal()) or int(index) >= MAX_BLOBS_PER_LAYER:
            raise FormatError(f"{source}: expected datasets {root.name}/<layer>/<number>, found {node.name}.")
        blobs = layers.setdefault(layer, [])
        blobs.extend([None] * (int(index) + 1 - len(blobs)))
        blobs[int(index)] = read_array(node, source)

    root.visititems(visit)
    outer = {"/".join(parts[:end]) for parts in (name.split("/") for name in layers) for end in range(1, len(parts))}
    return {name: blobs for name, blobs in layers.items() if blobs or name not in outer}


def _check_names(names: list[str], source: str) -> None:
    """Refuse what would be one group for two layers, or no group at all."""
    known = set(names)
    for position, name in enumerate(names):
        parts = name.split("/")
        inside = [end for end in range(1, len(parts)) if parts[end].isdecimal() and "/".join(parts[:end]) in known]
        if name in names[:position]:
            problem = "is the name of two layers"
        elif inside:
            problem = f"is also the place of a parameter of layer '{'/'.join(parts[: inside[0]])}'"
        elif any(part in ("", ".") or "\0" in part for part in parts):
            problem = "cannot be the name of a group"
        else:
            continue
        raise FormatError(
            f"{source}: '{name}' {problem} in HDF5. Rename the layer, or use `snapshot_format: BINARYPROTO`."
        )
