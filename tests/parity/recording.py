"""What real Caffe computed for the cases: `tests/recorded/<family>.npz`, one flat array of values and an index.

The file's bytes depend on its content alone, and inputs are not in it: they are drawn again from the case."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "recorded"


@dataclass(frozen=True)
class Recording:
    fingerprint: str
    arrays: dict[str, np.ndarray]
    refused: str | None = None


def read(family: str) -> dict[str, Recording]:
    """Case id → recording; empty if the family was never recorded."""
    path = FOLDER / f"{family}.npz"
    if not path.exists():
        return {}
    with np.load(path) as file:
        index = json.loads(file["index"].tobytes())
        values = file["values"]
    found = {}
    for case_id, entry in index.items():
        arrays = {
            name: values[start : start + int(np.prod(shape, dtype=int))].reshape(shape)
            for name, (start, shape) in entry["arrays"].items()
        }
        found[case_id] = Recording(entry["fingerprint"], arrays, entry.get("refused"))
    return found


def write(family: str, recordings: dict[str, Recording]) -> None:
    index: dict[str, dict] = {}
    parts: list[np.ndarray] = []
    start = 0
    for case_id in sorted(recordings):
        recording = recordings[case_id]
        places = {}
        for name, array in recording.arrays.items():
            places[name] = [start, list(array.shape)]
            parts.append(array.astype(np.float32).ravel())
            start += array.size
        index[case_id] = {"fingerprint": recording.fingerprint, "arrays": places}
        if recording.refused is not None:
            index[case_id]["refused"] = recording.refused
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode()
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / f"{family}.npz",
        index=np.frombuffer(text, dtype=np.uint8),
        values=np.concatenate(parts) if parts else np.zeros(0, np.float32),
    )
