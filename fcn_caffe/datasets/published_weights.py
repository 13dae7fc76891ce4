"""The sources of trained weights: base nets, and the nets that the FCN authors published.

Checksums are stated by BVLC's model zoo and by OpenCV's tests, and by nobody for most of the FCN authors' own.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcn_caffe.datasets.download import WebFile


@dataclass(frozen=True)
class Weights:
    """A caffemodel on the web.

    target: where it belongs, from the root of the checkout.
    then: what to do with it.
    """

    title: str
    page: str
    terms: str
    size: str
    target: str
    file: WebFile
    then: str


_BERKELEY = "http://dl.caffe.berkeleyvision.org"
_IN_PLACE = "It is in place: it is convolutional to the end."


def _convolutionalize(net: str, weights: str) -> str:
    return f"Then: fcn convolutionalize {net} {weights} --out data/ilsvrc/{net}-conv.caffemodel"


def _bvlc(title: str, model: str, sha1: str, target: str, size: str, then: str) -> Weights:
    file = WebFile(target, (f"{_BERKELEY}/{model}.caffemodel",), f"sha1:{sha1}")
    page = f"https://github.com/BVLC/caffe/tree/master/models/{model}"
    return Weights(title, page, "unrestricted use", size, f"data/ilsvrc/{target}", file, then)


def _published(variant: str, model: str, checksum: str = "", size: str = "about 0.5 GB") -> Weights:
    name = f"{model}.caffemodel"
    return Weights(
        f"the FCN authors' {variant}",
        f"https://github.com/shelhamer/fcn.berkeleyvision.org/tree/master/{variant}",
        "unrestricted use",
        size,
        f"data/fcn/{name}",
        WebFile(name, (f"{_BERKELEY}/{name}",), checksum),
        f"Score it: fcn score {variant} --weights data/fcn/{name}",
    )


_VGG16 = "VGG_ILSVRC_16_layers.caffemodel"

WEIGHTS = {
    "vgg16": Weights(
        "VGG16, the VGG team's own (ImageNet)",
        "https://gist.github.com/ksimonyan/211839e770f7b538e2d8",
        "Creative Commons BY 4.0, see https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
        "528 MB",
        f"data/ilsvrc/{_VGG16}",
        WebFile(
            _VGG16,
            (f"http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/{_VGG16}",),
            "sha1:9363e1f6d65f7dba68c4f27a1e62105cdf6c4e24",
        ),
        _convolutionalize("vgg16", f"data/ilsvrc/{_VGG16}"),
    ),
    "caffenet": _bvlc(
        "CaffeNet, which the FCN authors call AlexNet (ImageNet)",
        "bvlc_reference_caffenet",
        "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
        "bvlc_reference_caffenet.caffemodel",
        "233 MB",
        _convolutionalize("caffenet", "data/ilsvrc/bvlc_reference_caffenet.caffemodel"),
    ),
    "alexnet": _bvlc(
        "AlexNet (ImageNet)",
        "bvlc_alexnet",
        "9116a64c0fbe4459d18f4bb6b56d647b63920377",
        "bvlc_alexnet.caffemodel",
        "233 MB",
        _convolutionalize("alexnet", "data/ilsvrc/bvlc_alexnet.caffemodel"),
    ),
    "googlenet": _bvlc(
        "GoogLeNet (ImageNet)",
        "bvlc_googlenet",
        "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
        "googlenet-conv.caffemodel",
        "51 MB",
        _IN_PLACE,
    ),
    "squeezenet_v1.1": Weights(
        "SqueezeNet v1.1 (ImageNet)",
        "https://github.com/forresti/SqueezeNet",
        "BSD, as its authors state",
        "5 MB",
        "data/ilsvrc/squeezenet_v1.1-conv.caffemodel",
        WebFile(
            "squeezenet_v1.1-conv.caffemodel",
            (
                "https://raw.githubusercontent.com/DeepScale/SqueezeNet/b5c3f1a23713c8b3fd7b801d229f6b04c64374a5/"
                "SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
            ),
            "sha1:3397f026368a45ae236403ccc81cfcbe8ebe1bd0",
            4_950_080,
        ),
        _IN_PLACE,
    ),
    "voc-fcn32s": _published("voc-fcn32s", "fcn32s-heavy-pascal", "sha1:05eb922d7829c39448f57e5ab9d8cd75d6c0be6d"),
    "voc-fcn16s": _published("voc-fcn16s", "fcn16s-heavy-pascal"),
    "voc-fcn8s": _published("voc-fcn8s", "fcn8s-heavy-pascal", "sha1:c449ea74dd7d83751d1357d6a8c323fcf4038962"),
    "voc-fcn8s-atonce": _published("voc-fcn8s-atonce", "fcn8s-atonce-pascal"),
    "voc-fcn-alexnet": _published("voc-fcn-alexnet", "fcn-alexnet-pascal", size="about 0.2 GB"),
    "nyud-fcn32s-color-hha": _published("nyud-fcn32s-color-hha", "nyud-fcn32s-color-hha-heavy", size="about 1 GB"),
    **{
        variant: _published(variant, f"{variant}-heavy")
        for variant in (
            *("nyud-fcn32s-color", "nyud-fcn32s-hha"),
            *("siftflow-fcn32s", "siftflow-fcn16s", "siftflow-fcn8s"),
            *("pascalcontext-fcn32s", "pascalcontext-fcn16s", "pascalcontext-fcn8s"),
        )
    },
}
