"""Layers that start a net without reading anything: blobs for the user to fill, and made-up numbers."""

from collections.abc import Sequence
from typing import Any

from caffe.blob import Blob
from caffe.errors import NetError
from caffe.layer_types.base import Handling, Traits, layer_type
from caffe.layer_types.helpers import fillers
from caffe.layer_types.helpers.source_layer import SourceLayer
from caffe.proto import caffe_pb2

_LEGACY = ("num", "channels", "height", "width")


@layer_type
class Input(SourceLayer):
    """Blobs that the user fills.

    top: any number, of the shapes in the settings
    parameters: shape: one for each top, one for all, or none
    source: src/caffe/layers/input_layer.cpp
    """

    tops = (1, None)
    settings = "input_param"
    traits = Traits(handling=Handling.UNTOUCHED, fed_by_user=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        shapes = self.layer_param.input_param.shape
        if len(shapes) not in (0, 1, len(top)):
            raise NetError(
                f"{self}: Must specify 'shape' once, once per top blob, or not at all: {len(top)} tops vs. "
                f"{len(shapes)} shapes."
            )
        if shapes:
            for blob, shape in zip(top, _one_each(shapes, len(top)), strict=True):
                blob.reshape(*shape.dim)


@layer_type
class DummyData(SourceLayer):
    """Numbers from fillers: constant ones once, all others anew in every forward pass.

    top: any number, of the shapes in the settings
    parameters: data_filler: one for each top, one for all, or none (zeros); shape: one for each top or one for all; or
        its old form: num, channels, height, width, each once or once per top
    source: src/caffe/layers/dummy_data_layer.cpp
    """

    tops = (1, None)
    settings = "dummy_data_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.dummy_data_param
        if len(param.data_filler) not in (0, 1, len(top)):
            raise NetError(
                f"{self}: Number of data fillers must be 0, 1 or equal to the number of tops: {len(top)}; you "
                f"specified {len(param.data_filler)} data fillers."
                " Correct them."
            )
        self._fillers = _one_each(param.data_filler or [caffe_pb2.FillerParameter()], len(top))
        for blob, shape in zip(top, self._shapes(param, len(top)), strict=True):
            blob.reshape(*shape)
        self._refill(top, constant=True)

    def _shapes(self, param: Any, tops: int) -> list[Sequence[int]]:
        legacy = {name: getattr(param, name) for name in _LEGACY}
        if not any(legacy.values()):
            self._check_count("shape", param.shape, tops)
            return [shape.dim for shape in _one_each(param.shape, tops)]
        if param.shape:
            raise NetError(f"{self}: Both shape and legacy fields were specified. Keep `shape`.")
        for name, values in legacy.items():
            self._check_count(name, values, tops)
        return list(zip(*(_one_each(values, tops) for values in legacy.values()), strict=True))

    def _check_count(self, name: str, values: Sequence[Any], tops: int) -> None:
        if len(values) not in (1, tops):
            raise NetError(
                f"{self}: Must specify '{name}' once, or once per top blob ({tops}); specified {len(values)}."
                " Correct them."
            )

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        self._refill(top, constant=False)

    def _refill(self, top: list[Blob], *, constant: bool) -> None:
        for blob, filler in zip(top, self._fillers, strict=True):
            if (filler.type == "constant") == constant:
                blob.tensor = fillers.fill(filler, blob.shape, str(self))


def _one_each(values: Sequence[Any], count: int) -> list[Any]:
    return list(values) if len(values) == count else [values[0]] * count
