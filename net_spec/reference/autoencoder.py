"""The autoencoder of Hinton and Salakhutdinov (2006) on MNIST: 784 pixels through 30 numbers and back."""

from __future__ import annotations

from caffe.net_spec import NetSpec
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.reference.pieces import Reference, database, filled, gaussian, named, read

STAGES = ("test-on-train", "test-on-test")
PARAM = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 1, "decay_mult": 0}]
ENCODER, DECODER = (1000, 500, 250, 30), (784, 1000, 500, 250)
"""Units by number: `encode1` to `encode4`, then `decode4` to `decode1`."""

USUAL = """
test_state { stage: "test-on-train" } test_iter: 500 test_state { stage: "test-on-test" } test_iter: 100
test_interval: 500 test_compute_loss: true display: 100 max_iter: 65000 weight_decay: 0.0005 snapshot: 10000
"""
STEP = USUAL + "base_lr: 0.01 lr_policy: 'step' gamma: 0.1 stepsize: 10000 "
SOLVERS = {
    "": STEP + "momentum: 0.9",
    "_nesterov": STEP + "type: 'Nesterov' momentum: 0.95",
    "_adagrad": USUAL + "type: 'AdaGrad' base_lr: 0.01 lr_policy: 'fixed'",
    "_adadelta": USUAL + "type: 'AdaDelta' base_lr: 1 lr_policy: 'fixed' momentum: 0.95 delta: 1e-8",
}


def autoencoder() -> Reference:
    """The autoencoder of MNIST's digits (examples/mnist)."""
    n = NetSpec()
    sets = [
        database(f"examples/mnist/mnist_{split}_lmdb", 100, scale=0.0039215684) for split in ("train", "train", "test")
    ]
    read(n, sets, tops=["data"], stages=STAGES)
    n.flatdata = L.Flatten(n.data)
    top, last = n.data, "decode1"
    widths = [(f"encode{number}", width) for number, width in enumerate(ENCODER, 1)]
    widths += [(f"decode{number}", width) for number, width in reversed(list(enumerate(DECODER, 1)))]
    for name, width in widths:
        n[name] = top = L.InnerProduct(top, num_output=width, param=PARAM, **filled(gaussian(1, sparse=15)))
        if name not in ("encode4", last):
            n[f"{name}neuron"] = top = L.Sigmoid(top)
    n.cross_entropy_loss = L.SigmoidCrossEntropyLoss(n[last], n.flatdata, name="loss", loss_weight=1)
    n.decode1neuron = L.Sigmoid(n[last])
    n.l2_error = L.EuclideanLoss(n.decode1neuron, n.flatdata, name="loss", loss_weight=0)
    return Reference(named(n, "MNISTAutoencoder"), solvers=SOLVERS)
