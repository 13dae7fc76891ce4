"""Data layers on files and settings that would harm: errors name the layer, and nothing is read that is not theirs."""

import h5py
import numpy as np
import pytest

import caffe
from caffe.errors import DataError

ROWS = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Builds a net of one layer; files are written in the working directory."""
    monkeypatch.chdir(tmp_path)

    def build(layer):
        (tmp_path / "net.prototxt").write_text(f'layer {{ name: "x" {layer} }}')
        return caffe.Net("net.prototxt", caffe.TRAIN)

    return build


@pytest.fixture
def hdf5(net, tmp_path):
    """Builds a net that reads an HDF5 file, once a function has put "data" into it."""

    def build(fill):
        (tmp_path / "other.bin").write_bytes(b"secret!!" * 4)
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["data"] = ROWS
        with h5py.File(tmp_path / "x.h5", "w") as file:
            fill(file)
        (tmp_path / "list.txt").write_text("x.h5\n")
        return net('type: "HDF5Data" top: "data" hdf5_data_param { source: "list.txt" batch_size: 2 }')

    return build


def virtual(file):
    layout = h5py.VirtualLayout(shape=(4, 2), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", shape=(4, 2))
    file.create_virtual_dataset("data", layout)


def external(file):
    file.create_dataset("data", (4, 2), "f4", external=[("other.bin", 0, 32)])


def linked(file):
    file["data"] = h5py.ExternalLink("other.h5", "data")


def linked_by_a_link(file):
    file["away"] = h5py.ExternalLink("other.h5", "/")
    file["data"] = h5py.SoftLink("/away/data")


def empty(file):
    file.create_dataset("data", (10**5, 10**4), "f4", chunks=(100, 100))


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (virtual, "points to another file"),
        (external, "points to another file"),
        (linked, "is a link to 'other.h5'"),
        (linked_by_a_link, "away is a link to 'other.h5'"),
        (empty, "stores nearly nothing"),
    ],
)
def test_hdf5_data_reads_only_what_is_in_its_file(hdf5, fill, words):
    with pytest.raises(DataError, match=rf"layer 'x' \(HDF5Data\): .*x\.h5.*{words}"):
        hdf5(fill)


def test_hdf5_data_follows_a_link_within_its_file(hdf5):
    def within(file):
        file["rows"] = ROWS
        file["data"] = h5py.SoftLink("rows")

    assert hdf5(within).forward()["data"].tolist() == ROWS[:2].tolist()
