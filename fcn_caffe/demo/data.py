"""The demo's data sets, painted: images with labels in PASCAL VOC's layout, portraits to classify, and scenes with
their depth in NYUDv2's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fcn_caffe.demo.tidepool.creatures import CLASSES
from fcn_caffe.demo.tidepool.perspective import view
from fcn_caffe.demo.tidepool.scene import portrait, scene
from fcn_caffe.pictures import drawing

SEGMENTATION = {"train": 400, "val": 60}
CLASSIFICATION = {"train": 600, "val": 256}
DEPTH = {"train": 200, "val": 40}
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


def write_depth(root: Path, seed: int, counts: dict[str, int]) -> None:
    """Write the splits of the scenes with depth, so many each: depth in millimetres, 16 bits."""
    for folder in ("data/images", "data/depth"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    first = len(SEGMENTATION) + len(CLASSIFICATION)
    for part, (split, count) in enumerate(counts.items()):
        names = [f"{split}_{i:04d}" for i in range(count)]
        for i, name in enumerate(names):
            rng = np.random.default_rng([seed, first + part, i])
            height, width = rng.integers(100, 161, 2)
            picture, depth = view(rng, int(height), int(width), int(rng.integers(3, 8)))
            Image.fromarray(picture).save(root / "data/images" / f"img_{name}.png")
            millimetres = np.round(1000 * depth).astype(np.uint16)
            Image.fromarray(millimetres).save(root / "data/depth" / f"img_{name}.png")
        (root / f"{split}.txt").write_text("\n".join(names) + "\n")
