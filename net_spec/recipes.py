"""Recipes of trainings: every hyperparameter that is not in a net."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from caffe.proto import caffe_pb2

NEVER = 999999999


@dataclass(frozen=True)
class Recipe:
    """SGD with momentum, unless `rule` says other.

    base_lr: of a loss summed over the pixels of an image, or of their mean if `normalize`.
    iter_size: images in an update, each a forward and backward pass of its own.
    iterations: updates that the published training runs; max_iter is where `caffe train` stops.
    policy: fields of SolverParameter that make the rate fall; without them it is fixed.
    rule: fields of SolverParameter that choose another rule of updates: `type`, and what that type reads.
    """

    base_lr: float
    max_iter: int
    iterations: int
    momentum: float = 0.99
    iter_size: int = 1
    normalize: bool = False
    weight_decay: float = 5e-4
    snapshot: int = 4000
    test_interval: int = NEVER
    policy: dict[str, Any] = field(default_factory=lambda: {"lr_policy": "fixed"})
    rule: dict[str, Any] = field(default_factory=dict)

    def solver(self, name: str, train_net: str, test_net: str, test_iter: int) -> Any:
        """The SolverParameter that trains net `name`, with the paths of its nets as the solver's file has them."""
        return caffe_pb2.SolverParameter(
            train_net=train_net,
            test_net=[test_net],
            test_iter=[test_iter],
            test_interval=self.test_interval,
            test_initialization=False,
            display=20,
            average_loss=20,
            base_lr=self.base_lr,
            momentum=self.momentum,
            iter_size=self.iter_size,
            max_iter=self.max_iter,
            weight_decay=self.weight_decay,
            snapshot=self.snapshot,
            snapshot_prefix=f"snapshot/{name}/train",
            **self.policy,
            **self.rule,
        )


def heavy(base_lr: float, max_iter: int, iterations: int, snapshot: int = 4000) -> Recipe:
    """One image an update, summed loss, high momentum (PAMI 2016, section 4.4)."""
    return Recipe(base_lr, max_iter, iterations, snapshot=snapshot)


def accumulated(base_lr: float, max_iter: int, iterations: int) -> Recipe:
    """Twenty images an update, mean loss, momentum as usual (CVPR 2015, section 4.3)."""
    return Recipe(base_lr, max_iter, iterations, momentum=0.9, iter_size=20, normalize=True)


def for_images(recipe: Recipe, images: int) -> Recipe:
    """A recipe for data of one's own, of which there are so many images: for ENOUGH of them as it is; for fewer, as
    many fewer iterations, so that each is seen as often."""
    share = min(max(images, FEWEST), ENOUGH) / ENOUGH
    length = round(recipe.iterations * share)
    policy = dict(recipe.policy)
    if "stepvalue" in policy:
        policy["stepvalue"] = [round(step * share) for step in policy["stepvalue"]]
    return replace(recipe, max_iter=length, iterations=length, snapshot=min(recipe.snapshot, length), policy=policy)


CVPR = {
    32: accumulated(1e-4, 20000, 20000),
    16: accumulated(1e-6, 7000, 7000),
    8: accumulated(1e-8, 7000, 7000),
}
"""VGG16's, by the stride of the net (CVPR 2015, sections 4.2 and 4.3).

The paper does not count iterations. It gives three days on a K40c for 32s, one for each further stage, and 210 ms for a
forward pass: with twice that for a backward pass, 20,000 and 7,000 updates of twenty images.
"""


# The rows of data sets and nets that nobody published, by the stride of the net.
def falling(*iterations: int) -> dict[str, Any]:
    """The rate falls to three tenths at each of `iterations`."""
    return {"lr_policy": "multistep", "gamma": 0.3, "stepvalue": list(iterations)}


def online(base_lr: float, iterations: int, *falls: int) -> Recipe:
    """One image an update, summed loss, momentum as usual; the rate falls at the iterations `falls`."""
    return Recipe(base_lr, iterations, iterations, momentum=0.9, snapshot=min(500, iterations), policy=falling(*falls))


SQUEEZENET = {16: online(5e-9, 20000, 10000, 17000), 8: online(5e-10, 2500, 1500), 4: online(5e-10, 2500, 1500)}
SQUEEZENET_ACCUMULATED = replace(accumulated(5e-3, 1000, 1000), snapshot=50, policy=falling(500, 850))
"""As many images as SQUEEZENET[16] sees."""
SQUEEZENET_HALF = Recipe(
    3e-4,
    2000,
    2000,
    momentum=0.9,
    iter_size=8,
    normalize=True,
    weight_decay=1e-4,
    snapshot=200,
    policy={"lr_policy": "poly", "power": 1},
    rule={"type": "Adam", "momentum2": 0.999, "delta": 1e-8},
)
"""Adam, eight images an update, the rate falling linearly to zero."""
SQUEEZENET_ANY = {16: online(5e-9, 12000, 5000, 10000), 8: online(1.5e-9, 2500, 1500), 4: online(1.5e-9, 2500, 1500)}
"""For data of one's own."""
ENOUGH, FEWEST = 400, 50
"""So many images are trained on for as long as a recipe says, fewer for less long, but never less than so few."""
SQUEEZENET_FEWER = {16: online(5e-9, 5000, 3000, 4300), 8: online(1.5e-9, 1000, 600), 4: online(1.5e-9, 1000, 600)}
"""For some hundreds of images."""
SMALL_DATA = {stride: heavy(rate, 20000, 20000, 1000) for stride, rate in ((32, 1e-10), (16, 1e-12), (8, 1e-14))}
"""The published rates, for VGG16 with all its weights."""
HEADS = online(3e-8, 800, 500)
"""For VGG16's fc6 and fc7 where they begin small and at random, as fcn import-weights draws them."""
RANDOM_FC = {32: online(1e-9, 5000, 3000, 4300), 16: online(1e-9, 1000, 600), 8: online(1e-10, 1000, 600)}
"""For VGG16 above conv1, after its heads have learned: minutes on a GPU, hours on two cores."""
RANDOM_FC_FEWER = {32: online(1e-9, 200, 130), 16: online(1e-9, 60, 40), 8: online(1e-10, 60, 40)}
"""The same for some hundreds of images; as long as two cores can do in half an hour."""
ALEXNET_HEADS = online(3e-8, 800, 500)
"""For torchvision's AlexNet, whose fc6 and fc7 begin as VGG16's do."""
ALEXNET_RANDOM_FC = {32: online(3e-9, 5000, 3000, 4300), 16: online(1e-9, 1000, 600), 8: online(1e-10, 1000, 600)}
ALEXNET_RANDOM_FC_FEWER = {32: online(3e-9, 1000, 600, 850), 16: online(1e-9, 200, 130), 8: online(1e-10, 200, 130)}
ALEXNET = {stride: accumulated(rate, 4000, 4000) for stride, rate in ((32, 1e-4), (16, 1e-6), (8, 1e-8))}
GOOGLENET = {stride: accumulated(rate, 4000, 4000) for stride, rate in ((32, 5e-5), (16, 5e-7), (8, 5e-9))}

# The demo's: minutes on two cores.
DEMO_CLASSIFIER = Recipe(
    0.001,
    450,
    450,
    momentum=0.9,
    snapshot=450,
    test_interval=150,
    policy={"lr_policy": "step", "gamma": 0.1, "stepsize": 350},
)
DEMO_CLASSIFIER_BATCH = 32
DEMO = {32: heavy(3e-9, 1000, 1000, 500), 16: heavy(2e-9, 600, 600, 300), 8: heavy(2e-9, 750, 750, 250)}

DEEPLAB = Recipe(
    1e-3,
    6000,
    6000,
    momentum=0.9,
    iter_size=20,
    normalize=True,
    snapshot=500,
    policy={"lr_policy": "step", "gamma": 0.1, "stepsize": 2000},
)
"""As published (ICLR 2015, section 4.1): twenty crops an update."""
LARGEFOV = Recipe(2e-4, 8000, 8000, momentum=0.9, normalize=True, snapshot=500, policy=falling(4000, 6800))
"""For torchvision's VGG16, with fc6 and fc7 drawn at random: one crop an update."""
LARGEFOV_FEWER = replace(LARGEFOV, max_iter=3000, iterations=3000, policy=falling(1800, 2600))
"""The same for some hundreds of images."""

CRF_RNN = heavy(1e-13, 100000, 100000)
"""As published; the CRF's weights learn 10,000 times faster, its compatibilities 1,000 times."""
CRF_RNN_SMALL = heavy(1e-11, 400, 400, 100)
"""A tenth of the rate of the stage before it: at the same rate the net gets worse."""
CRF_RNN_DEMO = heavy(1e-10, 200, 200, 100)
"""The same for the demo."""

HED = Recipe(1e-8, 2000, 2000, momentum=0.9, weight_decay=2e-4, snapshot=200, policy=falling(1200, 1700))
"""One image an update; the authors' rates are for the VGG team's weights and ten images."""
HED_PUBLISHED = Recipe(
    1e-6,
    30000,
    30000,
    momentum=0.9,
    iter_size=10,
    weight_decay=2e-4,
    snapshot=1000,
    policy={"lr_policy": "step", "gamma": 0.1, "stepsize": 10000},
)
"""The authors' solver."""
SEGNET = Recipe(1e-3, 40000, 40000, momentum=0.9, iter_size=4, normalize=True, snapshot=500)
"""Four images an update, as the authors' solver has it; each is normalised by itself."""
DECONVNET = Recipe(
    1e-2,
    20000,
    20000,
    momentum=0.9,
    iter_size=64,
    normalize=True,
    snapshot=500,
    policy={"lr_policy": "step", "gamma": 0.1, "stepsize": 9000},
)
"""The authors' solver for their first stage: 64 images an update, of which they normalise eight at a time."""
MIL = Recipe(1e-5, 2000, 2000, momentum=0.9, normalize=True, snapshot=500, policy=falling(1200, 1700))
"""A tenth of the published rate for VGG16; one image an update."""
CCNN = replace(MIL, base_lr=1e-6)
"""The published rate, with a tenth of the published sum of past gradients. At faster rates, and for longer, SqueezeNet
recognises more tags and finds them in fewer of the right places (`python -m analyses tags`)."""
DEPTH = {
    stride: replace(heavy(rate, 100000, 100000, 2000), normalize=True)
    for stride, rate in ((32, 3e-5), (16, 3e-7), (8, 3e-9))
}
"""NYUDv2's rates for classes, times the pixels of an image: the loss of depth is a mean. Not tried on NYUDv2."""
DEPTH_DEMO = {
    stride: replace(heavy(rate, updates, updates, 250), normalize=True)
    for stride, rate, updates in ((32, 5e-5, 1000), (16, 3e-5, 500), (8, 3e-5, 500))
}

BOXES = online(5e-9, 5000, 3000, 4300)
"""As SqueezeNet learns from masks, a quarter as long."""
BOXES_ON = online(1.5e-9, 2500, 1500)
"""From there on."""
