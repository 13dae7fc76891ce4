"""The measured engines, a module for each with `start(job)`, which returns a Contestant with net and weights loaded.

A module imports only its engine and NumPy, because each runs in an environment of its own. Python 3.9 is the oldest of
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks import inputs

COMPARED = ("conv1_1", "fc6", "score_fr")
"""The layers whose weights' updates are compared: the first, the largest, the last."""

RATE = 1e-14
"""The learning rate of voc-fcn8s."""


@dataclass(frozen=True)
class Job:
    """The work of a contestant, in the folder that prepare.py has filled.

    task: "forward", "train", or "check": training without dropout, so that the results can be compared.
    precision: "fp32", "tf32" or "bf16".
    sizes: height and width of the image of each run.
    options: "channels_last", "compile": PyTorch's; "graphs": CUDA's, PyTorch's or this project's; "any_size": a net
        that is not prepared for one size (ONNX Runtime, OpenVINO); "spare_blobs": a net that gives up its blobs (this
        project); "on_device": inputs stay on the GPU, and so do scores.
    """

    folder: str
    sizes: list[tuple[int, int]]
    task: str = "forward"
    precision: str = "fp32"
    batch: int = 1
    threads: int = 1
    device: str = "cpu"
    options: tuple[str, ...] = ()
    save: bool = False


class Contestant:
    """An engine with a net and an image. The base class knows the image; the engine's module does the rest."""

    size: tuple[int, int] | None = None
    image: np.ndarray
    label: np.ndarray

    def __init__(self, job: Job):
        self.job = job

    def show(self, size: tuple[int, int]) -> None:
        """The image, and its label, that the next runs are about. Not timed."""
        if size != self.size:
            self.size = size
            self.image, self.label = inputs.image(size, self.job.batch), inputs.label(size, self.job.batch)

    def run(self) -> None:
        """What is timed: one forward, from NumPy to NumPy (with "on_device", on the device); or one training step."""
        raise NotImplementedError

    def outputs(self) -> dict[str, np.ndarray]:
        """What the last run computed: `score`; or `loss` and by how much the last step changed weights (COMPARED)."""
        raise NotImplementedError

    def device_memory(self) -> int:
        """The most memory of the GPU that was taken, in bytes; 0 on the CPU."""
        return 0
