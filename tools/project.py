"""Where the checkout is, and its folders on the module path: every tool imports this first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

for _folder in (ROOT / "data_layers", ROOT):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))


def environment() -> dict[str, str]:
    """The environment for a program that must find the data layers, such as `caffe train`."""
    paths = [str(ROOT), str(ROOT / "data_layers"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
