"""The reference nets mean what was published: every layer, filler and rate, and every solver."""

import hashlib

import numpy as np
import pytest

from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.geometry import parameters
from fcn_caffe.net_spec.reference import files

FILES = files()

# Taken from the prototxts of https://github.com/BVLC/caffe and https://github.com/forresti/SqueezeNet.
DIGESTS = {
    "nets/reference/alexnet/deploy.prototxt": "79347eb3ad370ce4",
    "nets/reference/alexnet/train_val.prototxt": "83dc09c516e4aeb3",
    "nets/reference/caffenet/deploy.prototxt": "f1c99f39a6f35355",
    "nets/reference/caffenet/train_val.prototxt": "27d38ed83a4aac81",
    "nets/reference/cifar10_full/deploy.prototxt": "617499ed7228ec6d",
    "nets/reference/cifar10_full/train_val.prototxt": "73df3c5d72978f8c",
    "nets/reference/cifar10_quick/deploy.prototxt": "a00102765ecc568c",
    "nets/reference/cifar10_quick/train_val.prototxt": "4d47e45f78306be1",
    "nets/reference/googlenet/deploy.prototxt": "d02bff221eb180c9",
    "nets/reference/googlenet/train_val.prototxt": "f2dafd8867a12411",
    "nets/reference/lenet/deploy.prototxt": "4198b718b9c144a9",
    "nets/reference/lenet/train_val.prototxt": "08a3fddac178d708",
    "nets/reference/mnist_autoencoder/train_val.prototxt": "70d0900826adca9f",
    "nets/reference/mnist_siamese/deploy.prototxt": "483ace668457a1b4",
    "nets/reference/mnist_siamese/train_val.prototxt": "1222926a73635f7a",
    "nets/reference/rcnn_ilsvrc13/deploy.prototxt": "ef15ccde0e073e78",
    "nets/reference/squeezenet_v1.0/deploy.prototxt": "a370119f1ba3125c",
    "nets/reference/squeezenet_v1.0/train_val.prototxt": "fdf81ed28b62a492",
    "nets/reference/squeezenet_v1.1/deploy.prototxt": "732de943ce389e70",
    "nets/reference/squeezenet_v1.1/train_val.prototxt": "3b0525036544f3a3",
    "solvers/reference/alexnet.prototxt": "3e787ffb2c8bf021",
    "solvers/reference/caffenet.prototxt": "3e787ffb2c8bf021",
    "solvers/reference/cifar10_full.prototxt": "8f3d9187ffed6460",
    "solvers/reference/cifar10_full_lr1.prototxt": "8c3cab22a2fff87e",
    "solvers/reference/cifar10_full_lr2.prototxt": "1146e11a285bcc84",
    "solvers/reference/cifar10_quick.prototxt": "d36fe50c98c0959e",
    "solvers/reference/cifar10_quick_lr1.prototxt": "a8aa3da6a4fda278",
    "solvers/reference/googlenet.prototxt": "e926d43586018272",
    "solvers/reference/googlenet_quick.prototxt": "eeb8fd1f6345a119",
    "solvers/reference/lenet.prototxt": "18c516d53b7e3094",
    "solvers/reference/lenet_adadelta.prototxt": "5d2d8b7c65e5b7e3",
    "solvers/reference/lenet_adam.prototxt": "20ad8b776d737ac8",
    "solvers/reference/lenet_multistep.prototxt": "ece840e7904695aa",
    "solvers/reference/lenet_rmsprop.prototxt": "b096d5b509e19502",
    "solvers/reference/mnist_autoencoder.prototxt": "6a2f7e2a62426694",
    "solvers/reference/mnist_autoencoder_adadelta.prototxt": "c5b5b30ebd7062df",
    "solvers/reference/mnist_autoencoder_adagrad.prototxt": "196b0fee1662fdf1",
    "solvers/reference/mnist_autoencoder_nesterov.prototxt": "4b3a023199064182",
    "solvers/reference/mnist_siamese.prototxt": "8e73e9867a25bbf3",
    "solvers/reference/squeezenet_v1.0.prototxt": "413e1988924196bf",
    "solvers/reference/squeezenet_v1.1.prototxt": "413e1988924196bf",
}


def digest(path, message):
    """Of a message without what is a default, of a solver without its paths, of a net in use without how it learns."""
    copy = type(message)()
    copy.CopyFrom(message)
    if path.startswith("solvers/"):
        for name in ("net", "snapshot_prefix", "solver_mode"):
            copy.ClearField(name)
    elif path.endswith("deploy.prototxt"):
        copy.ClearField("name")
        for layer in copy.layer:
            layer.ClearField("param")
            for settings in (layer.convolution_param, layer.inner_product_param):
                settings.ClearField("weight_filler")
                settings.ClearField("bias_filler")
    _clear_defaults(copy)
    return hashlib.sha256(copy.SerializeToString(deterministic=True)).hexdigest()[:16]


def _rounded(value):
    """Old versions of protobuf tell defaults unrounded."""
    return np.float32(value) if isinstance(value, float) else value


def _clear_defaults(message):
    for field, value in message.ListFields():
        repeated = hasattr(value, "extend")
        if field.message_type:
            for inner in value if repeated else [value]:
                _clear_defaults(inner)
            if not repeated and not value.ByteSize():
                message.ClearField(field.name)
        elif not repeated and _rounded(value) == _rounded(field.default_value):
            message.ClearField(field.name)


@pytest.mark.parametrize("path", DIGESTS)
def test_it_means_what_the_published_one_means(path):
    assert digest(path, FILES[path]) == DIGESTS[path]


def test_all_but_vgg16_are_compared():
    assert {path for path in FILES if "vgg16" not in path} == set(DIGESTS)


PARAMETERS = {
    "lenet": 431_080,
    "mnist_siamese": 431_102,
    "cifar10_quick": 145_578,
    "cifar10_full": 89_578,
    "alexnet": 60_965_224,
    "caffenet": 60_965_224,
    "rcnn_ilsvrc13": 57_687_624,
    "googlenet": 6_998_552,
    "squeezenet_v1.0": 1_248_424,
    "squeezenet_v1.1": 1_235_496,
    "vgg16": 138_357_544,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_parameters(name):
    assert sum(parameters(FILES[f"nets/reference/{name}/deploy.prototxt"]).values()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["caffenet", "googlenet", "squeezenet_v1.1", "vgg16"])
def test_it_takes_the_weights_that_the_catalogues_net_takes(name):
    here, there = FILES[f"nets/reference/{name}/deploy.prototxt"], ROWS[f"ilsvrc/{name}"].net("deploy")
    assert parameters(here) == parameters(there)
    assert list(parameters(here)) == list(parameters(there))
