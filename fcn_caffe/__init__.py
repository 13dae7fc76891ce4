"""Fully convolutional networks on Caffe: the package of the command `fcn`.

net_spec, surgery and data_layers lie at the top level of the repository, and are packages of this one wherever it is
imported from: a wheel, an editable installation, or a bare checkout. Scripts and prototxts may go on calling them by
their bare names; see bare_names.py. Everything here runs on the public pycaffe API, under BVLC Caffe's Python 3.9 too.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from fcn_caffe.functions import new, score, solve
    from fcn_caffe.inference.segmenter import Segmentation, Segmenter

_HERE = Path(__file__).resolve().parent

CHECKOUT: Optional[Path] = None if (_HERE / "net_spec").is_dir() else _HERE.parent
"""The root of the repository; None where the package was installed from a wheel."""

if CHECKOUT is not None and str(CHECKOUT) not in __path__:
    __path__.append(str(CHECKOUT))

from fcn_caffe import bare_names  # noqa: E402 - it is found by what stands above

bare_names.install()

__all__ = ["Segmentation", "Segmenter", "data_file", "new", "score", "solve"]
_HOME = {
    **dict.fromkeys(("Segmentation", "Segmenter"), "fcn_caffe.inference.segmenter"),
    **dict.fromkeys(("new", "score", "solve"), "fcn_caffe.functions"),
}
"""Names that are imported when they are first used: the commands' own start is quick, and needs no torch."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fcn_caffe' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def data_file(name: str) -> Path:
    """The path of a file that comes with the package, such as splits/seg11valid.txt."""
    return (CHECKOUT or _HERE) / name
