"""A downloaded HDF5 file is read alone: it names no other file of this machine, and no more bytes than it has."""

import zlib

import h5py
import numpy as np
import pytest
import scipy.io

from fcn_caffe.datasets import nyudv2, own_hdf5

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["images"] = VALUES
    return path


def write(path, name, secret):
    """A file whose /images is as `name` says."""
    with h5py.File(path, "w") as file:
        if name == "external link":
            file["images"] = h5py.ExternalLink(str(secret), "/images")
        elif name == "soft link":
            file["images"] = h5py.SoftLink("/other")
        elif name == "external storage":
            file.create_dataset("images", (3, 4), np.float32, external=[(str(secret), 0, 48)])
        elif name == "virtual":
            layout = h5py.VirtualLayout((3, 4), np.float32)
            layout[...] = h5py.VirtualSource(str(secret), "images", (3, 4))
            file.create_virtual_dataset("images", layout)
        elif name == "group":
            file.create_group("images")
        elif name == "text":
            file["images"] = "no numbers"
        elif name == "endless":
            file.create_dataset("images", (1 << 30, 640, 480), np.uint8, chunks=(1, 640, 480))
        else:
            file["images"] = VALUES


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("external link", "is a link to .*secret"),
        ("soft link", "is a link to '/other'"),
        ("external storage", "takes its values from other files"),
        ("virtual", "takes its values from other files"),
        ("group", "expected a data set of numbers"),
        ("text", "expected a data set of numbers"),
        ("endless", "declares 329,853,488,332,800 bytes and stores 0"),
    ],
)
def test_what_is_not_in_the_file_is_refused(tmp_path, secret, name, words):
    write(tmp_path / "x.mat", name, secret)
    with h5py.File(tmp_path / "x.mat", "r") as file, pytest.raises(ValueError, match=words):
        own_hdf5.dataset(file, "images")


def test_numbers_of_the_file_are_read(tmp_path, secret):
    write(tmp_path / "x.mat", "numbers", secret)
    with h5py.File(tmp_path / "x.mat", "r") as file:
        assert (own_hdf5.dataset(file, "images")[()] == VALUES).all()


def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused(tmp_path):
    packed = zlib.compress(bytes(1 << 20), 9)
    with h5py.File(tmp_path / "x.mat", "w") as file:
        made = file.create_dataset("images", (1000,), np.float32, chunks=(1000,), compression="gzip")
        made.id.write_direct_chunk((0,), packed + bytes(1 << 18))
    with h5py.File(tmp_path / "x.mat", "r") as file, pytest.raises(ValueError, match="unpacks to more than its 4,064"):
        own_hdf5.dataset(file, "images")


def test_chunks_of_the_declared_size_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(own_hdf5, "LARGE", 0)
    values = np.arange(3000, dtype=np.float32)
    with h5py.File(tmp_path / "x.mat", "w") as file:
        file.create_dataset("images", data=values, chunks=(1000,), compression="gzip", shuffle=True, fletcher32=True)
    with h5py.File(tmp_path / "x.mat", "r") as file:
        assert (own_hdf5.dataset(file, "images")[()] == values).all()


def test_a_file_that_names_others_becomes_no_nyudv2(tmp_path, secret):
    write(tmp_path / "labeled.mat", "external link", secret)
    scipy.io.savemat(tmp_path / "classes.mat", {"mapClass": np.array([[1]], np.uint8)})
    with pytest.raises(ValueError, match="is a link to .*secret"):
        nyudv2.convert(tmp_path / "labeled.mat", tmp_path / "classes.mat", tmp_path / "out")
