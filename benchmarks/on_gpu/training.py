"""100 iterations of each stage of the demo's chain, 32s, 16s and 8s: the losses on the GPU beside those on the CPU.

Both start from the same weights, drawn here; nothing is dropped out, for no two devices draw alike. Losses are equal to
1e-3 while rounding has not grown: that is asked of the first ten iterations of each stage, each of which starts from
the CPU's weights of the stage before; and to 5 % of the mean over the last twenty.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import caffe
from benchmarks.on_gpu import note
from caffe.formats import prototxt
from fcn_caffe import surgery
from fcn_caffe.demo.data import SEGMENTATION, write_segmentation

STAGES = ("32s", "16s", "8s")
ITERATIONS = {"cuda": 100, "cpu": 6}
ROOT = Path(__file__).resolve().parents[2]
RATE = 1e-8
"""The demo learns at 3e-9 from a classifier; from weights drawn at random it takes more to see anything move."""


def solver_of(stage: str, folder: Path) -> caffe.SGDSolver:
    """The stage's solver: its own net and recipe, without dropout and snapshots, on the data set in the folder."""
    net = prototxt.read_net(str(ROOT / f"nets/demo-fcn{stage}/train.prototxt"))
    net.layer[0].python_param.param_str = str(
        {"voc_dir": str(folder / "VOC"), "split": "train", "mean": (104.00699, 116.66877, 122.67892), "seed": 1337}
    )
    for layer in net.layer:
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
    (folder / f"{stage}.prototxt").write_text(str(net))
    path = folder / f"{stage}-solver.prototxt"
    path.write_text(
        f'train_net: "{folder}/{stage}.prototxt" base_lr: {RATE} lr_policy: "fixed" momentum: 0.9 '
        f'weight_decay: 0.0005 snapshot_prefix: "{folder}/none" snapshot_after_train: false\n'
    )
    return caffe.SGDSolver(str(path))


def draw_weights(net: caffe.Net) -> None:
    """As the filler msra draws, from a fixed seed; upsampling is bilinear."""
    random = np.random.RandomState(1)
    for name, (weights, *bias) in net.params.items():
        weights.data[...] = random.normal(0, np.sqrt(2 / np.prod(weights.shape[1:])), weights.shape)
        weights.data[...] *= 0.1 if "score" in name else 1
        for each in bias:
            each.data[...] = 0
    surgery.interp(net, [name for name in net.params if "up" in name])


def train(device: str, folder: Path, iterations: int) -> None:
    """Write the losses of each stage; on the CPU also the weights that the next stage starts from, on both."""
    if device == "cuda":
        caffe.set_mode_gpu()
    for number, stage in enumerate(STAGES):
        caffe.set_random_seed(1)
        solver = solver_of(stage, folder)
        draw_weights(solver.net)
        if number:
            before = folder / f"{STAGES[number - 1]}.caffemodel"
            solver.net.copy_from(str(before))
            surgery.interp(solver.net, [name for name in solver.net.params if "up" in name])
        losses = []
        for _ in range(iterations):
            solver.step(1)
            losses.append(float(solver.net.blobs["loss"].data))
        np.save(folder / f"{device}-{stage}.npy", losses)
        if device == "cpu":
            solver.net.save(str(folder / f"{stage}.caffemodel"))


def main(device: str, folder: str) -> int:
    work = Path(folder) / "training"
    work.mkdir(parents=True, exist_ok=True)
    write_segmentation(work / "VOC", 1, {**SEGMENTATION, "train": ITERATIONS[device], "val": 1})
    good = True
    for each in ("cpu", device):
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, each, str(work), str(ITERATIONS[device])], check=False
        )
        if done.returncode:
            note(folder, "training", f"{each} failed", done.returncode)
            return 1
    for stage in STAGES:
        here, there = np.load(work / f"cpu-{stage}.npy"), np.load(work / f"{device}-{stage}.npy")
        first = float((abs(there - here) / here)[:10].max())
        last = float(abs(there[-20:].mean() - here[-20:].mean()) / here[-20:].mean())
        good = good and first <= 1e-3 and last <= 0.05
        note(
            folder,
            "training",
            stage,
            {
                "cpu": [round(float(part.mean()), 1) for part in np.array_split(here, 5)],
                device: [round(float(part.mean()), 1) for part in np.array_split(there, 5)],
                "largest relative difference of the first 10": first,
                "of the mean of the last 20": last,
            },
        )
    return int(not good)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        train(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main(*sys.argv[1:]))
