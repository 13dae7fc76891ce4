"""OpenVINO, asked for the lowest latency."""

from __future__ import annotations

import os

import numpy as np
import openvino

from benchmarks.engines import Contestant, Job

PRECISIONS = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}


def start(job: Job) -> Contestant:
    return Forward(job)


class Forward(Contestant):
    def __init__(self, job: Job):
        super().__init__(job)
        core = openvino.Core()
        model = core.read_model(os.path.join(job.folder, "net.onnx"))
        if "any_size" not in job.options:
            model.reshape([job.batch, 3, *job.sizes[0]])
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": PRECISIONS[job.precision],
            "INFERENCE_NUM_THREADS": job.threads,
        }
        self.request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(self) -> None:
        self.score = self.request.infer({"data": self.image})["score"]

    def outputs(self) -> dict[str, np.ndarray]:
        return {"score": self.score}
