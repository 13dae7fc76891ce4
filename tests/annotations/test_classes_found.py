"""--classes auto: the classes of label images are found in their values, palettes or colours."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.data_layers.segdata import classes
from fcn_caffe.inference.find import find
from tests.annotations.conftest import NAMES, make, truth


def save(values, palette=None, folder="labels", ending="png"):
    Path(folder).mkdir(exist_ok=True)
    for name in NAMES:
        image = Image.fromarray(np.uint8(values))
        if palette is not None:
            image = Image.fromarray(np.uint8(values), mode="P")
            image.putpalette(np.uint8(palette).tobytes())
        image.save(f"{folder}/{name}.{ending}")


def listed():
    return classes.read("tasks/pets/classes.txt")


def test_values_from_0_on_are_class_numbers(photos, capsys):
    values = truth()
    values[0] = 255
    save(values)
    assert make("labels") == 0
    said = capsys.readouterr().out
    assert re.search(r"  0  class 0 +\d+\.\d+%\n    1  class 1 +10\.\d+%\n    2  class 2 ", said)
    assert re.search(r"255  void +3\.125%", said)
    assert listed() == (("class 0", "class 1", "class 2"), {})
    assert not Path("tasks/pets/labels").exists()


def test_a_palette_gives_its_colours(photos):
    save(truth(), palette=[[10, 20, 30], [200, 0, 0], [0, 200, 0]])
    assert make("labels") == 0
    assert listed().colours == {(10, 20, 30): 0, (200, 0, 0): 1, (0, 200, 0): 2}
    assert find("pets", weights="x.caffemodel").classes.colours[1].tolist() == [200, 0, 0]


def test_colours_are_classes_and_black_is_the_background(photos, capsys):
    colours = np.array([[0, 0, 0], [128, 64, 0], [0, 250, 0]])
    save(colours[truth()])
    assert make("labels") == 0
    assert re.search(r"rgb-804000 +10\.227%  \(128, 64, 0\)", capsys.readouterr().out)
    assert listed().names == ("background", "rgb-00fa00", "rgb-804000")


def test_black_and_white_is_background_and_foreground(photos):
    save((truth() > 0) * 255)
    assert make("labels") == 0
    assert listed() == (("background", "foreground"), {(0, 0, 0): 0, (255, 255, 255): 1})


def test_other_gray_levels_are_classes(photos):
    save(np.array([7, 26, 11])[truth()])
    assert make("labels") == 0
    assert listed() == (("value 7", "value 11", "value 26"), {(7, 7, 7): 0, (11, 11, 11): 1, (26, 26, 26): 2})


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (lambda: save(np.random.default_rng(0).integers(0, 256, (32, 44, 3))), "have 1408 colours.*blurred"),
        (lambda: save(truth(), ending="jpg"), "photo0.jpg' is a JPEG.*Save labels as PNG"),
        (lambda: save(truth() * 0), "show class 0 alone, expected two classes or more"),
        (
            lambda: save(np.array([3, 9, 30])[truth()], palette=np.zeros((40, 3))),
            "the values 3, 9, 30, and no palette that tells them apart",
        ),
    ],
    ids=["a picture", "JPEG", "one class", "a palette of black alone"],
)
def test_what_is_no_label_is_refused(photos, capsys, labels, words):
    labels()
    assert make("labels") == 1
    assert re.search(words, capsys.readouterr().err)
    assert not Path("tasks").exists()
