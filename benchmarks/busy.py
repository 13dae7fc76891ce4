"""A training step of a small net on an idle machine, and beside eight other busy processes.

    python -m benchmarks.busy imported|tuned

demo-fcn16s, one image of 130×130, in a process of which nothing is set, or set up by `caffe.tune_process` as that of
the `caffe` command. Prints the medians in seconds as JSON.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import caffe

OTHERS = 8
WARMUP, RUNS = 5, 40
SIDE = 130


def main(how: str) -> None:
    if how == "tuned":
        caffe.tune_process()
    caffe.init_log(2)
    solver = _solver()
    idle = _step(solver)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(OTHERS)]
    try:
        busy = _step(solver)
    finally:
        for process in others:
            process.kill()
            process.wait()
    print(json.dumps({"idle": idle, "busy": busy, "ratio": f"{busy / idle:.1f}"}))


def _step(solver: caffe.SGDSolver) -> float:
    seconds = []
    for _ in range(WARMUP + RUNS):
        start = time.perf_counter()
        solver.step(1)
        seconds.append(time.perf_counter() - start)
    return median(seconds[WARMUP:])


def _solver() -> caffe.SGDSolver:
    """As `caffe train` has it, but for its images."""
    from caffe.formats import prototxt

    root = Path(__file__).resolve().parents[1]
    net = prototxt.read_net(str(root / "nets" / "demo-fcn16s" / "train.prototxt"))
    data = net.layer[0]
    data.type = "Input"
    data.ClearField("python_param")
    for channels in (3, 1):
        data.input_param.shape.add().dim.extend([1, channels, SIDE, SIDE])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "net.prototxt").write_text(str(net))
        (path / "solver.prototxt").write_text(
            f'train_net: "{path}/net.prototxt" base_lr: 1e-10 lr_policy: "fixed" momentum: 0.99 snapshot_prefix: "none"'
        )
        solver = caffe.get_solver(str(path / "solver.prototxt"))
    solver.allow_zero_init = True
    solver.net.keep_diffs = False
    random = np.random.RandomState(1)
    for blobs in solver.net.params.values():
        blobs[0].data[...] += random.normal(0, 0.01, blobs[0].data.shape)
    solver.net.blobs["data"].data[...] = random.uniform(-100, 100, (1, 3, SIDE, SIDE))
    return solver


if __name__ == "__main__":
    main(sys.argv[1])
