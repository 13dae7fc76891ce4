"""Label maps from MATLAB files: the map, or an error that says what is wrong with the file; never anything else."""

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from fcn_caffe.data_layers.segdata import mat

MAP = np.array([[0, 128], [200, 255]], np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.mat"


def save(file: Path, **variables: object) -> None:
    savemat(file, variables, do_compression=True)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float64])
def test_a_map(file: Path, compressed: bool, dtype: type) -> None:
    savemat(file, {"S": MAP.astype(dtype), "other": "text"}, do_compression=compressed)
    found = mat.read_map(str(file), "S")
    assert found.dtype == dtype
    assert (found == MAP).all()


def test_a_map_in_a_struct(file: Path) -> None:
    save(file, GTcls={"Segmentation": MAP, "Boundaries": {"a": 1}})
    assert (mat.read_map(str(file), "GTcls", "Segmentation") == MAP).all()


def test_a_map_of_one_pixel(file: Path) -> None:
    save(file, GTcls={"Segmentation": np.array([[7]], np.uint8)})
    assert mat.read_map(str(file), "GTcls", "Segmentation").tolist() == [[7]]


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(FileNotFoundError, match="x.mat"):
        mat.read_map(str(file), "S")


def test_a_missing_field_is_named_with_those_there_are(file: Path) -> None:
    save(file, GTinst={"Segmentation": MAP}, S=MAP)
    with pytest.raises(ValueError, match="no field GTcls; there is GTinst, S"):
        mat.read_map(str(file), "GTcls", "Segmentation")
    with pytest.raises(ValueError, match="no field GTinst.Categories; there is Segmentation"):
        mat.read_map(str(file), "GTinst", "Categories")
    with pytest.raises(ValueError, match="no field S.Segmentation; there is none"):
        mat.read_map(str(file), "S", "Segmentation")


@pytest.mark.parametrize(
    "value", ["text", {"a": 1}, np.zeros((2, 2, 3)), np.array([[1j]]), np.array(["a", MAP], object)]
)
def test_what_is_no_map_is_refused(file: Path, value: object) -> None:
    save(file, S=value)
    with pytest.raises(ValueError, match="x.mat. has as S .* expected a map of numbers"):
        mat.read_map(str(file), "S")


@pytest.mark.parametrize("content", [b"", b"no matlab", b"<html>" * 100])
def test_what_is_no_matlab_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match="x.mat' is not a MATLAB file of version 5"):
        mat.read_map(str(file), "S")


def test_another_version_is_refused(file: Path) -> None:
    savemat(file, {"S": MAP}, format="4")
    with pytest.raises(ValueError, match="x.mat' is not a MATLAB file of version 5"):
        mat.read_map(str(file), "S")
    file.write_bytes(b" " * 124 + b"\0\2IM" + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match="not a MATLAB file of version 5 .-v6, -v7."):
        mat.read_map(str(file), "S")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_refused(file: Path, compressed: bool) -> None:
    savemat(file, {"GTcls": {"Segmentation": MAP.repeat(9, 0), "Boundaries": MAP}}, do_compression=compressed)
    whole = file.read_bytes()
    for length in range(0, len(whole) - 8, 3):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="x.mat'"):
            mat.read_map(str(file), "GTcls", "Segmentation")


def test_a_damaged_file_gives_a_map_or_a_value_error(file: Path) -> None:
    savemat(file, {"GTcls": {"Segmentation": MAP.repeat(9, 0)}})
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.integers(128, len(whole))] = rng.integers(256)
        file.write_bytes(damaged)
        try:
            found = mat.read_map(str(file), "GTcls", "Segmentation")
        except ValueError:
            refused += 1
        else:
            assert found.ndim == 2
    assert refused > 100


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_of_too_much_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool) -> None:
    monkeypatch.setattr(mat, "MOST_BYTES", 10_000)
    savemat(file, {"S": np.zeros((100, 90), np.uint8)}, do_compression=compressed)
    assert mat.read_map(str(file), "S").shape == (100, 90)
    savemat(file, {"S": np.zeros((100, 110), np.uint8)}, do_compression=compressed)
    with pytest.raises(ValueError, match="x.mat' (has 11.* bytes, expected at most|unpacks to more than) 10000"):
        mat.read_map(str(file), "S")


def test_all_that_a_file_unpacks_to_is_counted_together(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mat, "MOST_BYTES", 30_000)
    save(file, **{f"v{number}": np.zeros((100, 90), np.uint8) for number in range(3)})
    assert mat.read_map(str(file), "v2").shape == (100, 90)
    save(file, **{f"v{number}": np.zeros((100, 90), np.uint8) for number in range(4)})
    with pytest.raises(ValueError, match="x.mat' unpacks to more than 30000"):
        mat.read_map(str(file), "v0")


def test_other_byte_order(file: Path) -> None:
    """As MATLAB on a big-endian machine writes it, byte by byte."""
    name = struct.pack(">HHc3x", 1, 1, b"S")
    values = struct.pack(">II6h4x", 3, 12, -1, 4, 2, 5, 3, 6)
    shape = struct.pack(">IIii", 5, 8, 2, 3)
    array = struct.pack(">IIII", 6, 8, 10, 0) + shape + name + values
    file.write_bytes(b" " * 124 + b"\1\0MI" + struct.pack(">II", 14, len(array)) + array)
    assert mat.read_map(str(file), "S").tolist() == [[-1, 2, 3], [4, 5, 6]]
