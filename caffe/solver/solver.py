"""Solvers: the training loop, as pycaffe shows it (src/caffe/solver.cpp, src/caffe/solvers/sgd_solver.cpp)."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum
from typing import Any, ClassVar

import torch

from caffe import device, ranks
from caffe.blob import Blob
from caffe.copying import NotCopied
from caffe.errors import NotFiniteError, UsageError
from caffe.log import log
from caffe.net import Net, dialects, outputs
from caffe.net.guard import Guard, guarded
from caffe.proto import caffe_pb2
from caffe.solver import can_learn, finite, layer_state, nets, settings, snapshot, snapshot_lock, update_rules
from caffe.solver.average_precision import Evaluated
from caffe.solver.learning_rate import check_policy, learning_rate
from caffe.solver.smoothed_loss import SmoothedLoss
from caffe.solver.update_rules import RuleSettings
from caffe.solver.workers import NCCL

SolverHook = Callable[[], object]


class Action(Enum):
    """A request to a running solver, for example by a signal handler; later ones are more urgent."""

    NONE = "none"
    SNAPSHOT = "snapshot"
    STOP = "stop"


_URGENCY = list(Action)


class Solver(NotCopied):
    """Trains the net that a solver prototxt names. Use one of its subclasses, or get_solver.

    solver_file: path of a SolverParameter prototxt. Raises FormatError for a file that cannot be read or a
    snapshot_prefix that cannot be written, NetError for settings or nets that cannot work.
    """

    instead = (
        "To train on in another process, call solver.snapshot(), build the solver there with caffe.get_solver(file), "
        "and call solver.restore(<snapshot_prefix>_iter_<n>.solverstate)."
    )

    type: ClassVar[str]

    net: Net
    test_nets: list[Net]
    param: caffe_pb2.SolverParameter
    """The SolverParameter; what is changed here, such as base_lr, holds from the next iteration on."""
    iter: int
    """How many updates the weights have had."""
    current_step: int
    history: list[Blob]
    allow_zero_init: bool
    """Train even a net whose zero weights keep it from learning (see caffe/solver/can_learn.py)."""
    allow_nan: bool | None
    """Whether to continue with a loss or weights that are NaN or infinite, as BVLC Caffe does. None: `solve` stops, and
    `step` warns."""
    last_snapshot: str | None
    """The state that was saved last, or resumed from."""

    def __init__(self, solver_file: str):
        self._init(nets.read_solver(str(solver_file)))

    @classmethod
    def from_message(cls, param: caffe_pb2.SolverParameter) -> "Solver":
        """A solver from a SolverParameter."""
        solver = cls.__new__(cls)
        solver._init(param)
        return solver

    def _init(self, param: caffe_pb2.SolverParameter) -> None:
        log.info("Initializing solver from parameters: \n%s", param)
        self.param = param
        settings.check(param, self.type)
        dialects.check_solver(param)
        for warning in settings.warnings(param):
            log.warning("%s", warning)
        snapshot.check_prefix(param)
        if param.random_seed >= 0:
            device.set_random_seed(param.random_seed + ranks.solver_rank())
        self.net = Net.from_message(nets.train_net(param))
        self._load_weights(self.net)
        self.test_nets = []
        for index, (source, message) in enumerate(nets.test_nets(param)):
            log.info("Creating test net (#%d) specified by %s", index, source)
            net = Net.from_message(message)
            net.set_debug_info(param.debug_info)
            self._load_weights(net)
            self.test_nets.append(net)
        log.info("Solver scaffolding done.")
        self.iter = self.current_step = 0
        self._learnable = list(self.net.graph.learnable.values())
        shapes = [each.blob.shape for each in self._learnable] * update_rules.MEMORIES[self.type]
        self.history = [Blob(shape, stable=True) for shape in shapes]
        self._resting: dict[int, bool] = {}
        self._hooks: list[tuple[SolverHook, SolverHook]] = []
        self._others: NCCL | None = None
        self._generators: tuple[int, list[str]] = (-1, [])
        self._positions: dict[str, Any] | None = None
        self._requested_action: Callable[[], Action] = lambda: Action.NONE
        self._stopping = False
        self._smoothed_loss = SmoothedLoss()
        self._displayed_at, self._seconds_since_display = 0, 0.0
        self._iterations_run = 0
        self.allow_zero_init = can_learn.allowed_by_environment()
        self._watch = can_learn.LossWatch(self.net)
        self.allow_nan = None
        self.last_snapshot = None
        self._solving = self._warned_of_nan = False

    def _load_weights(self, net: Net) -> None:
        for names in self.param.weights:
            for name in names.split(","):
                log.info("Finetuning from %s", name.strip())
                net.copy_from(name.strip())

    @property
    def guard(self) -> Guard:
        """The training net's guard: one thread at a time."""
        return self.net.guard

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return learning_rate(self.param, self.iter, self.current_step)[0]

    @property
    def max_iter(self) -> int:
        """The iteration at which `solve` ends, as the prototxt says."""
        return self.param.max_iter

    @property
    def smoothed_loss(self) -> float:
        """The loss averaged over the last `average_loss` iterations of this run."""
        return float(self._smoothed_loss)

    def add_callback(self, on_start: SolverHook | NCCL, on_gradients_ready: SolverHook | None = None) -> None:
        """Call on_start() before each iteration's forward, on_gradients_ready() before its update.

        add_callback(nccl): train together with other solvers.
        """
        if isinstance(on_start, NCCL):
            self._others = on_start
            self._hooks.append((on_start.on_start, on_start.on_gradients_ready))
        elif on_gradients_ready is None:
            raise UsageError(
                "solver: add_callback got one function, expected two: on_start and on_gradients_ready. Give both."
            )
        else:
            self._hooks.append((on_start, on_gradients_ready))

    def set_action_function(self, requested_action: Callable[[], Action]) -> None:
        """Ask this function, once an iteration and once a test batch, whether to stop or to save."""
        self._requested_action = requested_action

    def share_weights(self, net: Net) -> None:
        """Let another net use the memory of this solver's weights."""
        net.share_with(self.net)

    @guarded
    def step(self, iters: int) -> None:
        """Run `iters` iterations, whatever max_iter says.

        Raises NetError for a net that can never learn or settings with which it cannot, NotFiniteError as `allow_nan`
        says, and UsageError where another training has the same snapshot_prefix.
        """
        settings.check(self.param, self.type)
        if iters > 0:
            check_policy(self.param)
        if self._iterations_run == 0 and not self.allow_zero_init:
            can_learn.fill_frozen_deconvolutions(self.net)
            can_learn.check(self.net)
        self._smoothed_loss = SmoothedLoss(self.iter)
        started = time.perf_counter() - self._seconds_since_display
        with ExitStack() as stack:
            if self.param.snapshot and self._is_root:
                stack.enter_context(snapshot_lock.training(snapshot_lock.hold(self, self.param.snapshot_prefix), self))
            self._iterate(self.iter + iters, started)

    def _iterate(self, stop: int, started: float) -> None:
        param = self.param
        while self.iter < stop:
            self.net.clear_param_diffs()
            if _is_due(param.test_interval, self.iter) and (self.iter > 0 or param.test_initialization):
                if self._is_root:
                    self.test_all()
                self._stopping = self._agreed(Action.STOP if self._stopping else Action.NONE) is Action.STOP
                if self._stopping:
                    break
            for on_start, _ in self._hooks:
                on_start()
            display = _is_due(param.display, self.iter) and self._is_root
            self.net.set_debug_info(display and param.debug_info)
            self._smoothed_loss.add(self._run_batches() / param.iter_size, self.iter, param.average_loss)
            if display:
                self._display(time.perf_counter() - started)
                started = time.perf_counter()
            for _, on_gradients_ready in self._hooks:
                on_gradients_ready()
            with self.net.threads():
                self.apply_update()
            self._iterations_run += 1
            for warning in self._watch.look(self._iterations_run):
                log.warning("%s", warning)
            action = self._agreed(self._requested_action())
            if _is_due(param.snapshot, self.iter) or action is Action.SNAPSHOT:
                self._hear_of_generators()
                self.snapshot()
            if action is Action.STOP:
                self._stopping = True
                break
        self._seconds_since_display = time.perf_counter() - started

    def _run_batches(self) -> torch.Tensor:
        """An iteration's forward and backward passes; the sum of their losses."""
        total = device.zero()
        for _ in range(self.param.iter_size):
            loss = self.net.run_forward_backward()
            if not self.allow_nan and not math.isfinite(loss):
                self._report(finite.loss_message(float(loss), self.iter, self.net, self.last_snapshot))
            total = total + loss
        return total

    def _report(self, not_finite: str) -> None:
        """Stop because of values that are not finite; in `step`, warn once, unless allow_nan is False."""
        if self._solving or self.allow_nan is False:
            raise NotFiniteError(not_finite)
        if not self._warned_of_nan:
            log.warning("%s", not_finite)
        self._warned_of_nan = True

    def check_finite(self) -> None:
        """Look at weights and history: NaN and infinity stop the training, or are warned of, as `allow_nan` says."""
        if self.allow_nan:
            return
        message = finite.weights_message(self.iter, self.net, self.history, self.last_snapshot)
        if message:
            self._report(message)

    @property
    def _is_root(self) -> bool:
        return ranks.solver_rank() == 0

    def _agreed(self, action: Action) -> Action:
        """The most urgent action that any of the solvers that train together asks for."""
        return action if self._others is None else _URGENCY[self._others.largest(_URGENCY.index(action))]

    def _display(self, seconds: float) -> None:
        loss = self.smoothed_loss
        rate = (self._iterations_run - self._displayed_at) / seconds if seconds else 0.0
        log.info(
            "Iteration %d (%g iter/s, %gs/%d iters), loss = %g", self.iter, rate, seconds, self.param.display, loss
        )
        self._displayed_at = self._iterations_run
        for line in outputs.lines(outputs.outputs(self.net), "    Train net output #{}: "):
            log.info("%s", line)
        for line in self._watch.per_pixel():
            log.info("%s", line)

    @guarded
    def apply_update(self) -> None:
        """Change the weights by the gradients in the parameters' diffs, which then hold the update; iter goes up."""
        param = self.param
        rate, step = learning_rate(param, self.iter, self.current_step)
        if step != self.current_step and param.lr_policy == "multistep":
            log.info("MultiStep Status: Iteration %d, step = %d", self.iter, step)
        if not math.isfinite(rate) and not self.allow_nan:
            raise NotFiniteError(
                f"solver: iteration {self.iter}: the learning rate is {rate:g}, from base_lr, gamma and power of "
                f"lr_policy '{param.lr_policy}'. Correct them."
            )
        self.current_step = step
        if _is_due(param.display, self.iter):
            log.info("Iteration %d, lr = %g", self.iter, rate)
        gradients = (each.blob.grad for each in self._learnable)
        scale = update_rules.clip_scale(gradients, param.clip_gradients) / param.iter_size
        settings = RuleSettings(param.momentum, param.momentum2, param.delta, param.rms_decay, self.iter)
        count = len(self._learnable)
        for index, each in enumerate(self._learnable):
            if self._rests(index):
                each.blob.memory.clear_grad()
                continue
            decay = param.weight_decay * (1.0 if each.decay_mult is None else each.decay_mult)
            update_rules.update(
                update_rules.RULES[self.type],
                each.blob.tensor,
                each.blob.grad,
                [blob.tensor for blob in self.history[index::count]],
                rate * (1.0 if each.lr_mult is None else each.lr_mult),
                settings,
                scale=scale,
                decay=decay,
                l1=param.regularization_type == "L1",
            )
        self.iter += 1

    def _rests(self, index: int) -> bool:
        """Whether a parameter's updates are all zero: with lr_mult 0, if no momentum is left from other times."""
        rule = update_rules.RULES[self.type]
        if self._learnable[index].lr_mult != 0 or rule not in update_rules.MOVING_ON:
            return False
        if index not in self._resting:
            self._resting[index] = not bool(self.history[index].tensor.any())
        return self._resting[index]

    @guarded
    def solve(self, resume_file: str | None = None) -> None:
        """Train up to max_iter, then save, show the last loss and test scores (the root alone, of several solvers).

        resume_file: a solverstate to go on from. Raises as `step`.
        """
        param = self.param
        log.info("Solving %s", self.net.name)
        log.info("Learning Rate Policy: %s", param.lr_policy)
        self._stopping = False
        if resume_file:
            log.info("Restoring previous solver status from %s", resume_file)
            self.restore(resume_file)
        self._solving = True
        try:
            with ExitStack() as stack:
                if (param.snapshot or param.snapshot_after_train) and self._is_root:
                    lock = stack.enter_context(snapshot_lock.held(self, param.snapshot_prefix))
                    stack.enter_context(snapshot_lock.training(lock, self))
                self._solve()
        finally:
            self._solving = False

    def _solve(self) -> None:
        param = self.param
        self.step(param.max_iter - self.iter)
        self._hear_of_generators()
        if not self._is_root:
            return
        if param.snapshot_after_train and not _is_due(param.snapshot, self.iter):
            self.snapshot()
        else:
            self.check_finite()
        if self._stopping:
            log.info("Optimization stopped early.")
            return
        if _is_due(param.display, self.iter):
            self._smoothed_loss.add(self.net.run_forward(), self.iter, param.average_loss)
            log.info("Iteration %d, loss = %g", self.iter, self.smoothed_loss)
        if _is_due(param.test_interval, self.iter):
            self.test_all()
        log.info("Optimization Done.")

    @guarded
    def test_all(self) -> None:
        """Test every test net, and log the scores."""
        for index in range(len(self.test_nets)):
            if not self._stopping:
                self.test(index)

    @guarded
    def test(self, test_net_id: int = 0) -> None:
        """Run a test net for its test_iter batches with the present weights, and log the means of its outputs.

        With eval_type "detection" the mean average precision of each output is logged instead.
        """
        log.info("Iteration %d, Testing net (#%d)", self.iter, test_net_id)
        net, batches = self.test_nets[test_net_id], self.param.test_iter[test_net_id]
        net.share_with(self.net)
        loss = device.zero()
        scores = Evaluated(self.param) if self.param.eval_type == "detection" else outputs.Sums()
        for _ in range(batches):
            while (action := self._requested_action()) is not Action.NONE:
                if action is Action.SNAPSHOT:
                    self.snapshot()
                else:
                    self._stopping = True
            if self._stopping:
                log.info("Test interrupted.")
                return
            loss = loss + net.run_forward()
            scores.add(net)
        if self.param.test_compute_loss:
            log.info("Test loss: %g", float(loss / batches))
        for line in scores.lines("    Test net output #{}: ", batches):
            log.info("%s", line)

    @guarded
    def snapshot(self) -> None:
        """Write weights and state as <snapshot_prefix>_iter_<iter>.caffemodel and .solverstate; the root does it.

        Raises NotFiniteError, as `allow_nan` says, and UsageError if another process trains on the prefix.
        """
        if not self._is_root:
            return
        self.check_finite()
        heard_at, generators = self._generators
        others = generators[1:] if heard_at == self.iter else ()
        with snapshot_lock.held(self, self.param.snapshot_prefix):
            self.last_snapshot = snapshot.save(
                self.param, self.net, self.test_nets, self.history, self.iter, self.current_step, others
            )

    def _hear_of_generators(self) -> None:
        """Have the states of all solvers' random generators at hand for the snapshot that the root may write."""
        if self._others is not None:
            self._generators = self.iter, self._others.generators()

    @guarded
    def restore(self, state_file: str) -> None:
        """Go on from a .solverstate or .solverstate.h5."""
        path = str(state_file)
        state, self._positions = snapshot.restore(path, self.type, self.net, self.test_nets, self.history)
        self.iter, self.current_step, self.last_snapshot = state.iter, state.current_step, path
        self._resting.clear()

    def state(self) -> dict[str, Any]:
        """The state of this solver as JSON values, without weights and history."""
        return {
            "iter": self.iter,
            "current_step": self.current_step,
            "last_snapshot": self.last_snapshot,
            "positions": self._positions,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over another solver's `state`; the caller sets weights and history."""
        self.iter, self.current_step = state["iter"], state["current_step"]
        self.last_snapshot = state["last_snapshot"]
        self._resting.clear()
        if state["positions"] is not None:
            layer_state.apply(state["positions"], self.net, self.test_nets)


def _is_due(interval: int, iteration: int) -> bool:
    return bool(interval) and iteration % interval == 0


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum (src/caffe/solvers/sgd_solver.cpp)."""

    type = "SGD"


class NesterovSolver(SGDSolver):
    """Nesterov's accelerated gradient (src/caffe/solvers/nesterov_solver.cpp)."""

    type = "Nesterov"


class AdaGradSolver(SGDSolver):
    """AdaGrad (src/caffe/solvers/adagrad_solver.cpp)."""

    type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    """RMSProp (src/caffe/solvers/rmsprop_solver.cpp)."""

    type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    """AdaDelta (src/caffe/solvers/adadelta_solver.cpp)."""

    type = "AdaDelta"


class AdamSolver(SGDSolver):
    """Adam (src/caffe/solvers/adam_solver.cpp)."""

    type = "Adam"


SOLVERS: dict[str, type[Solver]] = {
    cls.type: cls for cls in (AdaDeltaSolver, AdaGradSolver, AdamSolver, NesterovSolver, RMSPropSolver, SGDSolver)
}


def get_solver(solver_file: str) -> Solver:
    """The solver that a prototxt's `type` names."""
    return solver_from_message(nets.read_solver(str(solver_file)))


def solver_from_message(param: caffe_pb2.SolverParameter) -> Solver:
    """The solver that a SolverParameter's `type` names."""
    if param.type not in SOLVERS:
        raise UsageError(
            f"solver: Unknown solver type: {param.type} (known types: {', '.join(SOLVERS)}). Choose one of these."
        )
    return SOLVERS[param.type].from_message(param)
