"""The classes of the catalogue's rows, and the messages that are made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec import input_data, recipes
from fcn_caffe.net_spec.blocks import Form, SuffixedSpec
from fcn_caffe.net_spec.fcn import Head, add_loss, segment
from fcn_caffe.net_spec.input_data import DEPLOY, DataSet
from fcn_caffe.net_spec.recipes import Recipe
from fcn_caffe.net_spec.trunks import Trunk

TEN_CROPS = 10
RANDOM = {"weight_filler": {"type": "msra"}}
TO_TRAIN = {
    "conv1_1": {"weight_filler": {"type": "gaussian", "std": 0.004}},  # its inputs are pixels of 0 to 255
    "fc8": {"weight_filler": {"type": "gaussian", "std": 0.01}},  # all classes begin as equals
}


@dataclass(frozen=True)
class Variant:
    """A segmentation net.

    starts: the rows whose weights its training starts from: one for each trunk where they were trained apart.
    late: each input has a trunk of its own, and their scores are averaged.
    at_once: see `fcn.segment`.
    learned: see `fcn.segment`.
    learns: what the names of the layers begin with that learn; all others stay what they start from. (): all learn.
    published: mean IU in percent as its authors give it, and where, if not beside the published nets.
    foreign: of a class of rows, the types of its layers that BVLC Caffe does not have.
    """

    name: str
    trunk: Trunk
    data: DataSet
    stride: int
    recipe: Recipe
    starts: tuple[str, ...]
    late: bool = False
    at_once: bool = False
    learned: bool = False
    learns: tuple[str, ...] = ()
    published: str = ""
    foreign: ClassVar[tuple[str, ...]] = ()

    def can_be_made(self) -> bool:
        """Whether the Caffe that is imported has the messages of all its layers."""
        return True

    @property
    def phases(self) -> tuple[str, str, str]:
        """The names of its files: to train, to score, to use."""
        return self.data.train.file, self.data.val.file, DEPLOY

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`. The last has no dropout, no labels and no loss."""
        n, data, deploy = NetSpec(), self.data, phase == DEPLOY
        data.feed(n, phase)
        form = Form(pad=self.trunk.pad, dropout=not deploy, first=data.first)
        if self.late:
            streams = {blob: self.trunk.features(SuffixedSpec(n, blob), n[blob], form) for blob in data.inputs}
        else:
            if "data" not in data.inputs:
                n.data = L.Concat(*(n[blob] for blob in data.inputs))
            streams = {"": self.trunk.features(SuffixedSpec(n), n.data, form)}
        image = n[next(iter(data.inputs))] if self.late else n.data
        for head in data.heads:
            score = segment(n, streams, head, self.stride, image, self.trunk.upsampling, self.at_once, self.learned)
            if not deploy:
                weighted = head if phase == data.train.file else replace(head, weights="")
                self.put_loss(n, score, weighted)
        return self.fixed(n)

    def put_loss(self, n: NetSpec, score: Top, head: Head) -> None:
        """Puts the loss of a head into `n`."""
        add_loss(n, score, head, self.recipe.normalize)

    def fixed(self, n: NetSpec) -> Any:
        """The NetParameter of a NetSpec, in which only `learns` does learn."""
        net = n.to_proto()
        if self.learns:
            _fix_all_but(self.learns, net)
        return net

    def solver(self, root: str = "") -> Any:
        """The SolverParameter of its training; `root` is what comes before `nets/` in the paths."""
        train, val, _ = (f"{root}nets/{self.name}/{phase}.prototxt" for phase in self.phases)
        return self.recipe.solver(self.name, train, val, self.data.val.images)


def staged(
    name: str,
    trunk: Trunk,
    data: DataSet,
    recipes: dict[int, Recipe],
    starts: tuple[str, ...],
    ending: str = "",
    published: dict[int, str] | None = None,
    kind: type[Variant] | None = None,
    **settings: Any,
) -> tuple[Variant, ...]:
    """NAME-fcn32s, NAME-fcn16s, …: a net for each stride of `recipes`, coarsest first, each starting from the last.

    ending: what their names end in. kind: of which class the rows are (default: Variant).
    published: as in Variant, by stride. The other settings of Variant are the same for all.
    """
    rows: list[Variant] = []
    for stride, recipe in recipes.items():
        score = (published or {}).get(stride, "")
        rows.append(
            (kind or Variant)(
                f"{name}-fcn{stride}s{ending}", trunk, data, stride, recipe, starts, published=score, **settings
            )
        )
        starts = (rows[-1].name,)
    return tuple(rows)


SCORES, HEADS = ("score",), ("fc", "score")
"""Layers that are trained on top of a fixed trunk."""

ABOVE_CONV1 = ("conv2", "conv3", "conv4", "conv5", *HEADS)
"""For torchvision's VGG16: with preprocessing folded in, conv1_1 has so small weights that any rate is too high."""


def _fix_all_but(learns: tuple[str, ...], net: Any) -> None:
    """Rates of zero for the weights and biases of every other convolution."""
    for layer in net.layer:
        if layer.type == "Convolution" and not layer.name.startswith(learns):
            del layer.param[:]
            for _ in ("weights", "biases"):
                layer.param.add(lr_mult=0)


@dataclass(frozen=True)
class ClassifierNet:
    """A classification net: `deploy` as it was trained, `conv` with its fully connected layers as convolutions.

    In `conv`, whatever the weights that are loaded do not have is drawn at random and not left at zero.
    """

    name: str
    trunk: Trunk
    classes: int = 1000
    phases: tuple[str, ...] = (DEPLOY, "conv")

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`."""
        n, size = NetSpec(), self.trunk.size
        n.data = L.Input(input_param={"shape": {"dim": [TEN_CROPS if phase == DEPLOY else 1, 3, size, size]}})
        form = Form(inner_product=True) if phase == DEPLOY else Form(fillers=RANDOM)
        n.prob = L.Softmax(self.scores(n, form))
        return n.to_proto()

    def scores(self, n: NetSpec, form: Form) -> Any:
        """Add trunk and classifier to the net; the Top of the class scores."""
        stream = SuffixedSpec(n)
        return self.trunk.classify(stream, self.trunk.features(stream, n.data, form)[0].top, form, self.classes)


@dataclass(frozen=True)
class TrainedClassifier(ClassifierNet):
    """A classification net that is trained here, from lists of images `<folder>/<split>.txt`."""

    phases: tuple[str, ...] = ("train", "val", DEPLOY, "conv")
    folder: str = ""
    batch: int = recipes.DEMO_CLASSIFIER_BATCH
    recipe: Recipe = recipes.DEMO_CLASSIFIER
    val_images: int = 0

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`."""
        if phase in (DEPLOY, "conv"):
            return super().net(phase)
        n = NetSpec()
        n.data, n.label = L.ImageData(
            ntop=2,
            source=f"{self.folder}/{phase}.txt",
            root_folder=f"{self.folder}/",
            batch_size=self.batch,
            shuffle=phase == "train",
            transform_param={"mean_value": list(input_data.MEAN), "mirror": phase == "train"},
        )
        scores = self.scores(n, Form(inner_product=True, fillers=RANDOM, special=TO_TRAIN))
        n.loss = L.SoftmaxWithLoss(scores, n.label)
        if phase == "val":
            n.accuracy = L.Accuracy(scores, n.label)
        return n.to_proto()

    def solver(self, root: str = "") -> Any:
        """The SolverParameter. root: what the paths of its nets begin with."""
        train, val = (f"{root}nets/{self.name}/{phase}.prototxt" for phase in ("train", "val"))
        return self.recipe.solver(self.name, train, val, self.val_images // self.batch)
