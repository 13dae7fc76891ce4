"""Every net: one row each.

A row says which trunk, on which data, down to which stride, how trained and from which weights.
To add a net, add a row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from net_spec import recipes
from net_spec.datasets import (
    CAMVID,
    DEMO,
    DEMO_CLASSES,
    NYUD_COLOR,
    NYUD_COLOR_D,
    NYUD_COLOR_HHA,
    NYUD_HHA,
    PASCALCONTEXT,
    SIFTFLOW,
    VOC,
    VOC7,
    DataSet,
)
from net_spec.nets import Classifier, TrainedClassifier, Variant
from net_spec.recipes import SMALL_DATA, SMALL_DATA_AT_ONCE, accumulated, heavy
from net_spec.trunks import CAFFENET, GOOGLENET, SMALL_VGG, SQUEEZENET, VGG16

CLASSIFIERS = (
    Classifier("ilsvrc/vgg16", VGG16),
    Classifier("ilsvrc/caffenet", CAFFENET),
    Classifier("ilsvrc/googlenet", GOOGLENET),
    Classifier("ilsvrc/squeezenet_v1.1", SQUEEZENET),
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

VARIANTS = (
    # published: https://github.com/shelhamer/fcn.berkeleyvision.org
    Variant("voc-fcn32s", VGG16, VOC, 32, heavy(1e-10, 100 * _K, 100 * _K), _VGG16, published=63.6),
    Variant("voc-fcn16s", VGG16, VOC, 16, heavy(1e-12, 100 * _K, 100 * _K), ("voc-fcn32s",), published=65.0),
    Variant("voc-fcn8s", VGG16, VOC, 8, heavy(1e-14, 100 * _K, 100 * _K), ("voc-fcn16s",), published=65.5),
    Variant("voc-fcn8s-atonce", VGG16, VOC, 8, heavy(1e-10, 300 * _K, 300 * _K), _VGG16, at_once=True, published=65.4),
    Variant(
        "voc-fcn-alexnet",
        CAFFENET,
        VOC,
        32,
        accumulated(1e-4, 100 * _K, 100 * _K),
        ("ilsvrc/caffenet",),
        published=48.0,
    ),
    Variant("nyud-fcn32s-color", VGG16, NYUD_COLOR, 32, heavy(1e-10, 300 * _K, 100 * _K, 2 * _K), _VGG16),
    Variant("nyud-fcn32s-hha", VGG16, NYUD_HHA, 32, heavy(1e-10, 300 * _K, 100 * _K, 2 * _K), _VGG16),
    Variant("nyud-fcn32s-color-d", VGG16, NYUD_COLOR_D, 32, heavy(1e-10, 300 * _K, 100 * _K, 2 * _K), _VGG16),
    Variant(
        "nyud-fcn32s-color-hha",
        VGG16,
        NYUD_COLOR_HHA,
        32,
        heavy(1e-12, 300 * _K, 100 * _K, 2 * _K),
        ("nyud-fcn32s-color", "nyud-fcn32s-hha"),
        late=True,
    ),
    Variant("siftflow-fcn32s", VGG16, SIFTFLOW, 32, heavy(1e-10, 300 * _K, 100 * _K), _VGG16),
    Variant("siftflow-fcn16s", VGG16, SIFTFLOW, 16, heavy(1e-12, 300 * _K, 100 * _K), ("siftflow-fcn32s",)),
    Variant("siftflow-fcn8s", VGG16, SIFTFLOW, 8, heavy(1e-12, 300 * _K, 100 * _K), ("siftflow-fcn16s",)),
    Variant("pascalcontext-fcn32s", VGG16, PASCALCONTEXT, 32, heavy(1e-10, 300 * _K, 400 * _K), _VGG16),
    Variant(
        "pascalcontext-fcn16s", VGG16, PASCALCONTEXT, 16, heavy(1e-12, 300 * _K, 400 * _K), ("pascalcontext-fcn32s",)
    ),
    Variant(
        "pascalcontext-fcn8s", VGG16, PASCALCONTEXT, 8, heavy(1e-14, 300 * _K, 400 * _K), ("pascalcontext-fcn16s",)
    ),
    # in the papers, never published
    Variant("voc-fcn-googlenet", GOOGLENET, VOC, 32, accumulated(1e-4, 100 * _K, 100 * _K), ("ilsvrc/googlenet",)),
    Variant(
        "nyud-fcn16s-color-hha",
        VGG16,
        NYUD_COLOR_HHA,
        16,
        heavy(1e-14, 300 * _K, 100 * _K, 2 * _K),
        ("nyud-fcn32s-color-hha",),
        late=True,
    ),
    # small data sets
    Variant("voc7-fcn32s", VGG16, VOC7, 32, SMALL_DATA[32], _VGG16),
    Variant("voc7-fcn16s", VGG16, VOC7, 16, SMALL_DATA[16], ("voc7-fcn32s",)),
    Variant("voc7-fcn8s", VGG16, VOC7, 8, SMALL_DATA[8], ("voc7-fcn16s",)),
    Variant("voc7-fcn8s-atonce", VGG16, VOC7, 8, SMALL_DATA_AT_ONCE, _VGG16, at_once=True),
    Variant("voc7-fcn16s-squeezenet", SQUEEZENET, VOC7, 16, recipes.SQUEEZENET[16], _SQUEEZENET),
    Variant("voc7-fcn8s-squeezenet", SQUEEZENET, VOC7, 8, recipes.SQUEEZENET[8], ("voc7-fcn16s-squeezenet",)),
    Variant("voc7-fcn4s-squeezenet", SQUEEZENET, VOC7, 4, recipes.SQUEEZENET[4], ("voc7-fcn8s-squeezenet",)),
    Variant("camvid-fcn32s", VGG16, CAMVID, 32, SMALL_DATA[32], _VGG16),
    Variant("camvid-fcn16s", VGG16, CAMVID, 16, SMALL_DATA[16], ("camvid-fcn32s",)),
    Variant("camvid-fcn8s", VGG16, CAMVID, 8, SMALL_DATA[8], ("camvid-fcn16s",)),
    Variant("camvid-fcn8s-atonce", VGG16, CAMVID, 8, SMALL_DATA_AT_ONCE, _VGG16, at_once=True),
    Variant("camvid-fcn16s-squeezenet", SQUEEZENET, CAMVID, 16, recipes.SQUEEZENET[16], _SQUEEZENET),
    Variant("camvid-fcn8s-squeezenet", SQUEEZENET, CAMVID, 8, recipes.SQUEEZENET[8], ("camvid-fcn16s-squeezenet",)),
    Variant("camvid-fcn4s-squeezenet", SQUEEZENET, CAMVID, 4, recipes.SQUEEZENET[4], ("camvid-fcn8s-squeezenet",)),
    Variant("demo-fcn32s", SMALL_VGG, DEMO, 32, recipes.DEMO[32], ("demo-classifier",)),
    Variant("demo-fcn16s", SMALL_VGG, DEMO, 16, recipes.DEMO[16], ("demo-fcn32s",)),
    Variant("demo-fcn8s", SMALL_VGG, DEMO, 8, recipes.DEMO[8], ("demo-fcn16s",)),
)

ROWS: dict[str, Classifier | Variant] = {row.name: row for row in (*CLASSIFIERS, *VARIANTS)}


def files(rows: tuple[Classifier | Variant, ...] = (*CLASSIFIERS, *VARIANTS), root: str = "") -> dict[str, Any]:
    """Path to message, of every net and solver of `rows`. `root` comes before each path, also inside of the solvers."""
    made = {}
    for row in rows:
        for phase in row.phases:
            made[f"{root}nets/{row.name}/{phase}.prototxt"] = row.net(phase)
        if isinstance(row, (Variant, TrainedClassifier)):
            made[f"{root}solvers/{row.name}.prototxt"] = row.solver(root)
    return made


def adapt(variant: Variant, name: str, data: DataSet, classes: int, starts: tuple[str, ...] | None = None) -> Variant:
    """`variant` for another data set with another number of classes, under a new name.

    Layers whose weights depend on the number of classes are renamed after it, unless `variant` has the same number.
    Stages keep on following each other, because each finds what the stage before has under the same names.
    Raises ValueError for a variant of several heads.
    """
    if len(variant.data.heads) > 1:
        raise ValueError(f"{variant.name} has {len(variant.data.heads)} heads: adapt a variant that has one")
    (head,) = variant.data.heads
    head = replace(head, classes=classes, renamed=head.renamed or classes != head.classes)
    return replace(
        variant, name=name, data=replace(data, heads=(head,)), starts=starts or variant.starts, published=None
    )
