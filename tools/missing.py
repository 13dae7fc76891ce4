"""Says which data a training lacks, where it comes from, and where it belongs."""

from __future__ import annotations

from pathlib import Path

from net_spec.nets import Variant

SOURCES = {
    "data/pascal/VOC2011": (
        "PASCAL VOC 2011 (images, SegmentationClass, ImageSets), from the PASCAL VOC site of Oxford University "
        "(TrainVal archive). Unpack it so that data/pascal/VOC2011/JPEGImages exists, or say where it is: VOC_DIR=… "
        "with make, --voc-dir with tools/solve.py"
    ),
    "data/sbdd/dataset": (
        "the Semantic Boundaries data set SBD (img, cls, train.txt), from the Berkeley vision group (benchmark.tgz). "
        "Unpack it so that data/sbdd/dataset/img exists, or say where it is: SBD_DIR=… with make, "
        "--sbd-dir with tools/solve.py"
    ),
    "data/nyud": "NYUDv2 (data/images, data/hha, data/depth, segmentation), from New York University and Gupta et al.",
    "data/sift-flow": "SIFT Flow (Images, SemanticLabels, GeoLabels), from Tighe and Lazebnik",
    "data/pascal-context": "PASCAL-Context labels (trainval), from UCLA",
    "out/demo/data/VOC": "the demo's data, written by `make demo`",
}


def check_data(row: Variant) -> None:
    """Raises FileNotFoundError that lists every folder of the net's data that is not there."""
    folders = {
        str(value): key
        for split in (row.data.train, row.data.val)
        for key, value in split.params.items()
        if key.endswith("_dir")
    }
    absent = [folder for folder in folders if not Path(folder).is_dir()]
    if absent:
        lines = [
            f"  '{folder}': {SOURCES.get(folder, 'a data set in the layout of its data layer')}" for folder in absent
        ]
        raise FileNotFoundError(f"{row.name}: data missing, expected\n" + "\n".join(lines))
