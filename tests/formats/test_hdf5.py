"""HDF5 weights: Caffe's layout, names, damage, and files that would harm."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import hdf5, hdf5_file, solverstate

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


def test_a_gradient_has_the_shape_of_its_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/ip/0"], file["diff/ip/0"] = W, W
        file["data/ip/1"], file["diff/ip/1"] = B, W
    with pytest.raises(FormatError, match=r"w\.h5: layer 'ip': /diff/ip/1 has shape 2×3, expected .*, 2\."):
        hdf5.read(tmp_path / "w.h5")


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


@pytest.mark.parametrize("place", ["data", "data/ip", "data/ip/0", "history", "iter", "history/0", "learned_net"])
def test_links_to_other_files_are_refused(place: str, tmp_path: Path) -> None:
    hdf5.write(tmp_path / "other.h5", [("ip", [(W, None)])])
    solverstate.write(tmp_path / "state.h5", solverstate.State(5, "x.caffemodel", [W]))
    if place.startswith("data"):
        hdf5.write(tmp_path / "w.h5", [("ip", [(W, None)])])
    else:
        (tmp_path / "w.h5").write_bytes((tmp_path / "state.h5").read_bytes())
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file[place]
        file[place] = h5py.ExternalLink("other.h5" if place.startswith("data") else "state.h5", place)
    with pytest.raises(FormatError, match=f"{place} is a link to 'o?t?h?e?r?s?t?a?t?e?.h5'.* not followed"):
        hdf5.read(tmp_path / "w.h5") if place.startswith("data") else solverstate.read(tmp_path / "w.h5")


def test_a_soft_link_is_followed_within_its_file_and_not_out_of_it(tmp_path: Path) -> None:
    hdf5.write(tmp_path / "other.h5", [("ip", [(W, None)])])
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["values/w"] = W
        file["data/ip/0"] = h5py.SoftLink("/values/w")
    assert hdf5.read(tmp_path / "w.h5")[0].blobs[0] is not None
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file["away"] = h5py.ExternalLink("other.h5", "/data/ip")
        file["data/ip/1"] = h5py.SoftLink("/away/0")
    with pytest.raises(FormatError, match="away is a link to 'other.h5'"):
        hdf5.read(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["data/ip/1"]
        file["data/ip/1"] = h5py.SoftLink("1")
    with pytest.raises(FormatError, match="links without end"):
        hdf5.read(tmp_path / "w.h5")


def test_a_group_within_itself_is_met_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/own/loop"] = file.create_group("data/other")
        file["data/own/again"] = file["data"]
    assert {layer.name for layer in hdf5.read(tmp_path / "w.h5")} <= {"own", "own/loop", "other"}


def test_groups_are_not_followed_into_any_depth(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_group("data/" + "/".join("g" * 3000))
    with pytest.raises(FormatError, match="expected at most 32"):
        hdf5.read(tmp_path / "w.h5")


def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_file, "LARGE", 1 << 20)
    packed = zlib.compress(bytes(1 << 20), 9)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        dataset = file.create_dataset("data/ip/0", shape=(1000,), dtype="f4", chunks=(1000,), compression="gzip")
        dataset.id.write_direct_chunk((0,), packed + bytes(1 << 18))
    with pytest.raises(FormatError, match="a chunk that unpacks to more than"):
        hdf5.read(tmp_path / "w.h5")


def test_compressed_values_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((600, 1000)).astype(np.float32)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset(
            "data/ip/0", data=values, chunks=(300, 1000), compression="gzip", shuffle=True, fletcher32=True
        )
    np.testing.assert_array_equal(hdf5.read(tmp_path / "w.h5")[0].blobs[0], values)
