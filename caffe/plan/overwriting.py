"""In-place layers that overwrite their bottoms, instead of writing into new memory."""

from collections.abc import Callable, Sequence

import torch

from caffe import switches
from caffe.blob import Blob
from caffe.layer_types.base import NativeLayer
from caffe.plan.node import NodeLike


class Overwriting:
    """The layers in place of a net that may: neither they nor the layers before them need the old values."""

    def __init__(self, nodes: Sequence[NodeLike]):
        self.layers: dict[int, NativeLayer] = {}
        """By index of their node."""
        writer: dict[int, NativeLayer] = {}
        for index, node in enumerate(nodes):
            layer = node.layer
            able = layer.in_place and layer.traits.over_bottom is not None and not layer.traits.needs_record
            if able and not switches.PLAIN and not writer[node.bottom_ids[0]].traits.needs_tops:
                self.layers[index] = layer
            writer.update(dict.fromkeys(node.top_ids, layer))

    def of(self, index: int) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What runs a layer over the values of its bottom; None if it may not."""
        return self.layers[index].traits.over_bottom if index in self.layers else None

    def forward(self, index: int, top: Sequence[Blob]) -> bool:
        """Run a layer over the values of its bottom, which is its top. False: not this one."""
        over_bottom = self.of(index)
        if over_bottom is None:
            return False
        top[0].tensor = over_bottom(top[0].tensor)
        return True
