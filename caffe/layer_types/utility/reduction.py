"""Layers that combine many numbers into one: across blobs, along axes, or into the place of the largest."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Rows, Shape, TorchLayer, layer_type
from caffe.layer_types.helpers.axes import canonical
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


@layer_type
class ArgMax(TorchLayer):
    """Where the largest values are. It has no gradient.

    y = the places of the top_k largest x, largest first; of equal ones the later place
    bottom: x (N, …)
    top: (N, 1, top_k) indices into the flattened rest; with out_max_val (N, 2, top_k), values in the second channel;
        with axis, the bottom's shape with top_k in place of that axis (indices, or values with out_max_val)
    parameters: out_max_val, top_k, axis
    source: src/caffe/layers/argmax_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "argmax_param"
    traits = replace(TorchLayer.traits, replayable=True)
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.argmax_param
        self.top_k, self.out_max_val = param.top_k, param.out_max_val
        self.has_axis = param.HasField("axis")
        shape = bottom[0].shape
        canonical(0, shape, self)
        self.axis = canonical(param.axis, shape, self) if self.has_axis else 1
        if self.top_k < 1:
            raise NetError(f"{self}: top_k is {self.top_k}: top k must not be less than 1. Correct it.")
        choices = shape[self.axis] if self.has_axis else math.prod(shape[1:])
        if self.top_k > choices:
            raise NetError(f"{self}: top_k is {self.top_k}: top_k must be less than or equal to {choices}. Lower it.")

    def top_shapes(self, x: Shape) -> list[Shape]:
        if self.has_axis:
            return [(*x[: self.axis], self.top_k, *x[self.axis + 1 :])]
        return [(x[0], 2 if self.out_max_val else 1, self.top_k, *(1,) * (len(x) - 3))]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return Rows() if self.has_axis and self.axis != 2 else None

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.movedim(self.axis, -1) if self.has_axis else x.reshape(len(x), math.prod(x.shape[1:]))
        # Of equal values the one with the higher index comes first, as in Caffe's sort of (value, index) pairs.
        order = rows.flip(-1).sort(dim=-1, descending=True, stable=True)
        values = order.values[..., : self.top_k]
        indices = (rows.shape[-1] - 1 - order.indices[..., : self.top_k]).to(x.dtype)
        if self.has_axis:
            return (values if self.out_max_val else indices).movedim(-1, self.axis)
        chosen = torch.stack([indices, values], dim=1) if self.out_max_val else indices.unsqueeze(1)
        return chosen.reshape(self.top_shapes(tuple(x.shape))[0])


@layer_type
class Eltwise(TorchLayer):
    """Combines blobs of one shape, element by element.

    y = Σ coeff_i · x_i, or Π x_i, or max x_i
    bottom: x_i, all of one shape
    top: like each x_i
    parameters: operation (SUM by default), coeff (for SUM), stable_prod_grad (false: gradient of PROD as y / x_i)
    restrictions: coeff is for SUM only, one for each bottom
    source: src/caffe/layers/eltwise_layer.cpp
    """

    bottoms = (2, None)
    tops = 1
    settings = "eltwise_param"
    traits = replace(TorchLayer.traits, replayable=True, row_by_row=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.eltwise_param
        if len(param.coeff) not in (0, len(bottom)):
            raise NetError(
                f"{self}: {len(param.coeff)} coefficients for {len(bottom)} bottoms: Eltwise Layer takes one "
                "coefficient per bottom blob."
                " Correct `coeff`."
            )
        if param.operation == param.PROD and param.coeff:
            raise NetError(f"{self}: Eltwise layer only takes coefficients for summation. Remove coeff.")
        self.operation = param.operation
        self.traits = replace(self.traits, multiplies_bottoms=self.operation == param.PROD)
        self.coefficients = list(param.coeff) or [1.0] * len(bottom)
        self.stable_prod_grad = param.stable_prod_grad

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for index, shape in enumerate(bottoms):
            if shape != bottoms[0]:
                raise ShapeError(
                    f"{self}: bottom 0 is {shape_text(bottoms[0])}, bottom {index} is {shape_text(shape)}; they must "
                    "be equal (bottom[0]->shape() == bottom[i]->shape()). Crop or reshape one.",
                    found=shape,
                    expected=bottoms[0],
                    remedy="Crop or reshape one.",
                )
        return [bottoms[0]]

    def compute(self, *bottoms: torch.Tensor) -> torch.Tensor:
        kinds = caffe_pb2.EltwiseParameter
        if self.operation == kinds.SUM:
            return self._sum(bottoms)
        if self.operation == kinds.PROD:
            return torch.stack(bottoms).prod(0) if self.stable_prod_grad else _UnstableProduct.apply(*bottoms)
        largest = bottoms[0]
        for index, x in enumerate(bottoms[1:]):
            # The gradient of a tie goes to the second of the first two bottoms, else to the earlier one.
            stays = largest > x if index == 0 else largest >= x
            largest = torch.where(stays, largest, x)
        return largest

    def _sum(self, bottoms: tuple[torch.Tensor, ...]) -> torch.Tensor:
        total = None
        for x, coefficient in zip(bottoms, self.coefficients, strict=True):
            term = x if coefficient == 1 else x * coefficient
            total = term if total is None else total + term
        assert total is not None
        return total

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return (len(bottom) - 1) * top[0].count


class _UnstableProduct(torch.autograd.Function):
    """A product whose gradient is y / x_i: not a number where x_i is 0."""

    @staticmethod
    def forward(ctx, *factors):  # type: ignore[no-untyped-def]
        product = torch.stack(factors).prod(0)
        ctx.save_for_backward(product, *factors)
        return product

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        product, *factors = ctx.saved_tensors
        return tuple(product / factor * grad for factor in factors)


@layer_type
class Reduction(TorchLayer):
    """Sums or averages over all axes from one on.

    y = coeff · Σ x, or Σ |x|, or Σ x², or the mean of x
    bottom: x
    top: the axes before `axis`
    parameters: operation, axis (default 0), coeff
    source: src/caffe/layers/reduction_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "reduction_param"
    traits = replace(TorchLayer.traits, replayable=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.reduction_param
        self.operation, self.coeff = param.operation, param.coeff
        self.axis = canonical(param.axis, bottom[0].shape, self)

    def top_shapes(self, x: Shape) -> list[Shape]:
        return [x[: self.axis]]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        kinds = caffe_pb2.ReductionParameter
        terms = {kinds.ASUM: torch.abs, kinds.SUMSQ: torch.square}.get(self.operation, torch.Tensor.clone)(x)
        rows = terms.flatten(start_dim=self.axis)
        return self.coeff * (rows.mean(-1) if self.operation == kinds.MEAN else rows.sum(-1))
