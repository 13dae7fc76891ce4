"""A training whose log lines are compared with real Caffe's: everything in it is constant, so both draw the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

NET = """
name: "logged"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 2 dim: 3 } shape { dim: 2 }
  data_filler { type: "constant" value: 0.5 } data_filler { type: "constant" value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "constant" value: 0.1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 3
  include { not_stage: "deploy" } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST stage: "extra" } }
layer { name: "silence" type: "Silence" bottom: "ip" include { stage: "deploy" } }
"""

SOLVER = """
net: "net.prototxt"
test_iter: 2 test_iter: 1 test_interval: 4 test_compute_loss: true
test_state { stage: "plain" } test_state { stage: "extra" }
base_lr: 0.05 momentum: 0.9 weight_decay: 0.001 lr_policy: "multistep" gamma: 0.5 stepvalue: 3 stepvalue: 7
display: 2 average_loss: 3 max_iter: 10 snapshot: 5 snapshot_prefix: "snap" clip_gradients: 2 iter_size: 2
"""

_PREFIX = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ \S+\] ")
_WANTED = re.compile(
    r"Iteration |    T(rain|est) net output|Solving |Learning |Snapshotting |Optimization|Test loss|MultiStep |"
    r"Gradient |Creating t|Finetuning |Resuming |Starting |SGDSolver|    \[(Forward|Backward|Update)\]"
)
_TIMES = re.compile(r"\(\S+ iter/s, \S+s/(\d+) iters\)")


def write(folder: Path, more: str = "") -> None:
    """net.prototxt and solver.prototxt, with more settings."""
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER + more)


def lines(stderr: str) -> list[str]:
    """The lines that the solver logs, without prefixes and times."""
    texts = [_PREFIX.sub("", line) for line in stderr.splitlines() if _PREFIX.match(line)]
    return [_TIMES.sub(r"(… iter/s, …s/\1 iters)", text) for text in texts if _WANTED.match(text)]


def assert_same(found: list[str], expected: list[str], tolerance: float = 1e-4) -> None:
    """The same words, and numbers that are equal within the tolerance."""
    number = re.compile(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)\b")
    assert [number.sub("N", line) for line in found] == [number.sub("N", line) for line in expected]
    for line, wanted in zip(found, expected, strict=True):
        for ours, theirs in zip(number.findall(line), number.findall(wanted), strict=True):
            assert abs(float(ours) - float(theirs)) <= tolerance * abs(float(theirs)) + 1e-6, (line, wanted)


def train(folder: Path) -> str:
    """What `caffe train` here writes to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "caffe", "train", "-solver=solver.prototxt"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr
