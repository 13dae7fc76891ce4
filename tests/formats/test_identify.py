"""A file of the wrong kind is named as what it is."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import binaryproto, caffemodel, hdf5, prototxt, solverstate, weight_files, wire
from caffe.formats.identify import Kind, identify
from caffe.proto import caffe_pb2

READERS: dict[str, Callable[[Path], object]] = {
    "weights": weight_files.read,
    "state": solverstate.read,
    "mean": binaryproto.read,
    "net": prototxt.read_net,
    "solver": prototxt.read_solver,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    array = np.ones((2, 3), np.float32)
    net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="ip")])
    caffemodel.write(folder / "caffemodel", net, [[(array, None)]])
    hdf5.write(folder / "caffemodel.h5", [("ip", [(array, None)])])
    for name in ("solverstate", "solverstate.h5"):
        solverstate.write(folder / name, solverstate.State(5, "x.caffemodel", [array]))
    binaryproto.write(folder / "mean", array)
    with h5py.File(folder / "other.h5", "w") as file:
        file["images"] = array
    content = {
        "prototxt": b'# a net\nname: "n"\nlayer { name: "r" type: "ReLU" bottom: "x" top: "x" }\n',
        "solver.prototxt": b'net: "n.prototxt"\nbase_lr: 1\n',
        "empty": b"",
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "html": b"\n<!DOCTYPE html><html><title>404</title></html>",
        "zip": b"PK\x03\x04" + bytes(100),
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "pickle": b"\x80\x02}q\x00.",
        "zeros": bytes(1000),
        "noise": np.random.default_rng(0).bytes(5000),
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("file", "readers"),
    [
        ("caffemodel", ["weights"]),
        ("caffemodel.h5", ["weights"]),
        ("solverstate", ["state"]),
        ("solverstate.h5", ["state"]),
        ("mean", ["mean"]),
        ("other.h5", []),
        ("prototxt", ["net"]),
        ("solver.prototxt", ["solver"]),
        ("empty", ["net", "solver"]),
        ("lfs", []),
        ("html", []),
        ("zip", []),
        ("gzip", []),
        ("pickle", []),
        ("zeros", []),
        ("noise", []),
    ],
)
def test_each_reader_takes_its_own_files_only(file: str, readers: list[str], files: dict[str, Path]) -> None:
    for name, read in READERS.items():
        if name in readers:
            read(files[file])
        else:
            with pytest.raises(FormatError) as caught:
                read(files[file])
            assert file in str(caught.value)


@pytest.mark.parametrize(
    ("reader", "file", "words"),
    [
        ("state", "caffemodel", "found weights .* Resume from the .solverstate beside it"),
        ("state", "caffemodel.h5", "found weights .* Resume from the .solverstate beside it"),
        ("weights", "solverstate", "expected .*weights.*, found a solver's state"),
        ("weights", "solverstate.h5", "expected weights.*, found a solver's state"),
        ("weights", "mean", "found a single blob, such as a mean file"),
        ("weights", "prototxt", "found text, such as a prototxt"),
        ("weights", "lfs", "git lfs pull"),
        ("weights", "html", "web page: the download failed"),
        ("weights", "zip", "PyTorch"),
        ("weights", "empty", "an empty file"),
        ("weights", "other.h5", "an HDF5 file of another program"),
        ("state", "other.h5", "an HDF5 file of another program"),
        ("mean", "caffemodel", "expected a single blob, .* found weights"),
        ("net", "caffemodel", "expected a text prototxt, found weights"),
        ("net", "caffemodel.h5", "expected a text prototxt, found an HDF5 file"),
        ("net", "solver.prototxt", "'net' belongs in SolverParameter"),
        ("solver", "prototxt", "'layer' belongs in NetParameter|'name' belongs in"),
    ],
)
def test_mix_ups_are_named(reader: str, file: str, words: str, files: dict[str, Path]) -> None:
    with pytest.raises(FormatError, match=words):
        READERS[reader](files[file])


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\n\x09CaffeNet!\xa2\x06\x00", Kind.WEIGHTS),
        (b"\x12\x80\x80\x04cut off", Kind.WEIGHTS),
        (b"\x08\x05\x12\x03abc\x1a\xff\xff\x01", Kind.STATE),
        (b"\x08\x01\x10\x03\x18\x20\x20\x20*\xff\x7f", Kind.BLOB),
        (b"\xef\xbb\xbfname: 'x'", Kind.TEXT),
        (b"// what", Kind.TEXT),
    ],
)
def test_by_the_first_bytes(start: bytes, kind: Kind) -> None:
    assert identify(memoryview(start)) is kind


@pytest.mark.parametrize("number", [14, 16, 150])
@pytest.mark.parametrize("name", ["caffemodel", "solverstate", "mean"])
def test_fields_that_only_a_fork_knows_do_not_hide_what_a_file_is(
    name: str, number: int, files: dict[str, Path], tmp_path: Path
) -> None:
    foreign = {
        "integer": wire.varint(number << 3) + b"\x01",
        "float": wire.varint(number << 3 | 5) + bytes(4),
        "message": b"".join(wire.enclose(number, [b"ab"])),
        "group": wire.varint(number << 3 | 3) + b"\x08\x01" + wire.varint(number << 3 | 4),
    }
    path = tmp_path / "file"
    for kind, field in foreign.items():
        path.write_bytes(3 * field + files[name].read_bytes())
        readers = [reader for reader in ("weights", "state", "mean") if not _refuses(READERS[reader], path)]
        assert readers == [{"caffemodel": "weights", "solverstate": "state"}.get(name, name)], kind


@pytest.mark.parametrize("name", ["caffemodel", "solverstate", "mean"])
@pytest.mark.parametrize("number", [1, 2, 3, 5, 7, 100])
def test_groups_are_passed_over_even_with_the_number_of_a_field_of_caffe(
    name: str, number: int, files: dict[str, Path], tmp_path: Path
) -> None:
    group = wire.varint(number << 3 | 3) + b"\x0a\x01x\x13\x14" + wire.varint(number << 3 | 4)
    path = tmp_path / "file"
    path.write_bytes(group + files[name].read_bytes() + group)
    read = READERS[{"caffemodel": "weights", "solverstate": "state"}.get(name, name)]
    assert repr(read(path)) == repr(read(files[name]))


def _refuses(read: Callable[[Path], object], path: Path) -> bool:
    try:
        read(path)
    except FormatError:
        return True
    return False
