"""Layer: the base class of Python layers; NativeLayer: what Net calls; TorchLayer: a layer made of torch functions.

Caffe's Layer (include/caffe/layer.hpp). A TorchLayer answers three questions, in `setup`, `top_shapes` and `compute`;
autograd is local to the layer, blobs are the boundary.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch

from caffe import device, limits
from caffe.blob import Blob, BlobVec
from caffe.copying import NotCopied
from caffe.errors import NetError, ShapeError
from caffe.formats.binaryproto import blobproto_to_array
from caffe.formats.blobproto import check_shape, shape_of
from caffe.layer_types.helpers import fillers
from caffe.log import log
from caffe.plan.border import Reach

Shape = tuple[int, ...]
Count = int | tuple[int, int | None]
L = TypeVar("L", bound="type[NativeLayer]")

REGISTRY: dict[str, type["NativeLayer"]] = {}


def layer_type(cls: L) -> L:
    """Register a layer class: its name is the `type` that prototxts name."""
    REGISTRY[cls.__name__] = cls
    return cls


class Layer(NotCopied):
    """A layer as pycaffe shows it; derive from it for a `type: "Python"` layer.

    Write setup(bottom, top), reshape(bottom, top), forward(bottom, top) and backward(top, propagate_down, bottom);
    `bottom` and `top` are lists of Blobs, `self.blobs` holds the parameters, `self.param_str` the text of the prototxt,
    `self.phase` caffe.TRAIN or caffe.TEST. Every other attribute is yours.
    """

    instead = (
        "Pickle or copy the values of its parameters, [blob.data.copy() for blob in layer.blobs], or write those of "
        "the whole net: net.save(file)."
    )

    def __init__(self, layer_param: Any):
        self._type: str = layer_param.type
        self.param_str: str = layer_param.python_param.param_str
        self.phase: int = layer_param.phase
        self.blobs = BlobVec()
        for proto in layer_param.blobs:
            values = _given(proto, f"layer '{layer_param.name}' ({layer_param.type})")
            self.blobs.add_blob(*values.shape)
            self.blobs[-1].data[...] = values

    @property
    def type(self) -> str:
        return self._type

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Read the settings, make the parameters."""

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Give the tops their shapes. Called before every forward."""
        raise NotImplementedError(f"{type(self).__name__} has no reshape(bottom, top); write it")

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no forward(bottom, top); write it")

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        raise NotImplementedError(
            f"{type(self).__name__} has no backward(top, propagate_down, bottom); write it, "
            "or set propagate_down: false"
        )


def _given(proto: Any, owner: str) -> np.ndarray:
    """The values of a parameter that stands in the net's own text."""
    shape = check_shape(shape_of(proto), f"{owner}: blobs")
    count = len(proto.data) or len(proto.double_data)
    if count != math.prod(shape):
        raise ShapeError(f"{owner}: a blob of shape {shape} has {count:,} values of data. Correct or remove `blobs`.")
    return blobproto_to_array(proto)


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
    ignored: ClassVar[dict[str, str]] = {}
    """Fields of it that are not read, and why."""
    replaces_tops: ClassVar[bool] = False
    """Forward makes new tensors of its tops, whatever they held."""
    replayable: ClassVar[bool] = False
    """Computes from blobs alone and never has to look at their values: see caffe/plan/replay.py."""
    forgets_tops: ClassVar[bool] = False
    """Its gradient does not need the values of its tops: a layer in place after it may write over them."""

    def __init__(self, layer_param: Any):
        super().__init__(layer_param)
        self.layer_param = layer_param
        self.propagate_down: list[bool] = []
        self.param_propagate_down: list[bool] = []
        self.records = False
        """Whether forward keeps what backward needs; Net decides."""
        self.in_place = False
        self.needs_record = True
        """Whether backward needs more than the blobs hold."""
        self.overwrites = False
        """In place, over values that nobody needs; Net decides."""

    @property
    def shown(self) -> Layer:
        """The layer that `net.layers` shows."""
        return self

    @property
    def name(self) -> str:
        return self.layer_param.name

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

    def reaches(self) -> tuple[Reach, Reach] | tuple[()]:
        """What a position of the one top sees of the one bottom's rows and columns; (): no telling."""
        return ()

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Whether `force_backward: true` asks for the gradient of this bottom."""
        return bottom_index not in self.no_gradient


class TorchLayer(NativeLayer):
    """A layer whose gradient autograd derives from `compute`."""

    tensors: list[torch.Tensor]
    """The parameters, while `compute` runs."""
    _params_added = 0
    factors: ClassVar[bool] = False
    """Multiplies bottoms by parameters (which come as float32), in the precision that the user chose."""
    any_precision: ClassVar[bool] = False
    """Takes bottoms in whatever precision they come; otherwise they are made float32."""
    replaces_tops = True
    replayable = True
    differentiable: ClassVar[bool] = True
    """False: backward is refused, as Caffe refuses it (NOT_IMPLEMENTED)."""
    _record: tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]] | None = None

    def __init__(self, layer_param: Any):
        super().__init__(layer_param)
        self._shaped_for: list[Shape] | None = None
        self._shapes: Sequence[Shape] = ()
        """Of the tops, for bottoms of the shapes `_shaped_for`."""
        self._asked: dict[object, object] = {}
        """What `recurs` was last asked."""

    def top_shapes(self, *bottoms: Shape) -> Sequence[Shape]:
        """The shapes of the tops, from the shapes of the bottoms; here: all like the first bottom."""
        outputs = max(1, len(self.layer_param.top))
        return [bottoms[0]] * outputs

    def compute(self, *bottoms: torch.Tensor) -> torch.Tensor | Sequence[torch.Tensor]:
        """The tops. Pure: never writes its inputs, may be run again, knows no device."""
        raise NotImplementedError

    def compute_over(self, x: torch.Tensor) -> torch.Tensor:
        """The top, written over the bottom where that is easily done; only for layers that need no record."""
        top = self.compute(x)
        return top if isinstance(top, torch.Tensor) else top[0]

    def compute_bordered(self, x: torch.Tensor) -> torch.Tensor:
        """`compute` of a bottom that has its pad already; for layers that pad."""
        raise NotImplementedError

    def add_param(self, shape: Sequence[int], filler: Any) -> None:
        """Append a parameter, filled by a FillerParameter; one that the prototxt brought along stays."""
        index = self._params_added
        self._params_added += 1
        if index < len(self.blobs):
            if index == 0:
                log.info("Skipping parameter initialization")
            if self.blobs[index].shape != tuple(shape):
                raise ShapeError(f"{self}: parameter {index} is {self.blobs[index].shape} in the net, not {shape}")
            return
        limits.check_count(shape, f"parameter {index}", str(self), f"the sizes in {self.settings}")
        self.blobs.add_blob(*shape)
        self.blobs[-1].tensor = fillers.fill(filler, tuple(shape), str(self))

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if shapes != self._shaped_for:
            self._shapes, self._shaped_for = self.top_shapes(*shapes), shapes
            for index, shape in enumerate(self._shapes):
                limits.check_count(shape, f"top {index}", str(self), f"the sizes in {self.settings or 'its bottoms'}")
        for blob, shape in zip(top, self._shapes, strict=False):
            blob.reshape(*shape)

    def made_of(self, index: int, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(parameter, *settings), kept until the parameter may have changed, unless it learns or is viewed."""
        values, blob = self.tensors[index], self.blobs[index]
        if values.requires_grad:
            blob.drop_derived()
        if values.requires_grad or values.data_ptr() != blob.tensor.data_ptr():
            return make(values, *settings)
        made = blob.derived(make, *settings)
        return values if made is blob.tensor else made

    def keeps(self, index: int, make: Callable[..., torch.Tensor], *settings: object) -> bool:
        """Whether `made_of` would make this for many passes, so that it may take long.

        Not of a parameter that learns, nor of one that a NumPy view of it may change at any time. With settings, such
        as the size of an image, from the second time on that the same is asked in a row.
        """
        blob = self.blobs[index]
        if settings and not self.recurs((index, make), blob.stamp, settings):
            return False
        return not self.tensors[index].requires_grad and not blob.viewed

    def recurs(self, key: object, *settings: object) -> bool:
        """Whether the settings, such as the size of an image, are those that this was last asked with for this key."""
        met, self._asked[key] = self._asked.get(key), settings
        return met == settings

    def _cast(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """The bottoms in the precision that the layer computes in."""
        if self.any_precision:
            return inputs
        kind = device.factor_type() if self.factors else torch.float32
        return [x.to(kind) for x in inputs]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        overwrites = self.overwrites and not self.records
        aside = self.in_place and not overwrites
        inputs = [b.tensor.clone() if aside and b.viewed else b.tensor for b in bottom]
        self._put(top, self._run(inputs, self.compute_over if overwrites else self.compute, record=self.records))

    def forward_bordered(self, bottom: list[Blob], top: list[Blob]) -> None:
        """`forward` of a bottom that has its pad already; for layers that pad."""
        self._put(top, self._run([b.tensor for b in bottom], self.compute_bordered, record=self.records))

    def _put(self, top: list[Blob], outputs: Sequence[torch.Tensor]) -> None:
        for blob, values in zip(top, outputs, strict=False):
            blob.tensor = values.data  # not detach(): a layer in place may write over it

    def _run(
        self,
        inputs: list[torch.Tensor],
        compute: Callable[..., torch.Tensor | Sequence[torch.Tensor]],
        *,
        record: bool,
    ) -> Sequence[torch.Tensor]:
        self._record = None
        params = [blob.tensor for blob in self.blobs]
        if record:
            inputs = [_leaf(x, wanted) for x, wanted in zip(inputs, self.propagate_down, strict=False)]
            params = [_leaf(p, wanted) for p, wanted in zip(params, self.param_propagate_down, strict=False)]
        self.tensors = params
        with _recording(wanted=record):
            tops = compute(*self._cast(inputs))
        outputs = [tops] if isinstance(tops, torch.Tensor) else list(tops)
        self.tensors = []
        if record:
            self._record = (inputs, params, outputs)
        return outputs

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        for index in self.no_gradient:
            if index < len(propagate_down) and propagate_down[index]:
                raise NetError(f"{self}: {self.type} Layer cannot backpropagate to label inputs (bottom {index}).")
        if not self.differentiable and any(propagate_down):
            raise NetError(
                f"{self}: backward of {self.type} is Not Implemented Yet: it has no gradient. Use propagate_down: false"
            )
        if self._record is None:
            self._run([b.tensor for b in bottom], self.compute, record=True)
        assert self._record is not None
        inputs, params, outputs = self._record
        sources = [x for x in (*inputs, *params) if x.requires_grad]
        reached = [(out, blob.grad.to(out.dtype)) for out, blob in zip(outputs, top, strict=False) if out.requires_grad]
        gradients: dict[int, torch.Tensor] = {}
        for blob, param in zip(self.blobs, params, strict=True):
            if param.requires_grad:
                param.room = blob.expect_grad()  # type: ignore[attr-defined]  # see plan/matrix.py
        if sources and reached:
            ends, seeds = zip(*reached, strict=True)
            found = torch.autograd.grad(ends, sources, seeds, retain_graph=self.in_place, allow_unused=True)
            gradients = {
                id(source): gradient for source, gradient in zip(sources, found, strict=True) if gradient is not None
            }
        if not self.in_place:
            self._record = None
        for blob, wanted, source in zip(bottom, propagate_down, inputs, strict=True):
            if wanted:
                gradient = gradients.get(id(source))
                blob.grad = device.zeros(blob.shape) if gradient is None else gradient
        for blob, source in zip(self.blobs, params, strict=True):
            if id(source) in gradients:
                gradient = gradients[id(source)]
                others = (*gradients.values(), *inputs, *params, *(top_blob.grad for top_blob in top))
                blob.add_grad(gradient, own=blob.lacks_grad and _is_alone(gradient, others))


def _is_alone(values: torch.Tensor, others: Sequence[torch.Tensor]) -> bool:
    """Whether no other tensor of `others` has the memory of this one."""
    memory = values.untyped_storage().data_ptr()
    return not any(other is not values and other.untyped_storage().data_ptr() == memory for other in others)


def _recording(*, wanted: bool) -> AbstractContextManager[None]:
    """Autograd on or off; it is off in inference mode, in which somebody may have called a layer without its net."""
    leaves = wanted and torch.is_inference_mode_enabled()
    return torch.inference_mode(False) if leaves else torch.set_grad_enabled(wanted)


def _leaf(values: torch.Tensor, wanted: bool) -> torch.Tensor:
    """An alias of a blob's tensor for autograd to start from; later writes to the blob are seen, not refused."""
    alias = values.data
    return alias.requires_grad_() if wanted and alias.is_floating_point() else alias


def create(layer_param: Any) -> NativeLayer:
    """The layer that a LayerParameter names; an unknown type is refused with the known ones (LayerRegistry)."""
    cls = REGISTRY.get(layer_param.type)
    if cls is None:
        raise NetError(
            f"layer '{layer_param.name}': Unknown layer type: {layer_param.type} (known types: "
            f"{', '.join(sorted(REGISTRY))}). Correct `type`, or write it as a Python layer."
        )
    return cls(layer_param)
