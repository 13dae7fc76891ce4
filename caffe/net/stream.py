"""Stream: a net computed in bands of rows, from a source that is read in bands, for images too large for memory."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, SupportsIndex

import numpy as np
import torch

from caffe import device
from caffe.errors import ShapeError, UsageError
from caffe.net.bands import Bands
from caffe.net.graph import Graph
from caffe.net.guard import Guard, guarded
from caffe.plan import threads
from caffe.plan.pool import Pool
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

READ_AT_ONCE = 2**22
"""Bytes of float32 rows that are read from the source at once."""


class Source(Protocol):
    """An image C×H×W that can be read by rows: an array, a memory map, or an object of one's own."""

    @property
    def shape(self) -> Sequence[int]: ...

    def __getitem__(self, key: Any) -> Any:
        """source[:, first:last]: these rows of all channels, an array C × rows × W of numbers."""


class Streamed(Protocol):
    """The part of Net that streaming uses."""

    name: str
    phase: int
    guard: Guard

    @property
    def graph(self) -> Graph: ...

    @property
    def inputs(self) -> list[str]: ...

    @property
    def outputs(self) -> list[str]: ...


class Stream(Iterator[tuple[int, np.ndarray]]):
    """An iterator over the bands of one blob, from the top row down: (first row, array C × rows × W)."""

    def __init__(
        self,
        net: Streamed,
        source: Source,
        rows: int | None = None,
        blob: str | None = None,
        into: str | None = None,
    ):
        self.net, self._source, self._pool, self._row = net, source, Pool(), 0
        shape, begin = _check(net, source), into or _only_input(net)
        if rows is not None:
            _check_rows(net, rows)
        name = blob or _only_output(net)
        bands = Bands(net.name, net.graph, {begin: shape}, [name], {begin: self._read})
        self._read_at_once = max(1, READ_AT_ONCE // (4 * shape[1] * shape[3]))
        self._value = bands.values[name]
        self.shape: tuple[int, ...] = self._value.shape[1:]
        """The shape of the whole blob, C × H × W."""
        if not self._value.has_rows:
            raise ShapeError(
                f"net '{net.name}': blob '{name}' is {shape_text(self._value.shape)}, expected a map, (N, C, H, W), to "
                "stream. Name another with blob=."
            )
        self.rows: int = rows or self._value.band
        """Rows of each band; the last one may have fewer."""
        self._value.add_taker(lambda: self._row)

    @property
    def guard(self) -> Guard:
        """The net's guard: while a band is computed, no other thread may use the net."""
        return self.net.guard

    @guarded
    def __next__(self) -> tuple[int, np.ndarray]:
        first, last = self._row, min(self._row + self.rows, self._value.height)
        if first >= last:
            raise StopIteration
        self._pool.begin_pass()
        with threads.all_of_them(), self._pool.serving():
            self._value.compute_to(last)
            band = self._value.take(first, last)[0].to("cpu", torch.float32)
            found = np.array(band.numpy(), order="C")
        self._row = last
        self._value.give_up()
        return first, found

    def _read(self, first: int) -> torch.Tensor:
        """The next rows of the source, 1 × C × rows × W, on the current device."""
        last = min(first + self._read_at_once, self._source.shape[1])
        rows = self._numbers(self._source[:, first:last], f"rows {first} to {last - 1} of the source")
        expected = (self._source.shape[0], last - first, self._source.shape[2])
        if rows.shape != expected:
            raise ShapeError(
                f"net '{self.net.name}': rows {first} to {last - 1} of the source are {shape_text(rows.shape)}, "
                f"expected {shape_text(expected)}: source[:, first:last] should give rows of all channels."
                " Correct the source."
            )
        return torch.from_numpy(rows)[None].to(device.current())

    def _numbers(self, values: Any, what: str) -> np.ndarray:
        """What a source gave, as float32. Raises UsageError for what are no real numbers."""
        try:
            array = np.asanyarray(values)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"net '{self.net.name}': {what} are a {type(values).__name__}, which is no array ({error}); expected "
                "numbers, C × rows × W. Correct the source."
            ) from error
        if array.dtype.kind not in "biuf" or np.ma.is_masked(array):
            found = "masked in part" if array.dtype.kind in "biuf" else f"of type {array.dtype}"
            raise UsageError(f"net '{self.net.name}': {what} are {found}, expected real numbers. Correct the source.")
        return np.array(array, dtype=np.float32, order="C", subok=False)


def _check_rows(net: Streamed, rows: Any) -> None:
    """Raises UsageError for a height of bands that is no whole number of at least 1."""
    if isinstance(rows, bool) or not isinstance(rows, SupportsIndex) or operator.index(rows) < 1:
        raise UsageError(
            f"net '{net.name}': stream in bands of {rows!r} rows, expected a whole number, at least 1. Give such a "
            "number."
        )


def _only_output(net: Streamed) -> str:
    if len(net.outputs) != 1:
        raise UsageError(
            f"net '{net.name}' has the outputs {', '.join(net.outputs)}; one is streamed. Name it with blob=."
        )
    return net.outputs[0]


def _only_input(net: Streamed) -> str:
    if len(net.inputs) != 1:
        found = ", ".join(net.inputs) or "none"
        raise UsageError(
            f"net '{net.name}': its inputs are {found}, expected one, which the source is streamed into. Name the blob "
            "with into=."
        )
    return net.inputs[0]


def _check(net: Streamed, source: Source) -> tuple[int, ...]:
    """The shape of the blob that this source stands for, 1 × C × H × W. Raises UsageError, ShapeError."""
    if net.phase != caffe_pb2.TEST:
        raise UsageError(f"net '{net.name}': stream in phase TRAIN, expected TEST. Build the net with caffe.TEST.")
    try:
        shape = tuple(operator.index(size) for size in source.shape)
    except (AttributeError, TypeError) as error:
        raise UsageError(
            f"net '{net.name}': the source is a {type(source).__name__} without the shape of an image ({error}); "
            "expected an array C × H × W, a memory map, or an object with `shape` and source[:, first:last]."
            " Give one."
        ) from error
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(
            f"net '{net.name}': the source is {shape_text(shape)}, expected an image, C × H × W."
            " Give an array of three axes."
        )
    return (1, *shape)
