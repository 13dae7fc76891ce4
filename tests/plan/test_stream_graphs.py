"""Nets drawn at random, and those of the catalogue, in bands: the same scores as of the whole image."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.proto import caffe_pb2
from tests.cases.case import input_layer, layer
from tests.plan.nets import build, fill
from tests.plan.streaming import assert_equal_to_rounding, computed, in_bands_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY_NETS = sorted(ROOT.glob("nets/*/deploy.prototxt"))
THIN = 6
"""Channels that are left of a layer's."""


class Drawn:
    """A net of layers drawn at random, in which every map has one of a few strides."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.lines = [input_layer("data", (1, 3, self.random.randint(40, 70), self.random.randint(20, 40)))]
        self.maps = [("data", 3, 1)]
        """Name, channels, stride."""
        self.count = 0

    def add(self, type: str, bottoms: list[str], body: str, *, in_place: bool = False) -> str:
        self.count += 1
        name = f"{type.lower()}{self.count}"
        top = bottoms[0] if in_place else name
        self.lines.append(layer(name, type, bottoms, [top], body))
        return top

    def grow(self) -> None:
        name, channels, stride = self.random.choice(self.maps[-3:])
        kind = self.random.choice(["conv", "conv", "conv", "pool", "deconv", "row", "join", "interp"])
        draw = self.random.randint
        if kind == "conv":
            kernel, dilation, step = draw(1, 4), draw(1, 3), draw(1, 2)
            body = f"num_output: 4 kernel_size: {kernel} dilation: {dilation} stride: {step} pad: {draw(0, 5)}"
            made = (self.add("Convolution", [name], f"convolution_param {{ {body} }}"), 4, stride * step)
            if draw(0, 1):
                self.add("ReLU", [made[0]], "", in_place=True)
        elif kind == "pool":
            kernel = draw(2, 3)
            body = f"pool: {self.random.choice(['MAX', 'AVE'])} kernel_size: {kernel} stride: 2 pad: {draw(0, 1)}"
            made = (self.add("Pooling", [name], f"pooling_param {{ {body} }}"), channels, stride * 2)
        elif kind == "deconv":
            step = draw(1, 3)
            body = f"num_output: 3 kernel_size: {step + draw(0, 3)} stride: {step} pad: {draw(0, 1)}"
            made = (self.add("Deconvolution", [name], f"convolution_param {{ {body} }}"), 3, stride / step)
        elif kind == "row":
            type, body = self.random.choice(
                [("LRN", "lrn_param { local_size: 3 }"), ("Softmax", ""), ("Power", "power_param { shift: 1 }")]
            )
            made = (self.add(type, [name], body), channels, stride)
        elif kind == "interp":
            made = (self.add("Interp", [name], "interp_param { zoom_factor: 2 }"), channels, stride / 2)
        else:
            other, more, _ = self.random.choice(self.maps[-3:])
            like = self.random.choice([name, other])
            parts = [self.add("Crop", [each, "corner"], "crop_param { axis: 2 offset: 1 }") for each in (name, like)]
            made = (self.add("Concat", parts, ""), channels + (channels if like == name else more), stride)
        self.maps.append(made)

    def text(self) -> str:
        for _ in range(self.random.randint(4, 9)):
            self.grow()
        name, channels, _ = self.maps[-1]
        self.lines.insert(1, input_layer("corner", (1, 1, 3, 3)))
        body = "convolution_param { num_output: 3 kernel_size: 1 }"
        self.add("Convolution", [name], body)
        return "\n".join(self.lines)


def streamed(net: caffe.Net, blob: str, image: np.ndarray, rows: int | None = None) -> np.ndarray:
    stream = net.stream(image, rows=rows, blob=blob)
    bands = list(stream)
    assert [row for row, _ in bands] == list(range(0, stream.shape[1], stream.rows))
    return np.concatenate([band for _, band in bands], axis=1)


def drawn_net(seed: int) -> caffe.Net | None:
    try:
        return build(Drawn(seed).text())
    except CaffeError:  # a map became too small
        return None


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize(
    "seed", [*range(15), *(pytest.param(seed, marks=pytest.mark.slow(reason="more of them")) for seed in range(15, 40))]
)
def test_graphs_drawn_at_random(seed, rows, monkeypatch):
    net = drawn_net(seed)
    if net is None:
        return
    in_bands_of(monkeypatch, rows)
    expected = {name: values.copy() for name, values in net.forward().items()}
    for name, values in computed(net, list(expected), rows).items():
        assert_equal_to_rounding(values, expected[name])


def test_most_drawn_graphs_are_nets():
    assert sum(drawn_net(seed) is not None for seed in range(40)) >= 25


OF_ONE_SIZE = {"camvid-segnet", "camvid-deconvnet", "voc-deconvnet"}
"""Its upsampling layers say how large their tops are."""


def thin(file: Path) -> caffe.Net:
    """The catalogue's net with a few channels in each layer, filled at random."""
    message = prototxt.read_net(str(file))
    for each in message.layer:
        if each.type in ("Convolution", "Deconvolution"):
            param = each.convolution_param
            param.num_output = min(param.num_output, THIN)
            param.group = min(param.group, THIN)
    message.state.phase = caffe_pb2.TEST
    return build(str(message))


def graph(text: str) -> str:
    """A net's text without its blobs' and layers' own names, and without what tells nets of one form apart."""
    numbered: dict[str, str] = {}
    text = re.sub(r"num_output: \d+|dim: \d+|param \{ lr_mult.*?\}|name: \".*?\"|\s+", "", text)
    return re.sub(r'"[^"]*"', lambda quoted: numbered.setdefault(quoted[0], str(len(numbered))), text)


def of_one_input() -> list:
    """The catalogue's nets of one image of any size; those of a form that an earlier one has already are slow."""
    seen: set[str] = set()
    nets = []
    for file in DEPLOY_NETS:
        text = file.read_text()
        if text.count('type: "Input"') == 1 and "InnerProduct" not in text:
            again = graph(text) in seen
            marks = [pytest.mark.slow(reason="an earlier net has this form")] if again else []
            nets.append(pytest.param(file, id=file.parent.name, marks=marks))
            seen.add(graph(text))
    return nets


@pytest.mark.parametrize("file", of_one_input())
def test_nets_of_the_catalogue(file, monkeypatch):
    net = thin(file)
    maps = [name for name in net.outputs if len(net.blobs[name].shape) == 4]
    own = [tuple(net.blobs[net.inputs[0]].shape[2:])]
    for height, width in own if file.parent.name in OF_ONE_SIZE else [(61, 47), (96, 64)]:
        name = net.inputs[0]
        net.blobs[name].reshape(1, net.blobs[name].shape[1], height, width)
        fill(net)
        expected = {blob: values[0].copy() for blob, values in net.forward().items() if blob in maps}
        image = net.blobs[name].data[0].copy()
        for rows in (4, 8):
            with monkeypatch.context() as patch:
                in_bands_of(patch, rows)
                for blob, values in expected.items():
                    assert_equal_to_rounding(streamed(net, blob, image, rows=7), values)
