"""What the plan needs to know about a layer's place in its net."""

from collections.abc import Sequence
from typing import Protocol

from caffe.blob import Blob
from caffe.layer_types.base import NativeLayer


class NodeLike(Protocol):
    """A layer, and its blobs by number (caffe/net/graph.py)."""

    @property
    def layer(self) -> NativeLayer: ...

    @property
    def bottom(self) -> list[Blob]: ...

    @property
    def top(self) -> list[Blob]: ...

    @property
    def bottom_ids(self) -> Sequence[int]: ...

    @property
    def top_ids(self) -> Sequence[int]: ...

    @property
    def runs_backward(self) -> bool: ...
