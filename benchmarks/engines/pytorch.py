"""PyTorch, as a competent user runs it: bf16 weights for inference, autocast for training, a fused SGD."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.engines import COMPARED, RATE, Contestant, Job
from benchmarks.fcn_torch import FcnVgg16
from caffe.formats import caffemodel


def start(job: Job) -> Contestant:
    torch.set_num_threads(job.threads)
    tf32 = job.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = len(set(job.sizes)) == 1
    return Forward(job) if job.task == "forward" else Training(job)


class PyTorch(Contestant):
    def __init__(self, job: Job, dtype: torch.dtype = torch.float32):
        super().__init__(job)
        self.dtype = dtype
        self.layout = torch.channels_last if "channels_last" in job.options else torch.contiguous_format
        model = FcnVgg16(dropout=0.0 if job.task == "check" else 0.5)
        weights = caffemodel.read(os.path.join(job.folder, "weights.caffemodel"))
        model.load({layer.name: layer.blobs for layer in weights})
        self.model = model.to(job.device, dtype).to(memory_format=self.layout)
        mode = "reduce-overhead" if "graphs" in job.options else "default"
        self.call = torch.compile(self.model, mode=mode) if "compile" in job.options else self.model

    def show(self, size: tuple[int, int]) -> None:
        super().show(size)
        self.load()

    def load(self) -> None:
        """The present image and label as tensors, on the device."""
        image = torch.from_numpy(self.image)
        self.data = image.to(self.job.device, self.dtype).contiguous(memory_format=self.layout)
        self.truth = torch.from_numpy(self.label).to(self.job.device)[:, 0].long()

    def wait(self) -> None:
        if self.job.device == "cuda":
            torch.cuda.synchronize()

    def device_memory(self) -> int:
        return torch.cuda.max_memory_allocated() if self.job.device == "cuda" else 0


class Forward(PyTorch):
    def __init__(self, job: Job):
        super().__init__(job, torch.bfloat16 if job.precision == "bf16" else torch.float32)
        self.model.eval()

    def run(self) -> None:
        with torch.inference_mode():
            if "on_device" in self.job.options:
                self.score = self.call(self.data)
                self.wait()
            else:
                self.load()
                self.score = self.call(self.data).float().cpu()

    def outputs(self) -> dict[str, np.ndarray]:
        return {"score": self.score.float().cpu().numpy()}


class Training(PyTorch):
    """SGD with the solver's recipe: biases learn twice as fast and do not decay."""

    def __init__(self, job: Job):
        super().__init__(job)
        layers = self.model.convolutions().values()
        weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
        groups = [{"params": weights, "lr": RATE, "weight_decay": 0.0005}, {"params": biases, "lr": 2 * RATE}]
        self.optimizer = torch.optim.SGD(groups, momentum=0.99, fused=True)

    def precision(self) -> AbstractContextManager:
        return torch.autocast(self.job.device, torch.bfloat16) if self.job.precision == "bf16" else nullcontext()

    def run(self) -> None:
        if "on_device" not in self.job.options:
            self.load()
        self.optimizer.zero_grad()
        with self.precision():
            score = self.call(self.data)
        self.loss = F.cross_entropy(score.float(), self.truth, ignore_index=255, reduction="sum")
        self.loss.backward()
        self.optimizer.step()
        self.wait()

    def outputs(self) -> dict[str, np.ndarray]:
        momentum = {name: self.optimizer.state[self.model.convolutions()[name].weight] for name in COMPARED}
        updates = {name: RATE * state["momentum_buffer"].cpu().numpy() for name, state in momentum.items()}
        return {"loss": self.loss.detach().cpu().numpy(), **updates}
