"""Whatever is wrong with an argument of a tool is told in words that name it, with a status other than 0."""

import ast
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe import cli
from tests.tools.conftest import ROOT
from tests.tools.test_infer import INPUT, SCORE
from tests.tools.test_score import NET

READ = ("nowhere", "a_folder", "empty", "noise")
WRITE = ("a_folder", "empty/x")
DEPLOY = "--net net.prototxt --weights net.caffemodel"
VAL = "--net val.prototxt --weights net.caffemodel"
CONV = "--net net.prototxt --weights net.caffemodel --conv-net net.prototxt"
TASK = "--images mine/JPEGImages --labels mine/SegmentationClass --classes classes.txt"
TOY = "demo-fcn32s --voc-dir mine --classes 3 --name toy --iterations 1"

READING = [
    f"infer {DEPLOY} WRONG",
    "infer --net WRONG --weights net.caffemodel photo.png",
    "infer --net net.prototxt --weights WRONG photo.png",
    "score WRONG",
    "score --net WRONG --weights net.caffemodel",
    "score --net val.prototxt --weights WRONG",
    f"score {VAL} --names WRONG",
    "compare WRONG",
    "compare demo-fcn32s WRONG",
    "trimap WRONG --voc-dir mine --split val --classes 3",
    "trimap predicted --voc-dir WRONG --split val --classes 3",
    "trimap predicted --voc-dir mine --split WRONG --classes 3",
    "submission WRONG --voc-dir mine --split val --out a.tar.gz",
    "submission predicted --voc-dir WRONG --split val --out a.tar.gz",
    "submission predicted --voc-dir mine --split WRONG --out a.tar.gz",
    "convolutionalize vgg16 WRONG --out x.caffemodel",
    "convolutionalize --net WRONG --weights net.caffemodel --conv-net net.prototxt --out x.caffemodel",
    "convolutionalize --net net.prototxt --weights WRONG --conv-net net.prototxt --out x.caffemodel",
    "convolutionalize --net net.prototxt --weights net.caffemodel --conv-net WRONG --out x.caffemodel",
    "import_weights squeezenet WRONG --out x.caffemodel",
    "import_weights squeezenet WRONG.pth --out x.caffemodel",
    "import_weights squeezenet WRONG.safetensors --out x.caffemodel",
    "import_weights squeezenet WRONG.caffemodel --out x.caffemodel",
    "import_weights vgg16 WRONG.tar.gz --out x.caffemodel",
    "curves WRONG",
    f"new_task pools {TASK.replace('mine/JPEGImages', 'WRONG')}",
    f"new_task pools {TASK.replace('mine/SegmentationClass', 'WRONG')}",
    f"new_task pools {TASK.replace('classes.txt', 'WRONG')}",
    f"new_task pools {TASK} --train WRONG --val mine/ImageSets/Segmentation/val.txt",
    f"new_task pools {TASK} --train mine/ImageSets/Segmentation/train.txt --val WRONG",
    "data check WRONG",
    "data check --dir WRONG",
    "data check --images WRONG --labels mine/SegmentationClass --classes classes.txt",
    "data check --images mine/JPEGImages --labels WRONG --classes classes.txt",
    "data check --images mine/JPEGImages --labels mine/SegmentationClass --classes WRONG",
    "data fetch WRONG",
    "solve WRONG",
    "solve demo-fcn32s --weights WRONG --voc-dir mine --classes 3 --name toy --iterations 1 --no-check",
    f"solve {TOY.replace('mine', 'WRONG')}",
    f"solve {TOY} --splits WRONG val",
]
WRITING = [
    f"infer {DEPLOY} photo.png --out WRONG/x",
    f"score {VAL} --json WRONG",
    f"score {VAL} --save-dir WRONG/x",
    "trimap predicted --voc-dir mine --split val --classes 3 --boundary classes --json WRONG",
    "trimap predicted --voc-dir mine --split val --classes 3 --boundary classes --plot WRONG",
    "submission predicted --voc-dir mine --split val --out WRONG",
    f"convolutionalize {CONV} --out WRONG",
    "data check --images mine/JPEGImages --labels mine/SegmentationClass --classes classes.txt --json WRONG",
]
VALUES = [
    ("infer --net deploy.prototxt photo.png", "give --weights, too"),
    ("infer demo-fcn32s", "demo-fcn32s: no snapshot"),
    (f"infer {DEPLOY}", "the following arguments are required: NET | IMAGE"),
    (f"infer {DEPLOY} photo.png --mean 1 2", "--mean"),
    (f"infer {DEPLOY} photo.png --score data2", "data2: no such blob"),
    (f"score {VAL} --ignore 9", "there is no class 9 to leave out"),
    (f"score {VAL} --images -1", "--images"),
    (f"score {VAL} --label data", ""),
    ("score", "give a variant, or --net and --weights"),
    ("compare demo-fcn32s --images 0", "--images"),
    ("compare demo-fcn32s --out grid.nokind", "--out"),
    ("trimap predicted --voc-dir mine --split val --classes 0", "--classes"),
    ("trimap predicted --voc-dir mine --split val --classes 3 --keep 7", "--keep"),
    ("trimap predicted --voc-dir mine --split val --classes 3 --keep 1 1", "--keep"),
    ("trimap predicted --voc-dir mine --split val --classes 3 --widths 0", "--widths"),
    ("trimap predicted --voc-dir mine --split val --classes 3 --boundary classes --plot x.nokind", "nokind"),
    ("trimap predicted --voc-dir mine --split val --classes 3", "--boundary classes"),
    ("submission predicted --voc-dir mine --split val --year x --out a.tar.gz", "--year"),
    ("convolutionalize vgg17 net.caffemodel", "vgg17"),
    (f"convolutionalize {CONV} --out net.caffemodel", "would be written over itself"),
    ("import_weights vgg17 net.caffemodel", "vgg17"),
    (f"new_task pools {TASK} --stride 5", "stride 5"),
    (f"new_task pools {TASK} --val-share 2", "--val-share"),
    (f"new_task pools {TASK} --backbone none", "--backbone"),
    (f"new_task pools {TASK} --train a", "--train"),
    ("data fetch", "NAME"),
    ("data", "command"),
    ("data check", "give a name"),
    ("solve", "give a variant"),
    (f"solve {TOY} --iterations 0", "--iterations"),
    (f"solve {TOY} --classes 1", "--classes is 1"),
    (f"solve {TOY} --gpu 77", "--gpu 77"),
    (f"solve {TOY} --precision fp8", "--precision"),
    ("solve demo-fcn32s --name toy", "--name without --classes"),
]


SPEAKERS = [name.replace("-", "_") for name in (*cli.COMMANDS, *cli.OTHER_NAMES, "check", "fcn")]
DOUBLED = re.compile(rf"^\w+: ({'|'.join(SPEAKERS)}): ", re.MULTILINE)
"""Who speaks is said once."""


@pytest.fixture
def files(folder):
    """Right files of every kind, and wrong ones."""
    Path("net.prototxt").write_text(INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 1"))
    Path("val.prototxt").write_text(NET.replace("BIAS", ""))
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.params["score"][0].data[...] = np.random.default_rng(0).normal(size=(3, 3, 1, 1))
    net.save("net.caffemodel")
    Image.new("RGB", (5, 7)).save("photo.png")
    Path("classes.txt").write_text("one\ntwo\nthree\n")
    Path("predicted").mkdir()
    for path in Path("mine/SegmentationClass").iterdir():
        shutil.copy(path, "predicted")
    for ending in ("", ".pth", ".safetensors", ".caffemodel", ".tar.gz"):
        Path(f"a_folder{ending}").mkdir()
        Path(f"empty{ending}").write_bytes(b"")
        Path(f"noise{ending}").write_bytes(bytes(range(200, 250)) * 9)
    return folder


def told(line, capsys):
    """What the tool says on stderr; its status must not be 0, and nothing but words may come."""
    tool, *arguments = line.split()
    try:
        status = cli.main([tool, *arguments])
    except SystemExit as exit_:
        status = exit_.code
    said = capsys.readouterr()
    assert status in (1, 2), said
    assert "Traceback" not in said.err
    assert "Errno" not in said.err
    assert not DOUBLED.search(said.err), said.err
    text = said.err + said.out
    assert f"{cli.name_of(tool)}: ".replace("-", "_") in said.err or ": error: " in said.err or "rror" in said.out, text
    return text


@pytest.mark.parametrize("wrong", READ)
@pytest.mark.parametrize("line", READING)
def test_a_wrong_file_or_name_to_read(line, wrong, files, capsys):
    said = told(line.replace("WRONG", wrong), capsys)
    assert wrong in said
    assert not any(Path(made).exists() for made in ("x.caffemodel", "a.tar.gz", "tasks", "out/infer"))
    assert not list(Path("snapshot").glob("toy-*/*"))


@pytest.mark.parametrize("wrong", WRITE)
@pytest.mark.parametrize("line", WRITING)
def test_a_wrong_place_to_write(line, wrong, files, capsys):
    if "WRONG/x" in line:
        wrong = "empty"
    assert Path(wrong).parts[0] in told(line.replace("WRONG", wrong), capsys)
    assert Path("empty").read_bytes() == b""


@pytest.mark.parametrize(("line", "words"), VALUES)
def test_a_wrong_value(line, words, files, capsys):
    assert words in told(line, capsys)


def test_errors_of_tools_leave_it_to_the_command_to_say_who_it_is():
    begun = {}
    for path in sorted(ROOT.glob("fcn_caffe/**/*.py")):
        for raised in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise)):
            texts = (node.value for node in ast.walk(raised) if isinstance(node, ast.Constant))
            first = next((text for text in texts if isinstance(text, str)), "")
            begun[f"{path}:{raised.lineno}: {first}"] = first.partition(": ")[0].replace("-", "_")
    assert len(begun) > 100
    assert not [place for place, word in begun.items() if word in SPEAKERS]
