"""--classes auto: the classes of label images are found in their values, palettes or colours."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.data_layers.segdata import classes, files
from fcn_caffe.data_layers.segdata.labels import ColourMap
from fcn_caffe.inference.find import find
from fcn_caffe.pictures import drawing
from tests.annotations.conftest import HEIGHT, NAMES, WIDTH, make, truth


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


def test_values_with_gaps_and_vocs_palette_are_classes(photos):
    save(np.array([0, 15, 8])[truth()], palette=drawing.palette())
    assert make("labels") == 0
    assert listed() == (("value 0", "value 8", "value 15"), {(0, 0, 0): 0, (64, 0, 0): 1, (192, 128, 128): 2})


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


PAINT = np.uint8([[0, 0, 0], [200, 0, 0], [0, 0, 200]])


def save_shuffled(order=(0, 2, 1)):
    """Painted labels that were saved with palettes, of which every second has another order."""
    save(truth(), palette=PAINT)
    for name in NAMES[::2]:
        image = Image.fromarray(np.uint8(np.argsort(order))[truth()], mode="P")
        image.putpalette(PAINT[list(order)].tobytes())
        image.save(f"labels/{name}.png")


def test_where_palettes_disagree_it_is_the_colours_that_count(photos, capsys):
    save_shuffled()
    assert make("labels") == 0
    assert "one value different colours: their colours count" in capsys.readouterr().out
    found = listed()
    assert set(found.colours) == set(map(tuple, PAINT.tolist()))
    read = {ColourMap(found.colours)(files.read_colours(f"labels/{name}.png"), name).tobytes() for name in NAMES}
    assert len(read) == 1


def test_labels_without_a_palette_beside_palettes_that_disagree_are_refused(photos, capsys):
    save_shuffled()
    Image.fromarray(np.uint8(truth())).save(f"labels/{NAMES[1]}.png")
    assert make("labels") == 1
    assert "nobody knows which class a value is" in capsys.readouterr().err


def test_palettes_that_disagree_are_told_where_a_list_says_the_classes(photos, capsys):
    save_shuffled()
    Path("classes.txt").write_text("ground\ncat\ndog\n")
    assert make("labels", "--classes", "classes.txt") == 0
    assert "warning: label palettes that give one value different colours" in capsys.readouterr().out


@pytest.mark.parametrize("channels", [1, 3])
def test_masks_with_blurred_edges_are_refused(photos, capsys, channels):
    mask = Image.fromarray(np.uint8(truth() > 0) * 255)
    small = mask.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.BICUBIC).resize(mask.size, Image.Resampling.BICUBIC)
    values = np.asarray(small)
    save(values if channels == 1 else np.repeat(values[..., None], 3, 2))
    assert make("labels") == 1
    assert re.search("edges are blurred, save|with blurred edges", capsys.readouterr().err)
