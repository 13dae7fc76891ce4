"""Small trainings to kill: `caffe train` with binary and with HDF5 snapshots, and fcn solve.

Each reads images in random order and drops units at random, so that a resumed one goes on as if it had never stopped
only if everything that counts was saved; and has parameters enough that writing a snapshot takes a while.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import caffe
from tests.faults.child import write
from tests.faults.readers import folders
from tests.faults.verdict import ROOT

ITERATIONS, EVERY = 24, 2
"""How long each trains, and how often it saves."""
_NET = b"""
name: "killed"
layer { name: "data" type: "Python" top: "data" top: "label" python_param {
  module: "folder_layers" layer: "FolderSegDataLayer"
  param_str: "{'images': 'images', 'labels': 'labels', 'n_classes': 3, 'split': 'train.txt', 'seed': 3}" } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param {
  num_output: 2000 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "drop" type: "Dropout" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param {
  num_output: 297 weight_filler { type: "xavier" } } }
layer { name: "shape" type: "Reshape" bottom: "ip2" top: "score" reshape_param {
  shape { dim: 1 dim: 3 dim: 9 dim: 11 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }
"""
_SOLVER = f"""
net: "net.prototxt" base_lr: 0.001 momentum: 0.9 lr_policy: "step" gamma: 0.5 stepsize: 7 max_iter: {ITERATIONS}
display: 1 snapshot: {EVERY} snapshot_prefix: "snap/x" random_seed: 5
"""
_VARIANT = "demo-fcn32s"


@dataclass(frozen=True)
class Training:
    """prepare: fills an empty folder. command: what trains there, from the newest state, or from the beginning.

    prefix: of the snapshots. exact: other files that must be the same at the end.
    """

    name: str
    prepare: Callable[[Path], None]
    command: Callable[[Path | None], list[str]]
    prefix: str
    exact: tuple[str, ...] = ()

    def states(self, folder: Path) -> dict[int, Path]:
        """The states in the folder by iteration: those whose weights are there, too."""
        found = {}
        for path in folder.glob(f"{self.prefix}_iter_*.solverstate*"):
            iteration = re.search(r"_iter_(\d+)\.solverstate(\.h5)?$", path.name)
            if iteration and weights_of(path).exists():
                found[int(iteration[1])] = path
        return found

    def files(self, folder: Path) -> list[Path]:
        """Every file of a snapshot that is in the folder, complete or not."""
        return sorted(path for path in folder.glob(f"{self.prefix}_iter_*") if not is_temporary(path))


def weights_of(state: Path) -> Path:
    return state.with_name(state.name.replace(".solverstate", ".caffemodel"))


def is_temporary(path: Path) -> bool:
    return path.suffix in (".tmp", ".part", ".tempfile")


def environment() -> dict[str, str]:
    """For a training: the project on the path, and one thread, so that sums have one order."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "data_layers")))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
    }


def _caffe(format_: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        solver = f"{_SOLVER} snapshot_format: {format_}".encode()
        write({**folders.tree(), "net.prototxt": _NET, "solver.prototxt": solver}, folder)

    return prepare


def _train(state: Path | None) -> list[str]:
    resumed = [f"-snapshot={state}"] if state else []
    return [sys.executable, "-m", "caffe", "train", "-solver=solver.prototxt", *resumed]


def _solve(state: Path | None) -> list[str]:
    seed = ("--seed", "1", "--iterations", str(ITERATIONS), "--score-every", "5", "--allow-zero-init", "--cpu")
    return [sys.executable, str(ROOT / "tools/solve.py"), _VARIANT, "--resume", *seed]


def _prepare_solve(folder: Path) -> None:
    """The demo's first stage on a few small images, with frequent snapshots and random weights to start from."""
    for name in ("nets", "solvers"):
        shutil.copytree(ROOT / name, folder / name)
    solver = folder / f"solvers/{_VARIANT}.prototxt"
    text = re.sub(r"^snapshot: \d+$", f"snapshot: {EVERY}", solver.read_text(), flags=re.MULTILINE)
    solver.write_text(re.sub(r"^test_iter: \d+$", "test_iter: 2", text, flags=re.MULTILINE))
    voc = folder / "out/demo/data/VOC"
    rng = np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (voc / name).mkdir(parents=True)
    names = [f"image{index}" for index in range(5)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(voc / f"JPEGImages/{name}.png")
        Image.fromarray(rng.integers(0, 3, (40, 36), dtype=np.uint8)).save(voc / f"SegmentationClass/{name}.png")
    for split, part in (("train", names[:3]), ("val", names[3:])):
        (voc / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(part) + "\n")
    weights = folder / "snapshot/demo-classifier/conv.caffemodel"
    weights.parent.mkdir(parents=True)
    caffe.set_random_seed(1)
    caffe.Net(str(ROOT / "nets/demo-classifier/conv.prototxt"), caffe.TEST).save(str(weights))


TRAININGS = (
    Training("caffe train, binary", _caffe("BINARYPROTO"), _train, "snap/x"),
    Training("caffe train, HDF5", _caffe("HDF5"), _train, "snap/x"),
    Training(
        "tools/solve.py",
        _prepare_solve,
        _solve,
        f"snapshot/{_VARIANT}/train",
        (f"snapshot/{_VARIANT}/loss.csv", f"snapshot/{_VARIANT}/scores.json"),
    ),
)
