"""The backbones: layers, parameters, receptive field and stride, computed from the nets (CVPR 2015, table 1).

    python -m analyses backbones

Parameters and layers are those of the FCN with as many classes as --classes says, without its upsampling. The paper's
receptive fields are those of the classification nets in convolutional form: what one score sees. GoogLeNet's 907 counts
the average pooling before its scores, which its FCN does without; there a score sees 715.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fcn_caffe import program
from fcn_caffe.net_spec import geometry
from fcn_caffe.net_spec.catalogue import CLASSIFIERS, ROWS, adapt
from fcn_caffe.net_spec.trunks import CAFFENET, GOOGLENET, SQUEEZENET, VGG16, Trunk

PUBLISHED = {
    "caffenet": "8 57M 355 32",
    "vgg16": "16 134M 404 32",
    "googlenet": "22 6M 907 32",
}
"""Layers, parameters, receptive field and stride as the paper gives them; its AlexNet is CaffeNet."""

TRUNKS = (CAFFENET, VGG16, GOOGLENET, SQUEEZENET)


@dataclass(frozen=True)
class Backbone:
    """A row of the table.

    layers: convolutions on the longest way from the image to the scores.
    field, stride: what a score of the classification net sees, and how far the next one's view lies from it, in pixels.
    fcn_field: what a score of the FCN sees.
    """

    name: str
    layers: int
    parameters: int
    field: int
    fcn_field: int
    stride: int


def backbone(trunk: Trunk, classes: int = 21) -> Backbone:
    """The row of a trunk, from its FCN of the coarsest stride and from its classification net."""
    coarsest = 16 if trunk is SQUEEZENET else 32
    row = replace(ROWS["voc-fcn32s"], trunk=trunk, stride=coarsest)
    fcn = adapt(row, row.name, row.data, classes).net("deploy")
    counts = geometry.parameters(fcn)
    conv = next(row for row in CLASSIFIERS if row.trunk is trunk).net("conv")
    seen = geometry.receptive_field(conv, next(layer.bottom[0] for layer in conv.layer if layer.type == "Softmax"))
    return Backbone(
        trunk.name,
        depth(fcn)[_score(fcn)],
        sum(count for layer, count in counts.items() if "upscore" not in layer),
        seen.size,
        geometry.receptive_field(fcn, _score(fcn)).size,
        seen.stride,
    )


def depth(net: Any) -> dict[str, int]:
    """Blob to the number of convolutions on the longest way to it."""
    found: dict[str, int] = {}
    for layer in net.layer:
        before = max((found[bottom] for bottom in layer.bottom), default=0)
        found.update((top, before + (layer.type == "Convolution")) for top in layer.top)
    return found


def _score(fcn: Any) -> str:
    """The blob of the coarsest scores."""
    return next(layer.top[0] for layer in fcn.layer if layer.name.startswith("score_fr"))


def table(classes: int = 21) -> str:
    """Every backbone of the catalogue beside what the paper gives."""
    lines = [
        f"{'backbone':16} {'conv layers':>11} {'parameters':>12} {'rf':>5} {'rf in FCN':>9} {'stride':>6}   "
        "published: layers, parameters, rf, stride"
    ]
    for trunk in TRUNKS:
        row = backbone(trunk, classes)
        lines.append(
            f"{row.name:16} {row.layers:11} {row.parameters:12,} {row.field:5} {row.fcn_field:9} {row.stride:6}   "
            + PUBLISHED.get(row.name, "–")
        )
    return "\n".join(lines)


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("--classes", type=int, default=21, help="background included (default: 21)")
    print(table(parser.parse_args(arguments).classes))
    return 0
