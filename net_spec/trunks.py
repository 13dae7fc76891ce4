"""The classification nets that segmentation nets are made of, each defined once for both uses.

`features` is the trunk: it names its layers in a SuffixedSpec and returns the maps that can be scored, coarsest first.
`classify` is what a classification net has after the coarsest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from caffe import coord_map
from caffe.net_spec import Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import (
    BIAS_TWICE,
    Form,
    Level,
    SuffixedSpec,
    conv_relu,
    dropout,
    even_kernel,
    even_kernel_trimmed,
    max_pool,
    odd_kernel,
    odd_kernel_trimmed,
)

# BVLC Caffe's list of layers that keep pixels in place lacks the one that ends a fire or inception module.
coord_map.PASS_THROUGH_LAYERS.extend({"Concat"}.difference(coord_map.PASS_THROUGH_LAYERS))


@dataclass(frozen=True)
class Trunk:
    """A classification net.

    size: the side of the images it classifies.
    pad: of its first convolution in a segmentation net: enough that every image of every size is covered by scores.
    upsampling: the kernel that upsamples its scores by a factor.
    """

    name: str
    features: Callable[[SuffixedSpec, Top, Form], list[Level]]
    classify: Callable[[SuffixedSpec, Top, Form, int], Top]
    size: int
    pad: int
    upsampling: Callable[[int], dict[str, int]]


def fully_connected(bottom: Top, width: int, kernel_size: int, form: Form, **settings: Any) -> Top:
    """InnerProduct, or the convolution that computes the same wherever its `kernel_size` fits."""
    if form.inner_product:
        return L.InnerProduct(bottom, num_output=width, **settings)
    return L.Convolution(bottom, num_output=width, kernel_size=kernel_size, stride=1, pad=0, **settings)


def fc6_fc7(n: SuffixedSpec, bottom: Top, width: int, kernel_size: int, form: Form, **settings: Any) -> Top:
    """The two wide layers that VGG and AlexNet end in, each with ReLU and dropout of a half."""
    top = bottom
    for number, kernel in ((6, kernel_size), (7, 1)):
        n[f"fc{number}"] = fc = fully_connected(top, width, kernel, form, **settings, **form.filler(f"fc{number}"))
        n[f"relu{number}"] = top = L.ReLU(fc, in_place=True)
        if form.dropout:
            n[f"drop{number}"] = top = dropout(top, 0.5)
    return top


def fc8(n: SuffixedSpec, bottom: Top, form: Form, classes: int, **settings: Any) -> Top:
    """The last fully connected layer, `fc8`: scores of the classes."""
    n["fc8"] = fully_connected(bottom, classes, 1, form, **settings, **form.filler("fc8"))
    return n["fc8"]


def vgg(
    n: SuffixedSpec,
    bottom: Top,
    form: Form,
    blocks: tuple[tuple[int, int], ...],
    fc6_kernel: int = 0,
    fc_width: int = 0,
) -> list[Level]:
    """VGG (arXiv 1409.1556): `blocks` of (channels, 3x3 convolutions), each halved by a pooling.

    Without a width, the fully connected layers are left out.
    """
    top, pools = bottom, []
    for block, (width, depth) in enumerate(blocks, 1):
        for number in range(1, depth + 1):
            first = block == number == 1
            pad = form.pad if first and form.pad is not None else 1
            mark = form.first if first else ""
            name = f"conv{block}_{number}{mark}"
            conv, top = conv_relu(top, width, 3, stride=1, pad=pad, param=BIAS_TWICE, **form.filler(name))
            n[name], n[f"relu{block}_{number}"] = conv, top
        n[f"pool{block}"] = top = max_pool(top, 2, stride=2)
        pools.append(Level(f"pool{block}", 2**block, top))
    if not fc_width:
        return pools[:1:-1]
    fc7 = fc6_fc7(n, top, fc_width, fc6_kernel, form, param=BIAS_TWICE)
    return [Level("fr", 2 ** len(blocks), fc7), *pools[-2:1:-1]]


def alexnet(n: SuffixedSpec, bottom: Top, form: Form, norm_first: bool, **rates: Any) -> list[Level]:
    """AlexNet (NIPS 2012) in two towers, with normalisation before pooling, as its authors have it, or after."""

    def conv(top: Top, width: int, kernel_size: int, **settings: Any) -> tuple[Top, Top]:
        return conv_relu(top, width, kernel_size, **settings, **rates, **form.fillers)

    def norm(number: int, top: Top) -> Top:
        n[f"norm{number}"] = L.LRN(top, local_size=5, alpha=1e-4, beta=0.75)
        return n[f"norm{number}"]

    def pool(number: int, top: Top) -> Top:
        n[f"pool{number}"] = max_pool(top, 3, stride=2)
        return n[f"pool{number}"]

    def norm_and_pool(number: int, top: Top) -> Top:
        return pool(number, norm(number, top)) if norm_first else norm(number, pool(number, top))

    n["conv1" + form.first], n["relu1"] = conv(bottom, 96, 11, stride=4, pad=form.pad or 0)
    n["conv2"], n["relu2"] = conv(norm_and_pool(1, n["relu1"]), 256, 5, stride=1, pad=2, group=2)
    n["conv3"], n["relu3"] = conv(norm_and_pool(2, n["relu2"]), 384, 3, stride=1, pad=1)
    n["conv4"], n["relu4"] = conv(n["relu3"], 384, 3, stride=1, pad=1, group=2)
    n["conv5"], n["relu5"] = conv(n["relu4"], 256, 3, stride=1, pad=1, group=2)
    fc7 = fc6_fc7(n, pool(5, n["relu5"]), 4096, 6, form, **rates)
    return [Level("fr", 32, fc7), Level("conv5", 16, n["relu5"]), Level("conv2", 8, n["relu2"])]


# Channels, kernel, stride and padding of each convolution of the AlexNet in one tower.
ONE_TOWER = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))


def alexnet_owt(n: SuffixedSpec, bottom: Top, form: Form) -> list[Level]:
    """AlexNet in one tower, without normalisation (arXiv 1404.5997): torchvision's."""
    top = bottom
    for number, (width, kernel, stride, pad) in enumerate(ONE_TOWER, 1):
        pad = form.pad if number == 1 and form.pad is not None else pad
        mark = form.first if number == 1 else ""
        conv, top = conv_relu(top, width, kernel, stride=stride, pad=pad, param=BIAS_TWICE, **form.fillers)
        n[f"conv{number}{mark}"], n[f"relu{number}"] = conv, top
        if number in (1, 2, 5):
            n[f"pool{number}"] = top = max_pool(top, 3, stride=2)
    fc7 = fc6_fc7(n, top, 4096, 6, form, param=BIAS_TWICE)
    return [Level("fr", 32, fc7), Level("conv5", 16, n["relu5"]), Level("conv2", 8, n["relu2"])]


# Channels of each inception module: 1x1, 3x3 reduced and full, 5x5 reduced and full, projection of the pooling.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(n: SuffixedSpec, bottom: Top, form: Form) -> list[Level]:
    """GoogLeNet (arXiv 1409.4842) without its auxiliary classifiers, named as BVLC's."""

    def conv(module: str, name: str, top: Top, width: int, kernel_size: int, **settings: Any) -> Top:
        made = conv_relu(top, width, kernel_size, param=BIAS_TWICE, **settings, **form.fillers)
        n[f"{module}/{name}"], n[f"{module}/relu_{name.replace('_s2', '')}"] = made
        return made[1]

    def inception(module: str, top: Top) -> Top:
        one, reduce3, three, reduce5, five, projection = INCEPTION[module]
        name = f"inception_{module}"
        branch1 = conv(name, "1x1", top, one, 1)
        branch3 = conv(name, "3x3", conv(name, "3x3_reduce", top, reduce3, 1), three, 3, pad=1)
        branch5 = conv(name, "5x5", conv(name, "5x5_reduce", top, reduce5, 1), five, 5, pad=2)
        n[f"{name}/pool"] = max_pool(top, 3, stride=1, pad=1)
        branch_pool = conv(name, "pool_proj", n[f"{name}/pool"], projection, 1)
        n[f"{name}/output"] = L.Concat(branch1, branch3, branch5, branch_pool)
        return n[f"{name}/output"]

    pad = 3 if form.pad is None else form.pad
    top = conv("conv1", "7x7_s2" + form.first, bottom, 64, 7, stride=2, pad=pad)
    n["pool1/3x3_s2"] = max_pool(top, 3, stride=2)
    n["pool1/norm1"] = L.LRN(n["pool1/3x3_s2"], local_size=5, alpha=1e-4, beta=0.75)
    top = conv("conv2", "3x3_reduce", n["pool1/norm1"], 64, 1)
    top = conv("conv2", "3x3", top, 192, 3, pad=1)
    n["conv2/norm2"] = L.LRN(top, local_size=5, alpha=1e-4, beta=0.75)
    n["pool2/3x3_s2"] = top = max_pool(n["conv2/norm2"], 3, stride=2)
    levels = {}
    for module in INCEPTION:
        levels[module] = top = inception(module, top)
        if module in ("3b", "4e"):
            name = "pool3/3x3_s2" if module == "3b" else "pool4/3x3_s2"
            n[name] = top = max_pool(top, 3, stride=2)
    if form.dropout and form.pad is not None:  # without the average pooling that the classification net has it after
        n["drop5"] = top = dropout(top, 0.4)
    return [Level("fr", 32, top), Level("inception_4e", 16, levels["4e"]), Level("inception_3b", 8, levels["3b"])]


def googlenet_classifier(n: SuffixedSpec, bottom: Top, form: Form, classes: int) -> Top:
    """GoogLeNet's classifier: average pooling, dropout and a fully connected layer."""
    n["pool5/7x7_s1"] = L.Pooling(bottom, pool=P.Pooling.AVE, kernel_size=7, stride=1)
    n["pool5/drop_7x7_s1"] = dropout(n["pool5/7x7_s1"], 0.4)
    n["loss3/classifier"] = fully_connected(n["pool5/drop_7x7_s1"], classes, 1, form, param=BIAS_TWICE, **form.fillers)
    return n["loss3/classifier"]


# Channels of each fire module of SqueezeNet v1.1: squeezed, and of each of both expansions.
FIRE = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def squeezenet(n: SuffixedSpec, bottom: Top, form: Form) -> list[Level]:
    """SqueezeNet v1.1 (arXiv 1602.07360), convolutional to its end, of stride 16."""

    def conv(module: str, name: str, top: Top, width: int, kernel_size: int, **settings: Any) -> Top:
        made = conv_relu(top, width, kernel_size, **settings, **form.fillers)
        n[f"{module}/{name}"], n[f"{module}/relu_{name}"] = made
        return made[1]

    def fire(number: int, top: Top) -> Top:
        squeezed, expanded = FIRE[number]
        name = f"fire{number}"
        squeeze = conv(name, "squeeze1x1", top, squeezed, 1)
        one = conv(name, "expand1x1", squeeze, expanded, 1)
        three = conv(name, "expand3x3", squeeze, expanded, 3, pad=1)
        n[f"{name}/concat"] = L.Concat(one, three)
        return n[f"{name}/concat"]

    n["conv1" + form.first], n["relu_conv1"] = conv_relu(bottom, 64, 3, stride=2, pad=form.pad or 0, **form.fillers)
    n["pool1"] = top = max_pool(n["relu_conv1"], 3, stride=2)
    levels = {}
    for number in FIRE:
        levels[number] = top = fire(number, top)
        if number in (3, 5):
            n[f"pool{number}"] = top = max_pool(top, 3, stride=2)
    if form.dropout:
        n["drop9"] = top = dropout(top, 0.5)
    return [Level("fr", 16, top), Level("fire5", 8, levels[5]), Level("fire3", 4, levels[3])]


def squeezenet_half(n: SuffixedSpec, bottom: Top, form: Form) -> list[Level]:
    """SqueezeNet on the image at half its size: every second pixel along each axis, the mean of 3×3 around it."""
    n["half"] = L.Pooling(bottom, pool=P.Pooling.AVE, kernel_size=3, stride=2, pad=1)
    return [level._replace(stride=2 * level.stride) for level in squeezenet(n, n["half"], form)]


def squeezenet_classifier(n: SuffixedSpec, bottom: Top, form: Form, classes: int) -> Top:
    """SqueezeNet's classifier: a 1×1 convolution, and in the form that was trained an average over the map."""
    n["conv10"], n["relu_conv10"] = conv_relu(bottom, classes, 1, **form.fillers)
    if not form.inner_product:
        return n["relu_conv10"]
    n["pool10"] = L.Pooling(n["relu_conv10"], pool=P.Pooling.AVE, global_pooling=True)
    return n["pool10"]


VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
VGG16 = Trunk(
    "vgg16",
    partial(vgg, blocks=VGG16_BLOCKS, fc6_kernel=7, fc_width=4096),
    fc8,
    size=224,
    pad=100,
    upsampling=even_kernel,
)
VGG16_POOLS = {
    number: replace(VGG16, name=f"vgg16_pool{number}", features=partial(vgg, blocks=VGG16_BLOCKS[:number]))
    for number in (3, 4, 5)
}
"""VGG16 cut off after a pooling: what a single level sees, without those above it (PAMI 2016, section 4.3)."""
SMALL_VGG = Trunk(
    "small_vgg",
    partial(vgg, blocks=((16, 1), (24, 1), (32, 2), (48, 2), (64, 2)), fc6_kernel=3, fc_width=128),
    fc8,
    size=96,
    pad=100,
    upsampling=even_kernel_trimmed,
)
CAFFENET = Trunk("caffenet", partial(alexnet, norm_first=False), fc8, size=227, pad=100, upsampling=odd_kernel)
ALEXNET = Trunk(
    "alexnet",
    partial(alexnet, norm_first=True, param=BIAS_TWICE),
    partial(fc8, param=BIAS_TWICE),
    size=227,
    pad=100,
    upsampling=odd_kernel,
)
ALEXNET_OWT = Trunk(
    "alexnet_owt", alexnet_owt, partial(fc8, param=BIAS_TWICE), size=224, pad=100, upsampling=odd_kernel
)
GOOGLENET = Trunk("googlenet", googlenet, googlenet_classifier, size=224, pad=34, upsampling=odd_kernel_trimmed)
SQUEEZENET = Trunk(
    "squeezenet_v1.1", squeezenet, squeezenet_classifier, size=227, pad=16, upsampling=odd_kernel_trimmed
)
SQUEEZENET_HALF = replace(SQUEEZENET, name="squeezenet_v1.1_half", features=squeezenet_half)
"""Of strides 32, 16 and 8, with a receptive field twice as wide, at a quarter of the work."""
