"""The control's nets, written by hand in PyTorch, compute what the generated nets compute."""

import numpy as np
import pytest
import torch

import caffe
from benchmarks.fcn_torch import Fcn, FcnSqueezeNet, FcnVgg16
from fcn_caffe import surgery


def scores_of_both(variant: str, model: Fcn, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a net with random weights, and of the model with the same."""
    net = caffe.Net(f"nets/{variant}/deploy.prototxt", caffe.TEST)
    random = np.random.default_rng(0)
    values = random.standard_normal(1_000_003, np.float32)
    for name, (weights, *bias) in net.params.items():
        if "up" not in name and "scale" not in name:
            weights.data[...] = np.resize(values, weights.shape) * np.sqrt(2 / np.prod(weights.shape[1:]))
            bias[0].data[...] = 0.1 * random.standard_normal(bias[0].shape)
    surgery.interp(net, [name for name in net.params if "up" in name])
    model.load({name: [blob.data for blob in blobs] for name, blobs in net.params.items()})
    image = random.uniform(-100, 100, (1, 3, *size)).astype(np.float32)
    net.blobs["data"].reshape(*image.shape)
    with torch.inference_mode():
        return net.forward(data=image)["score"], model.eval()(torch.from_numpy(image)).numpy()


@pytest.mark.parametrize("stride", [16, 8, 4])
def test_squeezenet_equals_the_net(stride: int) -> None:
    ours, theirs = scores_of_both(f"voc7-fcn{stride}s-squeezenet", FcnSqueezeNet(7, stride, ending="_7cls"), (67, 90))
    assert ours.shape == (1, 7, 67, 90)
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * np.abs(ours).max())


@pytest.mark.slow(reason="a whole VGG16, of a peer")
def test_vgg16_at_once_equals_the_net() -> None:
    """It has every part of 32s, 16s and 8s, and the scales."""
    ours, theirs = scores_of_both("voc7-fcn8s-atonce", FcnVgg16(7, at_once=True, ending="_7cls"), (33, 47))
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * np.abs(ours).max())


@pytest.mark.parametrize(("stride", "offsets"), [(32, (19,)), (16, (5, 27)), (8, (5, 9, 31))])
def test_vgg16_crops_as_the_nets_of_every_stride_do(stride: int, offsets: tuple[int, ...]) -> None:
    net = caffe.formats.prototxt.read_net(f"nets/voc7-fcn{stride}s/deploy.prototxt")
    assert tuple(layer.crop_param.offset[0] for layer in net.layer if layer.type == "Crop") == offsets
    with torch.device("meta"):
        model = FcnVgg16(7, stride, ending="_7cls")
    assert tuple(model.offsets) == offsets
    learning = {layer.name for layer in net.layer if layer.type == "Convolution"}
    assert set(model.convolutions()) == learning
