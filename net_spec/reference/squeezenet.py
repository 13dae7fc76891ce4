"""SqueezeNet (arXiv 1602.07360): v1.0, and v1.1, which pools earlier and computes less than half."""

from __future__ import annotations

from typing import Any

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import conv_relu, dropout, max_pool
from fcn_caffe.net_spec.reference.pieces import (
    IMAGENET_CLASSES,
    IN_TESTING,
    IN_TRAINING,
    XAVIER,
    Reference,
    gaussian,
    ilsvrc,
    in_use,
    read,
)
from fcn_caffe.net_spec.trunks import FIRE

SOLVER = """
test_iter: 2000 test_interval: 1000 test_initialization: false display: 40 average_loss: 40 snapshot: 1000
base_lr: 0.04 lr_policy: "poly" power: 1 max_iter: 170000 iter_size: 16 momentum: 0.9 weight_decay: 0.0002
random_seed: 42
"""


def squeezenet(
    first: tuple[int, int],
    pools: tuple[int, int],
    last_pad: dict[str, int],
    train: dict[str, Any],
    test: dict[str, Any],
) -> Reference:
    """first: width and kernel of conv1. pools: the fire modules that a pooling follows. train, test: where the loss and
    the accuracy are included."""
    n = NetSpec()
    read(n, ilsvrc(32, 25, mirrored=False, crop_size=227, mean_value=[104, 117, 123]))

    def conv(name: str, mark: str, bottom: Top, width: int, kernel_size: int, **settings: Any) -> Top:
        made = conv_relu(bottom, width, kernel_size, **{"weight_filler": XAVIER, **settings})
        n[name + mark], n[f"{name}relu_{mark}"] = made
        return made[1]

    top = conv("", "conv1", n.data, *first, stride=2)
    n.pool1 = top = max_pool(top, 3, stride=2)
    for number, (squeezed, expanded) in FIRE.items():
        name = f"fire{number}/"
        squeeze = conv(name, "squeeze1x1", top, squeezed, 1)
        one = conv(name, "expand1x1", squeeze, expanded, 1)
        three = conv(name, "expand3x3", squeeze, expanded, 3, pad=1)
        n[f"{name}concat"] = top = L.Concat(one, three)
        if number in pools:
            n[f"pool{number}"] = top = max_pool(top, 3, stride=2)
    n.drop9 = top = dropout(top, 0.5)
    top = conv("", "conv10", top, IMAGENET_CLASSES, 1, weight_filler=gaussian(0.01), **last_pad)
    n.pool10 = L.Pooling(top, pool=P.Pooling.AVE, global_pooling=True)
    n.loss = L.SoftmaxWithLoss(n.pool10, n.label, **train)
    n.accuracy = L.Accuracy(n.pool10, n.label, **test)
    n.accuracy_top5 = L.Accuracy(n.pool10, n.label, top_k=5, **test)
    net = n.to_proto()
    return Reference(net, in_use(net, "pool10", [10, 3, 227, 227]), {"": SOLVER})


def v1_0() -> Reference:
    """SqueezeNet v1.0, as its authors published it."""
    return squeezenet((96, 7), (4, 8), {"pad": 1}, {"include": IN_TRAINING}, {"include": IN_TESTING})


def v1_1() -> Reference:
    """SqueezeNet v1.1, as its authors published it."""
    return squeezenet((64, 3), (3, 5), {}, {}, {})
