"""The speed of the data layer, and how long a net waits for it when loading overlaps with computation.

    python -m benchmarks.data_loading IMAGES

Whole images of PASCAL VOC's size, JPEG to blob: those of data/voc if they are there, made ones if not. Prints JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import caffe
from benchmarks.varied import voc_sizes
from fcn_caffe.program import quiet

ROOT = Path(__file__).resolve().parents[1]

STEPS = (0.02, 0.05, 0.1)
"""Seconds that a training step may take."""


def main(images: int) -> None:
    quiet(caffe)
    with tempfile.TemporaryDirectory() as name:
        folder = ROOT / "data" / "voc"
        real = (folder / "JPEGImages").is_dir()
        if not real:
            folder = Path(name)
            make_images(folder, images)
        alone = waits(folder, images, 0.0, prefetch=0)
        found = {"source": "data/voc" if real else "made", "median": np.median(alone), "rate": 1 / np.mean(alone)}
        waited = {str(step): np.mean(waits(folder, images // 2, step)[2:]) for step in STEPS}
    print(json.dumps({**found, "waited": waited}, default=float))


def waits(folder: Path, images: int, step: float, **settings: int) -> list[float]:
    """Seconds that a net waits for each image if it computes `step` seconds in between."""
    settings_text = {"voc_dir": str(folder), "split": "train", "mean": (104.0, 117.0, 123.0), "seed": 1, **settings}
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(
            'layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "voc_layers" '
            f'layer: "VOCSegDataLayer" param_str: "{settings_text}" }} }}'
        )
        file.flush()
        net = caffe.Net(file.name, caffe.TRAIN)
    seconds = []
    for _ in range(images):
        start = time.perf_counter()
        net.forward()
        seconds.append(time.perf_counter() - start)
        time.sleep(step)
    return seconds


def make_images(folder: Path, count: int) -> None:
    """A data set in VOC's layout, of smooth noise that compresses about as photographs do."""
    random = np.random.RandomState(4)
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    sizes = voc_sizes()
    for index in range(count):
        height, width = sizes[index % len(sizes)]
        coarse = random.randint(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(
            folder / "JPEGImages" / f"{index}.jpg", quality=90
        )
        label = random.randint(0, 21, (height // 50, width // 50)).astype(np.uint8)
        Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST).save(
            folder / "SegmentationClass" / f"{index}.png"
        )
    (folder / "ImageSets" / "Segmentation" / "train.txt").write_text("".join(f"{index}\n" for index in range(count)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
