"""Bands: the layers of a net as stages that compute bands of rows (caffe/plan/streaming)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import torch

from caffe import device, limits, process
from caffe.blob import Blob
from caffe.blob.short_map import Shorts
from caffe.errors import UsageError
from caffe.layer_types.base import NativeLayer, Rows, Shape, TorchLayer
from caffe.layer_types.base.rows import WindowRows
from caffe.log import log
from caffe.net.graph import Graph, Node
from caffe.plan import first_pad
from caffe.plan.elision import Elision, StepPair, bottom_of, short_shape, tops_of
from caffe.plan.overwriting import Overwriting
from caffe.plan.streaming.lengthened import Lengthened, LongerValue
from caffe.plan.streaming.stages import ComputeBand, Stage
from caffe.plan.streaming.values import Rowwise, StreamedValue

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
        """The value of each blob after the layers so far, by the blob's number; perhaps without its constant border."""
        self._whole: dict[int, Shape] = {}
        """The shapes of these blobs."""
        self._lacks: dict[int, Shorts] = {}
        """What those of them lack that are short maps."""
        self._producers: dict[int, tuple[Stage, int]] = {}
        self._overwriting = Overwriting(graph.nodes)
        self._elision = Elision(graph.nodes, self._overwriting, keep_diffs=False)
        self._low = 0
        """The fewest bytes that the process had since it last gave some back."""
        self._begun: dict[int, Shape] = {}
        """By index of a node that begins a chain of layers that may compute on short maps, the shape of its bottom."""
        unknown = [name for name in (*wanted, *given) if name not in graph.blob_names]
        if unknown:
            raise UsageError(f"net '{net}': no blob '{unknown[0]}'. Its blobs are: {', '.join(graph.blob_names)}.")
        self._numbers = {name: number for number, name in enumerate(graph.blob_names)}
        for name, shape in shapes.items():
            self._current[self._numbers[name]] = _source(shape, given[name])
            self._whole[self._numbers[name]] = shape
        needed = _needed(graph.nodes, {self._numbers[name] for name in wanted}, set(self._current))
        reached = _reached([graph.nodes[index] for index in needed], set(self._current))
        for name in wanted:
            if self._numbers[name] not in reached:
                raise UsageError(
                    f"net '{net}': blob '{name}' is not computed from {', '.join(given)}, whose place the source takes."
                    " Name a later blob, or another one to take the place of."
                )
        for index in needed:
            node = graph.nodes[index]
            if set(node.top_ids) & set(self._current) and not node.layer.in_place:
                raise UsageError(
                    f"net '{net}': {', '.join(wanted)} is computed from other tops of {node.layer} than "
                    f"{', '.join(given)}, too, which cannot be streamed. Run net.forward."
                )
            with limits.named(str(node.layer), node.layer.name):
                if node.bottom_ids:
                    self._add(index, node)
                else:
                    self._add_source(node)
        self.values = {name: self._seen_as(self._numbers[name], None) for name in wanted}

    def _add_source(self, node: Node) -> None:
        """A layer without bottoms, such as another input or a constant, runs in the net; its tops are taken whole."""
        node.layer.reshape([], node.top)
        shapes = [blob.shape for blob in node.top]
        self._whole.update(zip(node.top_ids, shapes, strict=True))
        self._put(node, Stage([], shapes, None, _own_tops(node), device.current()), None)

    def _add(self, index: int, node: Node) -> None:
        shapes = [self._whole[number] for number in node.bottom_ids]
        layer = node.layer.twin() if isinstance(node.layer, TorchLayer) else node.layer
        with limits.by_rows():
            tops = _top_shapes(layer, shapes, len(node.top))
        rows = layer.rows(*shapes) if _maps([*shapes, *tops]) and isinstance(layer, TorchLayer) else None
        self._whole.update(zip(node.top_ids, tops, strict=True))
        if rows is None:
            bottoms = [self._seen_as(number, None) for number in node.bottom_ids]
            if any(bottom.has_rows for bottom in bottoms):
                log.info("%s needs its bottoms as a whole: they are not streamed further.", layer)
            self._put(node, Stage(bottoms, tops, None, _whole(layer, len(tops)), device.current()), None)
            return
        assert isinstance(layer, TorchLayer)
        layer.take_bands()
        self._add_bands(index, node, layer, rows, tops)

    def _add_bands(self, index: int, node: Node, layer: TorchLayer, rows: Rows, tops: list[Shape]) -> None:
        pair, compute, lacks = self._steps(index, node), _banded(layer, len(tops)), None
        if pair is not None:
            lacks = tops_of(pair)
            tops = [short_shape(top, lacks) for top in tops]
            if pair[0].bottom is None:
                assert isinstance(rows, WindowRows)
                low, pad = self._elision.pads(index, pair)
                rows, compute = replace(rows, pad=low[0]), _begin(layer, tops[0], pad)
        wanted, number = bottom_of(pair), node.bottom_ids[0] if node.bottom_ids else -1
        if layer.in_place and type(rows) is Rows and number in self._producers and self._lacks.get(number) == wanted:
            producer, top = self._producers[number]
            over = self._overwriting.of(index)
            producer.follow(top, compute if over is None else lambda bands, first, last: [over(bands[0])])
            return
        bottoms = [self._seen_as(number, wanted) for number in node.bottom_ids]
        self._put(node, Stage(bottoms, tops, rows, compute, device.current()), lacks)

    def _put(self, node: Node, stage: Stage, lacks: Shorts | None) -> None:
        stage.tops[0].add_follower(self._settle)
        for index, number in enumerate(node.top_ids):
            self._current[number] = stage.tops[index]
            self._producers[number] = stage, index
            self._lacks.pop(number, None)
            if lacks is not None:
                self._lacks[number] = lacks

    def _settle(self) -> None:
        self._low = process.settle_to(self._low)

    def _steps(self, index: int, node: Node) -> StepPair | None:
        """What a layer's bottom and top lack; None if it computes on whole maps."""
        first = self._elision.first(index)
        if first == index:
            self._begun[index] = self._whole[node.bottom_ids[0]]
        if first not in self._begun:
            return None
        pair = self._elision.steps_of(index, *self._begun[first][2:])
        if pair is not None and pair[0].bottom is not None and node.bottom_ids[0] not in self._lacks:
            return None
        return pair

    def _seen_as(self, number: int, wanted: Shorts | None) -> Rowwise:
        """A blob's value as a map that lacks what is wanted, or nothing."""
        value, now = self._current[number], self._lacks.get(number)
        if now is None or now == wanted:
            return value
        return LongerValue(value, Lengthened.of(self._whole[number], now, wanted))


def _needed(nodes: Sequence[Node], wanted: set[int], given: set[int]) -> list[int]:
    """The layers, by index, that lead from the given blobs to the wanted ones, in the order of computation."""
    found, missing = [], set(wanted)
    for index, node in reversed(list(enumerate(nodes))):
        used = missing & set(node.top_ids)
        if used and (node.layer.in_place or not used <= given):
            found.append(index)
            missing |= set(node.bottom_ids)
    return found[::-1]


def _reached(nodes: Sequence[Node], given: set[int]) -> set[int]:
    """The blobs that depend on the given ones, which are among them, by number."""
    found = set(given)
    for node in nodes:
        if found & set(node.bottom_ids):
            found |= set(node.top_ids)
    return found


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


def _own_tops(node: Node) -> ComputeBand:
    def compute(bands: list[torch.Tensor], first: int, last: int) -> list[torch.Tensor]:
        node.layer.forward([], node.top)
        return [blob.tensor.clone() for blob in node.top]

    return compute


def _banded(layer: TorchLayer, tops: int) -> ComputeBand:
    def compute(bands: list[torch.Tensor], first: int, last: int) -> list[torch.Tensor]:
        bottom = [Blob.of(band) for band in bands]
        top = bottom[:1] if layer.in_place else [Blob() for _ in range(tops)]
        layer.forward_band(bottom, top, first, last)
        return [each.tensor for each in top]

    return compute


def _begin(layer: TorchLayer, shape: Shape, pad: Sequence[int]) -> ComputeBand:
    """A first convolution, whose short top has this shape. pad: how much it pads before and after the columns."""

    def compute(bands: list[torch.Tensor], first: int, last: int) -> list[torch.Tensor]:
        top = Blob((*shape[:2], last - first, shape[3]))
        with first_pad.padding((0, 0), pad):
            layer.forward([Blob.of(band) for band in bands], [top])
        return [top.tensor]

    return compute
