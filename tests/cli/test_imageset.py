"""`caffe convert_imageset` and `caffe compute_image_mean`; beside real Caffe's they are run by `make parity`."""

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe import cli
from caffe.data import images
from caffe.data.database import Database
from caffe.formats import binaryproto
from caffe.log import log
from caffe.proto import caffe_pb2

SIZES = [(4, 6), (4, 6), (8, 4)]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """images/0.png, 1.png, 2.png and lists of them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    rng = np.random.RandomState(0)
    for index, size in enumerate(SIZES):
        Image.fromarray(rng.randint(0, 256, (*size, 3)).astype(np.uint8)).save(f"images/{index}.png")
    (tmp_path / "same.txt").write_text("0.png 5\n1.png 6\n")
    (tmp_path / "all.txt").write_text("0.png 5\nnone.png 1\n2.png 7\n")


def run(*arguments: str) -> int:
    return cli.main(["convert_imageset", *arguments])


def datums(path: str = "db"):
    return [(key.decode(), caffe_pb2.Datum.FromString(value)) for key, value in Database(path, "lmdb")]


def test_images_are_stored_as_bytes_in_the_order_of_the_list():
    assert run("images/", "same.txt", "db") == 0
    found = datums()
    assert [key for key, _ in found] == ["00000000_0.png", "00000001_1.png"]
    assert [datum.label for _, datum in found] == [5, 6]
    assert found[1][1].data == images.read("images/1.png").transpose(2, 0, 1).tobytes()
    assert not found[1][1].encoded


def test_an_image_that_cannot_be_read_is_left_out(capsys):
    assert run("images/", "all.txt", "db") == 0
    assert [key for key, _ in datums()] == ["00000000_0.png", "00000002_2.png"]
    assert "Could not open or find file images/none.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags", [["-resize_height=5", "-resize_width", "7"], ["--resize_height", "5", "--resize_width=7"]]
)
def test_images_are_resized(flags):
    assert run(*flags, "images/", "all.txt", "db") == 0
    assert {(d.channels, d.height, d.width) for _, d in datums()} == {(3, 5, 7)}


@pytest.mark.parametrize("flag", ["-gray", "--gray", "-gray=true", "--gray=1"])
def test_a_switch_is_on(flag):
    assert run(flag, "images/", "same.txt", "db") == 0
    assert {d.channels for _, d in datums()} == {1}


@pytest.mark.parametrize("flag", ["-gray=false", "--nogray"])
def test_a_switch_is_off(flag):
    assert run("-gray", flag, "images/", "same.txt", "db") == 0
    assert {d.channels for _, d in datums()} == {3}


def test_files_are_stored_as_they_are():
    assert run("-encoded", "images/", "same.txt", "db") == 0
    with open("images/0.png", "rb") as file:
        assert datums()[0][1].data == file.read()
    assert datums()[0][1].encoded


def test_images_are_encoded_again():
    assert run("-encode_type", "jpg", "-gray", "images/", "same.txt", "db") == 0
    found = images.decode(datums()[0][1].data, None, "")
    assert found.shape == (4, 6, 1)
    assert abs(found.astype(int) - images.read("images/0.png", False)).mean() < 20


def test_an_order_is_drawn():
    with open("long.txt", "w") as file:
        file.writelines(f"0.png {label}\n" for label in range(50))
    caffe.set_random_seed(1)
    assert run("-shuffle", "images/", "long.txt", "db") == 0
    labels = [datum.label for _, datum in datums()]
    assert sorted(labels) == list(range(50))
    assert labels != sorted(labels)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-check_size", "images/", "all.txt", "db"], "'2.png': Incorrect data field size 96, the first image has 72"),
        (["-backend", "rocksdb", "images/", "same.txt", "db"], "Unknown database backend 'rocksdb'"),
        (["-encode_type=abc", "images/", "same.txt", "db"], "-encode_type abc: unknown"),
        (["images/", "same.txt", "images"], "mkdir images failed"),
        (["images/", "none.txt", "db"], "Could not open none.txt"),
        (["images/", "same.txt"], "DB_NAME"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(arguments, words, capsys):
    try:
        status = run(*arguments)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 1
    assert words in capsys.readouterr().err


def test_the_mean_of_a_database():
    run("images/", "same.txt", "db")
    assert cli.main(["compute_image_mean", "db", "mean.binaryproto"]) == 0
    expected = np.mean([images.read(f"images/{n}.png") for n in (0, 1)], axis=0).transpose(2, 0, 1)
    np.testing.assert_allclose(binaryproto.read("mean.binaryproto"), expected[None], rtol=1e-6)


def test_the_mean_of_a_database_of_files(capsys, monkeypatch):
    monkeypatch.setattr(log, "info", lambda text, *values: print(text % values))
    run("-encoded", "images/", "same.txt", "db")
    assert cli.main(["compute_image_mean", "-backend=lmdb", "db"]) == 0
    expected = np.mean([images.read(f"images/{n}.png")[..., 2] for n in (0, 1)])
    assert f"mean_value channel [2]: {expected:g}" in capsys.readouterr().out


def test_images_of_several_sizes_have_no_mean(capsys):
    run("images/", "all.txt", "db")
    assert cli.main(["compute_image_mean", "db"]) == 1
    assert "'00000002_2.png' of 'db' is 3×8×4, those before are 3×4×6" in capsys.readouterr().err
