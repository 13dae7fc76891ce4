"""V0 nets (2013) as V1: `layers { layer { name: "conv1" type: "conv" kernelsize: 3 … } bottom: "x" top: "y" }`.

Caffe: UpgradeV0Net in upgrade_proto.cpp. In V0 one flat message held the settings of every layer type; _MOVES says to
which message of today each goes. Padding was a layer of its own; it is folded into the convolution or pooling after it.
"""

from typing import Any

from google.protobuf.message import Message

from caffe.errors import FormatError
from caffe.log import log
from caffe.proto import caffe_pb2

LAYER_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

_PARAM_OF_TYPE = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}

# V0 field → its name today, and the layer types that know it. Any other type with this field: an error in the log.
_MOVES = {
    "num_output": ("num_output", ("conv", "innerproduct")),
    "biasterm": ("bias_term", ("conv", "innerproduct")),
    "weight_filler": ("weight_filler", ("conv", "innerproduct")),
    "bias_filler": ("bias_filler", ("conv", "innerproduct")),
    "pad": ("pad", ("conv", "pool")),
    "kernelsize": ("kernel_size", ("conv", "pool")),
    "group": ("group", ("conv",)),
    "stride": ("stride", ("conv", "pool")),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", ("data", "hdf5_data", "images", "window_data", "infogain_loss")),
    "batchsize": ("batch_size", ("data", "hdf5_data", "images", "window_data")),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)),
    "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)),
    "det_crop_mode": ("crop_mode", ("window_data",)),
}

_TRANSFORM_MOVES = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}


def upgrade_v0_net(net: caffe_pb2.NetParameter, source: str) -> bool:
    """Turn the V0 layers of a net into V1 layers, in place. False when a field was lost.

    Of the net's own fields only those that V0 had are kept: name, input, input_dim, force_backward.
    """
    _fold_padding(net, source)
    lossless = True
    upgraded = caffe_pb2.NetParameter(input=net.input, input_dim=net.input_dim)
    for field in ("name", "force_backward"):
        if net.HasField(field):
            setattr(upgraded, field, getattr(net, field))
    for layer in net.layers:
        lossless &= _upgrade_layer(layer, upgraded.layers.add(bottom=layer.bottom, top=layer.top), source)
    net.CopyFrom(upgraded)
    return lossless


def _fold_padding(net: caffe_pb2.NetParameter, source: str) -> None:
    """Remove padding layers; the convolution or pooling that reads one gets its pad and its bottom."""
    producer: dict[str, caffe_pb2.V1LayerParameter | None] = dict.fromkeys(net.input)
    for layer in net.layers:
        for index, bottom in enumerate(layer.bottom):
            if bottom not in producer:
                raise FormatError(
                    f"{source}: Unknown blob input {bottom} to layer {layer.layer.name}. Define it before."
                )
            padding = producer[bottom]
            if padding is not None and padding.layer.type == "padding":
                _check_padding(padding, layer, source)
                layer.layer.pad = padding.layer.pad
                layer.bottom[index] = padding.bottom[0]
        for top in layer.top:
            producer[top] = layer
    kept = [layer for layer in net.layers if layer.layer.type != "padding"]
    del net.layers[:]
    net.layers.extend(kept)


def _check_padding(padding: caffe_pb2.V1LayerParameter, layer: caffe_pb2.V1LayerParameter, source: str) -> None:
    problem = None
    if layer.layer.type not in ("conv", "pool"):
        problem = f"Padding layer input to non-convolutional / non-pooling layer type {layer.layer.type}"
    elif len(layer.bottom) != 1:
        problem = "Conv Layer takes a single blob as input."
    elif len(padding.bottom) != 1:
        problem = "Padding Layer takes a single blob as input."
    elif len(padding.top) != 1:
        problem = "Padding Layer produces a single blob as output."
    if problem:
        raise FormatError(
            f"{source}: {problem} (layers '{padding.layer.name}' and '{layer.layer.name}'). Correct the prototxt."
        )


def _upgrade_layer(layer: caffe_pb2.V1LayerParameter, new: caffe_pb2.V1LayerParameter, source: str) -> bool:
    """Fill `new`, whose bottoms and tops are set already, from the V0 message inside `layer`."""
    if not layer.HasField("layer"):
        return True
    old = layer.layer
    lossless = True
    if old.HasField("type"):
        if old.type not in LAYER_TYPES:
            raise FormatError(f"{source}: Unknown layer name: {old.type}. V0 knew {', '.join(LAYER_TYPES)}.")
        new.type = caffe_pb2.V1LayerParameter.LayerType.Value(LAYER_TYPES[old.type])
    if old.HasField("name"):
        new.name = old.name
    for field in ("blobs", "blobs_lr", "weight_decay"):
        getattr(new, field).MergeFrom(getattr(old, field))
    for field, (today, types) in _MOVES.items():
        if not old.HasField(field):
            continue
        if old.type in types:
            _set(getattr(new, _PARAM_OF_TYPE[old.type]), today, getattr(old, field))
        else:
            lossless = _unknown(field, old.type)
    for field, today in _TRANSFORM_MOVES.items():
        if old.HasField(field):
            setattr(new.transform_param, today, getattr(old, field))
    if old.HasField("hdf5_output_param"):
        if old.type == "hdf5_output":
            new.hdf5_output_param.CopyFrom(old.hdf5_output_param)
        else:
            lossless = _unknown("hdf5_output_param", old.type)
    return lossless


def _unknown(field: str, layer_type: str) -> bool:
    log.error("Unknown parameter %s for layer type %s", field, layer_type)
    return False


def _set(param: Message, field: str, value: Any) -> None:
    """Set a field of any kind: a filler is a message; a convolution's pad, kernel_size and stride are repeated."""
    current = getattr(param, field)
    if isinstance(current, Message):
        current.CopyFrom(value)
    elif hasattr(current, "append"):
        current.append(value)
    else:
        setattr(param, field, value)
