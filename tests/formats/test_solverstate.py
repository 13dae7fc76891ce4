"""Solver states, binary and HDF5."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe.errors import FormatError
from caffe.formats import solverstate
from caffe.formats.solverstate import State
from caffe.proto import caffe_pb2

HISTORY = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(4, np.float32), np.zeros((2, 1, 1, 1), np.float32)]


@pytest.mark.parametrize("name", ["s.solverstate", "s.solverstate.h5"])
@pytest.mark.parametrize("learned_net", ["snapshot/net_iter_7.caffemodel", "", "weights ü.caffemodel"])
@pytest.mark.parametrize("count", [0, 3, 12])
def test_round_trip(name: str, learned_net: str, count: int, tmp_path: Path) -> None:
    state = State(7, learned_net, (HISTORY * 4)[:count], 2)
    solverstate.write(tmp_path / "made" / name, state)
    restored = solverstate.read(tmp_path / "made" / name)
    assert (restored.iter, restored.learned_net, restored.current_step) == (7, learned_net, 2)
    assert len(restored.history) == count
    for array, original in zip(restored.history, state.history, strict=True):
        np.testing.assert_array_equal(array, original)


def test_same_bytes_as_protobuf(tmp_path: Path) -> None:
    solverstate.write(tmp_path / "s", State(7, "w.caffemodel", HISTORY, 0))
    message = caffe_pb2.SolverState(iter=7, learned_net="w.caffemodel", current_step=0)
    for array in HISTORY:
        message.history.add(data=array.ravel(), shape=caffe_pb2.BlobShape(dim=array.shape))
    assert (tmp_path / "s").read_bytes() == message.SerializeToString()


def test_without_weights_no_path_is_written(tmp_path: Path) -> None:
    """Caffe would try to load a path that is there, though empty."""
    solverstate.write(tmp_path / "s", State(7))
    assert not caffe_pb2.SolverState.FromString((tmp_path / "s").read_bytes()).HasField("learned_net")
    solverstate.write(tmp_path / "s.h5", State(7))
    with h5py.File(tmp_path / "s.h5") as file:
        assert "learned_net" not in file


def test_legacy_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(
        bytes.fromhex(
            "08 ac02"  # iter: 300
            "1a 12"  # history, 18 bytes
            "  08 01 10 01 18 01 20 02"  # 1×1×1×2
            "  2a 08 0000803f 000000c0"  # 1.0, -2.0
        )
    )
    state = solverstate.read(tmp_path / "s")
    assert (state.iter, state.learned_net, state.current_step) == (300, "", 0)
    np.testing.assert_array_equal(state.history[0], [[[[1, -2]]]])


def test_truncation_is_seen(tmp_path: Path) -> None:
    """At every byte but the ends of fields, where a shorter state is whole."""
    solverstate.write(tmp_path / "s", State(7, "w", HISTORY[:1]))
    whole = (tmp_path / "s").read_bytes()
    ends = {2, 5, len(whole) - 2}  # iter, learned_net, history
    for length in set(range(len(whole))) - ends:
        (tmp_path / "s").write_bytes(whole[:length])
        with pytest.raises(FormatError):
            solverstate.read(tmp_path / "s")


def test_caffe_reads_the_string(tmp_path: Path) -> None:
    """Caffe takes the bytes up to a zero, so the zero must be in the file."""
    solverstate.write(tmp_path / "s.h5", State(1, "net.caffemodel"))
    with h5py.File(tmp_path / "s.h5") as file:
        kind = file["learned_net"].id.get_type()
        assert (kind.get_size(), kind.get_strpad()) == (len("net.caffemodel") + 1, h5py.h5t.STR_NULLTERM)
        assert file["iter"].shape == file["current_step"].shape == (1,)
        assert file["iter"].dtype == np.int32


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("iter", np.array([1, 2]), "holds 2 numbers, expected one"),
        ("learned_net", np.array([1, 2]), "expected a string"),
        ("current_step", "soon", "expected a dataset of numbers"),
        ("history/5", np.ones(3), "/history/3 is missing"),
    ],
)
def test_damaged_hdf5(name: str, value: object, words: str, tmp_path: Path) -> None:
    solverstate.write(tmp_path / "s.h5", State(1, "w", HISTORY))
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        if name in file:
            del file[name]
        file[name] = value
    with pytest.raises(FormatError, match=words):
        solverstate.read(tmp_path / "s.h5")
