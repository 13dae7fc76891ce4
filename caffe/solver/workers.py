"""Several solvers that train one net together, each in its own process and on its own device (src/caffe/parallel.cpp).

Every solver computes the gradients of its own batches; before each update they are averaged, so that the weights, equal
at the start, stay equal. The batch size of the prototxt is that of one solver. Layers that share a source read turn
about: of n solvers, solver r takes the records r, r + n, r + 2n, … Solver 0, the root, logs, tests and saves.

The names are pycaffe's; behind NCCL stands torch.distributed: NCCL between GPUs, gloo between CPUs.
"""

import json
import re
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed
from torch.distributed.rendezvous import rendezvous

from caffe import device, meeting, ranks
from caffe.errors import CaffeError
from caffe.solver import agreement, layer_state, network
from caffe.solver.heartbeat import PERIOD, Heartbeat, lost_after

BUCKET = 1 << 22
"""Values that are sent at once, where single gradients are smaller."""
PATIENCE = timedelta(days=365)
"""How long a solver waits for the others while their heartbeats arrive: the root may test and save for hours."""

LATEST = 8
"""Communications whose tensors are kept until the end. torch's threads hold them a moment longer than the work takes,
and need the interpreter's lock to free one; destroy_process_group waits for these threads, and may hold that lock.
"""


class LostError(CaffeError):
    """The heartbeat of another solver has stopped. Communication with it never ends, and torch waits for that at
    exit.
    """


def has_nccl() -> bool:
    """Whether several solvers can train together."""
    return torch.distributed.is_available()


class NCCL:
    """Connects this process's solver with the others. It is a callback: `solver.add_callback(nccl)`.

    uid: where the solvers meet: what new_uid() gave in one process, the same for all, or "env://" under torchrun.
    """

    def __init__(self, solver: Any, uid: str | bytes):
        self._learnable = solver.net.graph.learnable.values()
        self._latest: deque[tuple[torch.Tensor, ...]] = deque(maxlen=LATEST)
        gpu = device.mode_is_gpu()
        network.choose()
        seconds = lost_after()
        with _naming("meeting the others"):
            url = uid.decode() if isinstance(uid, bytes) else uid
            rank, count = ranks.solver_rank(), ranks.solver_count()
            store = next(rendezvous(url, rank, count, timeout=meeting.MEETING))[0]
            store.set_timeout(meeting.MEETING)
            self._store = meeting.fresh(store, rank, count)
            torch.distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if gpu else "gloo",
                store=torch.distributed.PrefixStore("caffe", self._store),
                rank=rank,
                world_size=count,
                timeout=PATIENCE,
                device_id=device.current() if gpu else None,
            )
        self._heartbeat = Heartbeat(torch.distributed.PrefixStore("caffe/heartbeat", self._store), seconds)

    @staticmethod
    def new_uid() -> bytes:
        """A new meeting point for processes of this machine."""
        return f"file://{tempfile.gettempdir()}/caffe-{uuid.uuid4().hex}".encode()

    def bcast(self) -> None:
        """Give all solvers the root's weights."""
        with _naming("taking the root's weights"):
            for each in self._learnable:
                self._broadcast(each.blob.tensor, 0)

    def on_start(self) -> None:
        """Nothing is to be done before an iteration."""

    def on_gradients_ready(self) -> None:
        """Replace the gradients by their average over all solvers."""
        gradients = [each.blob.grad.view(-1) for each in self._learnable]
        with _naming("averaging the gradients"):
            sent = []
            for bucket in _buckets(gradients):
                values = bucket[0] if len(bucket) == 1 else torch.cat(bucket)
                sent.append((bucket, values, torch.distributed.all_reduce(values, async_op=True)))
            for bucket, values, work in sent:
                self._wait(work, values)
                values.div_(ranks.solver_count())
                if len(bucket) > 1:
                    for each, average in zip(bucket, values.split([len(each) for each in bucket]), strict=True):
                        each.copy_(average)

    def __call__(self, layer: int) -> None:
        """What `net.after_backward(nccl)` calls: the gradients wait for on_gradients_ready."""

    def largest(self, number: int) -> int:
        """The largest of the numbers that the solvers give."""
        values = torch.tensor(number, device="cpu")
        with _naming("agreeing with the others"):
            self._wait(torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX, async_op=True), values)
        return int(values)

    def agree(self, solver: Any) -> None:
        """Raise CaffeError, in every solver, if one has another net, other settings or other data than the root."""
        found = [json.loads(text) for text in self._gathered(json.dumps(agreement.described(solver.param)))]
        for rank, description in enumerate(found):
            told = agreement.difference(found[0], description)
            if told:
                raise CaffeError(
                    f"solver {ranks.solver_rank()} of {len(found)}: solver {rank} (there) has not what solver 0 (here) "
                    f"has: {told}. Give all machines the same files, or allow it with -allow-different-data."
                )

    def resume(self, solver: Any, *, resumed: bool) -> None:
        """Give every solver the state of those that have resumed, if any have.

        Files of a snapshot need to lie on one machine only: weights, history and positions are sent to the others.
        """
        source = self.largest(ranks.solver_rank() if resumed else -1)
        if source < 0:
            return
        state = solver.state() if source == ranks.solver_rank() else {}
        state = json.loads(self._gathered(json.dumps(state))[source])
        with _naming("taking the state of a resumed solver"):
            for each in (*(each.blob for each in self._learnable), *solver.history):
                self._broadcast(each.tensor, source)
        if source != ranks.solver_rank():
            solver.set_state(state)

    def generators(self) -> list[str]:
        """The states of all solvers' random generators, in their order."""
        return self._gathered(layer_state.generator_state())

    def close(self) -> None:
        """Disconnect from the others."""
        self._heartbeat.stop()
        torch.distributed.destroy_process_group()

    def _gathered(self, text: str) -> list[str]:
        """What each solver gives, in their order."""
        own = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        padded = torch.full((self.largest(len(own)),), ord(" "), dtype=torch.uint8, device="cpu")
        padded[: len(own)] = own
        texts = [torch.empty_like(padded) for _ in range(ranks.solver_count())]
        with _naming("hearing of the others"):
            self._wait(torch.distributed.all_gather(texts, padded, async_op=True), padded, *texts)
        return [bytes(each.tolist()).decode().rstrip(" ") for each in texts]

    def _broadcast(self, tensor: torch.Tensor, source: int) -> None:
        self._wait(torch.distributed.broadcast(tensor, source, async_op=True), tensor)

    def _wait(self, work: torch.distributed.Work, *tensors: torch.Tensor) -> None:
        """Wait while the heartbeats of all others arrive. tensors: of the work. Raises CaffeError if one is lost."""
        self._latest.append(tensors)
        if device.mode_is_gpu():
            work.wait()
            return
        while True:
            try:
                work.wait(timedelta(seconds=PERIOD))
                return
            except RuntimeError:
                if work.is_completed():
                    raise
            lost = self._heartbeat.lost()
            if lost:
                raise LostError(
                    f"solver {ranks.solver_rank()} of {ranks.solver_count()}: {lost}: a machine has stopped, or the "
                    "network is cut. Snapshots are kept: start all again with -snapshot auto."
                )


def _buckets(gradients: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The gradients in their order, small ones together."""
    bucket: list[torch.Tensor] = []
    for gradient in gradients:
        if bucket and sum(map(len, bucket)) + len(gradient) > BUCKET:
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


@contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except LostError:
        raise
    except RuntimeError as error:
        reason = re.sub(r"^\[[^]]*] *", "", str(error)).partition(". ")[0]
        raise CaffeError(
            f"solver {ranks.solver_rank()} of {ranks.solver_count()}: {what} failed: {reason}. If another solver has "
            "ended, it says why."
        ) from error
