"""The nets that Caffe was published with, forward, and forward and backward, of one image and of ten.

    python -m benchmarks.published FOLDER

prints seconds as JSON; FOLDER is nets/reference. Runs under Python 3.9 too.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from statistics import median

import numpy as np

import caffe

NETS = ("lenet", "cifar10_quick", "caffenet", "googlenet", "squeezenet_v1.1", "vgg16")
BATCHES = (1, 10)
WARMUP, RUNS = 3, 5


def measure(folder: str, names: tuple[str, ...] = NETS) -> dict[str, float]:
    """What is measured → the median of its seconds."""
    found = {}
    for name in names:
        with open(os.path.join(folder, name, "deploy.prototxt")) as file:
            text = file.read()
        for task, phase in (("forward", caffe.TEST), ("forward and backward", caffe.TRAIN)):
            net = build(text, phase)
            for batch in BATCHES:
                show(net, batch)
                seconds = [once(net, phase == caffe.TRAIN) for _ in range(WARMUP + RUNS)]
                found[f"{name}, {batch} image{'s' * (batch > 1)}, {task}"] = median(seconds[WARMUP:])
    return found


def build(text: str, phase: int) -> caffe.Net:
    """A net with drawn weights that computes all gradients in TRAIN."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.prototxt")
        with open(path, "w") as file:
            file.write(("force_backward: true\n" if phase == caffe.TRAIN else "") + text)
        net = caffe.Net(path, phase)
    random = np.random.RandomState(1)
    for blobs in net.params.values():
        weights = blobs[0].data
        weights[...] = random.normal(0, np.sqrt(2 / np.prod(weights.shape[1:])), weights.shape)
    return net


def show(net: caffe.Net, batch: int) -> None:
    """Give the net so many images, and its output a gradient."""
    random = np.random.RandomState(2)
    data, output = net.blobs[net.inputs[0]], net.blobs[net.outputs[0]]
    data.reshape(batch, *data.data.shape[1:])
    net.reshape()
    data.data[...] = random.uniform(-1, 1, data.data.shape)
    output.diff[...] = random.uniform(-1, 1, output.data.shape)


def once(net: caffe.Net, backward: bool) -> float:
    start = time.perf_counter()
    net.forward()
    if backward:
        net.backward()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
