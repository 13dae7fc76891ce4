"""MemoryData: arrays that the program hands over."""

import numpy as np

from caffe.blob import Blob
from caffe.errors import DataError, NetError
from caffe.layer_types.base import layer_type
from caffe.layer_types.helpers.source_layer import SourceLayer, fill
from caffe.log import log
from caffe.shapes import shape_text


@layer_type
class MemoryData(SourceLayer):
    """Batches of an array and of its labels, given by `net.set_input_arrays(data, labels)`.

    top: data: batch_size × channels × height × width; labels: batch_size × 1 × 1 × 1 (at first: batch_size)
    parameters: batch_size, channels, height, width. transform_param is not applied.
    source: src/caffe/layers/memory_data_layer.cpp
    """

    tops = 2
    settings = "memory_data_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.memory_data_param
        self._shape = (param.batch_size, param.channels, param.height, param.width)
        if 0 in self._shape:
            raise NetError(
                f"{self}: {shape_text(self._shape)} found: batch_size, channels, height, and width must be specified "
                "and positive in memory_data_param."
                " Set all four."
            )
        self._data: np.ndarray | None = None
        self._labels: np.ndarray | None = None
        self._position = 0
        top[0].reshape(*self._shape)
        top[1].reshape(param.batch_size)

    def reset(self, data: np.ndarray, labels: np.ndarray) -> None:
        """The arrays to walk through, again and again; they are not copied.

        data: (N, channels, height, width), labels: (N,) or (N, 1, 1, 1); float32, C-contiguous, N a multiple of the
        batch size. Raises DataError.
        """
        if labels.ndim == 1:
            labels = np.ascontiguousarray(labels).reshape(-1, 1, 1, 1)
        self._check(data, "data array", self._shape[1:])
        self._check(labels, "labels array", (1, 1, 1))
        if len(data) != len(labels):
            raise DataError(
                f"{self}: data and labels must have the same first dimension; they have {len(data)} and {len(labels)}."
                " Give a label for each item."
            )
        if len(data) % self._shape[0] or not len(data):
            raise DataError(
                f"{self}: first dimensions of input arrays must be a multiple of batch size: {len(data)} given, "
                f"batch_size is {self._shape[0]}."
                " Leave some out, or change batch_size."
            )
        if self.layer_param.HasField("transform_param"):
            log.warning("%s does not transform array data on Reset()", self)
        self._data, self._labels, self._position = data, labels, 0

    def _check(self, array: np.ndarray, what: str, item: tuple[int, ...]) -> None:
        if not array.flags.c_contiguous:
            raise DataError(f"{self}: {what} must be C contiguous. Use numpy.ascontiguousarray.")
        if array.ndim != 4:
            raise DataError(
                f"{self}: {what} must be 4-d; it has the shape {shape_text(array.shape)}. Reshape the array."
            )
        if array.dtype != np.float32:
            raise DataError(f"{self}: {what} must be float32; it is {array.dtype}. Give array.astype(numpy.float32).")
        for name, found, wanted in zip(("number of channels", "height", "width"), array.shape[1:], item, strict=True):
            if found != wanted:
                raise DataError(
                    f"{self}: {what} has wrong {name}: {found}, expected {wanted}."
                    " Give an array of this size, or correct memory_data_param."
                )

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self._data is None or self._labels is None:
            raise DataError(
                f"{self}: MemoryDataLayer needs to be initialized by calling Reset."
                " Call net.set_input_arrays(data, labels)."
            )
        batch = slice(self._position, self._position + self._shape[0])
        self._position = batch.stop % len(self._data)
        fill(top, [self._data[batch].copy(), self._labels[batch].copy()])
