"""Every net: one row each, or one for all stages of it.

A row says which trunk, on which data, down to which stride, how trained and from which weights.
To add a net, add a row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fcn_caffe.net_spec import recipes
from fcn_caffe.net_spec.boxed import Boxed
from fcn_caffe.net_spec.crfrnn import CrfRnn
from fcn_caffe.net_spec.deconvnet import DeconvNet
from fcn_caffe.net_spec.deeplab import FOUR, FOUR_NARROW, LARGEFOV, MSC_LARGEFOV, SEVEN, DeepLab
from fcn_caffe.net_spec.depth import Depth
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.hed import PUBLISHED_RATES, Hed
from fcn_caffe.net_spec.input_data import (
    BSDS,
    CAMVID,
    DEMO,
    DEMO_CLASSES,
    DEMO_DEPTH,
    NYUD_COLOR,
    NYUD_COLOR_D,
    NYUD_COLOR_HHA,
    NYUD_DEPTH,
    NYUD_HHA,
    PASCALCONTEXT,
    PASCALCONTEXT33,
    SIFTFLOW,
    VOC,
    VOC7,
    VOC_SQUARE,
    DataSet,
)
from fcn_caffe.net_spec.nets import ABOVE_CONV1, HEADS, SCORES, ClassifierNet, TrainedClassifier, Variant, staged
from fcn_caffe.net_spec.recipes import CVPR, SMALL_DATA, accumulated, heavy
from fcn_caffe.net_spec.segnet import SegNet
from fcn_caffe.net_spec.tags import SQUEEZENET_KNOWS, Tagged
from fcn_caffe.net_spec.trunks import (
    ALEXNET,
    ALEXNET_OWT,
    CAFFENET,
    GOOGLENET,
    SMALL_VGG,
    SQUEEZENET,
    SQUEEZENET_HALF,
    VGG16,
    VGG16_POOLS,
    Trunk,
)

CLASSIFIERS = (
    ClassifierNet("ilsvrc/vgg16", VGG16),
    ClassifierNet("ilsvrc/caffenet", CAFFENET),
    ClassifierNet("ilsvrc/alexnet", ALEXNET),
    ClassifierNet("ilsvrc/alexnet_owt", ALEXNET_OWT),
    ClassifierNet("ilsvrc/googlenet", GOOGLENET),
    ClassifierNet("ilsvrc/squeezenet_v1.1", SQUEEZENET),
    TrainedClassifier(
        "demo-classifier",
        SMALL_VGG,
        DEMO_CLASSES,
        folder="out/demo/data/classification",
        val_images=256,
    ),
)

_K = 1000
_VGG16 = ("ilsvrc/vgg16",)
_SQUEEZENET = ("ilsvrc/squeezenet_v1.1",)
_VOC = {stride: heavy(rate, 100 * _K, 100 * _K) for stride, rate in ((32, 1e-10), (16, 1e-12), (8, 1e-14))}
_CVPR_VOC = {32: "59.4 CVPR", 16: "62.4 CVPR", 8: "62.7 CVPR"}
_NYUD = heavy(1e-10, 300 * _K, 100 * _K, 2 * _K)
_SIFTFLOW = {stride: heavy(rate, 300 * _K, 100 * _K) for stride, rate in ((32, 1e-10), (16, 1e-12), (8, 1e-12))}
_CVPR_CONTEXT = {32: "31.8 CVPR", 16: "34.8 CVPR", 8: "35.1 CVPR"}
_CVPR_CONTEXT33 = {32: "50.4 CVPR", 16: "53.4 CVPR", 8: "53.5 CVPR"}
_CONTEXT = {stride: heavy(rate, 300 * _K, 400 * _K) for stride, rate in ((32, 1e-10), (16, 1e-12), (8, 1e-14))}


def _from_random_heads(name: str, data: DataSet, recipe: dict[int, recipes.Recipe]) -> tuple[Variant, ...]:
    """VGG16 of torchvision, whose fc6 and fc7 are drawn at random: these alone, then all stages, and 8s at once."""
    heads = Variant(f"{name}-fcn32s-heads", VGG16, data, 32, recipes.HEADS, _VGG16, learns=HEADS)
    start = (heads.name,)
    return (
        heads,
        *staged(name, VGG16, data, recipe, start, learns=ABOVE_CONV1),
        Variant(f"{name}-fcn8s-atonce", VGG16, data, 8, recipe[32], start, at_once=True, learns=ABOVE_CONV1),
    )


def _alexnet(name: str, data: DataSet, recipe: dict[int, recipes.Recipe]) -> tuple[Variant, ...]:
    """The same of torchvision's AlexNet: its heads, then all stages."""
    start = ("ilsvrc/alexnet_owt",)
    heads = Variant(f"{name}-fcn32s-alexnet-heads", ALEXNET_OWT, data, 32, recipes.ALEXNET_HEADS, start, learns=HEADS)
    return (heads, *staged(name, ALEXNET_OWT, data, recipe, (heads.name,), "-alexnet", learns=ABOVE_CONV1))


_SEGNET_LEARNS = (*ABOVE_CONV1, "conv1_2_D", "conv1_1_D")
_CRF: dict[str, Any] = {"rates": (1e3, 1e2), "learns": ABOVE_CONV1}
_CRF_DEMO: dict[str, Any] = {"rates": (1e2, 1e1), "theta": (40, 10, 3)}
"""Images of 150 pixels."""


def _deeplab(name: str, trunk: Trunk, published: str = "") -> DeepLab:
    """One of the paper's nets on VOC, from the VGG team's VGG16."""
    return DeepLab(name, trunk, VOC, 8, recipes.DEEPLAB, _VGG16, published=published)


def _largefov(name: str, data: DataSet, recipe: recipes.Recipe) -> DeepLab:
    """LargeFOV from the convolutions of torchvision's VGG16; fc6 and fc7 are drawn at random."""
    return DeepLab(name, LARGEFOV, data, 8, recipe, _VGG16, learns=ABOVE_CONV1, drawn=("fc6", "fc7"))


def _boxed(kind: str, starts: tuple[str, ...], recipe: recipes.Recipe) -> Boxed:
    """SqueezeNet on VOC's seven classes, at stride 16, from labels made of boxes."""
    name = f"voc7-boxes-{kind}"
    params = {**VOC7.train.params, "label_dir": f"out/boxes/{name}"}
    data = replace(VOC7, train=replace(VOC7.train, params=params))
    return Boxed(name, SQUEEZENET, data, 16, recipe, starts, kind=kind)


def _tagged(name: str, recipe: recipes.Recipe, **settings: Any) -> Tagged:
    """SqueezeNet on VOC's seven classes, at stride 16."""
    return Tagged(name, SQUEEZENET, VOC7, 16, recipe, _SQUEEZENET, **settings)


VARIANTS = (
    # published: https://github.com/shelhamer/fcn.berkeleyvision.org
    *staged("voc", VGG16, VOC, _VOC, _VGG16, published={32: "63.6", 16: "65.0", 8: "65.5"}),
    Variant(
        "voc-fcn8s-atonce", VGG16, VOC, 8, heavy(1e-10, 300 * _K, 300 * _K), _VGG16, at_once=True, published="65.4"
    ),
    Variant(
        "voc-fcn-alexnet",
        CAFFENET,
        VOC,
        32,
        accumulated(1e-4, 100 * _K, 100 * _K),
        ("ilsvrc/caffenet",),
        published="48.0",
    ),
    Variant("nyud-fcn32s-color", VGG16, NYUD_COLOR, 32, _NYUD, _VGG16, published="29.2 CVPR"),
    Variant("nyud-fcn32s-hha", VGG16, NYUD_HHA, 32, _NYUD, _VGG16, published="24.2 CVPR"),
    Variant("nyud-fcn32s-color-d", VGG16, NYUD_COLOR_D, 32, _NYUD, _VGG16, published="30.5 CVPR"),
    Variant(
        "nyud-fcn32s-color-hha",
        VGG16,
        NYUD_COLOR_HHA,
        32,
        heavy(1e-12, 300 * _K, 100 * _K, 2 * _K),
        ("nyud-fcn32s-color", "nyud-fcn32s-hha"),
        late=True,
        published="32.8 CVPR",
    ),
    *staged("siftflow", VGG16, SIFTFLOW, _SIFTFLOW, _VGG16, published={16: "39.5 CVPR"}),
    *staged("pascalcontext", VGG16, PASCALCONTEXT, _CONTEXT, _VGG16, published=_CVPR_CONTEXT),
    # in the papers, never published
    *staged("pascalcontext33", VGG16, PASCALCONTEXT33, _CONTEXT, _VGG16, published=_CVPR_CONTEXT33),
    *staged("voc", VGG16, VOC, CVPR, _VGG16, "-cvpr", published=_CVPR_VOC, learned=True),
    Variant("voc-fcn32s-fixed", VGG16, VOC, 32, _VOC[32], _VGG16, learns=SCORES, published="45.4 CVPR"),
    # at the rates of the stages that begin to score these levels: the papers tell none
    Variant("voc-fcn-pool5", VGG16_POOLS[5], VOC, 32, _VOC[32], _VGG16),
    Variant("voc-fcn-pool4", VGG16_POOLS[4], VOC, 16, _VOC[16], _VGG16),
    Variant("voc-fcn-pool3", VGG16_POOLS[3], VOC, 8, _VOC[8], _VGG16),
    Variant(
        "voc-fcn-googlenet",
        GOOGLENET,
        VOC,
        32,
        accumulated(5e-5, 100 * _K, 100 * _K),
        ("ilsvrc/googlenet",),
        published="42.5 CVPR, of 1,112 images",
    ),
    Variant(
        "nyud-fcn16s-color-hha",
        VGG16,
        NYUD_COLOR_HHA,
        16,
        heavy(1e-14, 300 * _K, 100 * _K, 2 * _K),
        ("nyud-fcn32s-color-hha",),
        late=True,
        published="34.0 CVPR",
    ),
    # DeepLab (ICLR 2015, table 1a): of VOC 2012 val, 1,449 images, trained on 10,582
    _deeplab("voc-deeplab", FOUR_NARROW, "59.8 VOC12 val"),
    _deeplab("voc-deeplab-4x4", FOUR),
    _deeplab("voc-deeplab-7x7", SEVEN, "64.4 VOC12 val"),
    _deeplab("voc-largefov", LARGEFOV, "62.3 VOC12 val"),
    replace(
        _deeplab("voc-msc-largefov", MSC_LARGEFOV, "64.2 VOC12 val"),
        starts=("voc-largefov",),
        learns=("ms_", "score"),
    ),
    # DeconvNet (ICCV 2015): of VOC 2012 test, with proposals, which are not to be had
    DeconvNet("voc-deconvnet", VGG16, VOC_SQUARE, 1, recipes.DECONVNET, _VGG16, published="69.6 VOC12 test"),
    # CRF as RNN (ICCV 2015, table 1): of 346 images of VOC 2012 val
    CrfRnn(
        "voc-fcn8s-crfrnn", VGG16, VOC, 8, recipes.CRF_RNN, ("voc-fcn8s",), published="69.6 of 346 images of VOC12 val"
    ),
    # HED (ICCV 2015): ODS of BSDS500's test images
    Hed(
        "bsds-hed",
        VGG16,
        BSDS,
        1,
        recipes.HED_PUBLISHED,
        _VGG16,
        published="78.2 ODS",
        of_labels=False,
        rates=PUBLISHED_RATES,
    ),
    # depth: of the data of Eigen and others (NIPS 2014), not of their nets
    *staged("nyud-depth", VGG16, NYUD_DEPTH, recipes.DEPTH, _VGG16, kind=Depth),
    *staged("demo-depth", SMALL_VGG, DEMO_DEPTH, recipes.DEPTH_DEMO, ("demo-classifier",), kind=Depth),
    # small data sets
    *_from_random_heads("voc7", VOC7, recipes.RANDOM_FC),
    *staged("voc7", SQUEEZENET, VOC7, recipes.SQUEEZENET, _SQUEEZENET, "-squeezenet"),
    Variant("voc7-fcn16s-squeezenet-fixed", SQUEEZENET, VOC7, 16, recipes.SQUEEZENET[16], _SQUEEZENET, learns=SCORES),
    Variant("voc7-fcn16s-squeezenet-accumulated", SQUEEZENET, VOC7, 16, recipes.SQUEEZENET_ACCUMULATED, _SQUEEZENET),
    Variant(
        "voc7-fcn8s-squeezenet-learned",
        SQUEEZENET,
        VOC7,
        8,
        recipes.SQUEEZENET[8],
        ("voc7-fcn16s-squeezenet",),
        learned=True,
    ),
    # the net that comes with the package
    Variant(
        "voc7-fcn16s-squeezenet-half",
        SQUEEZENET_HALF,
        VOC7,
        16,
        recipes.SQUEEZENET_HALF,
        _SQUEEZENET,
        learns=("fire6", "fire7", "fire8", "fire9", *SCORES),
    ),
    *_alexnet("voc7", VOC7, recipes.ALEXNET_RANDOM_FC),
    *_from_random_heads("camvid", CAMVID, recipes.RANDOM_FC_FEWER),
    *staged("camvid", SQUEEZENET, CAMVID, recipes.SQUEEZENET_FEWER, _SQUEEZENET, "-squeezenet"),
    *_alexnet("camvid", CAMVID, recipes.ALEXNET_RANDOM_FC_FEWER),
    _largefov("voc7-largefov", VOC7, recipes.LARGEFOV),
    _largefov("camvid-largefov", CAMVID, recipes.LARGEFOV_FEWER),
    *staged("demo", SMALL_VGG, DEMO, recipes.DEMO, ("demo-classifier",)),
    DeconvNet("camvid-deconvnet", VGG16, replace(CAMVID, size=(360, 480)), 1, recipes.DECONVNET, _VGG16),
    SegNet("camvid-segnet", VGG16, replace(CAMVID, size=(360, 480)), 1, recipes.SEGNET, _VGG16, learns=_SEGNET_LEARNS),
    *(
        Hed(
            f"{name}-hed",
            VGG16,
            replace(data, heads=(Head(2, label="edges"),)),
            1,
            recipes.HED,
            _VGG16,
            learns=(*ABOVE_CONV1, "side", "fuse"),
        )
        for name, data in (("camvid", CAMVID), ("voc7", VOC7))
    ),
    # from tags; beside full supervision, voc7-fcn16s-squeezenet
    _tagged("voc7-mil", recipes.MIL, classifier=SQUEEZENET_KNOWS),
    _tagged("voc7-mil-zero", recipes.MIL),
    _tagged("voc7-ccnn", recipes.CCNN, loss="CCNNLossLayer", classifier=SQUEEZENET_KNOWS),
    _tagged(
        "voc7-ccnn-sizes",
        recipes.CCNN,
        loss="CCNNLossLayer",
        classifier=SQUEEZENET_KNOWS,
        tags="sizes",
        settings={"within": 0.1},
    ),
    # from boxes; `chosen` is the second round of a loop in BoxSup's manner: its labels are chosen by the net before it,
    # but among all that a CRF can find in a box, not among MCG's candidates, as BoxSup has it. `masks` is the control:
    # as many images, with their masks
    _boxed("rectangles", _SQUEEZENET, recipes.BOXES),
    _boxed("crf", _SQUEEZENET, recipes.BOXES),
    _boxed("chosen", ("voc7-boxes-crf",), recipes.BOXES_ON),
    Variant("voc7-boxes-masks", SQUEEZENET, VOC7, 16, recipes.BOXES, _SQUEEZENET),
    # a CRF's weights are numbers about one, its gradients sums over pixels
    *(
        CrfRnn(f"{data}-fcn8s-crfrnn", VGG16, where, 8, recipes.CRF_RNN_SMALL, (f"{data}-fcn8s",), **_CRF)
        for data, where in (("voc7", VOC7), ("camvid", CAMVID))
    ),
    CrfRnn("demo-fcn8s-crfrnn", SMALL_VGG, DEMO, 8, recipes.CRF_RNN_DEMO, ("demo-fcn8s",), **_CRF_DEMO),
    CrfRnn("demo-fcn32s-crfrnn", SMALL_VGG, DEMO, 32, recipes.CRF_RNN_DEMO, ("demo-fcn32s",), **_CRF_DEMO),
)

BACKBONES = {
    "vgg16": ("ilsvrc/vgg16", SMALL_DATA),
    "caffenet": ("ilsvrc/caffenet", recipes.ALEXNET),
    "alexnet": ("ilsvrc/alexnet", recipes.ALEXNET),
    "alexnet_owt": ("ilsvrc/alexnet_owt", recipes.ALEXNET),
    "googlenet": ("ilsvrc/googlenet", recipes.GOOGLENET),
    "squeezenet": ("ilsvrc/squeezenet_v1.1", recipes.SQUEEZENET_ANY),
}
"""What nets for data of one's own are made of: the classifier they start from, and a recipe for each stride."""

EVERY: tuple[ClassifierNet | Variant, ...] = (*CLASSIFIERS, *VARIANTS)

ROWS: dict[str, ClassifierNet | Variant] = {row.name: row for row in EVERY}


def files(rows: tuple[ClassifierNet | Variant, ...] = EVERY, root: str = "") -> dict[str, Any]:
    """Path to message, of every net and solver of `rows`. `root` comes before each path, also inside of the solvers."""
    made = {}
    for row in rows:
        for phase in row.phases:
            made[f"{root}nets/{row.name}/{phase}.prototxt"] = row.net(phase)
        if isinstance(row, (Variant, TrainedClassifier)):
            made[f"{root}solvers/{row.name}.prototxt"] = row.solver(root)
    return made


def own(name: str, data: DataSet, backbone: str, stride: int) -> tuple[Variant, ...]:
    """The stages down to `stride`, each from the one before, on data of one's own: NAME-fcn32s, NAME-fcn16s, …

    Raises ValueError for a backbone that is not one of BACKBONES, and for a stride that it cannot be scored at.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"backbone {backbone}: expected one of {', '.join(BACKBONES)}. Choose one of these.")
    start, known = BACKBONES[backbone]
    if stride not in known:
        raise ValueError(f"stride {stride}: {backbone} can be scored at {', '.join(map(str, known))}. Choose one.")
    fitting = {each: recipe for each, recipe in known.items() if each >= stride}
    used = {each: recipes.for_images(recipe, data.train.images) for each, recipe in fitting.items()}
    return staged(name, ROWS[start].trunk, data, used, (start,))


def adapt(variant: Variant, name: str, data: DataSet, classes: int, starts: tuple[str, ...] | None = None) -> Variant:
    """`variant` for another data set with another number of classes, under a new name.

    Layers whose weights depend on the number of classes are renamed after it, unless `variant` has the same number.
    Stages keep on following each other, because each finds what the stage before has under the same names.
    The classes of edges stay two. Raises ValueError for a variant of several heads.
    """
    if len(variant.data.heads) > 1:
        raise ValueError(f"{variant.name} has {len(variant.data.heads)} heads: adapt a variant that has one")
    (head,) = variant.data.heads
    if not isinstance(variant, Hed):
        head = replace(head, classes=classes, renamed=head.renamed or classes != head.classes)
    return replace(variant, name=name, data=replace(data, heads=(head,)), starts=starts or variant.starts, published="")
