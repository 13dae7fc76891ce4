"""Whatever is wrong with an argument of a command is told in one line that names it, and the exit status is 1."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import caffe
from tests.cli.test_tools import DEPLOY

PREPARED = "--model_def deploy.prototxt --pretrained_model w.caffemodel"
WRONG_TO_READ = ("nowhere", "folder", "empty", "noise")
WRONG_TO_WRITE = ("folder", "empty/x")
LOG = """\
I1231 23:59:50.000000  7 solver.cpp:279] Solving net
I1231 23:59:53.000000  7 solver.cpp:228] Iteration 0 (-1.55e-33 iter/s, 1s/5 iters), loss = 1.5
I1231 23:59:53.000000  7 solver.cpp:244]     Train net output #0: loss = 1.5 (* 1 = 1.5 loss)
I1231 23:59:53.000000  7 solver.cpp:228] Iteration 5 (-1.55e-33 iter/s, 1s/5 iters), loss = 1.2
I1231 23:59:53.000000  7 solver.cpp:244]     Train net output #0: loss = 1.2 (* 1 = 1.5 loss)
"""

READING = [
    "train -solver WRONG",
    "train -solver solver.prototxt -snapshot WRONG",
    "train -solver solver.prototxt -weights WRONG",
    "test -model WRONG -weights w.caffemodel",
    "test -model net.prototxt -weights WRONG",
    "time -model WRONG -iterations 1",
    "convert_imageset WRONG/ list.txt db",
    "convert_imageset ./ WRONG db",
    "compute_image_mean WRONG",
    "extract_features WRONG net.prototxt ip db 1 lmdb",
    "extract_features w.caffemodel WRONG ip db 1 lmdb",
    "upgrade_net_proto_binary WRONG out",
    "parse_log WRONG tables",
    "plot_training_log 6 a.png WRONG",
    "draw_net WRONG net.dot",
    f"classify WRONG o.npy {PREPARED}",
    "classify a.png o.npy --model_def WRONG --pretrained_model w.caffemodel",
    "classify a.png o.npy --model_def deploy.prototxt --pretrained_model WRONG",
    f"classify a.png o.npy {PREPARED} --mean_file WRONG",
    f"detect WRONG o.csv {PREPARED} --context_pad 1",
    "detect windows.csv o.csv --model_def WRONG --pretrained_model w.caffemodel",
    "detect windows.csv o.csv --model_def deploy.prototxt --pretrained_model WRONG",
]
WRITING = [
    "convert_imageset ./ list.txt WRONG",
    "compute_image_mean good_lmdb WRONG",
    "extract_features none.caffemodel net.prototxt ip WRONG 1 lmdb",
    "upgrade_net_proto_text net.prototxt WRONG",
    "upgrade_net_proto_binary w.caffemodel WRONG",
    "upgrade_solver_proto_text solver.prototxt WRONG",
    "parse_log log WRONG/x",
    "plot_training_log 6 WRONG log",
    "draw_net net.prototxt WRONG",
    f"classify a.png WRONG {PREPARED}",
    f"detect windows.csv WRONG {PREPARED} --context_pad 1",
]


@pytest.fixture
def files(folder):
    """Right files of every kind, and wrong ones."""
    (folder / "deploy.prototxt").write_text(DEPLOY)
    caffe.Net("deploy.prototxt", caffe.TEST).save("w.caffemodel")
    Image.new("RGB", (20, 16), (255, 0, 0)).save("a.png")
    for name, text in {
        "list.txt": "a.png 0\n",
        "windows.csv": "filename,ymin,xmin,ymax,xmax\na.png,0,0,8,8\n",
        "log": LOG,
        "empty": "",
    }.items():
        (folder / name).write_text(text)
    (folder / "noise").write_bytes(bytes(range(200, 250)) * 9)
    (folder / "folder").mkdir()
    np.save("means.npy", np.zeros(4))
    return folder


def check_is_told(result, *words):
    status, _, err = result
    assert status == 1, err
    last = err.splitlines()[-1] if "] caffe: " in err else err
    assert "] caffe: " in last or last.startswith("ERROR: "), err
    assert "Traceback" not in err
    for word in words:
        assert word in err


@pytest.mark.parametrize("wrong", WRONG_TO_READ)
@pytest.mark.parametrize("line", READING)
def test_a_wrong_file_to_read(line, wrong, files, run):
    check_is_told(run(line.replace("WRONG", wrong)))
    assert not any((files / made).exists() for made in ("db", "out", "o.npy", "o.csv", "a1.png", "net.dot"))


@pytest.mark.parametrize("wrong", WRONG_TO_WRITE)
@pytest.mark.parametrize("line", WRITING)
def test_a_wrong_place_to_write(line, wrong, files, run):
    assert run("convert_imageset ./ list.txt good_lmdb")[0] == 0
    caffe.Net("net.prototxt", caffe.TEST).save("none.caffemodel")
    if line.startswith("parse_log"):
        wrong = "empty"
    check_is_told(run(line.replace("WRONG", wrong)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"classify a.png o.npy {PREPARED} --images_dim 4,4", "image_dims is (4, 4), expected a height and a width"),
        (f"classify a.png o.npy {PREPARED} --images_dim 4", "image_dims is (4,), expected a height and a width"),
        (f"classify a.png o.npy {PREPARED} --images_dim 0,0", "image_dims is (0, 0)"),
        (f"classify a.png o.npy {PREPARED} --channel_swap 0,1,9", "Name every channel"),
        (f"classify a.png o.npy {PREPARED} --mean_file means.npy", "They are 4, the input has 3"),
        (f"classify means.npy o.npy {PREPARED}", "holds an array of shape 4, expected one image"),
        (f"detect windows.csv o.csv {PREPARED} --mean_file means.npy --context_pad 1", "They are 4, the input has 3"),
        (f"detect windows.csv o.csv {PREPARED} --context_pad 4", "context_pad is 4, expected 0 to 3"),
        ("plot_training_log 6 a.nokind log", "ends in .nokind, expected one of"),
        ("parse_log log tables --delimiter ;;", "one character was expected"),
        ("draw_net net.prototxt a.dot --rankdir XX", "--rankdir"),
    ],
)
def test_a_wrong_value(line, words, files, run):
    check_is_told(run(line), words)


def test_images_that_all_fail_leave_no_database(files, run):
    (files / "list.txt").write_text("a.png 0\nb.png 1\n")
    check_is_told(run("convert_imageset images/ list.txt db"), "none of the 2 images of 'list.txt' can be read")
    assert not (files / "db").exists()
    status, _, err = run("convert_imageset ./ list.txt db")
    assert status == 0
    assert "Processed 1 files." in err


def test_one_image_in_an_array_is_one_image(files, run):
    np.save("one.npy", np.full((16, 20, 3), 0.5))
    assert run(f"classify one.npy o.npy {PREPARED}")[0] == 0
    assert np.load("o.npy").shape == (1, 3)


def test_flags_of_every_command_with_one_dash(run):
    status, out, _ = run("train -help")
    assert status == 0
    assert out.startswith("usage: caffe train")
    assert "-solver" in out


def test_whoever_has_read_enough_is_told_nothing():
    program = "import sys; from caffe import cli; sys.exit(cli.main(['-help']))"
    command = f'{sys.executable} -c "{program}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # 0: where all was read before the reader went


def test_the_remedy_is_that_of_the_command_and_not_of_a_layer(files, run):
    check_is_told(run("convert_imageset ./ nowhere.txt db"), "Could not open nowhere.txt", "Correct LISTFILE.")
