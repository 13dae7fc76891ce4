"""Train a model, finetune one (-weights), or resume (-snapshot).

On several GPUs: -gpu 0,1 or -gpu all; on several machines: torchrun ... -m caffe train ... (docs/several-machines.md).
SIGINT stops after the iteration, with a snapshot; SIGHUP makes a snapshot and goes on. A loss or weights that are NaN
or infinite end the training with status 1; the snapshots made before stay.

    caffe train -solver solver.prototxt -weights base.caffemodel
    caffe train -solver solver.prototxt -snapshot train_iter_1000.solverstate -gpu 0,1
    torchrun --max-restarts 3 --nproc-per-node 2 -m caffe train -solver solver.prototxt -snapshot auto
"""

import argparse
import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from caffe import ranks
from caffe.cli import brew, launch
from caffe.cli.training_bar import training_bar
from caffe.errors import UsageError
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.solver import Solver, newest, solver_from_message, workers
from caffe.solver.nets import read_solver
from caffe.solver.solver import Action

NEWEST = "auto"
"""What -snapshot says for the newest that there is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    brew.add_flags(parser)
    parser.add_argument(
        "-allow-zero-init",
        "--allow-zero-init",
        action="store_true",
        help="train even a net whose zero weights keep it from learning",
    )
    parser.add_argument(
        "-allow-nan",
        "--allow-nan",
        action="store_true",
        help="continue with a loss or weights that are NaN or infinite, as BVLC Caffe does",
    )
    parser.add_argument(
        "-checkpoint",
        "--checkpoint",
        action="store_true",
        help="compute the first, largest maps again in backward, in bands of rows: less memory, somewhat more time",
    )
    parser.add_argument(
        "-allow-different-data",
        "--allow-different-data",
        action="store_true",
        help="train on several machines whose nets, settings or data files differ",
    )


def run(arguments: argparse.Namespace) -> int:
    if not arguments.solver:
        raise UsageError("Need a solver definition to train. Give -solver FILE.")
    if arguments.snapshot not in ("", NEWEST) and arguments.weights:
        raise UsageError("Give a snapshot to resume training or weights to finetune but not both. Leave one out.")
    effects = {signal.SIGINT: _action("sigint_effect", arguments.sigint_effect)}
    on_hangup = _action("sighup_effect", arguments.sighup_effect)
    if hasattr(signal, "SIGHUP"):  # not on every system
        effects[signal.SIGHUP] = on_hangup
    param = read_solver(arguments.solver)
    param.train_state.level = arguments.level
    param.train_state.stage.extend(brew.stages(arguments.stage))
    place = launch.join()
    gpus = _gpus(arguments.gpu, param, several=place is not None)
    if place is None and len(gpus) > 1:
        launch.start(arguments.command_line, len(gpus))
        return 0
    if gpus and place is not None and place >= len(gpus):
        raise UsageError(f"-gpu {arguments.gpu}: {len(gpus)} devices for more processes. Give one for each.")
    brew.use(gpus[place or 0] if gpus else None)
    brew.find_python_layers(arguments.solver, param.net, param.train_net, *param.test_net)
    if arguments.weights or arguments.snapshot not in ("", NEWEST):
        del param.weights[:]
    if arguments.weights:
        param.weights.append(arguments.weights)
    with _signals(effects) as requested:
        solver = solver_from_message(param)
        solver.set_action_function(lambda: requested.pop(0) if requested else Action.NONE)
        solver.allow_zero_init |= arguments.allow_zero_init
        solver.allow_nan = arguments.allow_nan
        solver.net.keep_diffs = False
        if arguments.checkpoint:
            solver.net.checkpoint = True
        _solve(solver, arguments.snapshot, may_differ=arguments.allow_different_data)
    return 0


def _gpus(flag: str, param: caffe_pb2.SolverParameter, *, several: bool) -> list[int]:
    """The flag's GPUs; without it the solver's, of which each of several processes takes its own; [] for the CPU."""
    if flag or not param.HasField("solver_mode") or param.solver_mode != caffe_pb2.SolverParameter.GPU:
        return brew.devices(flag)
    return brew.devices("all") if several else [param.device_id]


def _solve(solver: Solver, snapshot: str, *, may_differ: bool) -> None:
    with _bond(solver) as others:
        if others is not None and not may_differ:
            others.agree(solver)
        _resume(solver, snapshot, others)
        log.info("Starting Optimization")
        with training_bar(solver):
            solver.solve()
    log.info("Optimization Done.")


def _resume(solver: Solver, snapshot: str, others: workers.NCCL | None) -> None:
    """Resume from the named snapshot, or the newest one on any of the machines."""
    found: tuple[int, str] | None = None
    if snapshot == NEWEST:
        found = newest.newest(solver.param.snapshot_prefix)
    elif snapshot and ranks.solver_rank() == 0:
        found = 0, snapshot
    furthest = -1 if found is None else found[0]
    if others is not None:
        furthest = others.largest(furthest)
    if found is not None and found[0] == furthest:
        log.info("Resuming from %s", found[1])
        solver.restore(found[1])
    elif snapshot == NEWEST and furthest < 0:
        log.info("No snapshot of '%s' yet: starting at the beginning", solver.param.snapshot_prefix)
    if others is not None:
        others.resume(solver, resumed=found is not None and found[0] == furthest)


@contextmanager
def _bond(solver: Solver) -> Iterator[workers.NCCL | None]:
    """Connect with the other solvers, if there are any."""
    if ranks.solver_count() == 1:
        yield None
        return
    nccl = workers.NCCL(solver, launch.meeting_point())
    nccl.bcast()
    solver.add_callback(nccl)
    try:
        yield nccl
    except workers.LostError:
        atexit.register(_leave)
        raise
    nccl.close()


def _leave() -> None:
    """End this process at once, without waiting for what torch would wait for forever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _action(flag: str, effect: str) -> Action:
    if effect not in [action.value for action in Action]:
        raise UsageError(f'-{flag}: Invalid signal effect "{effect}" was specified. Give snapshot, stop or none.')
    return Action(effect)


@contextmanager
def _signals(effects: dict[signal.Signals, Action]) -> Iterator[list[Action]]:
    """The actions that signals have asked for and nobody has taken yet, first come first."""
    requested: list[Action] = []
    before = {
        number: signal.signal(number, lambda received, _: requested.append(effects[signal.Signals(received)]))
        for number in effects
    }
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
