"""The dense CRF that refines scores: `--crf` of the commands, and its parameters as a file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe import engine, home, names
from fcn_caffe.pictures import outputs
from fcn_caffe.whole_files import read_json, write_json

ENDING = ".json"
"""What the name of a file of parameters ends in."""


def add_crf_option(parser: argparse.ArgumentParser, **settings: Any) -> None:
    """Add --crf to a command. settings: further arguments of add_argument."""
    parser.add_argument(
        "--crf",
        type=_preset_or_file,
        metavar="PRESET",
        help="refine scores by a dense CRF, with the parameters of a paper (deeplab, crf-rnn, ccnn, pydensecrf, …) or "
        "those that `crf --search` found (FILE.json)",
        **settings,
    )


def _preset_or_file(typed: str) -> str:
    return home.text(typed) if typed.endswith(ENDING) else typed


def parameters(text: str) -> Any:
    """The parameters that a preset or a JSON file names. Raises ValueError where there are none."""
    crf = _engine()
    if text in crf.PRESETS:
        return crf.PRESETS[text]
    if not text.endswith(ENDING):
        raise names.unknown(text, "CRF", crf.PRESETS, f"A file of parameters ends in {ENDING}.")
    values = read_json(Path(text))
    try:
        kernels = [{key: _tuple(value) for key, value in each.items()} for each in values["kernels"]]
        if not kernels:
            raise ValueError("kernels is empty")
        found = made(kernels, values["iterations"], values["normalization"])
        crf.check(found)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"'{text}' has no parameters of a CRF ({error!r}), expected what `crf --search` writes: kernels, "
            "iterations, normalization."
            " Name a preset or such a file."
        ) from error
    return found


def made(kernels: Sequence[dict[str, Any]], iterations: int, normalization: str = "after") -> Any:
    """The parameters of a CRF of kernels: weight, position and, if it is over colours, too, colour (deviations)."""
    crf = _engine()
    return crf.CrfParameters(tuple(crf.Kernel(**kernel) for kernel in kernels), iterations, normalization)


def check_file(path: Path, inputs: Iterable[Path]) -> None:
    """Raises ValueError if parameters are to be written over an input, or over a file that has none."""
    if path.exists():
        outputs.check_json(path, inputs)
        try:
            parameters(str(path))
        except ValueError as error:
            raise ValueError(
                f"'{path}' is there already, and no parameters of a CRF: it stays. Name another."
            ) from error


def save(crf: Any, path: Path, **about: Any) -> None:
    """Write parameters, and what else is to be known of them, as JSON."""
    kernels = [kernel._asdict() for kernel in crf.kernels]
    write_json(path, {**crf._asdict(), "kernels": kernels, **about})


def refined(scores: np.ndarray, image: np.ndarray, crf: Any) -> np.ndarray:
    """Probabilities (classes×height×width) of scores of that shape and an image (height×width×3, 0 … 255)."""
    return _engine().marginals(scores, image, crf)


def refining(image: np.ndarray, crf: Any) -> Callable[[np.ndarray], np.ndarray]:
    """`refined` of one image, as a function of the scores, for several of them."""
    return _engine().inference(image, crf)


def refinement(net: Any, given: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """(scores, classes×height×width; number in the batch) → refined scores, by the colours that the net sees.

    given: the parameters, as --crf has them. Raises ValueError for a net whose data layer gives no colours.
    """
    chosen = parameters(given)
    seen = [top for top in net.top_names[net._layer_names[0]] if net.blobs[top].shape[1:2] == (3,)]
    if not seen:
        raise ValueError("the data layer gives no blob of three channels, which --crf needs. Leave --crf out.")
    return lambda scores, item: refined(scores, net.blobs[seen[0]].data[item].transpose(1, 2, 0), chosen)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _engine() -> Any:
    engine.needs("the dense CRF", "Save scores there (infer --scores), and refine them with this project's (crf).")
    from caffe.ops import dense_crf

    return dense_crf
