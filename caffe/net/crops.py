"""Crop layers without offsets: BVLC Caffe crops from the corner, longjon's Caffe, HED and CRF as RNN by coordinates."""

from typing import Any

import numpy as np
from google.protobuf.message import Message

from caffe.coord_map import coord_map_from_to
from caffe.errors import NetError
from caffe.log import log
from caffe.net_spec import Function, Top
from caffe.proto import caffe_pb2

CROPS = ("Crop", "AutoCrop")
_WINDOWS = ("kernel_size", "stride", "pad", "dilation")


def settle(net: caffe_pb2.NetParameter, dialects: tuple[str, ...]) -> None:
    """Give Crop layers without crop_param the offset of their coordinates, in the dialect "crop"; else warn of it.

    RCF's AutoCrop has that offset in every dialect; NetError where there is none.
    """
    found = [layer for layer in net.layer if layer.type in CROPS and not layer.HasField("crop_param")]
    if not found:
        return
    tops = _tops(net)
    for layer in found:
        offset = _offset(layer, tops)
        if layer.type == "AutoCrop" and offset is None:
            raise NetError(
                f"layer '{layer.name}' (AutoCrop): the coordinates of its bottoms are no whole number of pixels apart, "
                "or layers between keep no pixels in place. Give a Crop layer with an offset in its place.",
                layer=layer.name,
            )
        if offset is None or not any(offset):
            continue
        if "crop" in dialects or layer.type == "AutoCrop":
            layer.crop_param.offset.extend(offset)
            log.info("layer '%s': offset %s, by the coordinates of its bottoms", layer.name, offset)
        else:
            log.warning(
                "layer '%s' (Crop) has no offset and crops from the corner, as in BVLC Caffe. By the coordinates of "
                "its bottoms it would be %s, as longjon's Caffe, HED and CRF as RNN compute it. If the net was made "
                "for those, choose dialect 'crop' (an argument of caffe.Net, --dialect, CAFFE_DIALECT, or `dialect` "
                "in the solver); if not, write crop_param { offset: 0 }.",
                layer.name,
                offset,
            )


def _offset(layer: caffe_pb2.LayerParameter, tops: dict[int, list[Top]]) -> list[int] | None:
    """The offset for each spatial axis; None where layers between keep no pixels in place, or it is no whole number."""
    inputs = tops.get(id(layer), [])
    if len(inputs) != 2:
        return None
    try:
        axis, scale, shift = coord_map_from_to(*inputs)
    except NetError:
        return None
    offset = -np.atleast_1d(shift)
    whole = np.round(offset).astype(int)
    if axis not in (None, 1) or not np.allclose(scale, 1) or not np.allclose(offset, whole, atol=1e-3):
        return None
    values = [int(value) for value in whole]
    return None if min(values) < 0 else values * 2 if len(values) == 1 else values


def _tops(net: caffe_pb2.NetParameter) -> dict[int, list[Top]]:
    """By the id of each Crop layer: its bottoms as NetSpec has them."""
    known: dict[str, Top] = {}
    found = {}
    for layer in net.layer:
        inputs = [known[name] for name in layer.bottom if name in known]
        kind = "Crop" if layer.type in CROPS else layer.type
        if kind == "Crop":
            found[id(layer)] = inputs
        function = Function(kind, inputs, {"ntop": len(layer.top), **_settings(layer)})
        known.update(zip(layer.top, function.tops, strict=True))
    return found


def _settings(layer: caffe_pb2.LayerParameter) -> dict[str, Any]:
    """What coord_map reads of a layer's settings."""
    for name in ("convolution_param", "pooling_param"):
        if layer.HasField(name):
            return {name: _windows(getattr(layer, name))}
    if layer.type in CROPS and layer.HasField("crop_param"):
        return {"crop_param": {"axis": layer.crop_param.axis, "offset": list(layer.crop_param.offset) or [0]}}
    name = f"{layer.type.lower()}_param"
    return {name: {"axis": getattr(layer, name).axis}} if layer.type in ("Concat", "Slice") else {}


def _windows(param: Message) -> dict[str, Any]:
    """Sizes by axis, also of those that are given as _h and _w."""
    settings: dict[str, Any] = {}
    for name in _WINDOWS:
        word = name.removesuffix("_size")
        if name in param.DESCRIPTOR.fields_by_name:
            value = getattr(param, name)
            given = len(value) if hasattr(value, "extend") else param.HasField(name)
            if given:
                settings[name] = list(value) if hasattr(value, "extend") else [value]
        if f"{word}_h" in param.DESCRIPTOR.fields_by_name and param.HasField(f"{word}_h"):
            settings[name] = [getattr(param, f"{word}_h"), getattr(param, f"{word}_w")]
    settings |= {side: getattr(param, side) for side in ("pad_t", "pad_l")}
    return settings
