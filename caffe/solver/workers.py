"""Several solvers that train one net together, each in a process and on a device of its own (src/caffe/parallel.cpp).

Every solver computes the gradients of its own batches; before each update they are averaged, so that the weights, equal
at the start, stay equal. The batch size of the prototxt is that of one solver. Layers that share a source read turn
about: of n solvers, solver r takes the records r, r + n, r + 2n, … Solver 0, the root, logs, tests and saves.

The names are pycaffe's; behind NCCL stands torch.distributed: NCCL between GPUs, gloo between CPUs.
"""

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed

from caffe import device, ranks
from caffe.errors import CaffeError

BUCKET = 1 << 22
"""Values that are sent at once, where single gradients are smaller."""
PATIENCE = timedelta(days=1)
"""How long solvers wait for each other: longer than the root ever tests or saves. One that ends is noticed at once."""


def has_nccl() -> bool:
    """Whether several solvers can train together."""
    return torch.distributed.is_available()


class NCCL:
    """What binds this process's solver to the others. It is a callback: `solver.add_callback(nccl)`.

    uid: where the solvers meet: what new_uid() gave in one process, the same for all, or "env://" under torchrun.
    """

    def __init__(self, solver: Any, uid: str | bytes):
        self._learnable = solver.net.graph.learnable.values()
        gpu = device.mode_is_gpu()
        with _naming("meeting the others"):
            torch.distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if gpu else "gloo",
                init_method=uid.decode() if isinstance(uid, bytes) else uid,
                rank=ranks.solver_rank(),
                world_size=ranks.solver_count(),
                timeout=PATIENCE,
                device_id=device.current() if gpu else None,
            )

    @staticmethod
    def new_uid() -> bytes:
        """A new meeting point for processes of this machine."""
        return f"file://{tempfile.gettempdir()}/caffe-{uuid.uuid4().hex}".encode()

    def bcast(self) -> None:
        """Give all solvers the root's weights."""
        with _naming("taking the root's weights"):
            for each in self._learnable:
                torch.distributed.broadcast(each.blob.tensor, 0)

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
                work.wait()
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
            torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX)
        return int(values)

    def close(self) -> None:
        """Part from the others."""
        torch.distributed.destroy_process_group()


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
    except RuntimeError as error:
        reason = re.sub(r"^\[[^]]*] *", "", str(error)).partition(". ")[0]
        raise CaffeError(
            f"solver {ranks.solver_rank()} of {ranks.solver_count()}: {what} failed: {reason}. If another solver has "
            "ended, it says why."
        ) from error
