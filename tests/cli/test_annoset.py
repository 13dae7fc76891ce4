"""`caffe convert_annoset`: a database of images with boxes out of VOC's annotations, text files, or label pictures."""

import numpy as np
import pytest
from PIL import Image

from caffe import cli
from caffe.data import images
from caffe.data.database import Database
from caffe.proto import caffe_pb2

XML = """<annotation><size><width>20</width><height>10</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>12</xmax><ymax>9</ymax></bndbox>
<part><name>head</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>3</xmax><ymax>2</ymax></bndbox></part></object>
<object><name>dog</name><difficult>1</difficult><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>20</xmax><ymax>5</ymax></bndbox>
</object><object><name>cat</name><bndbox><xmin>4</xmin><ymin>4</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></object>
</annotation>"""
MAP = 'item { name: "none" label: 0 display_name: "none" } item { name: "cat" label: 3 } item { name: "dog" label: 5 }'
WANTED = [(3, 0, 0.1, 0.1, 0.6, 0.9, 0), (3, 1, 0.2, 0.4, 0.3, 0.6, 0), (5, 0, 0, 0, 1, 0.5, 1)]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """An image of 10 × 20 with an annotation of each kind, and lists of them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)).save("a.png")
    (tmp_path / "a.xml").write_text(XML)
    (tmp_path / "a.txt").write_text("3 2 1 12 9\n5 0 0 20 5\n3 4 4 6 6\n")
    (tmp_path / "map.prototxt").write_text(MAP)
    labels = np.zeros((10, 20), np.uint8)
    labels[1:9, 2:12], labels[4:6, 14:16], labels[9, 19], labels[0, 0] = 3, 3, 5, 255
    Image.fromarray(labels).save("mask.png")
    for kind in ("xml", "txt"):
        (tmp_path / f"{kind}.list").write_text(f"a.png a.{kind}\n")
    (tmp_path / "mask.list").write_text("a.png mask.png\n")


def run(*arguments):
    return cli.main(["convert_annoset", *arguments])


def stored():
    ((key, value),) = Database("db", "lmdb")
    found = caffe_pb2.AnnotatedDatum.FromString(value)
    rows = [
        (group.group_label, each.instance_id, *(getattr(each.bbox, side) for side in ("xmin", "ymin", "xmax", "ymax")),
         each.bbox.difficult)
        for group in found.annotation_group for each in group.annotation
    ]  # fmt: skip
    return key.decode(), found, np.array(rows)


def test_annotations_of_pascal_voc_become_boxes_by_the_label_map():
    assert run("-label_map_file=map.prototxt", "", "xml.list", "db") == 0
    key, found, rows = stored()
    assert key == "00000000_a.png"
    assert found.HasField("type")
    assert found.datum.data == images.read("a.png").transpose(2, 0, 1).tobytes()
    assert np.allclose(rows, WANTED, atol=1e-6)


def test_text_files_say_classes_and_pixels():
    assert run("-label_type", "txt", "-encoded", "", "txt.list", "db") == 0
    _, found, rows = stored()
    assert found.datum.encoded
    assert np.allclose(rows[:, :6], [row[:6] for row in WANTED], atol=1e-6)


def test_each_connected_part_of_a_label_picture_has_a_box():
    assert run("-label_type", "mask", "-resize_height=5", "-resize_width=5", "", "mask.list", "db") == 0
    _, found, rows = stored()
    assert (found.datum.height, found.datum.width) == (5, 5)
    wanted = [(3, 0, 0.1, 0.1, 0.6, 0.9, 0), (3, 1, 0.7, 0.4, 0.8, 0.6, 0), (5, 0, 0.95, 0.9, 1, 1, 0)]
    assert np.allclose(rows, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "change", "words"),
    [
        (["", "xml.list", "db"], None, "needs -label_map_file"),
        (["-label_map_file=map.prototxt", "", "xml.list", "db"], ("map.prototxt", 'item { name: "cat" label: 1 }'),
         "Unknown name: 'dog'"),
        (["-label_map_file=map.prototxt", "", "xml.list", "db"], ("map.prototxt", 'item {name: "a"} item {name: "a"}'),
         "duplicates in the label map"),
        (["-label_map_file=map.prototxt", "", "xml.list", "db"], ("a.xml", "<annotation/>"), "has no <size"),
        (["-label_map_file=map.prototxt", "", "xml.list", "db"], ("a.xml", "<annotation>"), "Expected an annotation"),
        (["-label_map_file=map.prototxt", "", "xml.list", "db"], ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"),
         "declares entities"),
        (["-label_type=txt", "", "txt.list", "db"], ("a.txt", "1 2 3\n"), "expected `class xmin ymin xmax ymax`"),
        (["-label_type=txt", "", "txt.list", "db"], ("a.txt", "1 5 3 2 9\n"), "xmin ≤ xmax"),
        (["-label_type=txt", "", "txt.list", "db"], ("txt.list", "a.png\n"), "expected an image and its annotation"),
        (["-label_type=txt", "", "txt.list", "db"], ("txt.list", "\n"), "File is empty"),
        (["-label_type=txt", "", "txt.list", "db"], ("txt.list", "b.png a.txt\n"), "Could not load b.png"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_and_leaves_no_database(tmp_path, capsys, arguments, change, words):
    if change:
        (tmp_path / change[0]).write_text(change[1])
    assert run(*arguments) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "db").exists()


def test_a_database_that_is_there_stays_as_it_was(tmp_path, capsys):
    assert run("-label_type=txt", "", "txt.list", "db") == 0
    before = stored()[1]
    assert run("-label_type=mask", "", "mask.list", "db") == 1
    assert "Remove it, or choose another name" in capsys.readouterr().err
    assert stored()[1] == before
