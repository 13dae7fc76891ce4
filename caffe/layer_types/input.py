"""Layers that start a net without reading anything."""

from caffe.blob import Blob
from caffe.errors import NetError
from caffe.layer import Layer, layer_type


@layer_type
class Input(Layer):
    """A blob that the user fills.

    top: any number, of the shapes in the settings
    parameters: shape: one for each top, or one for all
    source: src/caffe/layers/input_layer.cpp
    """

    bottoms = 0
    tops = (1, None)
    settings = "input_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        shapes = self.layer_param.input_param.shape
        if len(shapes) not in (0, 1, len(top)):
            raise NetError(f"{self}: {len(shapes)} shapes for {len(top)} tops: Must specify 'shape' once, once per top blob, or not at all")
        for index, blob in enumerate(top):
            if shapes:
                blob.reshape(*shapes[index if len(shapes) > 1 else 0].dim)

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None: ...
