"""Comparison of ONNX Runtime's results for a file with the engine's, for inputs of several sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe.errors import NetError, UsageError
from caffe.export.freedom import Shapes, fits, reshape
from caffe.export.model import Exported
from caffe.net import Net
from caffe.shapes import shape_text

LIMIT, HALF_LIMIT = 1e-4, 1e-2
"""Allowed differences relative to the largest value, for numbers of 32 and of 16 bits."""
PIXELS, SMALL = 60, 1
"""Standard deviations of the random inputs, in turn: about that of images minus their mean, and one that does not
saturate Softmax.
"""
LARGEST_SIDE = 420
"""Rows or columns of the largest image that is tried where the size is free."""
MEMORY = ("RNN", "LSTM")
"""Types with a state: they are compared from a new net's first pass on."""


@dataclass(frozen=True)
class Difference:
    """The difference between ONNX Runtime's results and the engine's, for inputs of one size.

    relative: the largest difference of an output, of its largest value. labels: of outputs (N, C, H, W) with C > 1, the
    share of places whose largest channel is the same (1 where there are none).
    """

    shapes: Shapes
    output: str
    relative: float
    labels: float


def described(each: Difference) -> str:
    """A line about it."""
    shapes = ", ".join(f"{name} {shape_text(shape)}" for name, shape in each.shapes.items())
    labels = "" if each.labels == 1 else f"; {each.labels:.3%} of the labels are the same"
    return f"{shapes}: largest difference {each.relative:.1e} of the largest value of '{each.output}'{labels}"


def require(each: Difference, limit: float) -> None:
    """Raises NetError for a difference above the limit."""
    if not each.relative <= limit:
        raise NetError(
            f"output '{each.output}': ONNX Runtime's numbers differ from the engine's by {each.relative:.1e} of the "
            f"largest value, expected at most {limit:.0e}. Nothing was written. "
            + ("Leave --fp16 out." if limit > LIMIT else "Report the net: the file would be wrong.")
        )


def session(model: bytes | str, threads: int = 0) -> Any:
    """ONNX Runtime's session of a file or its bytes, on the CPU. Raises UsageError where the package is missing."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "export: running the file needs ONNX Runtime. Run pip install 'fcn-caffe[onnx]', or give --no-check."
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def compare(session: Any, net: Net, inputs: Mapping[str, np.ndarray], blobs: Mapping[str, str]) -> Difference:
    """Run both on the same inputs, one pass each. blobs: outputs' names → blobs. The net is left with these shapes."""
    outputs = list(blobs)
    for name, values in inputs.items():
        net.blobs[name].reshape(*values.shape)
        net.blobs[name].data[...] = values
    net.forward()
    fed = {entry.name: np.asarray(inputs[entry.name], np.float32, order="C") for entry in session.get_inputs()}
    found = session.run(outputs, fed)
    worst = Difference({name: values.shape for name, values in inputs.items()}, outputs[0], 0.0, 1.0)
    for name, theirs in zip(outputs, found, strict=True):
        ours = net.blobs[blobs[name]].data
        relative, labels = _apart(name, ours, theirs)
        if relative > worst.relative or np.isnan(relative):
            worst = Difference(worst.shapes, name, relative, min(labels, worst.labels))
    return worst


def _apart(name: str, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    if ours.shape != theirs.shape:
        raise NetError(
            f"output '{name}': ONNX Runtime gives {shape_text(theirs.shape)}, the engine "
            f"{shape_text(ours.shape)}. The file is wrong: report the net."
        )
    known = np.isfinite(ours)
    if not np.array_equal(known, np.isfinite(theirs)) or not known.any():
        same = np.array_equal(ours, theirs, equal_nan=True)
        return (0.0 if same else np.inf), 1.0
    largest = float(np.abs(ours[known]).max()) or 1.0
    relative = float(np.abs(ours[known].astype(np.float64) - theirs[known]).max()) / largest
    labels = 1.0
    if ours.ndim > 1 and ours.shape[1] > 1 and ours.size:
        labels = float((ours.argmax(1) == theirs.argmax(1)).mean())
    return relative, labels


def sizes(net: Net, found: Exported) -> Iterator[Shapes]:
    """The net's own size, or a smaller one of a large net whose size is free; then some others that it can have."""
    own = found.input_shapes
    if "size" not in found.free:
        yield own
        if found.free and fits(net, more := {name: _more(found, name, shape, 1) for name, shape in own.items()}):
            yield more
        return
    seen = 0
    for index, (down, across) in enumerate(((1.0, 1.0), (0.61, 0.83), (0.87, 0.52), (1.31, 1.12), (1.17, 1.43))):
        shapes = {
            name: _scaled(_more(found, name, shape, index % 2), _fitting(own, down), _fitting(own, across))
            for name, shape in own.items()
        }
        even = {name: _even(shape) for name, shape in shapes.items()}
        if fits(net, shapes) or fits(net, even):
            seen += 1
            yield shapes if fits(net, shapes) else even
        if seen == 3:
            return


def _fitting(own: Shapes, factor: float) -> float:
    """The factor, less where images are large."""
    side = max((max(shape[2:]) for shape in own.values() if len(shape) == 4), default=1)
    return factor * min(1.0, LARGEST_SIDE / (1.43 * side))


def _scaled(shape: tuple[int, ...], down: float, across: float) -> tuple[int, ...]:
    if len(shape) != 4:
        return shape
    return (*shape[:2], max(1, round(shape[2] * down)), max(1, round(shape[3] * across)))


def _even(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Height and width as multiples of 32, for nets that take no odd maps."""
    return (*shape[:2], *(max(1, round(side / 32)) * 32 for side in shape[2:])) if len(shape) == 4 else shape


def _more(found: Exported, name: str, shape: tuple[int, ...], more: int) -> tuple[int, ...]:
    """One image, or one stream, more, where their number is free."""
    words = found.inputs[name]
    return tuple(s + more if word in ("batch", "streams") else s for s, word in zip(shape, words, strict=True))


def drawn(net: Net, shapes: Shapes, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of these shapes: noise like images, and valid indices for layers that take indices."""
    rng, scale = np.random.default_rng(seed), SMALL if seed % 2 else PIXELS
    return {name: _drawn(rng, net, name, shape, shapes, scale) for name, shape in shapes.items()}


def _drawn(
    rng: np.random.Generator, net: Net, name: str, shape: tuple[int, ...], shapes: Shapes, scale: float
) -> np.ndarray:
    layer, index = _reader(net, name)
    kind = (layer.type if layer else "", index)
    values: np.ndarray = rng.standard_normal(shape) * scale
    if kind[0] == "Embed":
        values = rng.integers(0, layer.input_dim, shape)
    elif kind == ("BatchReindex", 1):
        values = rng.integers(0, min(other[0] for other in shapes.values()), shape)
    elif kind in (("RNN", 1), ("LSTM", 1), ("LSTMUnit", 2)) or (
        kind[0] == "Filter" and index == len(layer.layer_param.bottom) - 1
    ):
        values = rng.integers(0, 2, shape)
    elif kind == ("ROIPooling", 1):
        values = _regions(rng, shape, layer.scale)
    return values.astype(np.float32)


def _regions(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    corners = np.sort(rng.integers(0, 12, (shape[0], 2, 2)), axis=1).reshape(shape[0], 4) / scale
    return np.concatenate([np.zeros((shape[0], 1)), corners], axis=1).reshape(shape)


def _reader(net: Net, name: str) -> tuple[Any, int]:
    """The first layer that reads a blob, also by way of a Split, and as which of its bottoms."""
    names, ids = net.graph.blob_names, {net.graph.blob_names.index(name)}
    for node in net.nodes:
        for index, bottom in enumerate(node.bottom_ids):
            if bottom in ids and node.layer.type == "Split":
                ids.update(node.top_ids)
            elif bottom in ids and names:
                return node.layer, index
    return None, 0


def differences(model: bytes, net: Net, found: Exported, fresh: Any) -> Iterator[Difference]:
    """Compare ONNX Runtime with the engine for several sizes. fresh: () → a new net with the same weights.

    The net has its own shapes again afterwards.
    """
    runner = session(model)
    before = {name: net.blobs[name].shape for name in net.inputs}
    remembers = any(node.layer.type in MEMORY for node in net.nodes)
    for index, shapes in enumerate(list(sizes(net, found))):
        other = fresh() if remembers else net
        yield compare(runner, other, drawn(net, shapes, index), found.blobs)
    reshape(net, before)
