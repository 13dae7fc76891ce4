"""This project's caffe, and BVLC's: the same calls. Runs under Python 3.9 too."""

from __future__ import annotations

import os

import numpy as np

import caffe
from benchmarks.engines import COMPARED, Contestant, Job
from caffe import Net  # with it comes everything that the engine imports


def start(job: Job) -> Contestant:
    if job.precision != "fp32":
        caffe.set_precision(job.precision)
    if "graphs" in job.options:
        from caffe import switches

        switches.GRAPHS = True
    if job.device == "cuda":
        caffe.set_mode_gpu()
    else:
        caffe.set_mode_cpu()
    os.chdir(job.folder)
    return Forward(job) if job.task == "forward" else Training(job)


class Caffe(Contestant):
    def fill(self, net) -> None:
        """Give the net the present image, and the label if it wants one."""
        for name, values in (("data", self.image), ("label", self.label)):
            if name in net.blobs:
                net.blobs[name].reshape(*values.shape)
                net.blobs[name].data[...] = values

    def wait(self) -> None:
        if self.job.device == "cuda":
            import torch

            torch.cuda.synchronize()

    def device_memory(self) -> int:
        if self.job.device != "cuda":
            return 0
        import torch

        return torch.cuda.max_memory_allocated()


class Forward(Caffe):
    def __init__(self, job: Job):
        super().__init__(job)
        self.net = Net("deploy.prototxt", caffe.TEST, weights="weights.caffemodel")
        if "spare_blobs" in job.options:
            self.net.keep_blobs = False

    def show(self, size: tuple[int, int]) -> None:
        super().show(size)
        self.fill(self.net)

    def run(self) -> None:
        if "on_device" in self.job.options:
            self.net.run_forward()
            self.wait()
        else:
            self.fill(self.net)
            self.net.forward()["score"]

    def outputs(self) -> dict[str, np.ndarray]:
        return {"score": self.net.blobs["score"].data}


class Training(Caffe):
    def __init__(self, job: Job):
        super().__init__(job)
        self.solver = caffe.get_solver(f"{job.task}-solver.prototxt")
        self.solver.net.copy_from("weights.caffemodel")
        self.solver.net.keep_diffs = False  # as `caffe train` has it; BVLC Caffe knows no such thing

    def show(self, size: tuple[int, int]) -> None:
        super().show(size)
        self.fill(self.solver.net)

    def run(self) -> None:
        if "on_device" not in self.job.options:
            self.fill(self.solver.net)
        self.solver.step(1)
        self.wait()

    def outputs(self) -> dict[str, np.ndarray]:
        net = self.solver.net
        return {"loss": net.blobs["loss"].data, **{name: net.params[name][0].diff for name in COMPARED}}
