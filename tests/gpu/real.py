"""A real GPU for the tests that else run on the pretended one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import caffe
from caffe import switches
from caffe.plan import replay
from tests.gpu.pretended import pretended_gpu


class Recorder:
    """Records CUDA graphs, and counts their replays."""

    def __init__(self) -> None:
        self.graphs: list[Counted] = []
        self._record = replay.record

    def record(self, compute: Callable[[], Any], generator: torch.Generator, pool: Any) -> tuple[Counted, Any]:
        graph, result = self._record(compute, generator, pool)
        self.graphs.append(Counted(graph))
        return self.graphs[-1], result


class Counted:
    def __init__(self, graph: torch.cuda.CUDAGraph) -> None:
        self.graph, self.replays = graph, 0

    def pool(self) -> Any:
        return self.graph.pool()

    def replay(self) -> None:
        self.replays += 1
        self.graph.replay()


@contextmanager
def real_gpu(*, graphs: bool = False) -> Iterator[Recorder]:
    """What is built and computed here is on the GPU; `graphs`: as with CAFFE_GRAPHS=1."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switches, "GRAPHS", graphs)
        patch.setattr(replay, "record", recorder.record)
        caffe.set_mode_gpu()
        try:
            yield recorder
        finally:
            caffe.set_mode_cpu()


GPUS = [pretended_gpu, *([real_gpu] if torch.cuda.is_available() else [])]
on_each_gpu = pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.__name__)
