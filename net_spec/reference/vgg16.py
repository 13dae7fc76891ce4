"""VGG16 (arXiv 1409.1556, configuration D), from weights drawn as its authors advise, so that no other net comes first.

It was published without the files of its training: batch, rate, momentum, decay and the three falls of the rate in
370,000 iterations are the paper's (section 3.1).
"""

from __future__ import annotations

from caffe.net_spec import NetSpec
from fcn_caffe.net_spec.blocks import BIAS_TWICE, Form, SuffixedSpec
from fcn_caffe.net_spec.reference.pieces import (
    IMAGENET_CLASSES,
    XAVIER,
    Reference,
    filled,
    ilsvrc,
    in_use,
    judge,
    named,
    read,
)
from fcn_caffe.net_spec.trunks import VGG16

SOLVER = """
test_iter: 1000 test_interval: 1000 display: 20 max_iter: 370000 snapshot: 10000
base_lr: 0.01 lr_policy: "step" gamma: 0.1 stepsize: 100000 momentum: 0.9 weight_decay: 0.0005
"""


def vgg16() -> Reference:
    """The VGG team's net of 16 layers."""
    n = NetSpec()
    read(n, ilsvrc(256, 50, crop_size=224, mean_value=[103.939, 116.779, 123.68]))
    begins = filled(XAVIER)
    form = Form(inner_product=True, fillers=begins, special={"fc8": {**begins, "param": BIAS_TWICE}})
    stream = SuffixedSpec(n)
    judge(n, VGG16.classify(stream, VGG16.features(stream, n.data, form)[0].top, form, IMAGENET_CLASSES))
    net = named(n, "VGG16")
    return Reference(net, in_use(net, "fc8", [10, 3, 224, 224]), {"": SOLVER})
