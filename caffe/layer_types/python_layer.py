"""Layers that a user writes in Python."""

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from caffe.errors import NetError
from caffe.layer import Layer, layer_type
from caffe.log import log

_METHODS = ("setup", "reshape", "forward", "backward")


@layer_type
class Python(Layer):
    """A class of the user's: derived from caffe.Layer, with setup, reshape, forward and backward.

    bottom: as the class says
    top: as the class says
    parameters: module: imported from sys.path; layer: a class in it; param_str: its settings, as text
    source: include/caffe/layers/python_layer.hpp
    """

    settings = "python_param"
    ignored = {"share_in_parallel": "one process trains on one device"}

    @classmethod
    def create(cls, layer_param: Any) -> Layer:
        """An instance of the user's class for this layer. Raises NetError if there is no such class."""
        param = layer_param.python_param
        owner = f"layer '{layer_param.name}' (Python)"
        user_class = getattr(_module(param.module, owner), param.layer, None)
        if not (isinstance(user_class, type) and issubclass(user_class, Layer)):
            found = "none" if user_class is None else repr(user_class)
            raise NetError(
                f"{owner}: module '{param.module}' was asked for a class '{param.layer}' derived from caffe.Layer; "
                f"it has {found}. Correct `layer` in python_param, or the class."
            )
        source = f"{param.module}.{param.layer}"
        layer = _naming(owner, f"{source}.__init__", user_class)(layer_param)
        layer.param_str_ = layer.param_str  # its name in pycaffe before 2015
        for method in _METHODS:
            setattr(layer, method, _naming(owner, f"{source}.{method}", getattr(layer, method)))
        return layer


def _naming(owner: str, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A user's function whose errors say which layer of the net was at work."""

    @functools.wraps(call, updated=())
    def named(*args: Any, **settings: Any) -> Any:
        try:
            return call(*args, **settings)
        except Exception as error:
            note = f"{owner}: raised in {what}"
            if hasattr(error, "add_note"):
                error.add_note(note)
            else:
                log.error("%s", note)
            raise

    return named


def _module(name: str, owner: str) -> Any:
    if not name:
        raise NetError(f"{owner}: python_param names no module. Write `python_param {{ module: '...' layer: '...' }}`.")
    try:
        return _naming(owner, f"import {name}", importlib.import_module)(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(missing + "."):
            raise
        raise NetError(_not_found(name, owner)) from error


def _not_found(name: str, owner: str) -> str:
    searched = "".join(f"\n    {path or '.'}" for path in sys.path)
    folders = list(dict.fromkeys(_folders_with(name)))
    if folders:
        remedy = f"It is in {folders[0]}: add that to PYTHONPATH, as in `PYTHONPATH={folders[0]} ...`."
    else:
        remedy = "Put its folder on PYTHONPATH, or correct `module`."
    return f"{owner}: No module named '{name}'. {remedy} Searched were (working directory {os.getcwd()}):{searched}"


def _folders_with(name: str) -> Iterator[str]:
    """Folders near the working directory and sys.path that hold the module, though Python does not look there."""
    first = name.split(".")[0]
    here = Path.cwd()
    for base in dict.fromkeys([here, *here.parents[:2], *(Path(path).resolve() for path in sys.path)]):
        for pattern in (f"{first}.py", f"*/{first}.py", f"{first}/__init__.py", f"*/{first}/__init__.py"):
            for found in sorted(base.glob(pattern)):
                yield str(found.parent.parent if found.name == "__init__.py" else found.parent)
