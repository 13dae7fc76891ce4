"""A chain of convolutions and max poolings, made dense: messages in, messages out (CVPR 2015, section 3.2)."""

from __future__ import annotations

from typing import Any

from caffe.proto import caffe_pb2

POINTWISE = ("Input", "ReLU", "LRN", "Dropout")


def trunk(net: Any, until: str) -> Any:
    """The layers of a net up to the one named `until`, and those in place on it, without any padding.

    Raises ValueError if there is no such layer, or if the layers before it are not a chain of convolutions, max
    poolings and pointwise layers.
    """
    names = [layer.name for layer in net.layer]
    if until not in names:
        raise ValueError(f"the net has no layer '{until}'; there are {', '.join(names)}. Name one of them.")
    made = caffe_pb2.NetParameter()
    for index, layer in enumerate(net.layer):
        if index > names.index(until) and list(layer.bottom) != list(layer.top):
            break
        pooling = layer.type == "Pooling" and layer.pooling_param.pool == layer.pooling_param.MAX
        if not (pooling or layer.type in ("Convolution", *POINTWISE)) or len(layer.bottom) > 1:
            raise ValueError(
                f"layer '{layer.name}' ({layer.type}) is before '{until}', expected a chain of convolutions and max "
                "poolings. Stop before it, or take another net."
            )
        made.layer.add().CopyFrom(layer)
        made.layer[-1].convolution_param.ClearField("pad")
        made.layer[-1].pooling_param.ClearField("pad")
    return made


def resized(net: Any, side: int) -> Any:
    """The net for one image of side×side pixels."""
    made = caffe_pb2.NetParameter()
    made.CopyFrom(net)
    made.layer[0].input_param.shape[0].dim[:] = [1, 3, side, side]
    return made


def dense(net: Any, side: int) -> Any:
    """The net with every stride 1, for an image of side×side pixels: later filters dilated by the strides before them.

    Caffe's poolings know no dilation: such a one becomes Im2col, which lays out what a window sees, and a pooling over
    that.
    """
    made, step, channels = caffe_pb2.NetParameter(), 1, 3
    for layer in resized(net, side).layer:
        parts, stride = [layer], 1
        if layer.type == "Convolution":
            settings = layer.convolution_param
            side, channels = side - (settings.kernel_size[0] - 1) * step, settings.num_output
            stride = settings.stride[0] if settings.stride else 1
            settings.dilation[:], settings.stride[:] = [step], [1]
        elif layer.type == "Pooling":
            side, stride = side - (layer.pooling_param.kernel_size - 1) * step, layer.pooling_param.stride
            parts = _pooling(layer, step, channels, side)
        made.layer.extend(parts)
        step *= stride
    return made


def rarefy(net: Any) -> Any:
    """The net with larger filters in place of dilated ones, which compute the same if zeros fill the gaps."""
    made = caffe_pb2.NetParameter()
    made.CopyFrom(net)
    for layer in made.layer:
        if layer.type == "Convolution":
            settings = layer.convolution_param
            settings.kernel_size[0] = (settings.kernel_size[0] - 1) * settings.dilation[0] + 1
            settings.dilation[0] = 1
    return made


def fill(target: Any, net: Any) -> None:
    """Give a dense caffe.Net the weights of the net that it was made of, as far apart as its filters are large."""
    for name, blobs in net.params.items():
        for old, new in zip(blobs, target.params[name]):
            grown = old.data.ndim == 4 and old.data.shape[-1] > 1
            step = (new.data.shape[-1] - 1) // (old.data.shape[-1] - 1) if grown else 1
            new.data[...] = 0
            (new.data[..., ::step, ::step] if grown else new.data)[...] = old.data


def _pooling(layer: Any, step: int, channels: int, side: int) -> list[Any]:
    """A pooling with stride 1 over pixels that lie `step` apart, for an output of side×side pixels."""
    kernel, name = layer.pooling_param.kernel_size, layer.name
    if step == 1:
        layer.pooling_param.stride = 1
        return [layer]
    blobs = [layer.bottom[0], f"{name}_windows", f"{name}_rows", f"{name}_maxima", layer.top[0]]
    kinds = ("Im2col", "Reshape", "Pooling", "Reshape")
    parts = [
        caffe_pb2.LayerParameter(name=top, type=kind, bottom=[bottom], top=[top])
        for kind, bottom, top in zip(kinds, blobs, blobs[1:])
    ]
    parts[0].convolution_param.kernel_size.append(kernel)
    parts[0].convolution_param.dilation.append(step)
    parts[1].reshape_param.shape.dim.extend([1, channels, kernel**2, side**2])
    parts[2].pooling_param.kernel_h, parts[2].pooling_param.kernel_w = kernel**2, 1
    parts[3].reshape_param.shape.dim.extend([1, channels, side, side])
    return parts
