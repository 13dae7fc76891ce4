"""GoogLeNet (arXiv 1409.4842) with its two auxiliary classifiers, which are there to train it."""

from __future__ import annotations

from typing import Any

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import BIAS_TWICE, Form, SuffixedSpec, conv_relu, dropout
from fcn_caffe.net_spec.reference.pieces import (
    IMAGENET_CLASSES,
    IN_TESTING,
    XAVIER,
    Reference,
    filled,
    ilsvrc,
    in_use,
    named,
    read,
)
from fcn_caffe.net_spec.trunks import googlenet as trunk
from fcn_caffe.net_spec.trunks import googlenet_classifier

FEATURES, SCORES = filled(XAVIER, 0.2), filled(XAVIER)
USUAL = """
test_iter: 1000 test_interval: 4000 test_initialization: false display: 40 average_loss: 40 snapshot: 40000
base_lr: 0.01 momentum: 0.9 weight_decay: 0.0002
"""
SOLVERS = {
    "": USUAL + "lr_policy: 'step' stepsize: 320000 gamma: 0.96 max_iter: 10000000",
    "_quick": USUAL + "lr_policy: 'poly' power: 0.5 max_iter: 2400000",
}


def googlenet() -> Reference:
    """BVLC's GoogLeNet with its two auxiliary losses (models/bvlc_googlenet)."""
    n = NetSpec()
    read(n, ilsvrc(32, 50, crop_size=224, mean_value=[104, 117, 123]))
    stream = SuffixedSpec(n)
    (top, *_) = trunk(stream, n.data, Form(inner_product=True, fillers=FEATURES))
    score = googlenet_classifier(stream, top.top, Form(inner_product=True, fillers=SCORES), IMAGENET_CLASSES)
    judge(n, "loss3", score, 1, layer="loss3/loss3")
    for number, module in ((1, "4a"), (2, "4d")):
        side = auxiliary(n, f"loss{number}", n[f"inception_{module}/output"])
        judge(n, f"loss{number}", side, 0.3, layer=f"loss{number}/loss")
    net = named(n, "GoogleNet")
    for number, module in ((1, "4a"), (2, "4d")):
        move(net, f"loss{number}/", f"inception_{module}/output")
    return Reference(net, in_use(net, "loss3/classifier", [10, 3, 224, 224]), SOLVERS)


def auxiliary(n: NetSpec, name: str, bottom: Top) -> Top:
    """Scores of a map in the middle of the net."""
    n[f"{name}/ave_pool"] = L.Pooling(bottom, pool=P.Pooling.AVE, kernel_size=5, stride=3)
    conv = conv_relu(n[f"{name}/ave_pool"], 128, 1, param=BIAS_TWICE, **FEATURES)
    n[f"{name}/conv"], n[f"{name}/relu_conv"] = conv
    n[f"{name}/fc"] = L.InnerProduct(conv[1], num_output=1024, param=BIAS_TWICE, **FEATURES)
    n[f"{name}/relu_fc"] = L.ReLU(n[f"{name}/fc"], in_place=True)
    n[f"{name}/drop_fc"] = dropout(n[f"{name}/relu_fc"], 0.7)
    score = L.InnerProduct(n[f"{name}/drop_fc"], num_output=IMAGENET_CLASSES, param=BIAS_TWICE, **SCORES)
    n[f"{name}/classifier"] = score
    return score


def judge(n: NetSpec, name: str, score: Top, weight: float, layer: str) -> None:
    """A weighted loss, and in testing the accuracy of the best score and of the best five."""
    n[f"{name}/loss{name[-1]}"] = L.SoftmaxWithLoss(score, n.label, name=layer, loss_weight=weight)
    n[f"{name}/top-1"] = L.Accuracy(score, n.label, include=IN_TESTING)
    n[f"{name}/top-5"] = L.Accuracy(score, n.label, include=IN_TESTING, top_k=5)


def move(net: Any, prefix: str, after: str) -> None:
    """Puts the layers whose names begin with `prefix` behind layer `after`: solver states are in their order."""
    moved = [layer for layer in net.layer if layer.name.startswith(prefix)]
    others = [layer for layer in net.layer if not layer.name.startswith(prefix)]
    place = 1 + [layer.name for layer in others].index(after)
    ordered = type(net)(layer=[*others[:place], *moved, *others[place:]])
    net.ClearField("layer")
    net.MergeFrom(ordered)
