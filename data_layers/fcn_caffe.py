"""Finds the package for a Python that has only this folder on PYTHONPATH, as BVLC's `caffe train` often has."""

import importlib.util
import sys
from pathlib import Path

_above = Path(__file__).resolve().parents[1]
_package = _above / "fcn_caffe" if (_above / "fcn_caffe").is_dir() else _above  # a checkout's, or the installed one
_spec = importlib.util.spec_from_file_location(
    __name__, str(_package / "__init__.py"), submodule_search_locations=[str(_package)]
)
if __name__ == "fcn_caffe" and _spec is not None and _spec.loader is not None:
    sys.modules[__name__] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[__name__])
