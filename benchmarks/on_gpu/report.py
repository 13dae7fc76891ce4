"""The results of all stages as one Markdown page: FOLDER/report.md, and beside it everything as report.json."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine
from benchmarks.floor import floor
from benchmarks.result_page import table

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("tests", "speed", "compiled", "floor", "training", "sizes", "large", "streamed", "together")


def page(found: dict[str, Any]) -> str:
    head = found["machine"]
    parts = [
        f"# {head.get('gpu') or head['cpu']}",
        "Written by `make gpu`: do not edit. Voc-fcn8s, 500×500, inputs and scores on the device.",
        f"{found['date']}, commit {found['commit']}, PyTorch {found['torch']}. Machine: "
        + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in head.items())
        + ".",
    ]
    races: dict[str, dict[str, Any]] = {}
    for key, value in {**found.get("speed", {}), **found.get("compiled", {})}.items():
        row, _, label = key.partition(": ")
        races.setdefault(row, {})[label] = value
    parts += [f"## {row}\n\n{table(results)}" for row, results in races.items()]
    for stage in STAGES:
        if stage not in ("speed", "compiled") and stage in found:
            lines = [f"- {key}: {_words(value)}" for key, value in found[stage].items()]
            parts.append(f"## {stage}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _words(value: Any) -> str:
    """A result as JSON, cut off where it is long; of failed tests, which have words of their own, only the names."""
    if isinstance(value, dict) and value and all(isinstance(each, str) for each in value.values()):
        return "".join(f"\n  - `{key}`" for key in value)
    return json.dumps(value)[:700]


def main(device: str, folder: str) -> int:
    found: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "commit": machine.commit(ROOT),
        "torch": torch.__version__,
        "machine": machine.describe(device),
    }
    for stage in STAGES:
        path = Path(folder) / f"{stage}.json"
        if path.exists():
            found[stage] = json.loads(path.read_text())
    found["floor"] = floor(device)
    Path(folder, "report.json").write_text(json.dumps(found, indent=1) + "\n")
    Path(folder, "report.md").write_text(page(found))
    print(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
