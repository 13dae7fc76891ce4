"""Two nets for CIFAR-10, after those that Krizhevsky published with cuda-convnet."""

from __future__ import annotations

from typing import Any

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import max_pool
from fcn_caffe.net_spec.reference.pieces import (
    BIAS_TWICE,
    Reference,
    database,
    filled,
    gaussian,
    in_use,
    judge,
    named,
    read,
)

SHAPE = [1, 3, 32, 32]
CLASSES = 10
STRONG_DECAY = [{"lr_mult": 1, "decay_mult": 250}, {"lr_mult": 2, "decay_mult": 0}]

USUAL = "test_iter: 100 momentum: 0.9 weight_decay: 0.004 lr_policy: 'fixed' "
QUICK = USUAL + "test_interval: 500 display: 100 "
FULL = USUAL + "test_interval: 1000 display: 200 snapshot_format: HDF5 "
QUICK_SOLVERS = {
    "": QUICK + "base_lr: 0.001 max_iter: 4000 snapshot: 4000",
    "_lr1": QUICK + "base_lr: 0.0001 max_iter: 5000 snapshot: 5000 snapshot_format: HDF5",
}
FULL_SOLVERS = {
    "": FULL + "base_lr: 1e-3 max_iter: 60000 snapshot: 10000",
    "_lr1": FULL + "base_lr: 1e-4 max_iter: 65000 snapshot: 5000",
    "_lr2": FULL + "base_lr: 1e-5 max_iter: 70000 snapshot: 5000",
}


def features(n: NetSpec, normalized: bool, last: dict[str, Any]) -> Top:
    """Three convolutions, each halved; `last` has the settings of how the third learns."""
    top = n.data
    for number, width, std in ((1, 32, 0.0001), (2, 32, 0.01), (3, 64, 0.01)):
        settings = last if number == 3 else {"param": BIAS_TWICE}
        conv = L.Convolution(top, num_output=width, pad=2, kernel_size=5, stride=1, **filled(gaussian(std)), **settings)
        n[f"conv{number}"] = conv
        if number == 1:
            n.pool1 = max_pool(conv, 3, stride=2)
            n.relu1 = top = L.ReLU(n.pool1, in_place=True)
        else:
            n[f"relu{number}"] = L.ReLU(conv, in_place=True)
            n[f"pool{number}"] = top = L.Pooling(n[f"relu{number}"], pool=P.Pooling.AVE, kernel_size=3, stride=2)
        if normalized and number < 3:
            region = P.LRN.WITHIN_CHANNEL
            n[f"norm{number}"] = top = L.LRN(top, local_size=3, alpha=5e-5, beta=0.75, norm_region=region)
    return top


def start() -> NetSpec:
    """A net that reads CIFAR-10's databases."""
    n = NetSpec()
    mean = "examples/cifar10/mean.binaryproto"
    sets = [database(f"examples/cifar10/cifar10_{split}_lmdb", 100, mean_file=mean) for split in ("train", "test")]
    read(n, sets, name="cifar")
    return n


def quick() -> Reference:
    """CIFAR-10's small net with two learning rates (examples/cifar10)."""
    n = start()
    top = features(n, False, {"param": BIAS_TWICE})
    n.ip1 = L.InnerProduct(top, num_output=64, param=BIAS_TWICE, **filled(gaussian(0.1)))
    n.ip2 = L.InnerProduct(n.ip1, num_output=CLASSES, param=BIAS_TWICE, **filled(gaussian(0.1)))
    judge(n, n.ip2)
    net = named(n, "CIFAR10_quick")
    return Reference(net, in_use(net, "ip2", SHAPE), QUICK_SOLVERS)


def full() -> Reference:
    """With local normalisation, and a strong decay of the scores' weights in place of a layer before them."""
    n = start()
    top = features(n, True, {})
    n.ip1 = L.InnerProduct(top, num_output=CLASSES, param=STRONG_DECAY, **filled(gaussian(0.01)))
    judge(n, n.ip1)
    net = named(n, "CIFAR10_full")
    return Reference(net, in_use(net, "ip1", SHAPE), FULL_SOLVERS)
