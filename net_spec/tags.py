"""Nets that learn from tags: their coarse scores go to a loss that knows which classes an image has, and not where.

The losses, MIL and CCNN, are Python layers (data_layers/tag_layers.py) and run in any Caffe. The classifier that the
trunk was trained with gives the score layer its start where its classes are those that are looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from caffe.coord_map import crop
from caffe.net_spec import NetSpec
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.blocks import FIXED, Form, SuffixedSpec, score_conv
from fcn_caffe.net_spec.fcn import add_loss
from fcn_caffe.net_spec.input_data import DEPLOY
from fcn_caffe.net_spec.nets import Variant

SYNSETS: dict[int, tuple[int, ...]] = {
    1: tuple(range(281, 286)),
    2: (345, 346, 347),
    3: tuple(range(151, 269)),
    4: (339,),
    6: (348, 349),
}
"""For the classes of VOC7 those of ILSVRC, by their lines in synset_words.txt, from 0: cats, cattle (ox, water buffalo,
bison), dogs, the sorrel horse, sheep (ram, bighorn). Persons and background are none of them."""


@dataclass(frozen=True)
class ClassifierStart:
    """How the scores begin of a net whose trunk was trained with a classifier.

    classes: for a class those of the classifier that belong to it. Its weights begin as `gain` times their mean, less
        the mean over all classes of the classifier; the classifier's softmax does not depend on that mean.
    background: the initial bias of class 0. All other weights and biases begin as zeros.
    """

    classes: dict[int, tuple[int, ...]]
    gain: float = 1.0
    background: float = 0.0


SQUEEZENET_KNOWS = ClassifierStart(SYNSETS, gain=0.5, background=4.0)
"""At this bias, the background has about half of the probability in VOC7's training images."""


@dataclass(frozen=True)
class Tagged(Variant):
    """A net that learns from tags, and is scored by masks. In training the image gets no border: only what lies in it
    is scored. Nor is there dropout: it makes classes that the image does not have more probable where features are
    strong, and CCNN gives most of their probability to the background.

    loss: the class of its loss in tag_layers, and settings: that layer's.
    tags: what the data layer gives (see SegDataLayer).
    classifier: how the scores begin that the trunk's classifier knows; None: all begin as zeros.
    """

    loss: str = "MILLossLayer"
    settings: dict[str, Any] = field(default_factory=dict)
    tags: str = "present"
    classifier: ClassifierStart | None = None

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`."""
        n, data = NetSpec(), self.data
        train, deploy = phase == data.train.file, phase == DEPLOY
        data.feed(n, phase, tags=self.tags)
        form = Form(pad=None if train else self.trunk.pad, dropout=False, first=data.first)
        level = self.trunk.features(SuffixedSpec(n), n.data, form)[0]
        (head,) = data.heads
        n[f"score_{level.name}{head.ending}"] = coarse = score_conv(level.top, head.classes)
        if train:
            n[head.loss] = L.Python(
                coarse,
                n[head.label],
                module="tag_layers",
                layer=self.loss,
                param_str=repr(self.settings),
                loss_weight=1,
            )
            return self.fixed(n)
        settings = {"num_output": head.classes, "group": head.classes, "bias_term": False}
        kernel = {**self.trunk.upsampling(self.stride), "weight_filler": {"type": "bilinear"}}
        n["upscore" + head.ending] = up = L.Deconvolution(coarse, convolution_param={**settings, **kernel}, param=FIXED)
        n["score" + head.suffix] = score = crop(up, n.data)
        if not deploy:
            add_loss(n, score, head, self.recipe.normalize)
        return self.fixed(n)
