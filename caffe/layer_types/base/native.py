"""NativeLayer: the interface of a layer that Net calls."""

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
"""A number of blobs, or (minimum, maximum); a maximum of None is no limit."""


class NativeLayer(Layer):
    """A layer as Net calls it: how many blobs it takes, what it knows of its place in the net, and its traits."""

    bottoms: Count = (0, None)
    tops: Count = (0, None)
    equal_bottoms_and_tops: ClassVar[bool] = False
    loss: ClassVar[bool] = False
    """Whether it is a loss layer: its first top has loss weight 1 unless the net says otherwise, and needs no name."""
    no_gradient: ClassVar[tuple[int, ...]] = ()
    """Indices of the bottoms that have no gradient, such as labels: to ask for it is an error."""
    constant: ClassVar[tuple[int, ...]] = ()
    """Indices of the bottoms that are taken for constants, such as masks, regions and sizes: their gradient is zero."""
    settings: ClassVar[str | tuple[str, ...]] = ()
    """The field (or fields) of LayerParameter that hold the settings of this type."""
    defaults: ClassVar[dict[str, Any]] = {}
    """The settings of a type that a program registers, with their defaults; empty where the schema has them."""
    ignored: ClassVar[dict[str, str]] = {}
    """Fields of `settings` that this type does not read, each with the reason."""
    traits: Traits = Traits()
    """Facts that the plan, the solver and the tools rely on."""

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        self.layer_param = layer_param
        self.propagate_down: list[bool] = []
        self.param_propagate_down: list[bool] = []
        self.prepares_backward = False
        """Whether forward records what backward will need; set by Net, as propagate_down is."""
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
        """The layer's settings as the prototxt gives them: the message in the field that `settings` names."""
        assert isinstance(self.settings, str)
        return own_settings.of_layer(self.layer_param, self.settings)

    def __str__(self) -> str:
        return f"layer '{self.name}' ({self.type})"

    def loss_weight(self, top_index: int) -> float:
        """The weight of one top in the net's loss; 0 if it is no part of the loss."""
        weights = self.layer_param.loss_weight
        if top_index < len(weights):
            return weights[top_index]
        return 1.0 if self.loss and not weights and top_index == 0 else 0.0

    def check_blob_counts(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Raise NetError for a number of bottoms or tops that this type does not take (Layer::CheckBlobCounts)."""
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
                    f"Correct the `{kind}` lines of the layer.",
                    layer=self.name,
                    found=found,
                    expected=(low, high),
                    remedy=f"Correct the `{kind}` lines of the layer.",
                )
        if self.equal_bottoms_and_tops and len(bottom) != len(top):
            raise NetError(
                f"{self}: {len(bottom)} bottom and {len(top)} top blobs, but {self.type} Layer produces one top blob "
                "as output for each bottom blob input."
                " Name one top for each bottom.",
                layer=self.name,
                found=len(top),
                expected=len(bottom),
            )

    def adapted(self, stored: Sequence[Any]) -> Sequence[Any]:
        """Arrange the blobs of a file (arrays, or None) in the order and the shapes of this layer's parameters."""
        return stored

    def rows(self, *bottoms: Shape) -> Rows | None:
        """Which rows of the bottoms, each of shape (N, C, H, W), a band of rows of the tops needs; None: all rows."""
        return Rows() if self.traits.row_by_row else None

    def zero_at_zero(self) -> bool:
        """Whether tops are zero wherever all bottoms are zero, given the parameters' present values."""
        return self.traits.zero_at_zero

    def flat_at_zero(self) -> bool:
        """Whether bottoms that are zero get a zero gradient, given the parameters' present values."""
        return self.traits.flat_at_zero

    def uses_of_weights(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """How many multiplications forward makes with each weight of its matrices and kernels; 0 if it has none."""
        return 0

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Floating-point operations of forward (caffe/net/work.py); by default one for each value of the tops."""
        if uses := self.uses_of_weights(bottom, top):
            return 2 * uses * sum(blob.count for blob in self.blobs if len(blob.shape) > 1)
        return sum(blob.count for blob in top) if self.traits.handling is Handling.COMPUTED else 0

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Whether `force_backward: true` makes backward compute the gradient of this bottom."""
        return bottom_index not in (*self.no_gradient, *self.constant)
