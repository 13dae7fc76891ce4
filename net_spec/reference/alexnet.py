"""AlexNet (Krizhevsky et al., 2012); CaffeNet, which pools before it normalises; R-CNN, CaffeNet made a detector."""

from __future__ import annotations

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.blocks import BIAS_TWICE, Form, SuffixedSpec, conv_relu, max_pool
from fcn_caffe.net_spec.reference.pieces import (
    IMAGENET_CLASSES,
    Reference,
    filled,
    gaussian,
    ilsvrc,
    in_use,
    judge,
    named,
    read,
)
from fcn_caffe.net_spec.trunks import fc6_fc7, fc8

SHAPE = [10, 3, 227, 227]
SOLVER = """
test_iter: 1000 test_interval: 1000 display: 20 max_iter: 450000 snapshot: 10000
base_lr: 0.01 lr_policy: "step" gamma: 0.1 stepsize: 100000 momentum: 0.9 weight_decay: 0.0005
"""


def alexnet_like(name: str, bias: float, pools_first: bool) -> Reference:
    """`bias` is where those biases begin that keep ReLUs alive: of conv2, conv4, conv5, fc6 and fc7."""
    n = NetSpec()
    read(n, ilsvrc(256, 50, crop_size=227, mean_file="data/ilsvrc12/imagenet_mean.binaryproto"))

    def conv(number: int, bottom: Top, width: int, kernel_size: int, **settings: int) -> Top:
        begins = filled(gaussian(0.01), bias if number in (2, 4, 5) else 0)
        made = conv_relu(bottom, width, kernel_size, param=BIAS_TWICE, **settings, **begins)
        n[f"conv{number}"], n[f"relu{number}"] = made
        return made[1]

    def shrink(number: int, top: Top) -> Top:
        for kind in ("pool", "norm") if pools_first else ("norm", "pool"):
            if kind == "pool":
                top = max_pool(top, 3, stride=2)
            else:
                top = L.LRN(top, local_size=5, alpha=1e-4, beta=0.75)
            n[f"{kind}{number}"] = top
        return top

    top = shrink(1, conv(1, n.data, 96, 11, stride=4))
    top = shrink(2, conv(2, top, 256, 5, pad=2, group=2))
    top = conv(3, top, 384, 3, pad=1)
    top = conv(4, top, 384, 3, pad=1, group=2)
    top = conv(5, top, 256, 3, pad=1, group=2)
    n.pool5 = max_pool(top, 3, stride=2)
    form = Form(inner_product=True, fillers=filled(gaussian(0.005), bias), special={"fc8": filled(gaussian(0.01))})
    stream = SuffixedSpec(n)
    fc7 = fc6_fc7(stream, n.pool5, 4096, 6, form, param=BIAS_TWICE)
    judge(n, fc8(stream, fc7, form, IMAGENET_CLASSES, param=BIAS_TWICE))
    net = named(n, name)
    return Reference(net, in_use(net, "fc8", SHAPE), {"": SOLVER})


def alexnet() -> Reference:
    """BVLC's AlexNet (models/bvlc_alexnet)."""
    return alexnet_like("AlexNet", 0.1, pools_first=False)


def caffenet() -> Reference:
    """BVLC's reference CaffeNet (models/bvlc_reference_caffenet)."""
    return alexnet_like("CaffeNet", 1, pools_first=True)


def rcnn_ilsvrc13(classes: int = 200) -> Reference:
    """Scores of the classes of ILSVRC 2013 detection (Girshick et al., 2014): a linear SVM for each, as one layer."""
    net = in_use(caffenet().train_val, "fc8", SHAPE, softmax=False)
    net.name = "R-CNN-ilsvrc13"
    score = net.layer[-1]
    score.name, score.top[0] = "fc-rcnn", "fc-rcnn"
    score.inner_product_param.num_output = classes
    for layer in net.layer:
        layer.ClearField("param")
    return Reference(deploy=net)
