"""The small nets as calls of torch's functions, one after the other, without modules; gradients by autograd."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

import caffe

Params = dict[str, list[torch.Tensor]]


def lenet(x: torch.Tensor, p: Params) -> torch.Tensor:
    return torch.softmax(F.linear(torch.relu(_digits(x, p)), *p["ip2"]), 1)


def siamese(x: torch.Tensor, p: Params) -> torch.Tensor:
    return F.linear(F.linear(torch.relu(_digits(x, p)), *p["ip2"]), *p["feat"])


def _digits(x: torch.Tensor, p: Params) -> torch.Tensor:
    x = F.max_pool2d(F.conv2d(x, *p["conv1"]), 2)
    x = F.max_pool2d(F.conv2d(x, *p["conv2"]), 2)
    return F.linear(x.flatten(1), *p["ip1"])


def cifar10_quick(x: torch.Tensor, p: Params) -> torch.Tensor:
    x = torch.relu(F.max_pool2d(F.conv2d(x, *p["conv1"], padding=2), 3, 2, ceil_mode=True))
    x = F.avg_pool2d(torch.relu(F.conv2d(x, *p["conv2"], padding=2)), 3, 2, ceil_mode=True)
    x = F.avg_pool2d(torch.relu(F.conv2d(x, *p["conv3"], padding=2)), 3, 2, ceil_mode=True)
    return torch.softmax(F.linear(F.linear(x.flatten(1), *p["ip1"]), *p["ip2"]), 1)


def cifar10_full(x: torch.Tensor, p: Params) -> torch.Tensor:
    x = _normalized(torch.relu(F.max_pool2d(F.conv2d(x, *p["conv1"], padding=2), 3, 2, ceil_mode=True)))
    x = _normalized(F.avg_pool2d(torch.relu(F.conv2d(x, *p["conv2"], padding=2)), 3, 2, ceil_mode=True))
    x = F.avg_pool2d(torch.relu(F.conv2d(x, *p["conv3"], padding=2)), 3, 2, ceil_mode=True)
    return torch.softmax(F.linear(x.flatten(1), *p["ip1"]), 1)


def _normalized(x: torch.Tensor) -> torch.Tensor:
    return x * (1 + 5e-5 * F.avg_pool2d(x * x, 3, 1, 1)) ** -0.75


def autoencoder(x: torch.Tensor, p: Params) -> torch.Tensor:
    layers = list(p.values())
    for index, layer in enumerate(layers):
        x = F.linear(x, *layer)
        if index not in (len(layers) // 2 - 1, len(layers) - 1):
            x = torch.sigmoid(x)
    return torch.sigmoid(x)


NETS = {
    "lenet": lenet,
    "cifar10_quick": cifar10_quick,
    "cifar10_full": cifar10_full,
    "mnist_siamese": siamese,
    "mnist_autoencoder": autoencoder,
}


def work(name: str, net: caffe.Net, *, backward: bool) -> Callable[[], torch.Tensor]:
    """A pass on the weights and the input of a net; backward: gradients of all of them are added up, as Caffe does."""
    compute = NETS[name]
    params = {layer: [blob.tensor.clone() for blob in blobs] for layer, blobs in net.params.items()}
    x = net.blobs[net.inputs[0]].tensor.clone()
    seed = net.blobs[net.outputs[0]].grad.clone()

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return compute(x, params)

    def both() -> torch.Tensor:
        y = compute(x, params)
        y.backward(seed)
        return y

    if not backward:
        return forward
    for tensor in (x, *(each for layer in params.values() for each in layer)):
        tensor.requires_grad_()
    return both
