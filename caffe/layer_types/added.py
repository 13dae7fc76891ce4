"""Registers a program's own layer types."""

from collections.abc import Callable
from typing import Any, overload

from caffe.errors import UsageError
from caffe.formats import own_settings
from caffe.layer_types.base import ADDED, BY_DIALECT, REGISTRY, L, NativeLayer
from caffe.proto import caffe_pb2


@overload
def register_layer(cls: L) -> L: ...
@overload
def register_layer(*, name: str, dialect: str | None = None) -> Callable[[L], L]: ...
def register_layer(cls: Any = None, *, name: str | None = None, dialect: str | None = None) -> Any:
    """Let prototxts name a layer type of your own: a decorator of a class that derives from caffe.TorchLayer.

    name: what `type` says; the name of the class unless given.
    dialect: a name of caffe.dialect.KNOWN; then the class stands for that type, which may be Caffe's own, in nets of
    this dialect alone.
    The class may say `settings`, the name of its message in the prototxt ("gain_param"), and `defaults`, what stands in
    it ({"gain": 1.0}; see caffe.formats.own_settings.declare). `self.message` holds what a net gave.
    Raises UsageError for a name that is taken, and for what is no layer.
    """
    if cls is None:
        return lambda decorated: _register(decorated, name, dialect)
    return _register(cls, name, dialect)


def filler(type: str = "constant", **settings: float) -> caffe_pb2.FillerParameter:
    """How a parameter begins, for `add_param`: `filler("gaussian", std=0.01)`, as weight_filler in a prototxt."""
    given: dict[str, Any] = {**settings}
    return caffe_pb2.FillerParameter(type=type, **given)


def _register(cls: Any, name: str | None, dialect: str | None) -> Any:
    if not (isinstance(cls, type) and issubclass(cls, NativeLayer)):
        raise UsageError(
            f"register_layer: {cls!r} was given, expected a class that derives from caffe.TorchLayer."
            " Give such a class."
        )
    name = name or cls.__name__
    if dialect is not None:
        BY_DIALECT[dialect, name] = cls
        return cls
    if name in REGISTRY:
        raise UsageError(f"register_layer: '{name}' is a layer type of Caffe itself. Name yours otherwise: name='...'.")
    other = ADDED.get(name)
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise UsageError(
            f"register_layer: '{name}' is the type of {other.__module__}.{other.__qualname__} already. Name one of "
            "them otherwise: name='...'."
        )
    if cls.defaults:
        if not isinstance(cls.settings, str):
            raise UsageError(
                f"register_layer: {cls.__name__} has `defaults`, and `settings` is {cls.settings!r}, expected the name "
                "of their message in a prototxt, such as 'gain_param'. Set it."
            )
        own_settings.declare(cls.settings, cls.defaults)
    ADDED[name] = cls
    return cls
