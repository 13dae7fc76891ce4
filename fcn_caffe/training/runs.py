"""runs.json beside the snapshots of a training: by which command it was trained, with what versions, where."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import caffe
from fcn_caffe import engine, program
from fcn_caffe.whole_files import read_json, write_json

FILE = "runs.json"


def read(folder: Path) -> list[dict[str, Any]]:
    """Every run of a training, first to last; none where it was trained by an older version. Raises ValueError for a
    damaged file."""
    path = folder / FILE
    runs = read_json(path) if path.is_file() else []
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise ValueError(f"'{path}' holds no list of runs: it was edited. Remove it: nothing else is lost.")
    return runs


def add(folder: Path, iteration: int, gpu: int | None = None) -> None:
    """Write down that this process trains from an iteration on; from the first on, what is there is of another
    training."""
    run = {
        "command": command_line(),
        "began": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "iteration": iteration,
        "versions": versions(),
        "machine": {**machine(), **({} if gpu is None else {"GPU": str(gpu)})},
    }
    write_json(folder / FILE, [*(read(folder) if iteration else []), run])


def command_line() -> str:
    """How this process was called."""
    program_name = Path(sys.argv[0]).name
    return shlex.join(["fcn" if program_name == "__main__.py" else program_name, *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Of what computes."""
    found = {
        "fcn-caffe": program.version(),
        "Caffe": f"{getattr(caffe, '__version__', 'unknown')}{'' if engine.OURS else ' (BVLC)'}",
        "Python": platform.python_version(),
        "NumPy": np.__version__,
    }
    if torch := sys.modules.get("torch"):
        found["PyTorch"] = str(torch.__version__)
    return found


def machine() -> dict[str, str]:
    """What this process runs on, without its name."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"processor": _processor(), "processors": str(usable), "system": f"{platform.system()} {platform.machine()}"}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
