"""LeNet on MNIST, and two of it that share their weights and learn which digits are the same.

LeNet-5 (LeCun et al., 1998) with ReLU instead of sigmoids; the siamese net has the loss of Hadsell et al. (2006).
"""

from __future__ import annotations

from typing import Any

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import SuffixedSpec, max_pool
from fcn_caffe.net_spec.reference.pieces import (
    BIAS_TWICE,
    XAVIER,
    Reference,
    database,
    filled,
    in_use,
    judge,
    named,
    read,
)

SCALE = 1 / 256
USUAL = "test_iter: 100 test_interval: 500 display: 100 snapshot: 5000 "
INV = "base_lr: 0.01 lr_policy: 'inv' gamma: 0.0001 power: 0.75 "
STEPS = "base_lr: 0.01 lr_policy: 'multistep' gamma: 0.9 stepvalue: [5000, 7000, 8000, 9000, 9500] "
DECAY = "max_iter: 10000 weight_decay: 0.0005 "
SOLVERS = {
    "": USUAL + DECAY + INV + "momentum: 0.9",
    "_multistep": USUAL + DECAY + STEPS + "momentum: 0.9",
    "_adadelta": USUAL + DECAY + "type: 'AdaDelta' base_lr: 1 lr_policy: 'fixed' momentum: 0.95 delta: 1e-6",
    "_adam": USUAL + "max_iter: 10000 type: 'Adam' base_lr: 0.001 lr_policy: 'fixed' momentum: 0.9 momentum2: 0.999",
    "_rmsprop": USUAL + DECAY + INV + "type: 'RMSProp' momentum: 0 rms_decay: 0.98",
}
SIAMESE_SOLVER = USUAL + INV + "max_iter: 50000 momentum: 0.9 weight_decay: 0"


def tower(n: SuffixedSpec, bottom: Any, shared: bool = False) -> Top:
    """From the image to the scores of the ten digits."""

    def settings(layer: str) -> dict[str, Any]:
        return {**filled(XAVIER), "param": shares(layer) if shared else BIAS_TWICE}

    n["conv1"] = L.Convolution(bottom, num_output=20, kernel_size=5, stride=1, **settings("conv1"))
    n["pool1"] = max_pool(n["conv1"], 2, stride=2)
    n["conv2"] = L.Convolution(n["pool1"], num_output=50, kernel_size=5, stride=1, **settings("conv2"))
    n["pool2"] = max_pool(n["conv2"], 2, stride=2)
    n["ip1"] = L.InnerProduct(n["pool2"], num_output=500, **settings("ip1"))
    n["relu1"] = L.ReLU(n["ip1"], in_place=True)
    n["ip2"] = L.InnerProduct(n["relu1"], num_output=10, **settings("ip2"))
    return n["ip2"]


def shares(layer: str) -> list[dict[str, Any]]:
    """The `param` settings of a layer that shares its weights and biases by name."""
    return [{"name": f"{layer}_{blob}", **multiplier} for blob, multiplier in zip("wb", BIAS_TWICE)]


def lenet() -> Reference:
    """LeNet for MNIST's digits (examples/mnist)."""
    n = NetSpec()
    sets = [
        database(f"examples/mnist/mnist_{split}_lmdb", size, scale=SCALE)
        for split, size in (("train", 64), ("test", 100))
    ]
    read(n, sets, name="mnist")
    judge(n, tower(SuffixedSpec(n), n.data))
    net = named(n, "LeNet")
    return Reference(net, in_use(net, "ip2", [64, 1, 28, 28]), SOLVERS)


def siamese() -> Reference:
    """The images of a pair are the channels of one; `sim` is 1 where they show the same digit."""
    n = NetSpec()
    sets = [
        database(f"examples/siamese/mnist_siamese_{split}_leveldb", size, P.Data.LEVELDB, scale=SCALE)
        for split, size in (("train", 64), ("test", 100))
    ]
    read(n, sets, name="pair_data", tops=("pair_data", "sim"))
    n.data, n.data_p = L.Slice(n.pair_data, name="slice_pair", ntop=2, slice_dim=1, slice_point=1)
    for suffix, image in (("", n.data), ("_p", n.data_p)):
        score = tower(SuffixedSpec(n, suffix), image, shared=True)
        n[f"feat{suffix}"] = L.InnerProduct(score, num_output=2, **filled(XAVIER), param=shares("feat"))
    n.loss = L.ContrastiveLoss(n.feat, n.feat_p, n.sim, margin=1)
    net = named(n, "mnist_siamese_train_test")
    return Reference(net, in_use(net, "feat", [10000, 1, 28, 28], softmax=False), {"": SIAMESE_SOLVER})
