"""Databases made here and by real Caffe's tools are the same, byte by byte, and each reads what the other wrote."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from caffe import cli
from caffe.data.database import Database
from caffe.formats import binaryproto
from tests.parity import bvlc, databases


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Image files of several kinds and a list of them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(0)
    (tmp_path / "images").mkdir()
    small = Image.fromarray(rng.randint(0, 256, (5, 6, 3)).astype(np.uint8))
    photo = small.resize((60, 44), Image.Resampling.BICUBIC)
    photo.save("images/a.png")
    photo.convert("L").save("images/b.png")
    photo.quantize(20).save("images/c.png")
    photo.save("images/d.jpg", quality=80)
    photo.convert("L").save("images/e.jpeg")
    (tmp_path / "list.txt").write_text("a.png 1\nb.png -2\nnone.png 7\nc.png 0\nd.jpg 4\ne.jpeg 5\n")
    return tmp_path


def real(folder, *command) -> subprocess.CompletedProcess:
    done = bvlc.run_command(command, folder)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["-gray"],
        ["-check_size"],
        ["-resize_height=22", "-resize_width=30"],
        ["-resize_height=70", "-resize_width=35", "--gray=true"],
        ["-encoded"],
        ["-encoded=true", "-gray"],
    ],
    ids=" ".join,
)
def test_convert_imageset_writes_the_same_bytes(images, flags):
    arguments = [*flags, "images/", "list.txt"]
    real(images, "convert_imageset", *arguments, "theirs")
    assert cli.main(["convert_imageset", *arguments, "ours"]) == 0
    if flags[:1] == ["-encoded=true"]:  # encoded again, by another PNG library
        assert [key for key, _ in Database("ours", "lmdb")] == [key for key, _ in Database("theirs", "lmdb")]
    else:
        assert list(Database("ours", "lmdb")) == list(Database("theirs", "lmdb"))


def test_means_are_the_same(images):
    assert cli.main(["convert_imageset", "images/", "list.txt", "db"]) == 0
    real(images, "compute_image_mean", "db", "theirs.binaryproto")
    assert cli.main(["compute_image_mean", "db", "ours.binaryproto"]) == 0
    np.testing.assert_array_equal(binaryproto.read("ours.binaryproto"), binaryproto.read("theirs.binaryproto"))


def test_a_leveldb_from_here_is_read_by_real_caffe(images):
    assert cli.main(["convert_imageset", "-backend=leveldb", "images/", "list.txt", "leveldb"]) == 0
    assert cli.main(["convert_imageset", "images/", "list.txt", "lmdb"]) == 0
    real(images, "compute_image_mean", "-backend=leveldb", "leveldb", "theirs.binaryproto")
    assert cli.main(["compute_image_mean", "lmdb", "ours.binaryproto"]) == 0
    np.testing.assert_array_equal(binaryproto.read("ours.binaryproto"), binaryproto.read("theirs.binaryproto"))


@pytest.mark.parametrize("form", ["log", "table"])
def test_leveldbs_are_read(tmp_path, form):
    databases.make(tmp_path)
    assert list(Database(tmp_path / form, "leveldb")) == databases.expected()
