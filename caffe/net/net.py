"""Net: a network as pycaffe shows it (src/caffe/net.cpp, python/caffe/pycaffe.py)."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch

from caffe import registration
from caffe.blob import Blob, BlobVec
from caffe.copying import NotCopied
from caffe.dialect import chosen
from caffe.errors import NetError, UsageError
from caffe.flags import flag
from caffe.formats import prototxt
from caffe.layer_types.base import Layer
from caffe.log import log
from caffe.net import checkpoint, crops, trained_layers
from caffe.net.graph import Graph, Node
from caffe.net.guard import Guard, guarded
from caffe.net.hooks import Hook, Hooks
from caffe.net.passes import filter_net, insert_splits
from caffe.net.run import NetRun, RunSettings
from caffe.net.stream import Source, Stream
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

Arrays = dict[str, np.ndarray]


class Net(NotCopied):
    """A net built from a prototxt.

    Net(network_file, phase, level=0, stages=None, weights=None); the old order Net(network_file, weights, phase) is
    taken too. allow_unknown: fields that no Caffe knows are kept aside, for Python layers to read, instead of refused.
    dialect: which fork's meaning the net's words have where nothing in it tells ("hed", "faceboxes", "crop").
    Raises FormatError for a file that cannot be read, NetError for a net that cannot be built.
    """

    instead = (
        "To have the net in another process, write its weights with net.save(file) and build it there: "
        "caffe.Net(prototxt, phase, weights=file). For a second net on the same weights in this process, build one and "
        "call second.share_with(net)."
    )

    guard: Guard

    def __init__(
        self,
        network_file: str,
        *args: Any,
        phase: int | None = None,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: str | None = None,
        allow_unknown: bool | None = None,
        dialect: str = "",
    ):
        if args and isinstance(args[0], (str, Path)):
            weights, args = str(args[0]), args[1:]
            log.warning(
                "DEPRECATION WARNING - deprecated use of Python interface. Use the named `weights` parameter instead: "
                "Net('%s', phase, weights='%s')",
                network_file,
                weights,
            )
        names = ("phase", "level", "stages", "weights")
        given = dict(zip(names, args, strict=False))
        phase = given.get("phase", phase)
        if phase is None:
            raise UsageError(
                f"Net('{network_file}'): no phase given, expected caffe.TRAIN or caffe.TEST. Give one of them."
            )
        registration.load_added()
        param = prototxt.read_net(network_file, allow_unknown=allow_unknown)
        if dialect:
            param.dialect = dialect
        param.state.phase = phase
        param.state.level = given.get("level", level)
        param.state.stage.extend(given.get("stages", stages) or ())
        self._build(param)
        weights = given.get("weights", weights)
        if weights:
            self.copy_from(weights)

    def __new__(cls, *args: Any, **kwargs: Any) -> "Net":
        net = super().__new__(cls)
        net.guard = Guard()
        return net

    @classmethod
    def from_message(cls, param: caffe_pb2.NetParameter) -> "Net":
        """A net from a NetParameter, whose `state` says phase, level and stages."""
        net = cls.__new__(cls)
        net._build(param)
        return net

    @guarded
    def _build(self, param: caffe_pb2.NetParameter) -> None:
        filtered = filter_net(param, param.state)
        log.info("Initializing net from parameters: \n%s", filtered)
        crops.settle(filtered, chosen(filtered.dialect, filtered.name))
        self._param = insert_splits(filtered)
        self.name: str = self._param.name
        self.phase: int = param.state.phase
        self._graph = Graph(self._param)
        self._debug_info: bool = self._param.debug_info
        self._keep_diffs = self._keep_blobs = True
        self._checkpoint = False
        self._hooks = Hooks()
        self._renew_run()
        self._layer_names = [node.layer.name for node in self._graph.nodes]
        self._blob_names = self._graph.blob_names
        self.blobs: OrderedDict[str, Blob] = OrderedDict(zip(self._blob_names, self._graph.blobs, strict=True))
        self.layers: list[Layer] = [node.layer.shown for node in self._graph.nodes]
        self.layer_dict: OrderedDict[str, Layer] = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.params: OrderedDict[str, BlobVec] = OrderedDict(
            (node.layer.name, node.layer.blobs) for node in self.nodes if len(node.layer.blobs)
        )
        log.info("Network initialization done.")

    def _renew_run(self) -> None:
        trains, kept = self.phase == caffe_pb2.TRAIN, (self._keep_diffs, self._keep_blobs, self._checkpoint)
        settings = RunSettings(trains, *kept, debug_info=self._debug_info)
        self._run = NetRun(self._graph, self._hooks, settings)

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """Held by the one thread that uses the net: `with net.lock:`, from writing the inputs to reading the results.

        A thread that has it may take it again; others wait. Without it, a call that meets another thread's raises
        UsageError, and writes to blobs go unnoticed.
        """
        return self.guard.lock

    @property
    def nodes(self) -> list[Node]:
        """The layers with their blobs, in the order of computation."""
        return self._graph.nodes

    @property
    def graph(self) -> Graph:
        """Layers, blobs and parameters as they are connected; not pycaffe's."""
        return self._graph

    @property
    def inputs(self) -> list[str]:
        """The names of the blobs that Input layers give."""
        return [self._blob_names[index] for index in self._graph.input_ids]

    @property
    def outputs(self) -> list[str]:
        """The names of the blobs that no layer uses."""
        return [self._blob_names[index] for index in self._graph.output_ids]

    @property
    def _inputs(self) -> list[int]:
        return self._graph.input_ids

    @property
    def _outputs(self) -> list[int]:
        return self._graph.output_ids

    def _top_ids(self, index: int) -> list[int]:
        return self.nodes[index].top_ids

    def _bottom_ids(self, index: int) -> list[int]:
        return self.nodes[index].bottom_ids

    @property
    def top_names(self) -> "OrderedDict[str, list[str]]":
        """The names of each layer's tops."""
        return OrderedDict((n.layer.name, [self._blob_names[i] for i in n.top_ids]) for n in self.nodes)

    @property
    def bottom_names(self) -> "OrderedDict[str, list[str]]":
        """The names of each layer's bottoms."""
        return OrderedDict((n.layer.name, [self._blob_names[i] for i in n.bottom_ids]) for n in self.nodes)

    @property
    def _blob_loss_weights(self) -> list[float]:
        weights = [0.0] * len(self._blob_names)
        for node in self.nodes:
            for index, weight in zip(node.top_ids, node.loss_weights, strict=True):
                weights[index] = weight
        return weights

    @property
    def blob_loss_weights(self) -> "OrderedDict[str, float]":
        """What each blob counts in the net's loss; 0 for all that are no losses."""
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights, strict=True))

    @guarded
    def run_forward(self, start: int = 0, end: int | None = None) -> torch.Tensor:
        """Run layers start … end (indices, both included); the loss, as a tensor that need not be waited for."""
        return self._run.forward(self._indices(start, end))

    @guarded
    def run_backward(self, start: int | None = None, end: int = 0) -> None:
        """Run backward from layer `start` down to layer `end`."""
        self._run.backward(self._indices(end, start)[::-1])

    @guarded
    def run_forward_backward(self) -> torch.Tensor:
        """Run all layers forward, then backward; the loss, as `run_forward` (Net::ForwardBackward)."""
        return self._run.forward_backward()

    def _indices(self, first: int, last: int | None) -> range:
        count = len(self.nodes)
        if not count:
            raise UsageError(f"net '{self.name}' has no layer that could run. Give it some, or others for this phase.")
        last = count - 1 if last is None else last
        if not 0 <= first < count or not 0 <= last < count:
            raise UsageError(
                f"net '{self.name}': layers {first} to {last} asked for, it has layers 0 to {count - 1}."
                " Name layers of this net."
            )
        return range(first, last + 1)

    def _forward(self, start: int, end: int) -> float:
        return float(self.run_forward(start, end))

    def _backward(self, start: int, end: int) -> None:
        self.run_backward(start, end)

    def _layer_index(self, name: str | None, default: int) -> int:
        if name is None:
            return default
        if name not in self.layer_dict:
            raise UsageError(
                f"net '{self.name}': no layer '{name}'. Its layers are: {', '.join(self._layer_names)} "
                "(blob names will not do)"
            )
        return self._layer_names.index(name)

    def _existing(self, names: Sequence[str]) -> list[str]:
        names = [names] if isinstance(names, str) else list(names)
        if unknown := [name for name in names if name not in self.blobs]:
            raise UsageError(f"net '{self.name}': no blob '{unknown[0]}'. Its blobs are: {', '.join(self.blobs)}")
        return names

    @guarded
    def forward(
        self, blobs: list[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> Arrays:
        """Run the net forward.

        blobs: names of blobs to return beside the outputs; they stay though `keep_blobs` is False. start, end: names
        of the first and last layer to run.
        kwargs: input blob name → array. Returns blob name → array: views of the blobs, not copies.
        """
        last = self._layer_index(end, len(self.nodes) - 1)
        wanted = (self.top_names[end] if end is not None else self.outputs) + self._existing(blobs or [])
        self._fill("data", kwargs, self.inputs, "Input blob arguments do not match net inputs.", "Input")
        self._run.forward(self._indices(self._layer_index(start, 0), last), wanted)
        return {name: self.blobs[name].data for name in dict.fromkeys(wanted)}

    @guarded
    def stream(
        self, source: Source, rows: int | None = None, blob: str | None = None, into: str | None = None
    ) -> Stream:
        """Compute an image of any size in bands of rows: `for row, scores in net.stream(image)`.

        source: an image C × H × W: an array, a memory map, or whatever has that `shape` and gives
        source[:, first:last]. rows: so many a band (default: what is computed at once). blob: the map that is wanted
        (default: the only output). into: the blob that the source takes the place of (default: the only input); the
        layer that makes it, such as a data layer, does not run. Gives the number of each band's first row, and its
        values, C × rows × W; they are those of `forward` up to rounding. Memory grows with the image's width, not with
        its height; the net's blobs stay as they are. A layer that needs its bottoms as a whole gets them so; the log
        names it. Raises UsageError in phase TRAIN, ShapeError for a source that does not fit.
        """
        return Stream(self, source, rows, blob, into)

    @guarded
    def backward(
        self, diffs: list[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> Arrays:
        """Run the net backward.

        diffs: names of blobs whose diff to return beside the inputs'. start, end: names of the first and last layer
        of the backward run. kwargs: output blob name → diff. Returns blob name → diff: views, not copies.
        """
        first = self._layer_index(start, len(self.nodes) - 1)
        wanted = (self.bottom_names[end] if end is not None else self.inputs) + self._existing(diffs or [])
        self._fill("diff", kwargs, self.outputs, "Top diff arguments do not match net outputs.", "Diff")
        self.run_backward(first, self._layer_index(end, 0))
        return {name: self.blobs[name].diff for name in dict.fromkeys(wanted)}

    def _fill(self, side: str, given: Arrays, expected: list[str], complaint: str, what: str) -> None:
        if not given:
            return
        if set(given) != set(expected):
            raise UsageError(
                f"net '{self.name}': {complaint} Given: {sorted(given)}, expected: {sorted(expected)}."
                " Correct the names."
            )
        for name, values in given.items():
            target = getattr(self.blobs[name], side)
            values = np.asarray(values)
            if values.shape[:1] != target.shape[:1]:
                raise UsageError(
                    f"net '{self.name}': {what} is not batch sized: '{name}' is {shape_text(target.shape)}, the array "
                    f"{shape_text(values.shape)}. Reshape the blob (net.blobs[...].reshape) or the array."
                )
            try:
                target[...] = values
            except ValueError as error:
                raise UsageError(
                    f"net '{self.name}': blob '{name}' is {shape_text(target.shape)}, the array given for its {side} "
                    f"is {shape_text(values.shape)}. Reshape one of them."
                ) from error

    @guarded
    def forward_all(self, blobs: list[str] | None = None, **kwargs: Any) -> Arrays:
        """Run forward over many inputs, in batches of the net's size; arrays of all results."""
        batches = []
        for batch in self._batches(kwargs):
            batches.append({name: values.copy() for name, values in self.forward(blobs=blobs, **batch).items()})
        return _joined(batches, kwargs)

    @guarded
    def forward_backward_all(
        self, blobs: list[str] | None = None, diffs: list[str] | None = None, **kwargs: Any
    ) -> tuple[Arrays, Arrays]:
        """Run forward and backward in batches. kwargs: inputs (data) and outputs (diffs)."""
        data = self._batches({name: kwargs[name] for name in self.inputs if name in kwargs})
        seeds = self._batches({name: kwargs[name] for name in self.outputs if name in kwargs})
        outputs, gradients = [], []
        no_arrays: Arrays = {}
        for batch, seed in zip_longest(data, seeds, fillvalue=no_arrays):
            outputs.append({name: values.copy() for name, values in self.forward(blobs=blobs, **batch).items()})
            gradients.append({name: values.copy() for name, values in self.backward(diffs=diffs, **seed).items()})
        return _joined(outputs, kwargs), _joined(gradients, kwargs)

    def _batches(self, arrays: Arrays) -> Iterator[dict[str, Any]]:
        """Slices of the net's batch size; the last one is filled up with zeros."""
        if not arrays:
            return
        count = len(next(iter(arrays.values())))
        size = next(iter(self.blobs.values())).shape[0]
        for begin in range(0, count, size):
            batch = {name: np.asarray(values[begin : begin + size]) for name, values in arrays.items()}
            missing = size - len(next(iter(batch.values())))
            yield {
                name: np.concatenate([values, np.zeros((missing, *values.shape[1:]), values.dtype)])
                if missing
                else values
                for name, values in batch.items()
            }

    @guarded
    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Give a net whose first layer is MemoryData its images (N, C, H, W) and labels (N)."""
        layer = self.layers[0]
        if layer.type != "MemoryData":
            raise NetError(
                "set_input_arrays may only be called if the first layer is a MemoryDataLayer; "
                f"the first layer of net '{self.name}' is {layer}."
                " Write net.blobs[name].data instead."
            )
        layer.reset(data, labels)  # type: ignore[attr-defined]

    @guarded
    def reshape(self) -> None:
        """Propagate the shapes of the input blobs through the net."""
        for node in self.nodes:
            node.layer.reshape(node.bottom, node.top)

    def threads(self) -> AbstractContextManager[None]:
        """While this lasts, the calling thread computes with as many threads as this net is worth."""
        return self._run.threads()

    @guarded
    def clear_param_diffs(self) -> None:
        """Set the diffs of all parameters to zero."""
        for learnable in self._graph.learnable.values():
            learnable.blob.memory.clear_grad()

    @property
    def keep_diffs(self) -> bool:
        """Whether blobs keep their diffs after backward, as Caffe's do (the default); those of parameters always stay.

        Training without them takes less memory, and less time where a net begins with a wide border, as FCN's do. A
        diff that was not kept raises UsageError when it is asked for.
        """
        return self._keep_diffs

    @keep_diffs.setter
    def keep_diffs(self, value: bool) -> None:
        self._keep_diffs = flag(value, f"net '{self.name}': keep_diffs")
        self._renew_run()

    @property
    def keep_blobs(self) -> bool:
        """Whether blobs keep their values after forward, as Caffe's do (the default); inputs and outputs always do.

        A TEST net without them gives up each as soon as no later layer takes it, but tops of data and Python layers
        and those that `forward(blobs=[...])` names; that takes less memory. Asking for one that was given up raises
        UsageError, and so does setting this to False in a TRAIN net, whose backward needs them.
        """
        return self._keep_blobs

    @keep_blobs.setter
    def keep_blobs(self, value: bool) -> None:
        value = flag(value, f"net '{self.name}': keep_blobs")
        if not value and self.phase != caffe_pb2.TEST:
            raise UsageError(
                f"net '{self.name}': keep_blobs = False in phase TRAIN, expected TEST: backward needs the blobs. Build "
                "the net with caffe.TEST, or set keep_diffs = False, which spares a training memory."
            )
        self._keep_blobs = value
        self._renew_run()

    @property
    def checkpoint(self) -> bool:
        """Whether a TRAIN net does without its first, largest maps: backward computes them again, in bands of rows.

        Gradients are the same up to rounding. Other maps are given up once backward has used them. Asking for one that
        is not there raises UsageError, as does setting this in a TEST net, or in one whose layers cannot be computed
        so. While `debug_info` is on, maps are kept.
        """
        return self._checkpoint

    @checkpoint.setter
    def checkpoint(self, value: bool) -> None:
        value = flag(value, f"net '{self.name}': checkpoint")
        if value:
            checkpoint.check_possible(self.name, self.phase, self.nodes)
        self._checkpoint = value
        self._renew_run()

    @property
    def debug_info(self) -> bool:
        """Whether the mean absolute value of every blob is logged as it is computed."""
        return self._debug_info

    def set_debug_info(self, value: bool) -> None:
        """Log the mean absolute value of every blob as it is computed."""
        if value != self._debug_info:
            self._debug_info = value
            self._renew_run()

    @guarded
    def copy_from(self, *files: str) -> None:
        """Copy the weights of layers of the same name from caffemodel or HDF5 files."""
        for file in files:
            trained_layers.copy_from(self.nodes, self.name, file)

    load_hdf5 = copy_from

    @guarded
    def share_with(self, other: "Net") -> None:
        """Use the other net's memory for the parameters of layers of the same name."""
        trained_layers.share_with(self.params, other.params)

    @guarded
    def save(self, filename: str, write_diff: bool = False) -> None:
        """Write a caffemodel."""
        trained_layers.save(self.nodes, self.to_message(), filename, write_diff)

    @guarded
    def save_hdf5(self, filename: str, write_diff: bool = False) -> None:
        """Write the weights as HDF5."""
        trained_layers.save_hdf5(self.nodes, filename, write_diff)

    def to_message(self) -> caffe_pb2.NetParameter:
        """The NetParameter (filtered, with splits, without weights) this net was built from."""
        message = caffe_pb2.NetParameter()
        message.name = self.name
        for node in self.nodes:
            layer = message.layer.add()
            layer.CopyFrom(node.layer.layer_param)
            layer.ClearField("blobs")
        return message

    def before_forward(self, hook: Hook) -> None:
        """Call hook(layer index) before each layer's forward."""
        self._hooks.before_forward.append(hook)

    def after_forward(self, hook: Hook) -> None:
        """Call hook(layer index) after each layer's forward."""
        self._hooks.after_forward.append(hook)

    def before_backward(self, hook: Hook) -> None:
        """Call hook(layer index) before each layer's backward."""
        self._hooks.before_backward.append(hook)

    def after_backward(self, hook: Hook) -> None:
        """Call hook(layer index) after each layer's backward."""
        self._hooks.after_backward.append(hook)


def _joined(batches: list[Arrays], given: Arrays) -> Arrays:
    """The batches' arrays end to end, without what was filled up."""
    count = len(next(iter(given.values()))) if given else None
    return {name: np.concatenate([batch[name] for batch in batches])[:count] for name in batches[0]} if batches else {}
