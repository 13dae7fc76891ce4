"""HDF5 weights: Caffe's layout, names, damage, and files that would harm."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import hdf5

W, B = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([7, 8], np.float32)


def read(path: Path) -> dict[str, list[object]]:
    return {layer.name: [None if b is None else b.tolist() for b in layer.blobs] for layer in hdf5.read(path)}


def test_layout(tmp_path: Path) -> None:
    path = tmp_path / "new" / "w.h5"
    hdf5.write(path, [("data", []), ("ip", [(W, W + 1), (B, None)]), ("shared", [(None, W), (B, B)])])
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        assert file["data/ip/0"].dtype == np.float32
        np.testing.assert_array_equal(file["diff/ip/0"], W + 1)
    assert names == [
        *("data", "data/data", "data/ip", "data/ip/0", "data/ip/1", "data/shared", "data/shared/1"),
        *("diff", "diff/data", "diff/ip", "diff/ip/0", "diff/shared", "diff/shared/0", "diff/shared/1"),
    ]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    hdf5.write(path, [("ip", [(W, None), (B, None)]), ("shared", [(None, None), (B, B)]), ("relu", [])])
    layers = {layer.name: layer for layer in hdf5.read(path)}
    assert list(layers) == ["ip", "relu", "shared"]
    np.testing.assert_array_equal(layers["ip"].blobs[0], W)
    assert layers["relu"].blobs == []
    assert layers["shared"].blobs[0] is None
    np.testing.assert_array_equal(layers["shared"].blobs[1], B)
    np.testing.assert_array_equal(layers["shared"].diffs[1], B)


def test_names_with_slashes_come_back(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    hdf5.write(path, [("inception_3a/1x1", [(W, None)]), ("inception_3a/relu_1x1", []), ("a/b/c", [(B, None)])])
    assert read(path) == {"a/b/c": [[7, 8]], "inception_3a/1x1": [W.tolist()], "inception_3a/relu_1x1": []}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b", "a"], "'a' is the name of two layers"),
        (["a", "a/0"], "'a/0' is also the place of a parameter of layer 'a'"),
        (["a/1/b", "a"], "'a/1/b' is also the place of a parameter of layer 'a'"),
        (["a//b"], "cannot be the name of a group"),
        (["/a"], "cannot be the name of a group"),
        (["."], "cannot be the name of a group"),
        ([""], "cannot be the name of a group"),
    ],
)
def test_names_that_hdf5_cannot_keep(names: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=words):
        hdf5.write(tmp_path / "w.h5", [(name, [(W, None)]) for name in names])
    assert not list(tmp_path.iterdir())


def test_truncation_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    hdf5.write(path, [("ip", [(W, None)])])
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"w\.h5"):
            hdf5.read(path)


def test_other_numbers_become_floats(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/ip/0"] = W.astype(np.float64)
        file["data/ip/1"] = B.astype(np.int32)
        file["data/bn/2"] = np.float32(3)
    (bn, ip) = hdf5.read(tmp_path / "w.h5")
    assert [None if b is None else b.shape for b in bn.blobs] == [None, None, ()]
    assert all(b is not None and b.dtype == np.float32 for b in ip.blobs)


def test_harmful_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    hdf5.write(tmp_path / "other.h5", [("ip", [(W, None)])])

    def bomb(group: h5py.Group) -> None:
        group.create_dataset("0", shape=(30000, 30000), dtype="f4", chunks=(100, 100))

    def huge(group: h5py.Group) -> None:
        group.create_dataset("0", shape=(2**20, 2**20), dtype="f4", chunks=(100, 100))

    def external(group: h5py.Group) -> None:
        group.create_dataset("0", shape=(6,), dtype="f4", external=[(str(tmp_path / "secret"), 0, 24)])

    def text(group: h5py.Group) -> None:
        group["0"] = "words"

    def far(group: h5py.Group) -> None:
        group["4000000000"] = W

    def unnumbered(group: h5py.Group) -> None:
        group["weights"] = W

    for make, words in (
        (bomb, "stores nearly nothing"),
        (huge, "expected at most"),
        (external, "points to another file"),
        (text, "expected a dataset of numbers"),
        (far, r"expected datasets /data/<layer>/<number>"),
        (unnumbered, r"expected datasets /data/<layer>/<number>"),
    ):
        with h5py.File(tmp_path / "w.h5", "w") as file:
            make(file.create_group("data/ip"))
        with pytest.raises(FormatError, match=words):
            hdf5.read(tmp_path / "w.h5")


def test_links_elsewhere_are_not_followed(tmp_path: Path) -> None:
    hdf5.write(tmp_path / "other.h5", [("ip", [(W, None)])])
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_group("data/own")
        file["data/away"] = h5py.ExternalLink("other.h5", "/data/ip")
        file["data/own/loop"] = file["data"]
    assert read(tmp_path / "w.h5") == {"own": []}
