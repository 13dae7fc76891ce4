"""ONNX Runtime."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime

from benchmarks.engines import Contestant, Job


def start(job: Job) -> Contestant:
    return Forward(job)


class Forward(Contestant):
    def __init__(self, job: Job):
        super().__init__(job)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        if "any_size" not in job.options:
            for name, extent in zip(("batch", "height", "width"), (job.batch, *job.sizes[0]), strict=True):
                options.add_free_dimension_override_by_name(name, extent)
        model = os.path.join(job.folder, "net.onnx")
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(self) -> None:
        (self.score,) = self.session.run(["score"], {"data": self.image})

    def outputs(self) -> dict[str, np.ndarray]:
        return {"score": self.score}
