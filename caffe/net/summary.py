"""A summary of a net's layers: shapes, parameters, multiplications, and receptive fields of positions in the input."""

from dataclasses import dataclass
from fractions import Fraction

from caffe.coord_map import PASS_THROUGH_LAYERS
from caffe.layer_types.base import NativeLayer
from caffe.layer_types.loss.probability import Softmax
from caffe.layer_types.normalization.normalization import LRN
from caffe.layer_types.utility.shape import Concat, Slice
from caffe.layer_types.vision.convolution import Deconvolution
from caffe.layer_types.vision.crop import Crop
from caffe.net import Net
from caffe.net.graph import Node
from caffe.shapes import shape_text

UNDEFINED = "-"


@dataclass(frozen=True)
class Sees:
    """Along one axis: a position p sees `field` pixels of the input around pixel stride · p + offset."""

    field: Fraction = Fraction(1)
    stride: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def through(self, extent: int, stride: int, pad: int) -> "Sees":
        """After a window that sees `extent` positions from stride · p − pad on."""
        centre = Fraction(extent - 1, 2) - pad
        return Sees(self.field + (extent - 1) * self.stride, self.stride * stride, self.offset + centre * self.stride)

    def spread(self, extent: int, stride: int, pad: int) -> "Sees":
        """After the transpose of such a window; position p may see ⌈extent / stride⌉ of those before."""
        centre = Fraction(pad) - Fraction(extent - 1, 2)
        finer = self.stride / stride
        return Sees(self.field + (-(-extent // stride) - 1) * self.stride, finer, self.offset + centre * finer)

    def moved(self, by: int) -> "Sees":
        """After so many positions at the beginning were cut off."""
        return Sees(self.field, self.stride, self.offset + by * self.stride)


Both = tuple[Sees, Sees]
"""Of the rows and of the columns."""


@dataclass(frozen=True)
class Row:
    """A layer. sees: what its first top sees of the net's first input of four axes; None where that is the whole input,
    nothing of it, or cannot be told."""

    name: str
    type: str
    shapes: tuple[tuple[int, ...], ...]
    parameters: int
    multiplications: int
    sees: Both | None


def rows(net: Net) -> list[Row]:
    """The net's layers in order, for its present shapes; without the Splits that were put between them.

    parameters: numbers, those of shared ones with the layer that owns them. multiplications: by weights, each with an
    addition (MACs), of one forward pass.
    """
    images = [name for name in net.inputs if len(net.blobs[name].shape) == 4]
    seen: dict[int, Both] = {}
    if images:
        seen[net.graph.blob_names.index(images[0])] = (Sees(), Sees())
    found = []
    for node in net.nodes:
        layer = node.layer
        sees = _sees(node, [seen.get(index) for index in node.bottom_ids])
        if layer.type == "Input":
            sees = seen.get(node.top_ids[0])
        for index in node.top_ids:
            if sees is not None:
                seen[index] = sees
            elif layer.type != "Input":
                seen.pop(index, None)
        if layer.type == "Split":
            continue
        owned = [param.blob for param in node.params if param.owner is param]
        uses = layer.uses_of_weights(node.bottom, node.top)
        weights = sum(blob.count for blob in layer.blobs if len(blob.shape) > 1)
        shapes = tuple(blob.shape for blob in node.top)
        found.append(Row(layer.name, layer.type, shapes, sum(b.count for b in owned), uses * weights, sees))
    return found


def _sees(node: Node, bottoms: list[Both | None]) -> Both | None:
    layer = node.layer
    known = [each for each in bottoms if each is not None]
    if isinstance(layer, Crop):
        if bottoms[0] is None or len(node.bottom[0].shape) != 4:
            return None
        offsets = [0] * layer.axis + list(layer.offsets)
        return bottoms[0][0].moved(offsets[2]), bottoms[0][1].moved(offsets[3])
    if not known or len(known) < len(bottoms):
        return None
    if layer.traits.receptive_field:
        rows, columns = layer.traits.receptive_field
        return (
            known[0][0].through(rows.extent, rows.stride, rows.pad),
            known[0][1].through(columns.extent, columns.stride, columns.pad),
        )
    if isinstance(layer, Deconvolution) and len(layer.windows.kernel) == 2:
        settings = list(zip(layer.windows.extent, layer.windows.stride, layer.windows.pad, strict=True))
        return known[0][0].spread(*settings[0]), known[0][1].spread(*settings[1])
    if layer.type in (*PASS_THROUGH_LAYERS, "ReLU6") and _keeps_places(layer):
        return _widest(known, 0), _widest(known, 1)
    return None


def _keeps_places(layer: NativeLayer) -> bool:
    """Whether a layer of a type that usually does leaves every pixel where it is, and looks at no other."""
    if isinstance(layer, LRN):
        return layer.across_channels
    if isinstance(layer, Concat | Slice | Softmax):
        return layer.axis in (0, 1)
    return layer.type != "MVN"


def _widest(known: list[Both], axis: int) -> Sees:
    return max((each[axis] for each in known), key=lambda sees: sees.field)


def text(net: Net) -> str:
    """The rows as a table, and their sums."""
    found = rows(net)
    table: list[tuple[str, ...]] = [("layer", "type", "output", "parameters", "MACs", "field", "stride", "offset")]
    for row in found:
        shapes = ", ".join(map(shape_text, row.shapes)) or UNDEFINED
        counts = (f"{count:,}" if count else UNDEFINED for count in (row.parameters, row.multiplications))
        place = (_both(row.sees, word) for word in ("field", "stride", "offset"))
        table.append((row.name, row.type, shapes, *counts, *place))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(_placed(line, widths)).rstrip() for line in table]
    lines.insert(1, "-" * max(map(len, lines)))
    parameters, macs = (sum(getattr(row, word) for row in found) for word in ("parameters", "multiplications"))
    size = f"{4 * parameters / 1e6:,.1f} MB"
    lines += [lines[1], f"{len(found)} layers, {parameters:,} parameters ({size}), {macs:,} MACs"]
    return "\n".join(lines)


def _placed(line: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    sides = (str.ljust, str.ljust, str.ljust, *[str.rjust] * 5)
    return [side(cell, width) for side, cell, width in zip(sides, line, widths, strict=True)]


def _both(sees: Both | None, word: str) -> str:
    if sees is None:
        return UNDEFINED
    rows, columns = (_number(getattr(each, word)) for each in sees)
    return rows if rows == columns else f"{rows}×{columns}"


def _number(value: Fraction) -> str:
    return f"{float(value):.3f}".rstrip("0").rstrip(".")
