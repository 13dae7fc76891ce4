"""Lists of classes in the forms that other programs write, and what is told of those that cannot be meant."""

from pathlib import Path

import pytest

from fcn_caffe.data_layers.segdata import classes

SKY, ROAD = (128, 64, 0), (0, 255, 7)
COLOURED = {
    "name red green blue": "sky 128 64 0\nlow road 0 255 7\n",
    "hexadecimal": "sky #804000\nlow road #00Ff07\n",
    "CSV": "sky,128,64,0\nlow road,0,255,7\n",
    "CSV with column names": "name,r,g,b\nsky,128,64,0\nlow road,0,255,7\n",
    "CSV with spaces": "name, r, g, b\nsky, 128, 64, 0\nlow road, 0, 255, 7\n",
    "CSV with quotes": '"class","red","green","blue"\n"sky","128","64","0"\n"low road",0,255,7\n',
    "CSV with numbers": "id,name,r,g,b\n0,sky,128,64,0\n1,low road,0,255,7\n",
    "CSV, colour first": "r,g,b,name\n128,64,0,sky\n0,255,7,low road\n",
    "CSV, colour in one column": "name,rgb\nsky,128 64 0\nlow road,0 255 7\n",
    "CSV, hexadecimal": "name,color\nsky,#804000\nlow road,#00ff07\n",
    "CSV with empty columns": "sky,128,64,0,,\nlow road,0,255,7,,\n",
    "semicolons": "Name;R;G;B\nsky;128;64;0\nlow road;0;255;7\n",
    "tabs": "sky\t128\t64\t0\nlow road\t0\t255\t7\n",
    "CamVid": "128 64 0\tsky\n0 255 7\t\tlow road\n",
    "CamVid with spaces": "128 64 0 sky\n0 255 7 low road\n",
    "CVAT": "# label:color_rgb:parts:actions\nsky:128,64,0::\nlow road:0,255,7::\n",
    "CVAT with parts": "sky:128,64,0:head,hand:run\nlow road:0,255,7::\n",
    "numbered": "0 sky 128 64 0\n1 low road 0 255 7\n",
    "brackets": "sky (128, 64, 0)\nlow road (0, 255, 7)\n",
    "square brackets": "sky: [128, 64, 0]\nlow road: [0, 255, 7]\n",
    "as in style sheets": "sky rgb(128,64,0)\nlow road RGB(0,255,7)\n",
    "CSV, the colour in one field": 'sky,"128,64,0"\nlow road,"0,255,7"\n',
    "brackets before the name": "(128, 64, 0) sky\n(0, 255, 7) low road\n",
}
NAMES = {
    "names": "sky\nlow road\n",
    "numbered": "0 sky\n1 low road\n",
    "numbered with colons": "0: sky\n1: low road\n",
    "numbered with dots": "0. sky\n1. low road\n",
    "numbered CSV": "0,sky\n1,low road\n",
    "numbered CSV with column names": "id,name\n0,sky\n1,low road\n",
    "numbered with tabs": "0\tsky\n1\tlow road\n",
    "quotes and commas": '"sky",\n"low road",\n',
    "labelme": "__ignore__\nsky\nlow road\n",
    "CVAT without colours": "# label:color_rgb:parts:actions\nsky:::\nlow road:::\n",
    "YOLO's YAML, a map": "path: ../sky\ntrain: images/train\n\nnames:\n  0: sky  # above\n  1: low road\nnc: 2\n",
    "YAML, a map in any order": "names:\n  1: low road\n  0: sky\n",
    "YAML, a list": "nc: 2\nnames: ['sky', \"low road\"]\n",
    "YAML, a list over lines": "names: [sky,\n        low road,\n       ]  # all\ntrain: x\n",
    "YAML, a list a line each": "names:\n- sky\n- 'low road'\nval: x\n",
    "YAML, a map on one line": "---\nclasses: {0: sky, 1: 'low road'}\n",
    "YAML, a list alone": "# mine\n- sky\n- low road\n",
}


def read(folder: Path, text: str) -> classes.ClassList:
    (folder / "classes.txt").write_text(text, encoding="utf-8")
    return classes.read(str(folder / "classes.txt"))


@pytest.mark.parametrize("form", COLOURED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_and_colours_are_read_in_every_form(tmp_path: Path, form: str, end: str) -> None:
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbf" + COLOURED[form].replace("\n", end).encode())
    found = classes.read(str(tmp_path / "classes.txt"))
    assert found == (("sky", "low road"), {SKY: 0, ROAD: 1})


@pytest.mark.parametrize("form", NAMES)
def test_names_are_read_in_every_form(tmp_path: Path, form: str) -> None:
    assert read(tmp_path, NAMES[form]) == (("sky", "low road"), {})


@pytest.mark.parametrize(
    "line", ["{}:0,0,0::", "{},0,0,0", "0 0 0\t{}", "{} 0 0 0", "255,{},0,0,0"], ids=lambda line: line.format("Void")
)
def test_void_is_no_class_in_any_form(tmp_path: Path, line: str) -> None:
    others = {"255": "0,sky,1,1,1\n1,sea,2,2,2\n"}.get(line[:3], "sky 1 1 1\nsea 2 2 2\n")
    for name in ("void", "Void", "VOID"):
        for text in (others + line.format(name), line.format(name) + "\n" + others):
            assert read(tmp_path, text) == (("sky", "sea"), {(1, 1, 1): 0, (2, 2, 2): 1, (0, 0, 0): 255})


def test_a_mark_makes_no_class(tmp_path: Path) -> None:
    for text in ("\ufeffvoid 0 0 0\nsky 1 1 1\nsea 2 2 2\n", "\ufeff# mine\nvoid 0 0 0\nsky 1 1 1\nsea 2 2 2\n"):
        assert read(tmp_path, text).names == ("sky", "sea")


def test_commas_and_numbers_may_belong_to_names(tmp_path: Path) -> None:
    assert read(tmp_path, "door, double door\nlane 2\n7up\nhttp://x\n").names == (
        "door, double door",
        "lane 2",
        "7up",
        "http://x",
    )
    assert read(tmp_path, "3\n5\n").names == ("3", "5")
    assert read(tmp_path, "road 66 1 2 3\n").colours == {(1, 2, 3): 0}


def test_yaml_without_names_is_no_list_of_names(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("train: images/train\nval: images/val\n")
    with pytest.raises(ValueError, match=":1: 'train: images/train' is YAML of a form that is not read"):
        classes.read(str(path))
    path.write_text("0: sky\n1: sea\n")
    assert classes.read(str(path)).names == ("sky", "sea")


def test_words_that_yaml_uses_may_be_names(tmp_path: Path) -> None:
    assert read(tmp_path, "names\nlabels\n- rest\na: b\n").names == ("names", "labels", "- rest", "a: b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 sky\n2 sea\n", ":1: the class sky has the number 1, expected 0"),
        ("7: road\n8: sidewalk\n", ":1: the class road has the number 7, expected 0"),
        ("0,sky\n2,sea\n", ":2: the class sea has the number 2, expected 1"),
        ("id,name,r,g,b\n1,sky,0,0,0\n0,sea,1,1,1\n", ":3: the class sea has the number 0"),
        ("sky,0,0,0,255\n", ":1: 'sky,0,0,0,255' has 5 columns"),
        ("sky,0,0,300\n", ":1: the colour of 'sky,0,0,300' is not of numbers from 0 to 255"),
        ("sky:0,0,300::\n", "not of numbers from 0 to 255"),
        ("sky:0,0,0::\nsea:::\n", "some lines with a colour and some without"),
        ("sky\nVoid\n", ":2: Void is 255 in labels without colours"),
        ('{"names": ["sky"]}', "is JSON or XML"),
        ("names:\n  - name: sky\n    color: [1, 2, 3]\n", ":2: '- name: sky' is YAML of a form that is not read"),
        ("names:\n  sky: 0\n  sea: 1\n", ":2: 'sky: 0' is YAML of a form that is not read"),
        ("names:\n  1: sky\n  2: sea\n", "numbered up to 2 and none numbered 0"),
        ("names:\n  0: sky\n  0: sea\n", ":3: the class 0 comes twice"),
        ("names: [sky, [sea]]\n", "is YAML of a form that is not read"),
        ("names: [sky,\n sea\n", ":1: 'names: .sky,' is YAML of a form that is not read"),
        ("names: [sky, '']\n", ":1: a class has an empty name"),
        ("names:\nnc: 2\n", "has no class, expected one on each line"),
        ("- sky\n- &a sea\n", ":2: '- &a sea' is YAML of a form that is not read"),
        ("name,r,g,b\n", "has no class, expected one on each line"),
        ("sky\nred\x1b[31m sea\n", ":2: the name 'red.*' has characters that control a terminal"),
        ("sky,0,0," + "9" * 5000 + "\n", "not of numbers from 0 to 255"),
        ("9" * 5000 + " sky\n1 sea\n", ":1: the class sky has the number 1000000000, expected 0"),
        ("9" * 5000 + ",sky\n1,sea\n", ":1: the class sky has the number 1000000000, expected 0"),
        ("sky,sea\n" + "x" * 200_000 + ",1\n", ":2: 'xxx.* cannot be taken apart"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        read(tmp_path, text)
