"""The state of a solver: SGDSolver::SnapshotSolverState and RestoreSolverState (sgd_solver.cpp).

    binary   SolverState { iter = 1  learned_net = 2  history = 3 (BlobProto each)  current_step = 4 }
    HDF5     /iter and /current_step, int32 of shape (1,); /learned_net, a zero-terminated string; /history/<i>, float32

`learned_net` is the path of the weights as it was given when they were saved, relative or not. The history's length and
order belong to the solver: one array a learnable parameter for SGD, two for AdaDelta and Adam.
"""

import os
from dataclasses import dataclass, field

import h5py
import numpy as np
from google.protobuf.message import DecodeError

from caffe.errors import FormatError
from caffe.formats import blobproto, hdf5, hdf5_file, wire
from caffe.formats.atomic import open_atomic
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file
from caffe.proto import caffe_pb2

_HISTORY = 3
_LONGEST_NAME = 1 << 16


@dataclass
class State:
    """A solver's state. `learned_net` is empty when the file names none; history arrays may be read-only views."""

    iter: int
    learned_net: str = ""
    history: list[np.ndarray] = field(default_factory=list)
    current_step: int = 0


def read(path: PathLike) -> State:
    """The state in a .solverstate or .solverstate.h5, told apart by what is in the file. Raises FormatError."""
    content = map_file(path)
    found = identify(content)
    if found is Kind.HDF5:
        return _read_hdf5(path)
    if found is Kind.STATE:
        return _read_binary(content, os.fspath(path))
    raise _not_a_state(path, found)


def write(path: PathLike, state: State) -> None:
    """Write a state atomically: HDF5 if the name ends in .h5, else binary. Raises FormatError."""
    if os.fspath(path).endswith(".h5"):
        _write_hdf5(path, state)
    else:
        _write_binary(path, state)


def _read_binary(content: memoryview, source: str) -> State:
    settings = bytearray()
    history: list[np.ndarray] = []
    for each in wire.fields(content, source):
        if each.number == _HISTORY and each.wire == wire.LEN:
            history.append(blobproto.decode(each.value, f"{source}: history {len(history)}").data)
        else:
            settings += each.raw
    try:
        message = caffe_pb2.SolverState.FromString(bytes(settings))
    except DecodeError as error:
        raise FormatError(f"{source}: damaged solver state ({error}). Copy it again.") from error
    return State(message.iter, os.fsdecode(message.learned_net), history, message.current_step)


def _write_binary(path: PathLike, state: State) -> None:
    head = caffe_pb2.SolverState(iter=state.iter, learned_net=state.learned_net or None)
    pieces: list[wire.Piece] = [head.SerializeToString()]
    for array in state.history:
        pieces += wire.enclose(_HISTORY, blobproto.encode(array))
    pieces.append(caffe_pb2.SolverState(current_step=state.current_step).SerializeToString())
    wire.check_size(pieces, path)
    with open_atomic(path) as file:
        file.writelines(pieces)


def _read_hdf5(path: PathLike) -> State:
    source = os.fspath(path)
    with hdf5_file.opened(path) as file:
        if hdf5.contents(file) is not Kind.STATE:
            raise _not_a_state(path, hdf5.contents(file))
        places = [f"history/{index}" for index in range(len(file["history"]))]
        return State(
            iter=_integer(file, "iter", source),
            learned_net=_learned_net(file, source),
            history=[hdf5_file.read_array(hdf5_file.find(file, place), f"{source}: /{place}") for place in places],
            current_step=_integer(file, "current_step", source),
        )


def _learned_net(file: h5py.File, source: str) -> str:
    dataset = hdf5_file.find(file, "learned_net")
    if dataset is None:
        return ""
    if not isinstance(dataset, h5py.Dataset) or dataset.shape or dataset.dtype.kind not in "SO":
        raise FormatError(f"{source}: /learned_net is {dataset}, expected a string. Save the state again.")
    if dataset.external or dataset.is_virtual or dataset.dtype.itemsize > _LONGEST_NAME:
        raise FormatError(
            f"{source}: /learned_net is not in the file, or too long; expected the path of weights."
            " Save the state again."
        )
    return os.fsdecode(dataset[()].rstrip(b"\0"))


def _integer(file: h5py.File, name: str, source: str) -> int:
    numbers = hdf5_file.read_array(hdf5_file.find(file, name), f"{source}: /{name}", np.int64)
    if numbers.size != 1:
        raise FormatError(f"{source}: /{name} holds {numbers.size} numbers, expected one. Save the state again.")
    return int(numbers.item())


def _write_hdf5(path: PathLike, state: State) -> None:
    with hdf5_file.created(path) as file:
        file.create_dataset("iter", data=np.array([state.iter], np.int32))
        file.create_dataset("current_step", data=np.array([state.current_step], np.int32))
        if state.learned_net:
            name = os.fsencode(state.learned_net)
            zero_terminated = h5py.h5t.C_S1.copy()
            zero_terminated.set_size(len(name) + 1)
            file.create_dataset("learned_net", data=np.bytes_(name), dtype=h5py.Datatype(zero_terminated))
        history = file.create_group("history")
        for index, array in enumerate(state.history):
            history.create_dataset(str(index), data=np.asarray(array, np.float32))


def _not_a_state(path: PathLike, found: Kind) -> FormatError:
    error = wrong_kind(path, found, Kind.STATE.value)
    if found is Kind.WEIGHTS:
        return FormatError(
            f"{error} Resume from the .solverstate beside it; to start from weights alone, pass them as weights."
        )
    return error
