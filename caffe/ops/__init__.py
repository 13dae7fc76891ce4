"""The operations that layers and tools compute with, as functions of tensors.

functions.py   torch's own way: conv2d, conv_transpose2d, max_pool2d, linear, channel_mean, relu_gradient
operation.py   such a function, and faster ways to the same, which the plan adds
calls.py       their arguments, as the ways see them
weight.py      a parameter that is multiplied by
layout.py      maps with the channels of a pixel side by side, and others
checks.py      checks of values that may have to wait
dense_crf.py   the dense CRF, with mean_field.py, gaussian_filter.py, permutohedral.py, linear_map.py
"""

from caffe.ops.functions import (
    channel_mean,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    linear,
    max_pool2d,
    relu_gradient,
)
from caffe.ops.weight import Weight

__all__ = [
    "Weight",
    "channel_mean",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "linear",
    "max_pool2d",
    "relu_gradient",
]
