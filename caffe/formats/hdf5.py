"""Weights as HDF5, in Caffe's layout (Net::ToHDF5, Net::CopyTrainedLayersFromHDF5 in net.cpp; util/hdf5.cpp).

    /data/<layer>/<i>   parameter i, float32; a group for every layer, also for one without parameters
    /diff/<layer>/<i>   its gradient, if it was asked for

A parameter that another layer owns has no dataset under /data. A '/' in a layer's name makes nested groups
(/data/inception_3a/1x1/0), and the name is put together again on reading; BVLC Caffe itself can neither write nor read
such names, nor any net with two layers of one name. Files have no size limit.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import h5py
import numpy as np

from caffe.errors import FormatError
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.hdf5_file import created, find, opened, read_array, walk
from caffe.formats.identify import Kind, wrong_kind
from caffe.formats.mapped import PathLike
from caffe.shapes import shape_text

MAX_BLOBS_PER_LAYER = 1024


def read(path: PathLike) -> list[LayerWeights]:
    """The weights in an HDF5 file, in the order of their names; LayerWeights.type is empty. Raises FormatError."""
    with opened(path) as file:
        if contents(file) is not Kind.WEIGHTS:
            raise wrong_kind(path, contents(file), Kind.WEIGHTS.value)
        data, diff = (_layers(find(file, root), os.fspath(path)) for root in ("data", "diff"))
    _check_diffs(data, diff, os.fspath(path))
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


def _check_diffs(
    data: dict[str, list[np.ndarray | None]], diff: dict[str, list[np.ndarray | None]], source: str
) -> None:
    """Refuse a gradient that has not the shape of its values."""
    for name, blobs in data.items():
        for index, (values, gradient) in enumerate(zip(blobs, diff.get(name, []), strict=False)):
            if values is not None and gradient is not None and values.shape != gradient.shape:
                raise FormatError(
                    f"{source}: layer '{name}': /diff/{name}/{index} has shape {shape_text(gradient.shape)}, expected "
                    "that of "
                    f"/data/{name}/{index}, {shape_text(values.shape)}. The file is damaged: copy or download it again."
                )


def contents(file: h5py.File) -> Kind:
    """What an HDF5 file holds: weights, a solver's state, or neither."""
    if isinstance(find(file, "history"), h5py.Group) and "iter" in file:
        return Kind.STATE
    return Kind.WEIGHTS if isinstance(find(file, "data"), h5py.Group) else Kind.OTHER_HDF5


def _layers(root: Any, source: str) -> dict[str, list[np.ndarray | None]]:
    """Layer name → its blobs; none where there is no such group."""
    layers: dict[str, list[np.ndarray | None]] = {}
    for name, node in walk(root) if isinstance(root, h5py.Group) else ():
        if isinstance(node, h5py.Group):
            layers.setdefault(name, [])
            continue
        layer, _, index = name.rpartition("/")
        if not layer or not _is_number(index):
            raise FormatError(
                f"{source}: expected datasets {root.name}/<layer>/<number>, found {node.name}."
                " Save the weights again with net.save_hdf5."
            )
        blobs = layers.setdefault(layer, [])
        blobs.extend([None] * (int(index) + 1 - len(blobs)))
        blobs[int(index)] = read_array(node, source)
    outer = {"/".join(parts[:end]) for parts in (name.split("/") for name in layers) for end in range(1, len(parts))}
    return {name: blobs for name, blobs in layers.items() if blobs or name not in outer}


def _is_number(index: str) -> bool:
    return index.isascii() and index.isdecimal() and len(index) < 9 and int(index) < MAX_BLOBS_PER_LAYER


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
