"""Bands: the layers of a net as stages that compute bands of rows (caffe/plan/streaming)."""

from collections.abc import Callable, Collection, Mapping, Sequence

import torch

from caffe import device, limits
from caffe.blob import Blob
from caffe.errors import UsageError
from caffe.layer_types.base import NativeLayer, Rows, Shape, TorchLayer
from caffe.log import log
from caffe.net.graph import Graph, Node
from caffe.plan.streaming.stages import ComputeBand, Stage
from caffe.plan.streaming.values import StreamedValue

ReadRows = Callable[[int], torch.Tensor]
"""row → the next rows of a blob from that row on, N × C × rows × W."""


class Bands:
    """The layers of a net that compute the wanted blobs from given ones, as a chain of stages."""

    def __init__(
        self,
        net: str,
        graph: Graph,
        shapes: Mapping[str, Shape],
        wanted: Collection[str],
        given: Mapping[str, ReadRows],
    ):
        """net: its name. shapes: of the given blobs. given: reads rows of each of them."""
        self._current: dict[int, StreamedValue] = {}
        """The value of each blob after the layers so far, by the blob's number."""
        self._producers: dict[int, tuple[Stage, int]] = {}
        unknown = [name for name in (*wanted, *given) if name not in graph.blob_names]
        if unknown:
            raise UsageError(f"net '{net}': no blob '{unknown[0]}'. Its blobs are: {', '.join(graph.blob_names)}.")
        self._numbers = {name: number for number, name in enumerate(graph.blob_names)}
        for name, shape in shapes.items():
            self._current[self._numbers[name]] = _source(shape, given[name])
        needed = _needed(graph.nodes, {self._numbers[name] for name in wanted}, set(self._current))
        for node in needed:
            if set(node.top_ids) & set(self._current) and not node.layer.in_place:
                raise UsageError(
                    f"net '{net}': {', '.join(wanted)} is computed from other tops of {node.layer} than "
                    f"{', '.join(given)}, too, which cannot be streamed. Run net.forward."
                )
            with limits.named(str(node.layer), node.layer.name):
                self._add(node)
        self.values = {name: self._current[self._numbers[name]] for name in wanted}

    def _add(self, node: Node) -> None:
        bottoms = [self._current[number] for number in node.bottom_ids]
        shapes = [bottom.shape for bottom in bottoms]
        layer = node.layer.twin() if isinstance(node.layer, TorchLayer) else node.layer
        with limits.by_rows():
            tops = _top_shapes(layer, shapes, len(node.top))
        rows = layer.rows(*shapes) if _maps([*shapes, *tops]) and isinstance(layer, TorchLayer) else None
        if rows is None:
            if bottoms and any(bottom.has_rows for bottom in bottoms):
                log.info("%s needs its bottoms as a whole: they are not streamed further.", layer)
            stage = Stage(bottoms, tops, None, _whole(layer, len(tops)), device.current())
        else:
            assert isinstance(layer, TorchLayer)
            layer.take_bands()
            compute = _banded(layer, len(tops))
            if layer.in_place and type(rows) is Rows and node.bottom_ids[0] in self._producers:
                producer, index = self._producers[node.bottom_ids[0]]
                producer.follow(index, compute)
                return
            stage = Stage(bottoms, tops, rows, compute, device.current())
        for index, number in enumerate(node.top_ids):
            self._current[number] = stage.tops[index]
            self._producers[number] = stage, index


def _needed(nodes: Sequence[Node], wanted: set[int], given: set[int]) -> list[Node]:
    """The layers that lead from the given blobs to the wanted ones, in the order of computation."""
    found, missing = [], set(wanted)
    for node in reversed(nodes):
        used = missing & set(node.top_ids)
        if used and (node.layer.in_place or not used <= given):
            found.append(node)
            missing |= set(node.bottom_ids)
    return found[::-1]


def _source(shape: Shape, read: ReadRows) -> StreamedValue:
    value = StreamedValue(shape, lambda: value.put(read(value.end)), device.current())
    return value


def _maps(shapes: Sequence[Shape]) -> bool:
    return all(len(shape) == 4 for shape in shapes)


def _top_shapes(layer: NativeLayer, bottoms: Sequence[Shape], count: int) -> list[Shape]:
    if isinstance(layer, TorchLayer):
        return [tuple(shape) for shape in layer.top_shapes(*bottoms)][:count]
    tops = [Blob() for _ in range(count)]
    layer.reshape([Blob(shape) for shape in bottoms], tops)
    return [top.shape for top in tops]


def _whole(layer: NativeLayer, tops: int) -> ComputeBand:
    def compute(bands: list[torch.Tensor], first: int, last: int) -> list[torch.Tensor]:
        bottom, top = [Blob.of(band.contiguous()) for band in bands], [Blob() for _ in range(tops)]
        if layer.in_place:
            bottom = [Blob.of(each.tensor.clone()) for each in bottom]
            top[: len(bottom)] = bottom[: len(top)]
        layer.reshape(bottom, top)
        layer.forward(bottom, top)
        return [each.tensor for each in top]

    return compute


def _banded(layer: TorchLayer, tops: int) -> ComputeBand:
    def compute(bands: list[torch.Tensor], first: int, last: int) -> list[torch.Tensor]:
        bottom = [Blob.of(band) for band in bands]
        top = bottom[:1] if layer.in_place else [Blob() for _ in range(tops)]
        layer.forward_band(bottom, top, first, last)
        return [each.tensor for each in top]

    return compute
