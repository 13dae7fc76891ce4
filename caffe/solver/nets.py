"""The nets that a solver trains and tests: Solver::InitTrainNet and InitTestNets (src/caffe/solver.cpp), as
messages.
"""

import os
from pathlib import Path

from caffe import registration
from caffe.errors import NetError
from caffe.formats import prototxt
from caffe.log import log
from caffe.proto import caffe_pb2

_TRAIN_FIELDS = ("train_net_param", "train_net", "net_param", "net")
_NAMES = "net, net_param, train_net, train_net_param"


def read_solver(path: str) -> caffe_pb2.SolverParameter:
    """The SolverParameter in a file; where snapshot_prefix is missing or a directory, it gets the file's name."""
    param = prototxt.read_solver(path)
    if not param.HasField("snapshot_prefix"):
        param.snapshot_prefix = str(Path(path).with_suffix(""))
        log.info("snapshot_prefix was not specified and is set to %s", param.snapshot_prefix)
    elif os.path.isdir(param.snapshot_prefix):
        param.snapshot_prefix = str(Path(param.snapshot_prefix) / Path(path).stem)
        log.info("snapshot_prefix was a directory and is replaced to %s", param.snapshot_prefix)
    return param


def train_net(param: caffe_pb2.SolverParameter) -> caffe_pb2.NetParameter:
    """The NetParameter to train. Its state: phase TRAIN, then the net's own state, then train_state.

    Raises NetError unless exactly one field names a training net.
    """
    registration.load_added()
    given = [name for name in _TRAIN_FIELDS if param.HasField(name)]
    if not given:
        raise NetError(
            f"solver: SolverParameter must specify a train net using one of these fields: {_NAMES}. Set one."
        )
    if len(given) > 1:
        raise NetError(
            "solver: SolverParameter must not contain more than one of these fields specifying a train_net: "
            f"{_NAMES}; it has {', '.join(given)}. Keep one."
        )
    (name,) = given
    if name.endswith("_param"):
        log.info("Creating training net specified in %s.", name)
        net = _copy(getattr(param, name))
    else:
        file = getattr(param, name)
        log.info("Creating training net from %s file: %s", name, file)
        net = prototxt.read_net(file)
    _set_state(net, caffe_pb2.TRAIN, param.train_state)
    return _in_dialect(net, param)


def test_nets(param: caffe_pb2.SolverParameter) -> list[tuple[str, caffe_pb2.NetParameter]]:
    """Where each net to test comes from, for the log, and its NetParameter.

    They are test_net_param, then test_net, then `net` or `net_param` for every test_iter left. Their state: phase TEST,
    then the net's own state, then the test_state of the same place. Raises NetError when the numbers do not agree.
    """
    generic = [name for name in ("net_param", "net") if param.HasField(name)]
    named = len(param.test_net_param) + len(param.test_net)
    wanted = len(param.test_iter)
    if wanted < named or (not generic and wanted != named):
        raise NetError(
            f"solver: {wanted} test_iter for {named} test nets: test_iter must be specified for each test network."
            " Correct test_iter."
        )
    if len(param.test_state) not in (0, wanted):
        raise NetError(
            f"solver: {len(param.test_state)} test_state for {wanted} test nets: test_state must be unspecified or "
            "specified once per test net."
            " Correct test_state."
        )
    if wanted and param.test_interval <= 0:
        raise NetError(f"solver: test_interval is {param.test_interval} with {wanted} test nets. Set it above 0.")
    nets = [("test_net_param", _copy(net)) for net in param.test_net_param]
    nets += [(f"test_net file: {file}", prototxt.read_net(file)) for file in param.test_net]
    for name in generic * (wanted - named):
        if name == "net":
            nets.append((f"net file: {param.net}", prototxt.read_net(param.net)))
        else:
            nets.append(("net_param", _copy(param.net_param)))
    for index, (_, net) in enumerate(nets):
        _set_state(net, caffe_pb2.TEST, param.test_state[index] if param.test_state else None)
        _in_dialect(net, param)
    return nets


def _copy(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    copy = caffe_pb2.NetParameter()
    copy.CopyFrom(net)
    return copy


def _set_state(net: caffe_pb2.NetParameter, phase: int, override: caffe_pb2.NetState | None) -> None:
    state = caffe_pb2.NetState(phase=phase)
    state.MergeFrom(net.state)
    if override is not None:
        state.MergeFrom(override)
    net.state.CopyFrom(state)


def _in_dialect(net: caffe_pb2.NetParameter, param: caffe_pb2.SolverParameter) -> caffe_pb2.NetParameter:
    """The net, in the solver's dialect unless it says one itself."""
    if param.dialect and not net.dialect:
        net.dialect = param.dialect
    return net
