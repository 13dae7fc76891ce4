"""Layers that join, cut, repeat and rearrange, and leave every number as it is."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Handling, NativeLayer, Precision, Rows, Shape, TorchLayer, Traits, layer_type
from caffe.layer_types.helpers.axes import canonical, refuse_in_place
from caffe.shapes import shape_text


def _one_axis(layer: NativeLayer, name: str, old_name: str) -> int:
    """The setting `axis`, or its unsigned old name; not both."""
    param = getattr(layer.layer_param, str(layer.settings))
    if param.HasField(name) and param.HasField(old_name):
        raise NetError(f"{layer}: Either {name} or {old_name} should be specified; not both. Remove one.")
    return getattr(param, old_name if param.HasField(old_name) else name)


@layer_type
class BatchReindex(TorchLayer):
    """Picks items of a batch by number.

    y[i] = x[index[i]]
    bottom: x (N, …), index (M)
    top: (M, …)
    restrictions: the index has no gradient
    source: src/caffe/layers/batch_reindex_layer.cpp
    """

    bottoms = 2
    tops = 1
    traits = replace(TorchLayer.traits, handling=Handling.MOVED)

    def top_shapes(self, x: Shape, index: Shape) -> list[Shape]:
        if len(index) != 1:
            raise ShapeError(f"{self}: index is {index}, expected one axis (1 == bottom[1]->num_axes()). Reshape it.")
        canonical(0, x, self)
        return [index + x[1:]]

    def compute(self, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        rows = index.detach().long()
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < len(x):
            raise NetError(
                f"{self}: index {rows.min()} … {rows.max()} for a batch of {len(x)}: expected 0 … {len(x) - 1}."
                " Correct the index."
            )
        return x.index_select(0, rows)

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        if propagate_down[1]:
            raise NetError(f"{self}: Cannot backprop to index. Use propagate_down: true propagate_down: false.")
        super().backward(top, propagate_down, bottom)


@layer_type
class Concat(TorchLayer):
    """Puts blobs side by side along one axis.

    y = x_1, x_2, … one after the other
    bottom: x_i, of one shape but for that axis
    top: the same, its size along that axis the sum of theirs
    parameters: axis (default 1), concat_dim (old name)
    source: src/caffe/layers/concat_layer.cpp
    """

    bottoms = (1, None)
    tops = 1
    settings = "concat_param"
    traits = replace(
        TorchLayer.traits, replayable=True, precision=Precision.ANY, handling=Handling.MOVED, zero_at_zero=True
    )

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.axis_setting = _one_axis(self, "axis", "concat_dim")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        first = bottoms[0]
        self.axis = axis = canonical(self.axis_setting, first, self)
        for index, shape in enumerate(bottoms):
            if len(shape) != len(first):
                raise ShapeError(
                    f"{self}: bottom 0 is {shape_text(first)}, bottom {index} is {shape_text(shape)}. All inputs must "
                    "have the same #axes."
                )
            if shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
                raise ShapeError(
                    f"{self}: bottom 0 is {shape_text(first)}, bottom {index} is {shape_text(shape)}. "
                    "All inputs must have the same shape, except at concat_axis."
                )
        return [(*first[:axis], sum(shape[axis] for shape in bottoms), *first[axis + 1 :])]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return None if self.axis == 2 else Rows()

    def compute(self, *bottoms: torch.Tensor) -> torch.Tensor:
        return torch.cat(bottoms, dim=self.axis)


@layer_type
class Filter(TorchLayer):
    """Keeps the items of a batch that a selector marks.

    y_i = the rows of x_i whose selector is not 0
    bottom: any number of x_i (N, …), and last the selector (N, 1, …): 0 drops an item
    top: one for each bottom before the selector, (kept, …)
    restrictions: the selector has no gradient
    source: src/caffe/layers/filter_layer.cpp
    """

    bottoms = (2, None)
    tops = (1, None)
    traits = replace(TorchLayer.traits, handling=Handling.MOVED)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        if len(top) != len(bottom) - 1:
            raise NetError(
                f"{self}: {len(top)} tops, expected {len(bottom) - 1}: one for each bottom before the selector."
                " Correct the tops."
            )
        self.kept = 0
        self.has_run = False
        """Caffe gives the tops the bottoms' shapes until then."""

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        *items, selector = bottoms
        if any(dim != 1 for dim in selector[1:]):
            raise ShapeError(
                f"{self}: Selector blob dimensions must be singletons (1), except the first; it is "
                f"{shape_text(selector)}."
                " Reshape it."
            )
        for index, shape in enumerate(items):
            if shape[:1] != selector[:1]:
                raise ShapeError(
                    f"{self}: Each bottom should have the same 0th dimension as the selector blob: bottom {index} is "
                    f"{shape_text(shape)}, the selector {shape_text(selector)}."
                    " Give bottoms of equal batches."
                )
        return [(self.kept, *shape[1:]) for shape in items]

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        selector = bottom[-1]
        canonical(0, selector.shape, self)
        self.kept = int(torch.count_nonzero(selector.tensor)) if self.has_run else selector.shape[0]
        self._shaped_for = None  # its values decide, too
        super().reshape(bottom, top)

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.has_run = True
        self.reshape(bottom, top)
        super().forward(bottom, top)

    def compute(self, *bottoms: torch.Tensor) -> list[torch.Tensor]:
        *items, selector = bottoms
        rows = selector.detach().reshape(-1).nonzero().reshape(-1)
        return [x.index_select(0, rows) for x in items]

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        if propagate_down[-1]:
            raise NetError(
                f"{self}: Layer cannot backpropagate to filter index inputs. Set propagate_down for each bottom."
            )
        super().backward(top, propagate_down, bottom)


@layer_type
class Flatten(TorchLayer):
    """Makes one axis of several.

    y = x
    bottom: x
    top: x's shape, axes `axis` to end_axis as one
    parameters: axis (default 1), end_axis (default −1): the first and last axis to join
    source: src/caffe/layers/flatten_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "flatten_param"
    traits = replace(TorchLayer.traits, replayable=True, handling=Handling.UNTOUCHED, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        refuse_in_place(self)

    def top_shapes(self, x: Shape) -> list[Shape]:
        param = self.layer_param.flatten_param
        first, last = canonical(param.axis, x, self), canonical(param.end_axis, x, self)
        if last < first - 1:
            raise ShapeError(
                f"{self}: axis {first} lies behind end_axis {last} of {x} (start_axis <= end_axis)."
                " Correct axis or end_axis."
            )
        self.shape = (*x[:first], math.prod(x[first : last + 1]), *x[last + 1 :])
        return [self.shape]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(self.shape)


@layer_type
class Reshape(TorchLayer):
    """Gives the same numbers another shape.

    y = x
    bottom: x
    top: x's shape, `num_axes` axes from `axis` on replaced by `shape`
    parameters: shape (0: as in the bottom, −1: what is left over), axis and num_axes: which axes are replaced
    source: src/caffe/layers/reshape_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "reshape_param"
    traits = replace(TorchLayer.traits, replayable=True, handling=Handling.UNTOUCHED, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        refuse_in_place(self)
        param = self.layer_param.reshape_param
        self.dims = list(param.shape.dim)
        self.axis, self.num_axes = param.axis, param.num_axes
        if self.dims.count(-1) > 1:
            raise ShapeError(f"{self}: shape {self.dims}: new shape contains multiple -1 dims. One may be inferred.")

    def top_shapes(self, x: Shape) -> list[Shape]:
        first = self.axis if self.axis >= 0 else len(x) + self.axis + 1
        if not 0 <= first <= len(x):
            raise ShapeError(f"{self}: axis {self.axis} out of range for {len(x)}-D input blob {x}. Correct axis.")
        if self.num_axes < -1:
            raise ShapeError(
                f"{self}: num_axes is {self.num_axes}, but num_axes must be >= 0, or -1 for all. Correct it."
            )
        last = len(x) if self.num_axes == -1 else first + self.num_axes
        if last > len(x):
            raise ShapeError(
                f"{self}: axis {first}, num_axes {self.num_axes}: end_axis = axis + num_axes is out of range of {x}."
                " Lower num_axes."
            )
        dims = [self._copied(x, first + index) if dim == 0 else dim for index, dim in enumerate(self.dims)]
        around = math.prod(x[:first]) * math.prod(x[last:])
        if -1 in dims:
            known = around * math.prod(dim for dim in dims if dim != -1)
            if known == 0 or math.prod(x) % known:
                raise ShapeError(
                    f"{self}: bottom count ({math.prod(x)}) must be divisible by the product of the specified "
                    f"dimensions ({known})."
                    " Correct `shape`."
                )
            dims[dims.index(-1)] = math.prod(x) // known
        self.shape = (*x[:first], *dims, *x[last:])
        if math.prod(self.shape) != math.prod(x):
            raise ShapeError(
                f"{self}: output count must match input count: {shape_text(x)} cannot become {shape_text(self.shape)}."
                " Correct `shape`."
            )
        return [self.shape]

    def _copied(self, x: Shape, axis: int) -> int:
        if axis >= len(x):
            raise ShapeError(
                f"{self}: shape {self.dims} copies axis {axis}, which the bottom {shape_text(x)} does not have."
                " Write the size instead of 0."
            )
        return x[axis]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(self.shape)


@layer_type
class Silence(NativeLayer):
    """Takes blobs that nothing uses, so that they are no outputs of the net. Their gradient is zero.

    bottom: any number
    source: src/caffe/layers/silence_layer.cpp
    """

    bottoms = (1, None)
    tops = 0
    traits = Traits(handling=Handling.UNTOUCHED)

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.grad = torch.zeros_like(blob.grad)


@layer_type
class Slice(TorchLayer):
    """Cuts a blob along one axis.

    y_i = piece i of x
    bottom: x
    top: x's shape, the size of the piece along that axis
    parameters: axis (default 1), slice_dim (old name), slice_point: where to cut; none: equal pieces
    source: src/caffe/layers/slice_layer.cpp
    """

    bottoms = 1
    tops = (1, None)
    settings = "slice_param"
    traits = replace(TorchLayer.traits, replayable=True, handling=Handling.MOVED, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.axis_setting = _one_axis(self, "axis", "slice_dim")
        self.points = list(self.layer_param.slice_param.slice_point)
        self.pieces = len(top)
        if self.points and len(self.points) != self.pieces - 1:
            raise NetError(
                f"{self}: {len(self.points)} slice points for {self.pieces} tops, expected {self.pieces - 1}."
                " Correct `slice_point`."
            )

    def top_shapes(self, x: Shape) -> list[Shape]:
        self.axis = axis = canonical(self.axis_setting, x, self)
        if self.points:
            bounds = [0, *self.points, x[axis]]
            self.sizes = [end - begin for begin, end in zip(bounds, bounds[1:], strict=False)]
            if min(self.sizes) <= 0:
                raise ShapeError(
                    f"{self}: slice points {self.points} do not rise from 1 to {x[axis] - 1} (axis {axis} of {x})."
                    " Correct `slice_point`."
                )
        else:
            if x[axis] % self.pieces:
                raise ShapeError(
                    f"{self}: Number of top blobs ({self.pieces}) should evenly divide input slice axis ({x[axis]}). "
                    "Give slice_point."
                )
            self.sizes = [x[axis] // self.pieces] * self.pieces
        return [(*x[:axis], size, *x[axis + 1 :]) for size in self.sizes]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return None if self.axis == 2 else Rows()

    def compute(self, x: torch.Tensor) -> Sequence[torch.Tensor]:
        return torch.split(x, self.sizes, dim=self.axis)


@layer_type
class Split(TorchLayer):
    """Gives one blob to several layers; their gradients are added. Net inserts it by itself.

    y_i = x
    bottom: x
    top: each like x
    source: src/caffe/layers/split_layer.cpp
    """

    bottoms = 1
    tops = (1, None)
    traits = replace(
        TorchLayer.traits,
        replayable=True,
        precision=Precision.ANY,
        handling=Handling.UNTOUCHED,
        row_by_row=True,
        zero_at_zero=True,
    )

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        refuse_in_place(self)
        self.copies = len(top)

    def compute(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x[...] for _ in range(self.copies)]  # not view: of one image, that changes the strides


@layer_type
class Tile(TorchLayer):
    """Repeats a blob along one axis.

    y = x, x, …: `tiles` times
    bottom: x
    top: x's shape, that axis `tiles` times as long
    parameters: axis (default 1), tiles: how often
    source: src/caffe/layers/tile_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "tile_param"
    traits = replace(TorchLayer.traits, replayable=True, handling=Handling.MOVED, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.tile_param
        if not param.HasField("tiles"):
            raise NetError(f"{self}: Number of tiles must be specified. Set `tiles`.")
        self.tiles = param.tiles
        if self.tiles <= 0:
            raise NetError(f"{self}: tiles is {self.tiles}. Number of tiles must be positive.")

    def top_shapes(self, x: Shape) -> list[Shape]:
        axis = canonical(self.layer_param.tile_param.axis, x, self)
        self.repeats = [self.tiles if index == axis else 1 for index in range(len(x))]
        return [tuple(dim * times for dim, times in zip(x, self.repeats, strict=True))]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.repeat(self.repeats)
