"""Weights into a net and out of it: CopyTrainedLayersFrom, ShareTrainedLayersWith, ToProto (src/caffe/net.cpp)."""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.errors import WeightsError
from caffe.formats import caffemodel, weight_files
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.parameter_names import module_name
from caffe.layer_types.base import NativeLayer
from caffe.log import log
from caffe.net.graph import Node, Param
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

Params = Mapping[str, Sequence[Blob]]
"""The parameters of layers, by their names."""
PIECE = 1 << 21
"""Values that one thread copies at a time."""
_REMEDY = "To learn this layer's parameters from scratch rather than copying from a saved net, rename the layer."


def copy_from(nodes: Sequence[Node], net: str, file: str) -> None:
    """Copy into the layers of a net (its name) by their names.

    Everything is checked before anything is written, and all that does not fit is named.
    """
    copy_layers(nodes, net, weight_files.read(file), f"'{file}'")


def copy_layers(nodes: Sequence[Node], net: str, sources: Iterable[LayerWeights], origin: str) -> None:
    """`copy_from` of weights that were read already. origin: where they are from, for errors."""
    copies, problems = _copies(nodes, sources)
    if problems:
        raise WeightsError(
            f"weights in {origin} do not fit net '{net}': " + "; ".join(problems) + f". {_REMEDY}",
            found=problems,
            remedy=_REMEDY,
        )
    if device.mode_is_gpu():
        for blob, values, diff in copies:
            blob.tensor = _on_device(values, blob)
            if diff is not None:
                blob.grad = _on_device(diff, blob)
    else:
        _copy((blob.data, values) for blob, values, _ in copies)
        _copy((blob.diff, diff) for blob, _, diff in copies if diff is not None)


def fit(nodes: Sequence[Node], sources: list[LayerWeights]) -> tuple[list[str], list[str]]:
    """The layers that would get weights from these, and what does not fit; nothing is written."""
    names = {node.layer.name for node in nodes}
    return [each.name for each in sources if each.blobs and each.name in names], _copies(nodes, sources)[1]


def _copies(
    nodes: Sequence[Node], sources: Iterable[LayerWeights]
) -> tuple[list[tuple[Blob, np.ndarray, np.ndarray | None]], list[str]]:
    """What goes where, by layer name, and what does not fit."""
    problems: list[str] = []
    copies: list[tuple[Blob, np.ndarray, np.ndarray | None]] = []
    named = {module_name(node.layer.name): node for node in reversed(nodes)}
    named |= {node.layer.name: node for node in reversed(nodes)}
    for source in sources:
        node = named.get(source.name)
        if node is None:
            log.info("Ignoring source layer %s", source.name)
            continue
        source = _adapted(source, node.layer)
        if len(source.blobs) > len(node.layer.blobs):
            problems.append(_incompatible(source, node.layer))
            continue
        copies += _matched(node, source, problems)
    return copies, problems


def _adapted(source: LayerWeights, layer: NativeLayer) -> LayerWeights:
    blobs, diffs = (list(layer.adapted(side)) for side in (source.blobs, source.diffs))
    return LayerWeights(source.name, source.type, blobs, diffs)


def _on_device(values: np.ndarray, blob: Blob) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32).reshape(blob.shape)).to(device.current())


def _copy(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
    """Fill each first array with the second's values; by several threads, because the system is slow to give memory."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [
            pool.submit(np.copyto, *piece)
            for pair in pairs
            for piece in zip(*(_pieces(array.reshape(-1)) for array in pair), strict=True)
        ]
    for job in jobs:
        job.result()


def _pieces(values: np.ndarray) -> list[np.ndarray]:
    return [values[begin : begin + PIECE] for begin in range(0, values.size, PIECE)]


def _matched(node: Node, source: LayerWeights, problems: list[str]) -> list[tuple[Blob, np.ndarray, np.ndarray | None]]:
    """Parameter, its new data and diff, for one layer. A file may leave out what another layer of the net owns."""
    found = []
    for index, param in enumerate(node.params):
        values, diff = (side[index] if index < len(side) else None for side in (source.blobs, source.diffs))
        if values is None:
            if param.owner is param:
                problems.append(_incompatible(source, node.layer))
        elif _same_shape(param.blob.shape, values.shape):
            found.append((param.blob, values, diff))
        else:
            problems.append(
                f"Cannot copy param {param.index} weights from layer '{source.name}'; shape mismatch.  "
                f"Source param shape is {shape_text(values.shape)}; target param shape is "
                f"{shape_text(param.blob.shape)}"
            )
    return found


def _incompatible(source: LayerWeights, layer: NativeLayer) -> str:
    remedy = ""
    if layer.type == "BatchNorm" and (len(source.blobs), len(layer.blobs)) == (5, 3):
        remedy = " (NVIDIA Caffe's, with scale and bias: write batch_norm_param { scale_bias: true } in the net)"
    return (
        f"Incompatible number of blobs for layer {source.name}: the file has {len(source.blobs)}, "
        f"the net {len(layer.blobs)}{remedy}"
    )


def _same_shape(target: tuple[int, ...], source: tuple[int, ...]) -> bool:
    """Blob::ShapeEquals: a legacy 4-D shape, or C3D's 5-D one, equals one with fewer axes when those in front are 1."""
    if len(source) in (4, 5) and len(target) < len(source):
        return (1,) * (len(source) - len(target)) + target == source
    return target == source


def _shapes(blobs: Iterable[Blob]) -> str:
    return ", ".join(shape_text(blob.shape) for blob in blobs) or "none"


def share_with(mine: Params, theirs: Params) -> None:
    """Share the memory of the parameters' data, not of their diffs."""
    for name, blobs in theirs.items():
        if name not in mine:
            log.info("Ignoring source layer %s", name)
            continue
        if [blob.shape for blob in blobs] != [blob.shape for blob in mine[name]]:
            raise WeightsError(
                f"Cannot share param weights from layer '{name}'; shape mismatch.  Source: {_shapes(blobs)}; "
                f"target: {_shapes(mine[name])}. Rename the layer in one of the nets."
            )
        for blob, other in zip(mine[name], blobs, strict=True):
            blob.share_data(other)


def _arrays(blob: Blob, write_diff: bool) -> tuple[np.ndarray, np.ndarray | None]:
    return _array(blob.tensor), _array(blob.grad) if write_diff else None


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def save(nodes: Sequence[Node], message: caffe_pb2.NetParameter, filename: str, write_diff: bool) -> None:
    """Write a caffemodel; message: the net's NetParameter without weights."""
    blobs = [[_arrays(blob, write_diff) for blob in node.layer.blobs] for node in nodes]
    caffemodel.write(filename, message, blobs)


def _owned(param: Param, write_diff: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
    """A shared parameter is written once, with the layer that owns it."""
    data, diff = _arrays(param.blob, write_diff)
    return (data if param.owner is param else None), diff


def save_hdf5(nodes: Sequence[Node], filename: str, write_diff: bool) -> None:
    """Write the parameters of these layers as HDF5."""
    from caffe.formats import hdf5

    layers = [(node.layer.name, [_owned(param, write_diff) for param in node.params]) for node in nodes]
    hdf5.write(filename, layers)
