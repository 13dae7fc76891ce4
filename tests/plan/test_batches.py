"""An image alone and in a batch: other ways of computing, the same numbers up to rounding."""

import numpy as np
import pytest

import caffe
from tests.plan.nets import build

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: BATCH dim: 256 dim: 13 dim: 13 } } }
layer { name: "conv3" type: "Convolution" bottom: "data" top: "conv3"
  convolution_param { num_output: 384 kernel_size: 3 pad: 1 } }
layer { name: "relu3" type: "ReLU" bottom: "conv3" top: "conv3" }
layer { name: "conv4" type: "Convolution" bottom: "conv3" top: "conv4"
  convolution_param { num_output: 256 kernel_size: 3 pad: 1 group: 2 } }
layer { name: "relu4" type: "ReLU" bottom: "conv4" top: "conv4" }
layer { name: "pool" type: "Pooling" bottom: "conv4" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 512 } }
"""
PASSES = 3
"""Weights are laid out anew in the first ones."""


def passes(net: caffe.Net, images: np.ndarray) -> np.ndarray:
    net.blobs["data"].reshape(*images.shape)
    for _ in range(PASSES):
        net.blobs["data"].data[...] = images
        net.forward()
    return net.blobs["fc"].data[0].astype(np.float64)


@pytest.mark.parametrize("batch", [2, 10])
def test_the_squared_differences_sum_to_less_than_1e_11_of_the_squares(batch: int) -> None:
    images = np.random.default_rng(0).normal(size=(batch, 256, 13, 13))
    alone = passes(build(NET.replace("BATCH", "1")), images[:1])
    among = passes(build(NET.replace("BATCH", str(batch))), images)
    assert ((alone - among) ** 2).sum() < 1e-11 * (alone**2).sum()
