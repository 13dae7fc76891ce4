"""Checks that a layer keeps the promises of every layer type, for authors of layer types.

caffe.testing.check_layer('layer { type: "Gain" gain_param { gain: 3 } }', [(2, 3, 4, 4)])
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from caffe import registration, switches
from caffe.errors import NetError, ShapeError
from caffe.formats import prototxt
from caffe.layer_types.base import TorchLayer
from caffe.net import Net
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

ArrayList = list[np.ndarray]
Oracle = Callable[..., Any]
_STEP, _MOST_ELEMENTS = 1e-6, 2000


def check_layer(
    text: str,
    shapes: Sequence[Sequence[int]],
    *,
    values: Sequence[Any] | None = None,
    params: Sequence[Any] | None = None,
    expected: Oracle | None = None,
    tops: int = 1,
    train: bool = True,
    gradient: bool = True,
    smooth: bool = True,
    random: bool = False,
    tolerance: float = 1e-5,
    gradient_tolerance: float = 1e-4,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Check that a layer keeps what every layer type promises; the arrays that it made, by name.

    text: one `layer { … }` of a prototxt; its name, bottoms and tops are written for you
    shapes: of the bottoms
    values: of the bottoms, arrays; normally distributed unless given
    params: of the parameters, arrays; else normally distributed, or [] to keep what the fillers gave
    expected: a function of the bottoms' and then the parameters' arrays, which returns the top, or a list of all
    tops: how many
    train: build it for the phase TRAIN, else TEST
    gradient: False for a layer that has none, smooth: False where it has kinks at the values given
    random: True where two passes differ by nature: then values are not compared
    tolerance: of values, as a share of the largest (1e-5), and gradient_tolerance of gradients (1e-4)

    Checked: tops have their shapes before the first pass; the values are the expected ones; a second pass gives the
    same, as do the plan switched off, the layer in place (where it takes that), and parameters that were saved and
    loaded; gradients agree with finite differences, element by element, in float64; a second backward replaces the
    gradients of bottoms and adds to those of parameters. Parameters of which the layer says lr_mult 0, such as
    statistics, have none. Raises AssertionError with what was found otherwise.
    """
    check = _Check(text, shapes, tops, train, values, params, seed)
    net = check.net()
    promised = [net.blobs[name].data.shape for name in check.tops]
    found = check.forward(net)
    for name, shape, top in zip(check.tops, promised, found, strict=True):
        _require(
            top.shape == shape,
            f"{name} has the shape {shape_text(top.shape)}, before the first pass it had {shape_text(shape)}",
        )
    if expected is not None:
        wanted = expected(*check.values, *check.param_values(net))
        wanted = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        check.compare(found, wanted, tolerance, "the expected values")
    result = dict(zip(check.tops, found, strict=True))
    if not random:
        check.compare(check.forward(net), found, 1e-6, "those of the first pass, in a second")
        with _plain():
            check.compare(check.forward(check.net()), found, max(tolerance, 1e-5), "those of the plan, without it")
        _check_in_place(check, found, tolerance)
        _check_saved(check, net, found)
    if gradient:
        result |= _check_gradients(check, gradient_tolerance, smooth=smooth and not random)
    return result


class _Check:
    """One layer in a net of its own, with drawn values."""

    def __init__(
        self,
        text: str,
        shapes: Sequence[Sequence[int]],
        tops: int,
        train: bool,
        values: Sequence[Any] | None,
        params: Sequence[Any] | None,
        seed: int,
    ):
        registration.load_added()
        message = prototxt.parse(text, caffe_pb2.NetParameter(), "check_layer")
        prototxt.upgrade_net(message, "check_layer")
        _require(len(message.layer) == 1, f"{len(message.layer)} layers were given, expected one")
        self.layer = message.layer[0]
        self.train = train
        self.draw = np.random.default_rng(seed)
        self.bottoms = [f"bottom{index}" for index in range(len(shapes))]
        self.tops = [f"top{index}" for index in range(tops)]
        self.shapes = [tuple(shape) for shape in shapes]
        drawn = values if values is not None else [self.draw.normal(size=shape) for shape in self.shapes]
        self.values: ArrayList = [
            np.asarray(each, np.float32).reshape(s) for each, s in zip(drawn, shapes, strict=True)
        ]
        self.params = None if params is None else [np.asarray(each, np.float32) for each in params]
        self.drawn: ArrayList = []

    def net(self, *, in_place: bool = False) -> Net:
        message = caffe_pb2.NetParameter(force_backward=True)
        for name, shape in zip(self.bottoms, self.shapes, strict=True):
            source = message.layer.add(name=name, type="Input", top=[name])
            source.input_param.shape.add(dim=shape)
        layer = message.layer.add()
        layer.CopyFrom(self.layer)
        layer.name = "layer"
        del layer.bottom[:], layer.top[:]
        layer.bottom.extend(self.bottoms)
        layer.top.extend([self.bottoms[0]] if in_place else self.tops)
        message.state.phase = caffe_pb2.TRAIN if self.train else caffe_pb2.TEST
        net = Net.from_message(message)
        for blob, value in zip(net.params.get("layer", []), self.param_values(net), strict=True):
            blob.data[...] = value
        return net

    def param_values(self, net: Net) -> ArrayList:
        """The same for each net; a single number or a filled parameter keeps what the layer gave it."""
        blobs: Sequence[Any] = net.params.get("layer", ())
        if self.params == []:
            return [blob.data.copy() for blob in blobs]
        if self.params is not None:
            return [value.reshape(blob.data.shape) for value, blob in zip(self.params, blobs, strict=True)]
        while len(self.drawn) < len(blobs):
            self.drawn.append(self.draw.normal(size=blobs[len(self.drawn)].data.shape).astype(np.float32))
        return self.drawn

    def forward(self, net: Net, *, in_place: bool = False) -> ArrayList:
        for name, value in zip(self.bottoms, self.values, strict=True):
            net.blobs[name].data[...] = value
        net.forward()
        return [net.blobs[name].data.copy() for name in (self.bottoms[:1] if in_place else self.tops)]

    def compare(self, found: ArrayList, wanted: ArrayList, tolerance: float, what: str) -> None:
        for index, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
            _compare(ours, np.asarray(theirs), tolerance, f"top{index}: found other values than {what}")


def _check_in_place(check: _Check, found: ArrayList, tolerance: float) -> None:
    if len(found) != 1 or len(check.values) != 1 or found[0].shape != check.shapes[0]:
        return
    try:
        net = check.net(in_place=True)
    except (NetError, ShapeError):  # a layer may refuse it
        return
    check.compare(check.forward(net, in_place=True), found, tolerance, "those out of place, in place")


def _check_saved(check: _Check, net: Net, found: ArrayList) -> None:
    if "layer" not in net.params:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "layer.caffemodel")
        net.save(path)
        loaded = check.net()
        for blob in loaded.params["layer"]:
            blob.data[...] = 0
        loaded.copy_from(path)
        check.compare(check.forward(loaded), found, 1e-6, "those before the parameters were saved and loaded")


def _check_gradients(check: _Check, tolerance: float, *, smooth: bool) -> dict[str, np.ndarray]:
    net = check.net()
    layer: Any = net.nodes[-1].layer
    tops = check.forward(net)
    seeds = [check.draw.normal(size=top.shape).astype(np.float32) for top in tops]
    first, second = _backward(check, net, seeds), _backward(check, net, seeds)
    for name, value in first.items():
        times = 2 if name.startswith("param") else 1
        _compare(second[name], times * value, 1e-5, f"the gradient of {name} after a second backward")
    if smooth and isinstance(layer, TorchLayer):
        bottoms = [layer.propagate_down[i] for i in range(len(check.values))]
        leaves = [*check.values, *(blob.data.copy() for blob in net.params.get("layer", []))]
        learn = [each.lr_mult != 0 for each in layer.layer_param.param] + [True] * len(layer.blobs)
        wanted = [*bottoms, *(a and b for a, b in zip(layer.param_propagate_down, learn, strict=False))]
        names = [*check.bottoms, *(f"param{index}" for index in range(len(leaves) - len(bottoms)))]
        for name, numeric, at in _differences(layer, leaves, wanted, len(bottoms), seeds, names, check.draw):
            _compare(first[name].reshape(-1)[at], numeric, tolerance, f"the gradient of {name}, finite differences")
    return {f"gradient of {name}": value for name, value in first.items()}


def _backward(check: _Check, net: Net, seeds: ArrayList) -> dict[str, np.ndarray]:
    for name, seed in zip(check.tops, seeds, strict=True):
        net.blobs[name].diff[...] = seed
    net.backward()
    layer = net.nodes[-1].layer
    found = {
        name: net.blobs[name].diff.copy()
        for name, wanted in zip(check.bottoms, layer.propagate_down, strict=True)
        if wanted
    }
    params = zip(net.params.get("layer", []), layer.param_propagate_down, strict=True)
    return found | {f"param{index}": blob.diff.copy() for index, (blob, wanted) in enumerate(params) if wanted}


def _differences(
    layer: TorchLayer,
    leaves: ArrayList,
    wanted: Sequence[bool],
    bottoms: int,
    seeds: ArrayList,
    names: Sequence[str],
    draw: np.random.Generator,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, gradient and indices for each input that has one: of all its elements, or of some where it has many."""
    exact = [torch.tensor(leaf, dtype=torch.float64) for leaf in leaves]

    def loss() -> float:
        layer.tensors = exact[bottoms:]
        tops = layer.compute(*exact[:bottoms])
        tops = [tops] if isinstance(tops, torch.Tensor) else list(tops)
        return float(sum((top.double() * torch.tensor(seed)).sum() for top, seed in zip(tops, seeds, strict=True)))

    with torch.no_grad():
        for name, leaf, want in zip(names, exact, wanted, strict=True):
            if not want:
                continue
            flat = leaf.view(-1)
            at = np.arange(len(flat))
            if len(at) > _MOST_ELEMENTS:
                at = np.sort(draw.choice(at, _MOST_ELEMENTS, replace=False))
            numeric = np.zeros(len(at))
            for place, index in enumerate(at):
                here = float(flat[index])
                flat[index] = here + _STEP
                above = loss()
                flat[index] = here - _STEP
                numeric[place] = (above - loss()) / (2 * _STEP)
                flat[index] = here
            yield name, numeric, at
    layer.tensors = []


def _compare(found: np.ndarray, wanted: np.ndarray, tolerance: float, what: str) -> None:
    _require(
        found.shape == wanted.shape, f"{what}: shape {shape_text(found.shape)}, expected {shape_text(wanted.shape)}"
    )
    if not found.size:
        return
    scale = max(float(np.nanmax(np.abs(wanted), initial=0)), 1e-6)
    found, wanted = np.atleast_1d(found), np.atleast_1d(wanted)
    apart = np.abs(found.astype(np.float64) - wanted)
    apart[np.isnan(found) & np.isnan(wanted)] = 0
    worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
    _require(
        bool(apart.reshape(-1)[worst] <= tolerance * scale),
        f"{what}: {found.reshape(-1)[worst]:.7g} at {np.unravel_index(worst, found.shape)}, expected "
        f"{wanted.reshape(-1)[worst]:.7g} (largest value {scale:.3g}, tolerance {tolerance:g} of it)",
    )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(f"check_layer: {otherwise}")


@contextmanager
def _plain() -> Iterator[None]:
    before, switches.PLAIN = switches.PLAIN, True
    try:
        yield
    finally:
        switches.PLAIN = before
