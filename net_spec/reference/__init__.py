"""The nets that BVLC Caffe was published with, and those of its model zoo that everybody starts from.

They are written to nets/reference/ and solvers/reference/. Their data are where Caffe's own scripts put them: train in
a folder that has these paths.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format

from caffe.proto import caffe_pb2
from fcn_caffe.net_spec.reference import alexnet, autoencoder, cifar10, googlenet, lenet, squeezenet, vgg16

NETS = {
    "lenet": lenet.lenet,
    "mnist_siamese": lenet.siamese,
    "mnist_autoencoder": autoencoder.autoencoder,
    "cifar10_quick": cifar10.quick,
    "cifar10_full": cifar10.full,
    "alexnet": alexnet.alexnet,
    "caffenet": alexnet.caffenet,
    "rcnn_ilsvrc13": alexnet.rcnn_ilsvrc13,
    "googlenet": googlenet.googlenet,
    "squeezenet_v1.0": squeezenet.v1_0,
    "squeezenet_v1.1": squeezenet.v1_1,
    "vgg16": vgg16.vgg16,
}


def files() -> dict[str, Any]:
    """Path to message, of every net and solver."""
    made: dict[str, Any] = {}
    for name, make in NETS.items():
        reference = make()
        for phase in ("train_val", "deploy"):
            if getattr(reference, phase) is not None:
                made[f"nets/reference/{name}/{phase}.prototxt"] = getattr(reference, phase)
        for suffix, settings in reference.solvers.items():
            solver = caffe_pb2.SolverParameter(
                net=f"nets/reference/{name}/train_val.prototxt",
                snapshot_prefix=f"snapshot/reference/{name}{suffix}/train",
            )
            made[f"solvers/reference/{name}{suffix}.prototxt"] = text_format.Parse(settings, solver)
    return made
