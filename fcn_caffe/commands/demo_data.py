"""Paints the demo's data set: tide pools with five kinds of animals, in PASCAL VOC layout, and portraits to classify.

    fcn demo-data --out out/demo/data --seed 1

OUT/VOC/JPEGImages/*.jpg, SegmentationClass/*.png (palette; 255 on borders), ImageSets/Segmentation/{train,val}.txt,
classes.txt; OUT/classification/images/*.jpg, {train,val}.txt with "path label" lines for Caffe's ImageData layer, the
same classes (0: ground alone). The same seed and library versions give the same bytes.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image

from fcn_caffe import home, program
from fcn_caffe.demo.tidepool.creatures import CLASSES
from fcn_caffe.demo.tidepool.scene import portrait, scene
from fcn_caffe.pictures import drawing

SEGMENTATION = {"train": 400, "val": 60}
CLASSIFICATION = {"train": 600, "val": 256}
PORTRAIT_SIZE = 96


def write_segmentation(root: Path, seed: int, counts: dict[str, int]) -> None:
    """Write the splits of the segmentation set, so many images each."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    palette = drawing.palette().tobytes()
    for part, (split, count) in enumerate(counts.items()):
        names = [f"{split}_{i:04d}" for i in range(count)]
        for i, name in enumerate(names):
            rng = np.random.default_rng([seed, part, i])
            height, width = rng.integers(100, 161, 2)
            picture, label = scene(rng, int(height), int(width), int(rng.integers(2, 6)))
            Image.fromarray(picture).save(root / "JPEGImages" / f"{name}.jpg", quality=92)
            image = Image.fromarray(label)
            image.putpalette(palette)
            image.save(root / "SegmentationClass" / f"{name}.png")
        (root / "ImageSets/Segmentation" / f"{split}.txt").write_text("\n".join(names) + "\n")
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")


def write_classification(root: Path, seed: int, counts: dict[str, int]) -> None:
    """Write the splits of the classification set, so many images each, every class equally often."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for part, (split, count) in enumerate(counts.items()):
        lines = []
        for i in range(count):
            rng = np.random.default_rng([seed, len(SEGMENTATION) + part, i])
            label = i % len(CLASSES)
            path = f"images/{split}_{i:04d}.jpg"
            picture = portrait(rng, PORTRAIT_SIZE, label - 1 if label else None)
            Image.fromarray(picture).save(root / path, quality=92)
            lines.append(f"{path} {label}")
        (root / f"{split}.txt").write_text("\n".join(lines) + "\n")


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument(
        "--out", type=home.path, default=Path("out/demo/data"), help="folder to write to (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="other seed, other pictures (default: %(default)s)")
    options = parser.parse_args(arguments)
    begin = time.time()
    write_segmentation(options.out / "VOC", options.seed, SEGMENTATION)
    write_classification(options.out / "classification", options.seed, CLASSIFICATION)
    print(
        f"{options.out}: {' + '.join(f'{n} {split}' for split, n in SEGMENTATION.items())} images with labels, "
        f"{' + '.join(f'{n} {split}' for split, n in CLASSIFICATION.items())} to classify; "
        f"{', '.join(CLASSES)}; {time.time() - begin:.0f} s"
    )
    return 0
