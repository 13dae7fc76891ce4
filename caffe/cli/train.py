"""Train a model, finetune one (-weights), or resume (-snapshot).

SIGINT stops after the iteration, with a snapshot; SIGHUP makes a snapshot and goes on.
"""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from caffe.cli import brew
from caffe.cli.progress import progress
from caffe.errors import UsageError
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.solver import Action, Solver, solver_from_message
from caffe.solver_nets import read_solver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    brew.add_flags(parser)
    parser.add_argument(
        "-allow-zero-init",
        "--allow-zero-init",
        action="store_true",
        help="train even a net whose zero weights keep it from learning",
    )


def run(arguments: argparse.Namespace) -> int:
    if not arguments.solver:
        raise UsageError("Need a solver definition to train. Give -solver FILE.")
    if arguments.snapshot and arguments.weights:
        raise UsageError("Give a snapshot to resume training or weights to finetune but not both.")
    effects = {
        signal.SIGINT: _action("sigint_effect", arguments.sigint_effect),
        signal.SIGHUP: _action("sighup_effect", arguments.sighup_effect),
    }
    param = read_solver(arguments.solver)
    param.train_state.level = arguments.level
    param.train_state.stage.extend(brew.stages(arguments.stage))
    gpu = arguments.gpu
    if not gpu and param.HasField("solver_mode") and param.solver_mode == caffe_pb2.SolverParameter.GPU:
        gpu = str(param.device_id)
    brew.use_device(gpu)
    brew.find_python_layers(arguments.solver, param.net, param.train_net, *param.test_net)
    if arguments.snapshot or arguments.weights:
        del param.weights[:]
    if arguments.weights:
        param.weights.append(arguments.weights)
    with _signals(effects) as requested:
        solver = solver_from_message(param)
        solver.set_action_function(lambda: requested.pop(0) if requested else Action.NONE)
        solver.allow_zero_init |= arguments.allow_zero_init
        _solve(solver, arguments.snapshot)
    return 0


def _solve(solver: Solver, snapshot: str) -> None:
    if snapshot:
        log.info("Resuming from %s", snapshot)
        solver.restore(snapshot)
    log.info("Starting Optimization")
    with progress(solver):
        solver.solve()
    log.info("Optimization Done.")


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
