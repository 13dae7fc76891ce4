"""Settings of a training that do not depend on the net."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of one run of fcn solve, under the names of its options.

    iterations: the iteration to train up to; None: the recipe's. score_every: iterations between scorings; 0: only at
    the end. patience: end when so many scorings in a row were no better than the best; 0: never. resume: go on from the
    newest snapshot. restart: remove what is there. keep: snapshots that stay; 0: all. verbose: show all of Caffe's log.
    checkpoint: do without the first, largest maps, and compute them again in backward. gpu: the number of the GPU;
    None: the CPU. precision: None: the environment's. tensorboard: the folder for TensorBoard's files; None: none.
    """

    iterations: Optional[int] = None
    score_every: int = 0
    patience: int = 0
    resume: bool = False
    restart: bool = False
    keep: int = 2
    verbose: bool = False
    seed: Optional[int] = None
    allow_nan: bool = False
    allow_zero_init: bool = False
    checkpoint: bool = False
    gpu: Optional[int] = None
    precision: Optional[str] = None
    tensorboard: Optional[Path] = None
