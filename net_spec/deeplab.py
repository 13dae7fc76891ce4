"""DeepLab: VGG16 at stride 8, whose convolutions have holes instead of later poolings.

The last two poolings step by one, conv5 is dilated by 2, and fc6 by as much as makes up for its smaller kernel.
(Chen, Papandreou, Kokkinos, Murphy, Yuille: Semantic Image Segmentation with Deep Convolutional Nets and Fully
Connected CRFs, ICLR 2015.) Layers of BVLC Caffe do all of it: DeepLab's own `Interp` of zoom_factor 8 is the
Deconvolution `upscore`, the one of shrink_factor 8 the Pooling `label_small`, both exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from caffe.coord_map import crop
from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import (
    BIAS_TWICE,
    FIXED,
    Form,
    Level,
    SuffixedSpec,
    conv_relu,
    dropout,
    max_pool,
    odd_kernel_trimmed,
)
from fcn_caffe.net_spec.fcn import add_loss
from fcn_caffe.net_spec.input_data import DEPLOY
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS, Trunk, fc8

STRIDE = 8
STEPS = (2, 2, 2, 1, 1)
"""Of the poolings."""
BRANCH = 128
"""Channels of the branches of MSc."""
FASTER = [{"lr_mult": 10, "decay_mult": 1}, {"lr_mult": 20, "decay_mult": 0}]
"""How layers learn that begin at random."""


def vgg16_at_8(
    n: SuffixedSpec, bottom: Top, form: Form, kernel: int, width: int, dilation: int, scales: bool = False
) -> list[Level]:
    """VGG16 at stride 8 with an fc6 of `width` channels, kernel×kernel, and the level that is scored.

    scales: whether the image and pool1 … pool4 have branches that join fc7 (MSc).
    """
    top, seen = bottom, [("data", 1, bottom)]
    for block, ((channels, depth), step) in enumerate(zip(VGG16_BLOCKS, STEPS), 1):
        holes = 2 if block == len(STEPS) else 1
        for number in range(1, depth + 1):
            mark = form.first if block == number == 1 else ""
            settings = {"pad": holes, **({"dilation": holes} if holes > 1 else {})}
            conv, top = conv_relu(top, channels, 3, param=BIAS_TWICE, **settings)
            n[f"conv{block}_{number}{mark}"], n[f"relu{block}_{number}"] = conv, top
        n[f"pool{block}"] = top = max_pool(top, 3, stride=step, pad=1)
        seen.append((f"pool{block}", min(2**block, STRIDE), top))
    n["pool5a"] = top = L.Pooling(top, pool=P.Pooling.AVE, kernel_size=3, stride=1, pad=1)
    pad = dilation * (kernel - 1) // 2
    top = _block(n, "6", "fc6", top, width, kernel, form, dilation=dilation, pad=pad)
    top = _block(n, "7", "fc7", top, width, 1, form)
    if scales:
        branches = [_branch(n, name, stride, blob, top, form) for name, stride, blob in seen[:-1]]
        n["ms_concat"] = top = L.Concat(top, *branches)
    return [Level("ms" if scales else "fr", STRIDE, top)]


def _block(
    n: SuffixedSpec,
    number: str,
    name: str,
    bottom: Top,
    width: int,
    kernel: int,
    form: Form,
    param: Any = None,
    **more: Any,
) -> Top:
    """A convolution, the ReLU and the dropout after it."""
    filler = form.filler(name)
    if filler:
        param = param or FASTER
    n[name], n[f"relu{number}"] = conv_relu(bottom, width, kernel, param=param or BIAS_TWICE, **more, **filler)
    if form.dropout:
        n[f"drop{number}"] = dropout(n[f"relu{number}"], 0.5)
        return n[f"drop{number}"]
    return n[f"relu{number}"]


def _branch(n: SuffixedSpec, name: str, stride: int, bottom: Top, like: Top, form: Form) -> Top:
    """Two convolutions that bring a finer map to stride 8. Where sides are not 8k + 1 they would end a pixel early:
    one more step of padding, which is cropped."""
    step = STRIDE // stride
    settings = {"stride": step, "pad": 1 + (step if step > 1 else 0), "weight_filler": GAUSSIAN}
    top = _block(n, f"_ms_{name}", f"ms_{name}", bottom, BRANCH, 3, form, FASTER, **settings)
    top = _block(n, f"_ms_{name}_2", f"ms_{name}_2", top, BRANCH, 1, form, FASTER, weight_filler=GAUSSIAN)
    if step > 1:
        n[f"ms_{name}_c"] = top = crop(top, like)
    return top


GAUSSIAN = {"type": "gaussian", "std": 0.01}


def _trunk(name: str, **settings: Any) -> Trunk:
    features = partial(vgg16_at_8, **settings)
    return Trunk(name, features, fc8, size=321, pad=1, upsampling=odd_kernel_trimmed)


LARGEFOV = _trunk("deeplab_largefov", kernel=3, width=1024, dilation=12)
SEVEN = _trunk("deeplab_7x7", kernel=7, width=4096, dilation=4)
FOUR = _trunk("deeplab_4x4", kernel=4, width=4096, dilation=8)
FOUR_NARROW = _trunk("deeplab_4x4_hole4", kernel=4, width=4096, dilation=4)
MSC_LARGEFOV = _trunk("deeplab_msc_largefov", kernel=3, width=1024, dilation=12, scales=True)


@dataclass(frozen=True)
class DeepLab(Variant):
    """A net that is trained on crops, by the loss of its coarse scores, and scored at the size of the image.

    crop: the side of the crops, 8k + 1 pixels, so that every eighth pixel of the label has a score.
    drawn: layers of the trunk that begin at random, whatever the weights it starts from have; fc6 and fc7 are
        otherwise those of VGG16, sub-sampled.
    """

    crop: int = 321
    drawn: tuple[str, ...] = ()

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`."""
        n, data = NetSpec(), self.data
        train, deploy = phase == data.train.file, phase == DEPLOY
        data.feed(n, phase, crop=self.crop, mirror=True)
        form = Form(dropout=not deploy, first=data.first, special=dict.fromkeys(self.drawn, RANDOM))
        (level,) = self.trunk.features(SuffixedSpec(n), n.data, form)
        (head,) = data.heads
        n[f"score_{level.name}{head.ending}"] = coarse = L.Convolution(
            level.top, num_output=head.classes, kernel_size=1, param=FASTER, weight_filler=GAUSSIAN
        )
        if train:
            n[f"{head.label}_small"] = small = max_pool(n[head.label], 1, stride=STRIDE)
            loss_param = {"normalize": self.recipe.normalize, "ignore_label": 255}
            n[head.loss] = L.SoftmaxWithLoss(coarse, small, loss_param=loss_param)
            return self.fixed(n)
        settings = {"num_output": head.classes, "group": head.classes, "bias_term": False}
        kernel = {**self.trunk.upsampling(STRIDE), "weight_filler": {"type": "bilinear"}}
        n["upscore" + head.ending] = up = L.Deconvolution(coarse, convolution_param={**settings, **kernel}, param=FIXED)
        n["score" + head.suffix] = score = crop(up, n.data)
        if not deploy:
            add_loss(n, score, head, self.recipe.normalize)
        return self.fixed(n)


RANDOM = {"weight_filler": {"type": "msra"}}
