"""Small data sets in the layouts in which the real ones are published: random images of a few sizes and their labels.

Each function fills a folder and returns what a layer that reads it should deliver: for each name, by what it shows.
Python 3.9, NumPy, SciPy and Pillow, so that it also runs beside real Caffe.
"""

from __future__ import annotations

import os

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZES = {"5001": (20, 30), "5002": (24, 28), "5003": (22, 26)}
NAMES = list(SIZES)
CAMERA = (30.0, 30.0, 15.0, 10.0)


def nyud(folder, hha=True):
    """NYUDv2: `color`, `depth` in millimetres with holes at (0, 0), `hha` and `label`, as the files have them."""
    rng, found = np.random.RandomState(0), {}
    for name, size in SIZES.items():
        color, hha_image = (rng.randint(0, 256, (*size, 3)).astype(np.uint8) for _ in range(2))
        depth = rng.randint(1500, 4000, size).astype(np.uint16)
        depth[0, 0] = 0
        label = rng.randint(0, 41, size).astype(np.uint16)
        label[0, :2] = 0, 40
        save(color, folder, "data", "images", "img_" + name + ".png")
        save(depth, folder, "data", "depth", "img_" + name + ".png")
        if hha:
            save(hha_image, folder, "data", "hha", "img_" + name + ".png")
        save_mat({"segmentation": label}, folder, "segmentation", "img_" + name + ".mat")
        found[name] = {"color": color, "depth": depth, "hha": hha_image, "label": label}
    write_split(folder, "train.txt", NAMES[:2])
    write_split(folder, "val.txt", NAMES[2:])
    write_split(folder, "test.txt", NAMES)
    return found


def siftflow(folder):
    """SIFT Flow: `data`, `sem` with void 0, `geo` with void -1, as the files have them."""
    rng, found = np.random.RandomState(1), {}
    for name, size in SIZES.items():
        sem = rng.randint(0, 34, size).astype(np.uint8)
        geo = rng.choice([-1, 1, 2, 3], size).astype(np.int16)
        sem[0, :2], geo[0, :2] = (0, 33), (-1, 3)
        scenes = "spatial_envelope_256x256_static_8outdoorcategories"
        path = save(rng.randint(0, 256, (*size, 3)).astype(np.uint8), folder, "Images", scenes, name + ".jpg")
        save_mat({"S": sem, "names": np.array(["a", "b"], object)}, folder, "SemanticLabels", scenes, name + ".mat")
        save_mat({"S": geo}, folder, "GeoLabels", scenes, name + ".mat")
        found[name] = {"data": np.asarray(Image.open(path)), "sem": sem, "geo": geo}
    write_split(folder, "trainval.txt", NAMES)
    write_split(folder, "test.txt", NAMES)
    return found


def pascalcontext(voc, context):
    """PASCAL-Context: `data`, and `label` with its values 1 to 459, among them 2 (aeroplane) and 397 (table)."""
    rng, found = np.random.RandomState(2), {}
    for name, size in SIZES.items():
        label = rng.randint(1, 460, size).astype(np.uint16)
        label[0, :5] = 2, 397, 459, 255, 0
        path = save(rng.randint(0, 256, (*size, 3)).astype(np.uint8), voc, "VOC2010", "JPEGImages", name + ".jpg")
        save_mat({"LabelMap": label}, context, "trainval", name + ".mat")
        found[name] = {"data": np.asarray(Image.open(path)), "label": label}
    for split in ("train", "val"):
        write_split(os.path.join(str(voc), "VOC2010", "ImageSets", "Main"), split + ".txt", NAMES)
    return found


def save(image, *path):
    """Saves an image, makes the folders that it is in, and returns its path."""
    found = place(*path)
    Image.fromarray(image).save(found)
    return found


def save_mat(variables, *path):
    savemat(place(*path), variables, do_compression=True)


def place(*path):
    """The path, whose folders now exist."""
    found = os.path.join(*map(str, path))
    os.makedirs(os.path.dirname(found), exist_ok=True)
    return found


def write_split(folder, file, names):
    with open(place(folder, file), "w") as lines:
        lines.write("\n".join(names) + "\n")
