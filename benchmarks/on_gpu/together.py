"""Two processes on one card: their speed beside that of one alone, and the error for two solvers on one card."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.on_gpu import note
from benchmarks.on_gpu.speed import SIZE, job_of, seconds_of
from benchmarks.rows import THIS

RUNS = {"cuda": 60, "cpu": 4}
WARM_UP = 4
SOLVER = 'train_net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "x"\n'
NET = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 8 } shape { dim: 4 }
    data_filler { type: "gaussian" } data_filler { type: "constant" } } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


def one(device: str, folder: str, task: str) -> None:
    """Print the mean seconds of a pass."""
    job = replace(job_of(device, folder, task, "bf16"), sizes=[SIZE[device]] * (WARM_UP + RUNS[device]))
    print(json.dumps(sum(seconds_of(THIS, job)["seconds"][WARM_UP:]) / RUNS[device]))


def together(device: str, folder: str, task: str, count: int) -> list[float]:
    """Seconds of a pass in each of some processes that run at once. Raises RuntimeError if one fails."""
    command = [sys.executable, "-m", __spec__.name, device, folder, task]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(count)
    ]
    ended = [(*process.communicate(), process.returncode) for process in running]
    bad = [err for _, err, status in ended if status]
    if bad:
        raise RuntimeError(bad[0][-500:])
    return [json.loads(out.splitlines()[-1]) for out, _, _ in ended]


def two_solvers_on_one_card() -> str:
    """The last words of `caffe train -gpu=0,0`, which must end by itself."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "net.prototxt").write_text(NET)
        Path(place, "solver.prototxt").write_text(SOLVER)
        command = [sys.executable, "-m", "caffe", "train", "-solver=solver.prototxt", "-gpu=0,0"]
        try:
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            return "hangs: ended after 30 s"
        return f"exit status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"


def main(device: str, folder: str) -> int:
    for task in ("forward", "train"):
        for count in (1, 2):
            note(
                folder,
                "together",
                f"{task}, {count} process(es), seconds of each",
                together(device, folder, task, count),
            )
    if device == "cuda":
        note(folder, "together", "caffe train -gpu=0,0", two_solvers_on_one_card())
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 4:
        one(*sys.argv[1:])
    else:
        sys.exit(main(*sys.argv[1:]))
