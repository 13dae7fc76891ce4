"""Saving and resuming a solver: Solver::Snapshot and Restore (src/caffe/solver.cpp, sgd_solver.cpp).

<prefix>_iter_<n>.caffemodel         the weights (.caffemodel.h5 with snapshot_format: HDF5), written first
<prefix>_iter_<n>.solverstate        iteration, path of the weights, history, current_step (.solverstate.h5)
<prefix>_iter_<n>.layerstate.json    see layer_state.py
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from caffe.errors import FormatError, NetError, WeightsError
from caffe.formats import solverstate
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text
from caffe.solver import layer_state, snapshot_lock

if TYPE_CHECKING:
    from caffe.solver import Solver


def check_prefix(param: Any) -> None:
    """Make the directory of snapshot_prefix and see whether it can be written. Raises FormatError if it cannot."""
    if "\0" in param.snapshot_prefix:
        raise FormatError(f"solver: snapshot_prefix is {param.snapshot_prefix!r}: no path has a zero byte. Correct it.")
    if not param.snapshot:
        return
    if not param.HasField("snapshot_prefix"):
        raise NetError(
            "solver: In solver params, snapshot is specified but snapshot_prefix is not. Set snapshot_prefix."
        )
    probe = Path(f"{param.snapshot_prefix}_iter_0.tempfile")
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FormatError(
            f"solver: Cannot write to snapshot prefix '{param.snapshot_prefix}'.  Make sure that the directory exists "
            f"and is writable ({error.strerror})."
        ) from error


def save(solver: "Solver") -> None:
    """Write the weights, the layers' positions, and the solverstate that names the weights.

    Raises NotFiniteError, as the solver's allow_nan says, and UsageError if another process trains on the prefix.
    """
    solver.check_finite()
    with snapshot_lock.held(solver):
        _save(solver)


def _save(solver: "Solver") -> None:
    param = solver.param
    stem = f"{param.snapshot_prefix}_iter_{solver.iter}"
    hdf5 = param.snapshot_format == caffe_pb2.SolverParameter.HDF5
    kind, suffix = ("HDF5", ".h5") if hdf5 else ("binary proto", "")
    model, state = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}"
    log.info("Snapshotting to %s file %s", kind, model)
    (solver.net.save_hdf5 if hdf5 else solver.net.save)(model, param.snapshot_diff)
    layer_state.write(solver, state)
    log.info("Snapshotting solver state to %s file %s", kind, state)
    history = [blob.tensor.cpu().numpy() for blob in solver.history]
    solverstate.write(state, solverstate.State(solver.iter, model, history, solver.current_step))
    solver.last_snapshot = state


def restore(solver: "Solver", path: str) -> None:
    """Bring weights, history and iteration to where a solverstate was written.

    The weights are looked for at the path that the file names, then beside the file. Raises FormatError for a file that
    is no solverstate, WeightsError for one that belongs to another net or solver.
    """
    state = solverstate.read(path)
    history = solver.history
    if len(state.history) != len(history):
        raise WeightsError(
            f"'{path}': Incorrect length of history blobs: found {len(state.history)}, the {solver.type} solver of net "
            f"'{solver.net.name}' has {len(history)}. Resume with the net and the solver type that wrote it."
        )
    for index, (blob, values) in enumerate(zip(history, state.history, strict=True)):
        if blob.count != values.size:
            raise WeightsError(
                f"'{path}': history {index} has shape {shape_text(values.shape)}, this net's is "
                f"{shape_text(blob.shape)}. Resume with the net that wrote it.",
                found=values.shape,
                expected=blob.shape,
                remedy="Resume with the net that wrote it.",
            )
    if state.learned_net:
        solver.net.copy_from(_find_weights(state.learned_net, path))
    solver.iter, solver.current_step = state.iter, state.current_step
    log.info("SGDSolver: restoring history")
    for blob, values in zip(history, state.history, strict=True):
        blob.tensor.copy_(torch.from_numpy(np.require(values, requirements="W")).view(blob.shape))
    layer_state.restore(solver, path)
    solver.last_snapshot = path


def _find_weights(learned_net: str, state_path: str) -> str:
    beside = os.path.join(os.path.dirname(state_path), os.path.basename(learned_net))
    if not os.path.exists(learned_net) and os.path.exists(beside):
        log.info("'%s' is not there, taking %s", learned_net, beside)
        return beside
    if not os.path.exists(learned_net):
        raise FormatError(
            f"'{state_path}': Could not open file {learned_net}, the weights that belong to it: there is no such file, "
            "nor one of its name beside the state. Put them there."
        )
    return learned_net
