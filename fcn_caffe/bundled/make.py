"""Makes the net of this folder anew from a snapshot folder: `python -m fcn_caffe.bundled.make SNAPSHOT_FOLDER`.

Weights become half floats. README.md, the net's card, is written by hand.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from fcn_caffe.inference.find import BUNDLED
from fcn_caffe.training import trained
from fcn_caffe.variants import stages
from fcn_caffe.whole_files import open_atomic, read_json

MOST_BYTES = 3_000_000
KEPT = ("name", "inputs", "sees", "mean", "upright", "classes", "heads", "losses", "iterations", "seed", "precision")


def make(source: Path, folder: Path = BUNDLED) -> Path:
    """Copy a net into `folder`, in the place of the one that is there, and return the path of its weights.

    Raises ValueError for one that takes too much room, FileNotFoundError for a folder without one.
    """
    from caffe.formats import caffemodel, halves

    if not trained.is_there(source):
        raise FileNotFoundError(f"'{source}' has no {trained.FILE} or no deploy.prototxt, expected a snapshot folder.")
    weights = stages.trained_weights(str(source.resolve()))
    target = folder / weights.name
    for old in folder.glob("train_iter_*.caffemodel"):
        old.unlink()
    halves.write(target, caffemodel.read(weights))
    if target.stat().st_size > MOST_BYTES:
        raise ValueError(f"'{target}' has {target.stat().st_size:,} bytes, expected at most {MOST_BYTES:,}.")
    shutil.copyfile(source / "deploy.prototxt", folder / "deploy.prototxt")
    values = read_json(source / trained.FILE)
    with open_atomic(folder / trained.FILE) as file:
        file.write((json.dumps({key: values[key] for key in KEPT}, indent=1) + "\n").encode())
    return target


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
