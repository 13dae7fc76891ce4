"""How real Caffe trains: `python -m tests.parity.solver` records it, for tests/solver."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.parity import bvlc
from tests.parity.recording import FOLDER
from tests.solver import logged, trajectories

FILE = FOLDER / "solver.json"
LOG = FOLDER / "train_log.txt"


def run_in_bvlc(settings: dict[str, str]) -> dict[str, np.ndarray]:
    """What tests.solver.trajectories.run finds in real Caffe."""
    task = bvlc.Task("tests.solver.trajectories", "run", settings, seconds=300)
    (result,) = bvlc.run_tasks([task], copy=["tests/solver/__init__.py", "tests/solver/trajectories.py"])
    if isinstance(result, bvlc.Refused):
        raise bvlc.BvlcError(result.words)
    return result


def read() -> dict[str, dict[str, np.ndarray]]:
    """Case → its losses, and the projections of its parameters and updates."""
    recorded = json.loads(FILE.read_text())
    return {
        case: {key: np.array(values, np.float32) for key, values in arrays.items()} for case, arrays in recorded.items()
    }


def record() -> None:
    found: dict[str, dict[str, list[float]]] = {}
    for name, values in run_in_bvlc(trajectories.cases()).items():
        case, key = name.split("/")
        if key != "losses":
            values = trajectories.projected(values)
        found.setdefault(case, {})[key] = [float(f"{value:.8g}") for value in values.tolist()]
    lines = [f"{json.dumps(case)}: {json.dumps(arrays)}" for case, arrays in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        LOG.write_text("\n".join(logged_in_bvlc(Path(folder))) + "\n")


def logged_in_bvlc(folder: Path, more: str = "") -> list[str]:
    """What `caffe train` of real Caffe logs of tests.solver.logged; the prototxts are left in the folder."""
    logged.write(folder, more)
    done = bvlc.run_command(["caffe", "train", "-solver=solver.prototxt"], folder)
    if done.returncode != 0:
        raise bvlc.BvlcError(done.stderr)
    return logged.lines(done.stderr)


def main() -> int:
    try:
        bvlc.make()
        record()
    except bvlc.BvlcError as error:
        print(f"nothing recorded: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
