"""TorchLayer: a layer that computes by torch functions.

A subclass writes `setup`, `top_shapes` and `compute`. Autograd is local to the layer: it starts and ends at the blobs.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch

from caffe import device, limits
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base.native import NativeLayer
from caffe.layer_types.base.stand_in import stand_in, without_memory
from caffe.layer_types.base.traits import Precision, Traits
from caffe.layer_types.helpers import fillers
from caffe.log import log
from caffe.ops import Weight
from caffe.proto import caffe_pb2
from caffe.shapes import Shape, shape_text


class TorchLayer(NativeLayer):
    """A layer whose author writes `compute` on tensors; its gradient comes from autograd."""

    tensors: list[torch.Tensor]
    """The values of the parameters; set only while `compute` runs."""
    _params_added = 0
    traits = Traits(replaces_tops=True)
    differentiable: ClassVar[bool] = True
    """If false, backward raises NetError, where Caffe has NOT_IMPLEMENTED."""
    _record: tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]] | None = None
    keeps_bottoms = True
    """Whether the record for backward keeps bottoms of which backward may need only the shapes."""
    recall: Callable[[], tuple[list[torch.Tensor], dict[str, Any]] | None] | None = None
    """Where the last forward pass was computed without this layer's `forward`: gives the bottoms that it would have
    had, and the attributes that it would have set; None if it ran."""

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        self._shaped_for: list[Shape] | None = None
        self._shapes: Sequence[Shape] = ()
        """The shapes of the tops, for bottoms of the shapes `_shaped_for`."""
        self._asked: dict[object, object] = {}
        self._rooms: dict[int, torch.Tensor | None] = {}
        """Memory for the gradients of parameters while backward runs (see ops/weight.py)."""

    def top_shapes(self, *bottoms: Shape) -> Sequence[Shape]:
        """The shapes of the tops, given the shapes of the bottoms; by default each is that of the first bottom."""
        outputs = max(1, len(self.layer_param.top))
        return [bottoms[0]] * outputs

    def compute(self, *bottoms: torch.Tensor) -> torch.Tensor | Sequence[torch.Tensor]:
        """Compute the tops, of the shapes of `top_shapes`. A pure function: it never writes its inputs."""
        raise NotImplementedError

    def add_param(self, shape: Sequence[int], filler: caffe_pb2.FillerParameter) -> None:
        """Append a parameter of this shape and fill it, unless the prototxt gave its values. Raises ShapeError."""
        index = self._params_added
        self._params_added += 1
        if index < len(self.blobs):
            if index == 0:
                log.info("Skipping parameter initialization")
            if self.blobs[index].shape != tuple(shape):
                raise ShapeError(
                    f"{self}: parameter {index} is {shape_text(self.blobs[index].shape)} in the net, not "
                    f"{shape_text(shape)}."
                    " Correct its blobs in the prototxt.",
                    layer=self.name,
                    found=self.blobs[index].shape,
                    expected=tuple(shape),
                )
            return
        limits.check_count(shape, f"parameter {index}", str(self), f"the sizes in {self.settings}")
        self.blobs.add_blob(*shape)
        self.blobs[-1].tensor = fillers.fill(filler, tuple(shape), str(self))

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Give the tops the shapes of `top_shapes`. Raises ShapeError for more values than a blob can have."""
        shapes = [blob.memory.shape for blob in bottom]
        if shapes != self._shaped_for:
            self._shapes, self._shaped_for = [tuple(shape) for shape in self.top_shapes(*shapes)], shapes
            for index, shape in enumerate(self._shapes):
                limits.check_count(shape, f"top {index}", str(self), f"the sizes in {self.settings or 'its bottoms'}")
        for blob, shape in zip(top, self._shapes, strict=False):
            if blob.memory.shape != shape:
                blob.reshape(*shape)

    def weight(self, index: int = 0) -> Weight:
        """Parameter `index` as an argument of the operations of caffe.ops; only while `compute` runs."""
        return Weight(self.tensors[index], index, self.blobs[index], self._asked, self._rooms)

    def _cast(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """The bottoms in the operand dtype of the layer."""
        if self.traits.precision is Precision.ANY:
            return inputs
        kind = device.factor_type() if self.traits.precision is Precision.CHOSEN else torch.float32
        return [x if x.dtype == kind else x.to(kind) for x in inputs]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Run `compute` on the bottoms, and keep the autograd graph if backward will need it."""
        inputs = [blob.tensor.clone() if self.in_place and blob.memory.viewed else blob.tensor for blob in bottom]
        outputs = self._run(inputs, record=self.prepares_backward)
        for blob, values in zip(top, outputs, strict=False):
            blob.tensor = values.data  # not detach(): a layer in place may write over it

    def forget_record(self) -> None:
        """Free what forward kept for backward."""
        self._record = None

    def forget_tops(self) -> None:
        """Free the tops in the record for backward, which needs only their shapes."""
        for top in self._record[2] if self._record else ():
            top.data = without_memory(top)

    def twin(self) -> "TorchLayer":
        """A second layer on the same parameters, to compute with other shapes; it keeps nothing for backward."""
        made = type(self).__new__(type(self))
        vars(made).update(vars(self))
        made.prepares_backward, made._record, made._shaped_for, made.recall = False, None, None, None
        made._asked, made._rooms = {}, {}
        return made

    def take_bands(self) -> None:
        """Compute bands from now on: bottoms are then bands of rows, already padded along the rows."""

    def forward_band(self, bottom: list[Blob], top: list[Blob], first: int, last: int) -> None:
        """Compute rows first … last − 1 of the tops, and perhaps some around them, from the bands that they need."""
        self.reshape(bottom, top)
        self.forward(bottom, top)

    def _run(self, inputs: list[torch.Tensor], *, record: bool) -> Sequence[torch.Tensor]:
        self._record = None
        params = [blob.tensor for blob in self.blobs]
        if record:
            wanted_of = enumerate(zip(inputs, self.propagate_down, strict=False))
            inputs = [_leaf(x, wanted and index not in self.constant) for index, (x, wanted) in wanted_of]
            params = [_leaf(p, wanted) for p, wanted in zip(params, self.param_propagate_down, strict=False)]
        self.tensors = params
        with _recording(wanted=record):
            seen = inputs
            if record and not self.keeps_bottoms:
                inputs, seen = map(list, zip(*map(stand_in, inputs), strict=True))
            tops = self.compute(*self._cast(seen))
        outputs = [tops] if isinstance(tops, torch.Tensor) else list(tops)
        self.tensors = []
        if record:
            self._record = (inputs, params, outputs)
        return outputs

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        """Differentiate `compute`: set the diffs of the bottoms, add to those of the parameters. Raises NetError."""
        for index in self.no_gradient:
            if index < len(propagate_down) and propagate_down[index]:
                raise NetError(
                    f"{self}: {self.type} Layer cannot backpropagate to label inputs (bottom {index})."
                    " Set propagate_down: false for it."
                )
        if not self.differentiable and any(propagate_down):
            raise NetError(
                f"{self}: backward of {self.type} is Not Implemented Yet: it has no gradient. Use propagate_down: false"
            )
        if self._record is None:
            inputs, noted = (self.recall and self.recall()) or ([blob.tensor for blob in bottom], {})
            vars(self).update(noted)
            self._run(inputs, record=True)
        assert self._record is not None
        inputs, params, outputs = self._record
        sources = [x for x in (*inputs, *params) if x.requires_grad]
        reached = [(out, blob.grad.to(out.dtype)) for out, blob in zip(outputs, top, strict=False) if out.requires_grad]
        gradients: dict[int, torch.Tensor] = {}
        for index, (blob, param) in enumerate(zip(self.blobs, params, strict=True)):
            if param.requires_grad:
                self._rooms[index] = blob.memory.expect_grad()
        if sources and reached:
            ends, seeds = zip(*reached, strict=True)
            found = torch.autograd.grad(ends, sources, seeds, retain_graph=self.in_place, allow_unused=True)
            gradients = {
                id(source): gradient for source, gradient in zip(sources, found, strict=True) if gradient is not None
            }
        self._rooms.clear()
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
                blob.memory.add_grad(gradient, own=blob.memory.lacks_grad and _is_alone(gradient, others))


def _is_alone(values: torch.Tensor, others: Sequence[torch.Tensor]) -> bool:
    """Whether no other tensor of `others` shares memory with this one."""
    memory = values.untyped_storage().data_ptr()
    return not any(other is not values and other.untyped_storage().data_ptr() == memory for other in others)


def _recording(*, wanted: bool) -> AbstractContextManager[None]:
    """Switch autograd on or off, also where the caller of a layer without its net is in torch's inference mode."""
    leaves = wanted and torch.is_inference_mode_enabled()
    return torch.inference_mode(False) if leaves else torch.set_grad_enabled(wanted)


def _leaf(values: torch.Tensor, wanted: bool) -> torch.Tensor:
    """An alias of a blob's tensor as a leaf of autograd: writing to the blob later is allowed, and is seen."""
    alias = values.data
    return alias.requires_grad_() if wanted and alias.is_floating_point() else alias
