"""OpenCV's DNN module, which reads the prototxt and the caffemodel itself (OpenCV 4: version 5 cannot any more)."""

from __future__ import annotations

import os

import cv2
import numpy as np

from benchmarks.engines import Contestant, Job


def start(job: Job) -> Contestant:
    return Forward(job)


class Forward(Contestant):
    def __init__(self, job: Job):
        super().__init__(job)
        cv2.setNumThreads(job.threads)
        files = (os.path.join(job.folder, name) for name in ("deploy.prototxt", "weights.caffemodel"))
        self.net = cv2.dnn.readNetFromCaffe(*files)

    def run(self) -> None:
        self.net.setInput(self.image, "data")
        self.score = self.net.forward("score")

    def outputs(self) -> dict[str, np.ndarray]:
        return {"score": self.score}
