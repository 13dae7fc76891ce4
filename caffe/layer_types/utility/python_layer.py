"""Python layers: layers that a user writes in Python."""

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from caffe.blob import Blob
from caffe.errors import NetError
from caffe.layer_types.base import Layer, NativeLayer, layer_type
from caffe.layer_types.helpers import python_modules
from caffe.log import log
from caffe.proto import caffe_pb2

LONGEST_NAME = 200
"""Of a file, about."""


@layer_type
class Python(NativeLayer):
    """A class of the user's: derived from caffe.Layer, with setup, reshape, forward and backward.

    bottom: as the class says
    top: as the class says
    parameters: module: imported from sys.path, or by entry point; layer: a class in it; param_str: its settings
    source: include/caffe/layers/python_layer.hpp
    """

    settings = "python_param"
    ignored = {"share_in_parallel": "Caffe 1.0 does not read it"}

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        param = layer_param.python_param
        self._source = f"{param.module}.{param.layer}"
        self._user = self._named("__init__", self._class())(layer_param)
        self._user.param_str_ = self._user.param_str  # its name in pycaffe before 2015
        self.blobs = self._user.blobs

    def _class(self) -> type[Layer]:
        param = self.layer_param.python_param
        found = getattr(_module(param.module, str(self)), param.layer, None)
        if not (isinstance(found, type) and issubclass(found, Layer)):
            raise NetError(
                f"{self}: module '{param.module}' was asked for a class '{param.layer}' derived from caffe.Layer; "
                f"it has {'none' if found is None else repr(found)}. Correct `layer` in python_param, or the class."
            )
        return found

    @property
    def shown(self) -> Layer:
        return self._user

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self._named("setup", self._user.setup)(bottom, top)

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        self._named("reshape", self._user.reshape)(bottom, top)

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        self._named("forward", self._user.forward)(bottom, top)

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        self._named("backward", self._user.backward)(top, propagate_down, bottom)

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Nobody knows."""
        return 0

    def _named(self, method: str, call: Callable[..., Any]) -> Callable[..., Any]:
        return _naming(str(self), f"{self._source}.{method}", call)


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
    parts = name.split(".")
    if not all(parts) or any(mark in name for mark in "/\\\0") or max(map(len, parts)) > LONGEST_NAME:
        shown = name if len(name) < 100 else f"{name[:100]}… ({len(name):,} characters)"
        raise NetError(
            f"{owner}: python_param's module is {shown!r}, expected the name of a module as `import` takes it, without "
            "folder and ending. Correct `module`, and put its folder on PYTHONPATH."
        )
    return python_modules.load(name, owner, _naming(owner, f"import {name}", importlib.import_module))
