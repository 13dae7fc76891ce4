"""A deploy prototxt and its weights as ONNX, for the few layer types that the FCN nets consist of.

    python -m benchmarks.onnx_export deploy.prototxt weights.caffemodel net.onnx

Batch, height and width stay open; who runs the model for one size says so when it is loaded. This runs in the peers'
environment, and reads Caffe's files by caffe.formats.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from caffe.formats import caffemodel, prototxt

OPSET = 17


class Graph:
    """Nodes and constants of an ONNX graph in the making; `now` holds the present name of each blob of Caffe's."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.now: dict[str, str] = {}

    def constant(self, values: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name


def convolution(graph: Graph, layer: Any, bottoms: list[str], blobs: list[np.ndarray]) -> str:
    param = layer.convolution_param
    pad, stride = param.pad[0] if param.pad else 0, param.stride[0] if param.stride else 1
    return graph.add(
        "ConvTranspose" if layer.type == "Deconvolution" else "Conv",
        [*bottoms, *map(graph.constant, blobs)],
        kernel_shape=list(blobs[0].shape[2:]),
        pads=[pad] * 4,
        strides=[stride] * 2,
        group=param.group,
    )


def pooling(graph: Graph, layer: Any, bottoms: list[str], blobs: list[np.ndarray]) -> str:
    param = layer.pooling_param
    size, stride = [param.kernel_size] * 2, [param.stride] * 2
    return graph.add("MaxPool", bottoms, kernel_shape=size, strides=stride, pads=[param.pad] * 4, ceil_mode=1)


def crop(graph: Graph, layer: Any, bottoms: list[str], blobs: list[np.ndarray]) -> str:
    """The reference's height and width, from the offset on. Where sizes are fixed, the peers fold it to constants."""
    x, reference = bottoms
    offset = graph.constant(np.full(2, layer.crop_param.offset[0], np.int64))
    size = graph.add("Shape", [reference], start=2)
    axes = graph.constant(np.array([2, 3], np.int64))
    return graph.add("Slice", [x, offset, graph.add("Add", [size, offset]), axes])


LAYERS: dict[str, Callable[[Graph, Any, list[str], list[np.ndarray]], str]] = {
    "Convolution": convolution,
    "Deconvolution": convolution,
    "Pooling": pooling,
    "Crop": crop,
    "ReLU": lambda graph, layer, bottoms, blobs: graph.add("Relu", bottoms),
    "Eltwise": lambda graph, layer, bottoms, blobs: graph.add("Sum", bottoms),
    "Dropout": lambda graph, layer, bottoms, blobs: bottoms[0],
}


def export(net_file: str, weights_file: str) -> Any:
    """The ONNX model: `data` batch×3×H×W to `score`. Raises KeyError for a layer type that LAYERS does not have."""
    net = prototxt.read_net(net_file)
    blobs = {layer.name: [blob for blob in layer.blobs if blob is not None] for layer in caffemodel.read(weights_file)}
    graph = Graph()
    for layer in net.layer:
        if layer.type == "Input":
            graph.now[layer.top[0]] = layer.top[0]
            continue
        bottoms = [graph.now[name] for name in layer.bottom]
        graph.now[layer.top[0]] = LAYERS[layer.type](graph, layer, bottoms, blobs.get(layer.name, []))
    graph.nodes.append(helper.make_node("Identity", [graph.now["score"]], ["score"]))
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch", "classes", "height", "width"])
    body = helper.make_graph(graph.nodes, "fcn", [data], [score], graph.constants)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


if __name__ == "__main__":
    source, trained, target = sys.argv[1:]
    onnx.save(export(source, trained), target)
