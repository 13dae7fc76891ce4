"""Finds out which `caffe` is imported: this project's, or BVLC Caffe, which can do less (listed in docs/design.md)."""

from __future__ import annotations

import re
from pathlib import Path

import caffe

OURS = hasattr(caffe, "tune_process")
"""Whether it is this project's."""

_TYPE = re.compile(r"""\btype\s*:\s*["']([^"']*)["']""")
_NO_LAYERS = ("gaussian", "xavier", "msra", "constant", "uniform", "bilinear", "positive_unitball")
"""Types of fillers, which stand in nets in the same way."""


def needs(what: str, instead: str) -> None:
    """Raises RuntimeError where BVLC Caffe is imported, which cannot do `what`. instead: what to do."""
    if not OURS:
        raise RuntimeError(
            f"{what}: the `caffe` that is imported is BVLC Caffe, which has nothing of the kind, expected this "
            f"project's. {instead}"
        )


def check_types(net_file: str) -> None:
    """Raises RuntimeError that names the layer types of a net that BVLC Caffe, if it is imported, does not have: it
    would end the process."""
    if OURS or not Path(net_file).is_file():
        return
    there = {*caffe.layer_type_list(), *_NO_LAYERS}
    unknown = dict.fromkeys(name for name in _TYPE.findall(Path(net_file).read_text()) if name not in there)
    if unknown:
        needs(f"'{net_file}' has layers of type {', '.join(unknown)}", "Run it with this project's.")
