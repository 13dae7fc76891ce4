"""The stages of benchmarks/gpu.sh: `python -m benchmarks.on_gpu.STAGE DEVICE FOLDER`.

DEVICE is "cuda", or "cpu" for the same in small. Each stage writes FOLDER/STAGE.json as it goes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from caffe.formats.atomic import open_atomic


def note(folder: str, stage: str, key: str, value: Any) -> None:
    """Add one result to FOLDER/STAGE.json, and print it."""
    path = Path(folder) / f"{stage}.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    found[key] = value
    with open_atomic(path) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())
    print(f"{key}: {json.dumps(value)}", flush=True)
