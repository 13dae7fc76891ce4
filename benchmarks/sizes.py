"""The growth of a process's memory over images of ever new sizes.

    python -m benchmarks.sizes caffe|pytorch

A small net (convolution, ReLU, pooling, 1 × 1 convolution, deconvolution, crop) on 2,300 random sizes of 8 to 120
pixels; by PyTorch, the same functions. Prints JSON: the memory of the process after 300 of them, and its growth since.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable

import numpy as np

from caffe.process import resident

FIRST, LAST = 300, 2300
SMALLEST, LARGEST = 8, 120
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "score" type: "Convolution" bottom: "pool" top: "score"
  convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "up" type: "Deconvolution" bottom: "score" top: "up"
  convolution_param { num_output: 5 kernel_size: 4 stride: 2 weight_filler { type: "bilinear" } } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop" crop_param { axis: 2 offset: 1 } }
"""
Compute = Callable[[np.ndarray], np.ndarray]


def by_caffe() -> Compute:
    import caffe

    caffe.init_log(2)
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(NET)
        file.flush()
        net = caffe.Net(file.name, caffe.TEST)

    def compute(image: np.ndarray) -> np.ndarray:
        net.blobs["data"].reshape(*image.shape)
        return net.forward(data=image)["crop"]

    return compute


def by_pytorch() -> Compute:
    import torch
    from torch.nn import functional as F

    kernels, scores, spread = torch.randn(16, 3, 3, 3), torch.randn(5, 16, 1, 1), torch.randn(5, 5, 4, 4)

    def compute(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = F.conv2d(torch.from_numpy(image), kernels, padding=1).relu_()
            x = F.conv2d(F.max_pool2d(x, 2, 2, ceil_mode=True), scores)
            x = F.conv_transpose2d(x, spread, stride=2)
            return x[:, :, 1 : 1 + image.shape[2], 1 : 1 + image.shape[3]].numpy()

    return compute


def main(engine: str) -> None:
    compute = by_caffe() if engine == "caffe" else by_pytorch()
    sizes = random.Random(1)
    taken = {}
    for count in range(1, LAST + 1):
        height, width = (sizes.randint(SMALLEST, LARGEST) for _ in range(2))
        assert compute(np.ones((1, 3, height, width), np.float32)).shape == (1, 5, height, width)
        if count in (FIRST, LAST):
            taken[count] = resident()
    print(json.dumps({"resident": taken[FIRST], "growth": taken[LAST] - taken[FIRST]}))


if __name__ == "__main__":
    main(sys.argv[1])
