"""The dense CRF that refines scores: `--crf` of the commands, and its parameters as a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe import home, names
from fcn_caffe.atomic import read_json, write_json


def add_crf_option(parser: argparse.ArgumentParser, **settings: Any) -> None:
    parser.add_argument(
        "--crf",
        type=home.text,
        metavar="PRESET",
        help="refine scores by a dense CRF, with the parameters of a paper (deeplab, crf-rnn, ccnn, pydensecrf, …) or "
        "those that `crf --search` found (FILE.json)",
        **settings,
    )


def parameters(text: str) -> Any:
    """The parameters that a preset or a JSON file names. Raises ValueError where there are none."""
    crf = _engine()
    if text in crf.PRESETS:
        return crf.PRESETS[text]
    if not text.endswith(".json"):
        raise names.unknown(text, "CRF", crf.PRESETS, "A file of parameters ends in .json.")
    values = read_json(Path(text))
    try:
        kernels = tuple(crf.Kernel(**{key: _tuple(value) for key, value in each.items()}) for each in values["kernels"])
        found = crf.Parameters(kernels, int(values["iterations"]), str(values["normalization"]))
        crf.check(found)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"'{text}' has no parameters of a CRF ({error!r}), expected what `crf --search` writes: kernels, "
            "iterations, normalization."
        ) from error
    return found


def save(crf: Any, path: Path, **about: Any) -> None:
    """Write parameters, and what else is to be known of them, as JSON."""
    kernels = [kernel._asdict() for kernel in crf.kernels]
    write_json(path, {**crf._asdict(), "kernels": kernels, **about})


def refined(scores: np.ndarray, image: np.ndarray, crf: Any) -> np.ndarray:
    """Probabilities (classes×height×width) of scores of that shape and an image (height×width×3, 0 … 255)."""
    return _engine().marginals(scores, image, crf)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _engine() -> Any:
    try:
        from caffe.ops import dense_crf
    except ImportError as error:
        raise RuntimeError(
            f"the `caffe` that is imported has no dense CRF ({error}), expected this project's own. BVLC Caffe has "
            "none: save scores there (infer --scores), and refine them here (crf)."
        ) from error
    return dense_crf
