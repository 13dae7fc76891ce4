"""Weights of any kind, told apart by what is in the file: the one entry for `Net.copy_from` and `--weights`.

h5py takes a tenth of a second to import: hdf5.py is imported where there is HDF5 to read.
"""

from caffe.formats import caffemodel, safetensors
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.identify import Kind, identify
from caffe.formats.mapped import PathLike, map_file

__all__ = ["LayerWeights", "is_hdf5", "read"]


def read(path: PathLike) -> list[LayerWeights]:
    """The weights in a .caffemodel, HDF5 or safetensors file, layer by layer.

    Raises FormatError, saying what the file is if it is none.
    """
    if safetensors.is_safetensors(map_file(path)):
        return safetensors.read(path)
    if not is_hdf5(path):
        return caffemodel.read(path)
    from caffe.formats import hdf5

    return hdf5.read(path)


def is_hdf5(path: PathLike) -> bool:
    """Whether a file is HDF5. Raises FormatError when it cannot be opened."""
    return identify(map_file(path)) is Kind.HDF5
