"""A description of the machine that a result is from."""

import os
import platform
import re
import subprocess
from pathlib import Path

LIMIT = "ONEDNN_MAX_CPU_ISA"
"""The environment variable by which oneDNN does without newer instructions (and torch by ATEN_CPU_CAPABILITY)."""


def describe(device: str) -> dict[str, str | int | float]:
    """Processor, cores, memory; and the GPU, where that is measured."""
    found: dict[str, str | int | float] = {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 2**20),
        "instructions": " ".join(flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in _flags()),
    }
    if limit := os.environ.get(LIMIT):
        found["limit"] = limit
    if device == "cuda":
        import torch

        found["gpu"] = torch.cuda.get_device_name()
    return found


def file_name(machine: dict[str, str | int | float], device: str) -> str:
    """A name for the machine's results: `amd-epyc-2-cores`; with the instructions that it was limited to."""
    text = (
        machine["gpu"] if device == "cuda" else f"{machine['cpu']} {machine['cores']} cores {machine.get('limit', '')}"
    )
    return re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")


def commit(root: Path) -> str:
    """What git calls the checkout, "-dirty" if more than the results has changed since; empty without git."""
    changed = _git(root, "diff", "--name-only", "HEAD", "--", ".", ":!benchmarks/results")
    return _git(root, "describe", "--always") + ("-dirty" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()


def _flags() -> list[str]:
    return (_field("/proc/cpuinfo", "flags") or "").split()


def _field(file: str, name: str) -> str | None:
    path = Path(file)
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
