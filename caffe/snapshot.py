"""Saving and resuming a solver: Solver::Snapshot and Restore (src/caffe/solver.cpp, sgd_solver.cpp).

<prefix>_iter_<n>.caffemodel          the weights (.caffemodel.h5 with snapshot_format: HDF5), written first
<prefix>_iter_<n>.solverstate         iteration, path of the weights, history, current_step (.solverstate.h5)
<prefix>_iter_<n>.layerstate.json     what Caffe does not keep: the random generator's state, and the position of every
                                      layer that offers state() and set_state(), so that training goes on as if it had
                                      never stopped
"""

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from caffe import device
from caffe.errors import FormatError, WeightsError
from caffe.formats import solverstate
from caffe.formats.atomic import open_atomic
from caffe.log import log
from caffe.proto import caffe_pb2

if TYPE_CHECKING:
    from caffe.net import Net
    from caffe.solver import Solver


def check_prefix(param: Any) -> None:
    """Make the directory of snapshot_prefix and see whether it can be written. Raises FormatError if it cannot."""
    if not param.snapshot:
        return
    if not param.HasField("snapshot_prefix"):
        raise FormatError(
            "solver: In solver params, snapshot is specified but snapshot_prefix is not. Set snapshot_prefix."
        )
    probe = Path(f"{param.snapshot_prefix}_iter_0.tempfile")
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FormatError(
            f"solver: Cannot write to snapshot prefix '{param.snapshot_prefix}' ({error.strerror}).  Make sure that the "
            "directory exists and is writable."
        ) from error


def save(solver: "Solver") -> str:
    """Write the weights, the state and the layers' positions; the path of the solverstate."""
    param = solver.param
    stem = f"{param.snapshot_prefix}_iter_{solver.iter}"
    hdf5 = param.snapshot_format == caffe_pb2.SolverParameter.HDF5
    kind, suffix = ("HDF5", ".h5") if hdf5 else ("binary proto", "")
    model, state = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}"
    log.info("Snapshotting to %s file %s", kind, model)
    (solver.net.save_hdf5 if hdf5 else solver.net.save)(model, param.snapshot_diff)
    _write_layer_state(solver, state)
    log.info("Snapshotting solver state to %s file %s", kind, state)
    history = [blob.tensor.cpu().numpy() for blob in solver.history]
    solverstate.write(state, solverstate.State(solver.iter, model, history, solver.current_step))
    return state


def restore(solver: "Solver", path: str) -> None:
    """Bring net, history and iteration to where a solverstate was written.

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
                f"'{path}': history {index} has shape {values.shape}, this net's is {blob.shape}. "
                "Resume with the net that wrote it."
            )
    if state.learned_net:
        solver.net.copy_from(_find_weights(state.learned_net, path))
    solver.iter, solver.current_step = state.iter, state.current_step
    log.info("SGDSolver: restoring history")
    for blob, values in zip(history, state.history, strict=True):
        blob.tensor.copy_(torch.from_numpy(np.require(values, requirements="W")).view(blob.shape))
    _read_layer_state(solver, path)


def _find_weights(learned_net: str, state_path: str) -> str:
    beside = os.path.join(os.path.dirname(state_path), os.path.basename(learned_net))
    if not os.path.exists(learned_net) and os.path.exists(beside):
        log.info("'%s' is not there, taking %s", learned_net, beside)
        return beside
    return learned_net


def _layer_state_path(state_path: str) -> str:
    return state_path.removesuffix(".h5").removesuffix(".solverstate") + ".layerstate.json"


def _nets(solver: "Solver") -> dict[str, "Net"]:
    return {"train": solver.net, **{f"test {index}": net for index, net in enumerate(solver.test_nets)}}


def _write_layer_state(solver: "Solver", state_path: str) -> None:
    generator = device.generator()
    random = base64.b64encode(generator.get_state().numpy().tobytes()).decode()
    nets = {name: _states_of(net) for name, net in _nets(solver).items()}
    content = {"iter": solver.iter, "random": {"device": generator.device.type, "state": random}, "nets": nets}
    with open_atomic(_layer_state_path(state_path)) as file:
        file.write(json.dumps(content, indent=1).encode())


def _states_of(net: "Net") -> dict[str, Any]:
    states = {}
    for layer in net.layers:
        if callable(getattr(layer, "state", None)) and callable(getattr(layer, "set_state", None)):
            state = layer.state()  # type: ignore[attr-defined]
            try:
                states[layer.name] = json.loads(json.dumps(state))
            except (TypeError, ValueError) as error:
                log.warning(
                    "%s: its state() cannot be saved as JSON (%s); a resumed run starts it afresh", layer, error
                )
    return states


def _read_layer_state(solver: "Solver", state_path: str) -> None:
    path = Path(_layer_state_path(state_path))
    if not path.exists():
        log.info("No %s: layers with an order of their own start afresh", path)
        return
    try:
        content = json.loads(path.read_bytes())
        random, saved_iter = content["random"], content["iter"]
        nets = {name: dict(content["nets"].get(name, {})) for name in _nets(solver)}
        state = torch.frombuffer(bytearray(base64.b64decode(random["state"], validate=True)), dtype=torch.uint8)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"'{path}': cannot be read ({error!r}). Remove it to start the layers' order afresh."
        ) from error
    if saved_iter != solver.iter:
        log.warning("%s is of iteration %s, not %d: ignored", path, saved_iter, solver.iter)
        return
    if random["device"] == device.current().type:
        device.generator().set_state(state)
    for name, net in _nets(solver).items():
        for layer_name, layer_state in nets[name].items():
            _restore_layer(net, layer_name, layer_state)


def _restore_layer(net: "Net", name: str, state: Any) -> None:
    set_state = getattr(net.layer_dict.get(name), "set_state", None)
    if not callable(set_state):
        log.warning("layer '%s': its saved position has no layer here", name)
        return
    try:
        set_state(state)
    except ValueError as error:
        log.warning("layer '%s': starts afresh: %s", name, error)
