"""Weights of either kind, told apart by what is in the file: the one entry for `Net.copy_from` and `--weights`."""

from caffe.formats import caffemodel, hdf5
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.identify import Kind, identify
from caffe.formats.mapped import PathLike, map_file

__all__ = ["LayerWeights", "is_hdf5", "read"]


def read(path: PathLike) -> list[LayerWeights]:
    """The weights in a .caffemodel or HDF5 file, layer by layer. Raises FormatError, saying what the file is if not."""
    return hdf5.read(path) if is_hdf5(path) else caffemodel.read(path)


def is_hdf5(path: PathLike) -> bool:
    """Whether a file is HDF5. Raises FormatError when it cannot be opened."""
    return identify(map_file(path)) is Kind.HDF5
