"""HDF5 in its three uses: weights, a solver's state, and the data of HDF5Data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

import caffe
from caffe.formats import hdf5, solverstate, summary
from tests.faults import hdf5_objects
from tests.faults.child import Input, Reader
from tests.faults.readers import weights
from tests.faults.readers.prototxts import net_text

_DATA_NET = b"""
layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "list.txt" batch_size: 3 } }
"""


def _weights() -> list[Input]:
    layers = [(name, [(array, array) for array in blobs]) for name, blobs in weights.arrays().items()]
    content = weights.written(lambda path: hdf5.write(path, layers), ".h5")
    return [{"weights.h5": content, "net.prototxt": net_text().encode(), **hdf5_objects.secrets()}]


def _read_weights(folder: Path) -> None:
    path = str(folder / "weights.h5")
    hdf5_objects.check(*(blob for layer in hdf5.read(path) for blob in [*layer.blobs, *layer.diffs]))
    summary.summarize(path)
    caffe.Net("net.prototxt", caffe.TEST, weights=path)


def _states() -> list[Input]:
    content = weights.written(weights.state, ".solverstate.h5")
    return [{"x.solverstate.h5": content, **weights.solver_files(), **hdf5_objects.secrets()}]


def _read_state(folder: Path) -> None:
    path = folder / "x.solverstate.h5"
    hdf5_objects.check(*solverstate.read(path).history)
    summary.summarize(str(path))
    caffe.get_solver("solver.prototxt").restore(str(path))


def _data() -> list[Input]:
    def fill(file: h5py.File) -> None:
        file["data"] = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
        file["label"] = np.arange(5)

    files = {"net.prototxt": _DATA_NET, "list.txt": b"one.h5\ntwo.h5\n", **hdf5_objects.secrets()}
    return [{"one.h5": hdf5_objects.file_of(fill), "two.h5": hdf5_objects.file_of(fill), **files}]


def _read_data(folder: Path) -> None:
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)
    for _ in range(3):
        net.forward()
        hdf5_objects.check(*(blob.data for blob in net.blobs.values()))


READERS = (
    Reader("hdf5-weights", _weights, hdf5_objects.damage("weights.h5"), _read_weights),
    Reader("hdf5-state", _states, hdf5_objects.damage("x.solverstate.h5"), _read_state),
    Reader("hdf5-data", _data, hdf5_objects.damage("two.h5"), _read_data),
)
