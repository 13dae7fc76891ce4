"""Small nets, forward, and forward and backward, of one image and of ten: seconds of the processor on one thread.

    python -m benchmarks.small_nets FOLDER [bare]

prints the fewest of many runs as JSON; FOLDER is nets/reference. bare: the same nets as calls of torch, one after the
other. The fewest seconds of the processor count, because a pass takes less than a millisecond, and other programs can
only make it longer. Runs under Python 3.9 too.
"""

from __future__ import annotations

import json
import os
import sys
import time

import caffe
from benchmarks import published

NETS = ("lenet", "cifar10_quick", "cifar10_full", "mnist_siamese", "mnist_autoencoder")
AUTOENCODER = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)
"""Units of each layer of mnist_autoencoder, which was published for training alone."""
WARMUP, RUNS = 10, 150


def text_of(folder: str, name: str) -> str:
    """The net as a prototxt without data layers and losses."""
    if name == "mnist_autoencoder":
        return autoencoder()
    with open(os.path.join(folder, name, "deploy.prototxt")) as file:
        return file.read()


def autoencoder() -> str:
    last = "data"
    lines = [
        f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: {AUTOENCODER[0]} }} }} }}'
    ]
    for index, units in enumerate(AUTOENCODER[1:], start=1):
        top = f"code{index}"
        lines.append(
            f'layer {{ name: "{top}" type: "InnerProduct" bottom: "{last}" top: "{top}" '
            f"inner_product_param {{ num_output: {units} }} }}"
        )
        last = top
        if units != min(AUTOENCODER):
            last = f"{top}neuron"
            lines.append(f'layer {{ name: "{last}" type: "Sigmoid" bottom: "{top}" top: "{last}" }}')
    return "\n".join(lines)


def measure(folder: str, names: tuple[str, ...] = NETS, bare: bool = False, runs: int = RUNS) -> dict[str, float]:
    """What is measured → the fewest seconds of the processor."""
    found = {}
    for name in names:
        text = text_of(folder, name)
        for task, phase in (("forward", caffe.TEST), ("forward and backward", caffe.TRAIN)):
            for batch in published.BATCHES:
                net = published.build(text, phase)
                published.show(net, batch)
                work = calls_of(name, net, phase) if bare else passes_of(net, phase)
                seconds = [once(work) for _ in range(WARMUP + runs)]
                found[f"{name}, {batch} image{'s' * (batch > 1)}, {task}"] = min(seconds[WARMUP:])
    return found


def passes_of(net: caffe.Net, phase: int):
    def work() -> None:
        net.forward()
        if phase == caffe.TRAIN:
            net.backward()

    return work


def calls_of(name: str, net: caffe.Net, phase: int):
    from benchmarks import small_torch

    return small_torch.work(name, net, backward=phase == caffe.TRAIN)


def once(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], bare=sys.argv[2:] == ["bare"])))
