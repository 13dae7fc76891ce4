"""Photos, and their annotations as other programs save them. Each photo shows the same: a cat's square and a dog's
triangle on a lawn."""

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffe.log import init_log
from fcn_caffe.commands import new

WIDTH, HEIGHT = 44, 32
CAT = [[4, 6], [16, 6], [16, 18], [4, 18]]
DOG = [[20, 8], [40, 8], [20, 28]]
NAMES = [f"photo{index}" for index in range(4)]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A home with a folder of four photos."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_CAFFE_ROOT", str(tmp_path))
    rng = np.random.default_rng(0)
    Path("photos").mkdir()
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(f"photos/{name}.png")
    init_log(2)
    yield tmp_path
    init_log()


def make(labels, *line, images="photos"):
    return new.main(["pets", "--images", images, "--labels", labels, "--backbone", "squeezenet", *line])


def label(name="photo0", task="pets"):
    """A label that was drawn: class numbers."""
    return np.asarray(Image.open(f"tasks/{task}/labels/{name}.png"))


def truth(cat=1, dog=2, rest=0):
    """The square and the triangle, by the centres of pixels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    expected = np.full((HEIGHT, WIDTH), rest)
    expected[6:18, 4:16] = cat
    expected[(x > 20) & (y > 8) & ((x - 20) + (y - 8) < 20)] = dog
    return expected


def labelme(folder, name, shapes, **more):
    Path(folder).mkdir(exist_ok=True)
    values = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"..\\photos\\{name}.png"}
    values |= {"imageData": "not looked at", "imageHeight": HEIGHT, "imageWidth": WIDTH} | more
    Path(folder, f"{name}.json").write_text(json.dumps(values))


def shape(name, points, kind="polygon", **more):
    return {"label": name, "points": points, "shape_type": kind, "group_id": None, "flags": {}} | more


def coco(annotations, **more):
    images = [
        {"id": index + 10, "file_name": f"some/folder/{name}.png", "width": WIDTH, "height": HEIGHT}
        for index, name in enumerate(NAMES)
    ]
    categories = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}, {"id": 9, "name": "never drawn"}]
    values = {"info": {}, "images": images, "annotations": annotations, "categories": categories} | more
    Path("instances.json").write_text(json.dumps(values))


def both(index):
    """The cat and the dog of one photo, as COCO's polygons."""
    return [
        {"image_id": index + 10, "category_id": 7, "segmentation": [sum(CAT, [])], "iscrowd": 0},
        {"image_id": index + 10, "category_id": 3, "segmentation": [sum(DOG, [])], "iscrowd": 0},
    ]


def runs(mask):
    """COCO's run lengths of a mask, as a list."""
    columns = np.concatenate([[False], mask.T.ravel(), [False]]).astype(int)
    edges = np.flatnonzero(np.diff(columns))
    return np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()


def compressed(counts):
    """The same in COCO's characters."""
    text = ""
    for index, count in enumerate(counts):
        number = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


def png(values):
    content = io.BytesIO()
    Image.fromarray(values).save(content, "PNG")
    return content.getvalue()


def base64_png(mask):
    return base64.b64encode(png(np.uint8(mask) * 255)).decode()


CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndog:0,0,250::\ncat:250,0,0::\nnever:9,9,9::\n"


def cvat(path="cvat.zip"):
    colours = np.array([[0, 0, 0], [250, 0, 0], [0, 0, 250]], np.uint8)
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("labelmap.txt", CVAT)
        pack.writestr("ImageSets/Segmentation/default.txt", "\n".join(NAMES))
        for name in NAMES:
            pack.writestr(f"SegmentationClass/{name}.png", png(colours[truth()]))
            pack.writestr(f"SegmentationObject/{name}.png", png(colours[truth()]))
