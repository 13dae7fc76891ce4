"""NativeLayer: what Net calls."""

from collections.abc import Sequence
from typing import Any, ClassVar

from caffe.blob import Blob
from caffe.errors import NetError
from caffe.formats import own_settings
from caffe.layer_types.base.layer import Layer
from caffe.layer_types.base.rows import Rows
from caffe.layer_types.base.traits import Handling, Traits
from caffe.proto import caffe_pb2
from caffe.shapes import Shape

Count = int | tuple[int, int | None]
"""So many, or (at least, at most); None: no limit."""


class NativeLayer(Layer):
    """What Net calls: a layer with its place in the net."""

    bottoms: Count = (0, None)
    tops: Count = (0, None)
    equal_bottoms_and_tops: ClassVar[bool] = False
    loss: ClassVar[bool] = False
    """A loss layer: its first top has loss weight 1 unless the net says otherwise, and may go unnamed."""
    no_gradient: ClassVar[tuple[int, ...]] = ()
    """Indices of the bottoms that have no gradient, such as labels."""
    settings: ClassVar[str | tuple[str, ...]] = ()
    """The message (or messages) of LayerParameter that this type reads."""
    defaults: ClassVar[dict[str, Any]] = {}
    """What stands in the message `settings`, where that is a program's own: name → default."""
    ignored: ClassVar[dict[str, str]] = {}
    """Fields of it that are not read, and why."""
    traits: Traits = Traits()
    """What others may rely on."""

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        self.layer_param = layer_param
        self.propagate_down: list[bool] = []
        self.param_propagate_down: list[bool] = []
        self.prepares_backward = False
        """Whether forward keeps what backward needs; Net decides, as it does about propagate_down."""
        self.in_place = False

    @property
    def shown(self) -> Layer:
        """The layer that `net.layers` shows."""
        return self

    @property
    def name(self) -> str:
        """The `name` of the prototxt."""
        return self.layer_param.name

    @property
    def message(self) -> Any:
        """The settings that the prototxt gives the layer: the message that `settings` names."""
        assert isinstance(self.settings, str)
        return own_settings.of_layer(self.layer_param, self.settings)

    def __str__(self) -> str:
        return f"layer '{self.name}' ({self.type})"

    def loss_weight(self, top_index: int) -> float:
        """The weight of one top in the net's loss (0: none)."""
        weights = self.layer_param.loss_weight
        if top_index < len(weights):
            return weights[top_index]
        return 1.0 if self.loss and not weights and top_index == 0 else 0.0

    def check_blob_counts(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Layer::CheckBlobCounts: refuse a number of bottoms or tops that this type does not take."""
        for kind, blobs, wanted, verb in (
            ("bottom", bottom, self.bottoms, "takes"),
            ("top", top, self.tops, "produces"),
        ):
            low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
            found = len(blobs)
            if found < low or (high is not None and found > high):
                many = f"{low}" if low == high else f"at least {low}" if found < low else f"at most {high}"
                role = "as input" if kind == "bottom" else "as output"
                raise NetError(
                    f"{self}: {found} {kind} blob(s), but {self.type} Layer {verb} {many} {kind} blob(s) {role}. "
                    f"Correct the `{kind}` lines of the layer."
                )
        if self.equal_bottoms_and_tops and len(bottom) != len(top):
            raise NetError(
                f"{self}: {len(bottom)} bottom and {len(top)} top blobs, but {self.type} Layer produces one top blob "
                "as output for each bottom blob input."
            )

    def adapted(self, stored: Sequence[Any]) -> Sequence[Any]:
        """The blobs of this layer in a file (arrays, or None), in the order and of the shapes of its parameters."""
        return stored

    def rows(self, *bottoms: Shape) -> Rows | None:
        """Which rows of its bottoms, of these shapes with four axes, a band of rows of the tops takes; None: all."""
        return Rows() if self.traits.row_by_row else None

    def zero_at_zero(self) -> bool:
        """Whether tops are zero where all bottoms are, with the parameters' present values."""
        return self.traits.zero_at_zero

    def flat_at_zero(self) -> bool:
        """Whether bottoms that are zero get no gradient, with the parameters' present values."""
        return self.traits.flat_at_zero

    def uses_of_weights(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """How often forward uses each weight of its matrices and kernels; 0: it has none."""
        return 0

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Floating-point operations of forward (see caffe/net/work.py); here, if it computes: one for each value."""
        if uses := self.uses_of_weights(bottom, top):
            return 2 * uses * sum(blob.count for blob in self.blobs if len(blob.shape) > 1)
        return sum(blob.count for blob in top) if self.traits.handling is Handling.COMPUTED else 0

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Whether `force_backward: true` asks for the gradient of this bottom."""
        return bottom_index not in self.no_gradient
