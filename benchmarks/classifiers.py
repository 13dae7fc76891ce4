"""Nets that classify images, forward on one image of 224 × 224: seconds of the processor on one thread.

    python -m benchmarks.classifiers FOLDER prepare        writes nets, drawn weights and ONNX files, by this project
    python -m benchmarks.classifiers FOLDER ENGINE         prints the fewest seconds of many runs as JSON

ENGINE: caffe, onnxruntime or openvino. SqueezeNet and GoogLeNet are those of nets/reference; MobileNet and ResNet-50
are written from their papers (Howard et al. 2017, He et al. 2015) as the published prototxts have them, with layers of
their own for BatchNorm and Scale. Whoever's scores differ from this project's by more than 1e-4 of the largest is not
timed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NETS = ("squeezenet_v1.1", "googlenet", "mobilenet", "resnet50")
SIZE = 224
IMAGE = np.random.RandomState(3).uniform(-1, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
WARMUP, RUNS = 5, 30
TOLERANCE = 1e-4
MOBILENET = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Filters and stride of each pair of a depthwise and a 1 × 1 convolution."""
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Filters, blocks, and stride of the first block, of each stage."""


def mobilenet() -> str:
    from caffe import layers as L

    top = _normalized(_input(), 32, 3, stride=2)
    channels = 32
    for filters, stride in MOBILENET:
        top = _normalized(top, channels, 3, stride=stride, group=channels)
        top = _normalized(top, filters, 1)
        channels = filters
    return _scores(L.Convolution(_global_mean(top), num_output=1000, kernel_size=1))


def resnet50() -> str:
    from caffe import layers as L
    from caffe import params as P

    top = L.Pooling(_normalized(_input(), 64, 7, stride=2), pool=P.Pooling.MAX, kernel_size=3, stride=2)
    for filters, blocks, first in RESNET50:
        for block in range(blocks):
            stride = first if block == 0 else 1
            short = _normalized(top, 4 * filters, 1, stride=stride, relu=False) if block == 0 else top
            inner = _normalized(_normalized(top, filters, 1, stride=stride), filters, 3)
            top = L.ReLU(L.Eltwise(short, _normalized(inner, 4 * filters, 1, relu=False)), in_place=True)
    return _scores(L.InnerProduct(_global_mean(top), num_output=1000))


def _input() -> Any:
    from caffe import layers as L

    return L.Input(shape={"dim": [1, 3, SIZE, SIZE]})


def _normalized(bottom: Any, filters: int, size: int, *, stride: int = 1, group: int = 1, relu: bool = True) -> Any:
    from caffe import layers as L

    settings = {"kernel_size": size, "pad": size // 2, "stride": stride, "group": group, "bias_term": False}
    top = L.Convolution(bottom, num_output=filters, **settings)
    top = L.Scale(L.BatchNorm(top, in_place=True), bias_term=True, in_place=True)
    return L.ReLU(top, in_place=True) if relu else top


def _global_mean(bottom: Any) -> Any:
    from caffe import layers as L
    from caffe import params as P

    return L.Pooling(bottom, pool=P.Pooling.AVE, global_pooling=True)


def _scores(top: Any) -> str:
    from caffe import layers as L
    from caffe import to_proto

    return str(to_proto(L.Softmax(top)))


WRITTEN: dict[str, Callable[[], str]] = {"mobilenet": mobilenet, "resnet50": resnet50}


def prepare(folder: Path) -> None:
    """Write each net: NAME.prototxt, .caffemodel, .onnx, and .npy, its scores."""
    import caffe
    from benchmarks.environments import REFERENCE_NETS
    from caffe.export import model

    folder.mkdir(parents=True, exist_ok=True)
    for name in NETS:
        path = folder / f"{name}.prototxt"
        path.write_text(WRITTEN[name]() if name in WRITTEN else (REFERENCE_NETS / name / "deploy.prototxt").read_text())
        net = caffe.Net(str(path), caffe.TEST)
        _draw(net)
        (data,), (scores,) = net.inputs, net.outputs
        net.blobs[data].reshape(*IMAGE.shape)
        net.save(str(path.with_suffix(".caffemodel")))
        path.with_suffix(".onnx").write_bytes(model.to_message(model.exported(net, fixed=True), {}).SerializeToString())
        np.save(path.with_suffix(".npy"), net.forward(**{data: IMAGE})[scores])


def _draw(net: Any) -> None:
    """Weights as the filler msra draws them; statistics of a normalization that were gathered."""
    random = np.random.RandomState(1)
    for name, (first, *others) in net.params.items():
        if net.layer_dict[name].type == "BatchNorm":
            first.data[...] = random.normal(0, 0.1, first.shape)
            others[0].data[...] = random.uniform(0.5, 1.5, others[0].shape)
            others[1].data[...] = 1
        elif net.layer_dict[name].type != "Scale":
            first.data[...] = random.normal(0, np.sqrt(2 / np.prod(first.shape[1:])), first.shape)


def by_caffe(path: str) -> Callable[[], np.ndarray]:
    import caffe

    net = caffe.Net(path + ".prototxt", caffe.TEST, weights=path + ".caffemodel")
    (data,), (scores,) = net.inputs, net.outputs
    net.blobs[data].reshape(*IMAGE.shape)
    return lambda: net.forward(**{data: IMAGE})[scores]


def by_onnxruntime(path: str) -> Callable[[], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path + ".onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: IMAGE})[0]


def by_openvino(path: str) -> Callable[[], np.ndarray]:
    import openvino

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": openvino.Type.f32,
        "INFERENCE_NUM_THREADS": 1,
    }
    request = core.compile_model(core.read_model(path + ".onnx"), "CPU", settings).create_infer_request()
    return lambda: request.infer([IMAGE])[0]


ENGINES = {"caffe": by_caffe, "onnxruntime": by_onnxruntime, "openvino": by_openvino}


def measure(engine: str, folder: str, names: tuple[str, ...] = NETS, runs: int = RUNS) -> dict[str, float]:
    """What is measured → the fewest seconds of the processor; infinitely many where the scores differ."""
    found = {}
    for name in names:
        path = os.path.join(folder, name)
        run = ENGINES[engine](path)
        expected, seconds = np.load(path + ".npy"), []
        for _ in range(WARMUP + runs):
            start = time.process_time()
            scores = run()
            seconds.append(time.process_time() - start)
        apart = np.abs(scores.reshape(expected.shape) - expected).max() / np.abs(expected).max()
        found[name] = min(seconds[WARMUP:]) if apart <= TOLERANCE else float("inf")
    return found


if __name__ == "__main__":
    if sys.argv[2] == "prepare":
        prepare(Path(sys.argv[1]))
    else:
        print(json.dumps(measure(sys.argv[2], sys.argv[1])))
