"""Saving and resuming a solver: Solver::Snapshot and Restore (src/caffe/solver.cpp, sgd_solver.cpp).

<prefix>_iter_<n>.caffemodel         the weights (.caffemodel.h5 with snapshot_format: HDF5), written first
<prefix>_iter_<n>.solverstate        iteration, path of the weights, history, current_step (.solverstate.h5)
<prefix>_iter_<n>.layerstate.json    see layer_state.py
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from caffe.blob import Blob
from caffe.errors import FormatError, NetError, WeightsError
from caffe.formats import solverstate
from caffe.log import log
from caffe.net import Net
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text
from caffe.solver import layer_state


def check_prefix(param: caffe_pb2.SolverParameter) -> None:
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
        probe.unlink(missing_ok=True)  # the processes of one training all ask
    except OSError as error:
        raise FormatError(
            f"solver: Cannot write to snapshot prefix '{param.snapshot_prefix}'.  Make sure that the directory exists "
            f"and is writable ({error.strerror})."
        ) from error


def save(
    param: caffe_pb2.SolverParameter,
    net: Net,
    test_nets: Sequence[Net],
    history: Sequence[Blob],
    iteration: int,
    current_step: int,
    others: Sequence[str] = (),
) -> str:
    """Write the weights, the layers' positions, and the solverstate that names the weights; the path of that.

    param: the SolverParameter, which says where and in which format; others: see layer_state.write.
    """
    stem = f"{param.snapshot_prefix}_iter_{iteration}"
    hdf5 = param.snapshot_format == caffe_pb2.SolverParameter.HDF5
    kind, suffix = ("HDF5", ".h5") if hdf5 else ("binary proto", "")
    model, state = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}"
    log.info("Snapshotting to %s file %s", kind, model)
    (net.save_hdf5 if hdf5 else net.save)(model, param.snapshot_diff)
    layer_state.write(state, iteration, net, test_nets, others)
    log.info("Snapshotting solver state to %s file %s", kind, state)
    arrays = [blob.tensor.cpu().numpy() for blob in history]
    solverstate.write(state, solverstate.State(iteration, model, arrays, current_step))
    return state


def restore(
    path: str, solver_type: str, net: Net, test_nets: Sequence[Net], history: Sequence[Blob]
) -> tuple[solverstate.State, dict[str, Any] | None]:
    """Bring weights, history and layers to where a solverstate was written; it says the iteration.

    The weights are looked for at the path that the file names, then beside the file. Returns the state, and what
    layer_state.restore does.
    Raises FormatError for a file that is no solverstate, WeightsError for one that belongs to another net or solver.
    """
    state = solverstate.read(path)
    if len(state.history) != len(history):
        raise WeightsError(
            f"'{path}': Incorrect length of history blobs: found {len(state.history)}, the {solver_type} solver of net "
            f"'{net.name}' has {len(history)}. Resume with the net and the solver type that wrote it."
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
        net.copy_from(_find_weights(state.learned_net, path))
    log.info("SGDSolver: restoring history")
    for blob, values in zip(history, state.history, strict=True):
        blob.tensor.copy_(torch.from_numpy(np.require(values, requirements="W")).view(blob.shape))
    return state, layer_state.restore(path, state.iter, net, test_nets)


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
