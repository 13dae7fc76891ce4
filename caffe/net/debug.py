"""The log of `debug_info: true`: mean absolute values, layer by layer (Net::ForwardDebugInfo and its siblings)."""

import torch

from caffe.log import log
from caffe.net.graph import Graph, Node


def _mean_abs(values: torch.Tensor) -> float:
    return float(values.abs().mean()) if values.numel() else 0.0


def after_forward(graph: Graph, node: Node) -> None:
    for index, blob in zip(node.top_ids, node.top, strict=True):
        name = graph.blob_names[index]
        log.info("    [Forward] Layer %s, top blob %s data: %g", node.layer.name, name, _mean_abs(blob.tensor))
    for param in node.params:
        value = _mean_abs(param.blob.tensor)
        log.info("    [Forward] Layer %s, param blob %s data: %g", node.layer.name, param.display_name, value)


def after_backward(graph: Graph, node: Node) -> None:
    for index, blob, wanted in zip(node.bottom_ids, node.bottom, node.layer.propagate_down, strict=True):
        if wanted:
            name = graph.blob_names[index]
            log.info("    [Backward] Layer %s, bottom blob %s diff: %g", node.layer.name, name, _mean_abs(blob.grad))
    for param, wanted in zip(node.params, node.layer.param_propagate_down, strict=True):
        if wanted:
            value = _mean_abs(param.blob.grad)
            log.info("    [Backward] Layer %s, param blob %s diff: %g", node.layer.name, param.display_name, value)


def summary(graph: Graph) -> None:
    """The norms over all learnable parameters, once a backward run is over."""
    blobs = [learnable.blob for learnable in graph.learnable.values()]
    norms = [
        tuple(sum(float(values.norm(p)) ** p for values in side) ** (1 / p) for side in sides)
        for p in (1, 2)
        for sides in [([b.tensor for b in blobs], [b.grad for b in blobs])]
    ]
    (data_1, diff_1), (data_2, diff_2) = norms
    log.error(
        "    [Backward] All net params (data, diff): L1 norm = (%g, %g); L2 norm = (%g, %g)",
        data_1,
        diff_1,
        data_2,
        diff_2,
    )
