"""Any binary file of Caffe as text, for people and for diffs: `python -m caffe.formats.summary FILE...`

$ python -m caffe.formats.summary squeezenet_v1.1.caffemodel
squeezenet_v1.1.caffemodel: weights, 79 layers, 1,235,496 values
data                     Data
conv1                    Convolution      64×3×3×3             min -0.91985     mean -0.0017346   max 0.88489
                                          64                   min -0.07925     mean 0.031275     max 0.26343
"""

import io
import sys
from collections.abc import Iterable, Iterator

import numpy as np

from caffe.errors import CaffeError
from caffe.formats import binaryproto, hdf5, hdf5_file, solverstate, weight_files
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import map_file
from caffe.shapes import shape_text


def summarize(path: str) -> str:
    """The text twin of a .caffemodel, .solverstate, .binaryproto or .h5. Raises FormatError."""
    found = identify(map_file(path))
    if found is Kind.HDF5:
        with hdf5_file.opened(path) as file:
            found = hdf5.contents(file)
    if found is Kind.WEIGHTS:
        lines = _weights(weight_files.read(path))
    elif found is Kind.STATE:
        lines = _state(solverstate.read(path))
    elif found is Kind.BLOB:
        lines = _blob(binaryproto.read(path))
    else:
        raise wrong_kind(path, found, "a binary file of Caffe")
    return f"{path}: " + "\n".join(lines)


def _weights(layers: list[weight_files.LayerWeights]) -> Iterator[str]:
    blobs = [blob for layer in layers for blob in layer.blobs if blob is not None]
    yield f"weights, {len(layers)} layers, {sum(blob.size for blob in blobs):,} values"
    yield from _rows((layer.name, layer.type, layer.blobs) for layer in layers)


def _state(state: solverstate.State) -> Iterator[str]:
    yield f"solver state, iter {state.iter}, current_step {state.current_step}, learned_net '{state.learned_net}'"
    yield from _rows((f"history {index}", "", [array]) for index, array in enumerate(state.history))


def _blob(array: np.ndarray) -> Iterator[str]:
    yield "one blob"
    yield from _rows([("", "", [array])])


def _rows(layers: Iterable[tuple[str, str, list[np.ndarray | None]]]) -> Iterator[str]:
    for name, layer_type, blobs in layers:
        texts = [_describe(blob) for blob in blobs] or [""]
        yield f"{name:<24} {layer_type:<16} {texts[0]}".rstrip()
        yield from (f"{'':<41} {text}" for text in texts[1:])


def _describe(blob: np.ndarray | None) -> str:
    if blob is None:
        return "shared"
    shape = shape_text(blob.shape) if blob.shape else "scalar"
    if not blob.size:
        return shape
    mean = blob.mean(dtype=np.float64)
    return f"{shape:<20} min {blob.min():<12.5g} mean {mean:<12.5g} max {blob.max():.5g}"


def main(paths: list[str]) -> int:
    """Print a summary of each file; 1 if any could not be read."""
    if not paths:
        print(__doc__)
        return 1
    failed = False
    for path in paths:
        try:
            print(summarize(path))
        except CaffeError as error:
            print(error, file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # × on a terminal that has none
    sys.exit(main(sys.argv[1:]))
