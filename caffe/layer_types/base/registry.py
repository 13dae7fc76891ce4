"""The layer classes by the type names that prototxts use (LayerRegistry, include/caffe/layer_factory.hpp)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from caffe.errors import NetError
from caffe.formats.closest import closest
from caffe.layer_types.base.native import NativeLayer
from caffe.proto import caffe_pb2

L = TypeVar("L", bound=type[NativeLayer])

REGISTRY: dict[str, type[NativeLayer]] = {}
"""BVLC Caffe's types, by name."""
ADDED: dict[str, type[NativeLayer]] = {}
"""Types of Caffe's forks, and types that programs register."""

BY_DIALECT: dict[tuple[str, str], type[NativeLayer]] = {}
"""(dialect, type) → the class that the type name means in that dialect (caffe/dialect.py)."""
Tells = Callable[[caffe_pb2.LayerParameter], bool]
BY_SETTINGS: dict[str, list[tuple[Tells, type[NativeLayer]]]] = {}
"""Type → the classes that it means where a layer's settings tell so."""


def layer_type(cls: L) -> L:
    """Register a layer class under its own name, as the `type` of prototxts."""
    REGISTRY[cls.__name__] = cls
    return cls


def stands_for(name: str, where: Tells) -> Callable[[L], L]:
    """Register a class for a type that has another one, for layers of which `where` is true."""

    def register(cls: L) -> L:
        BY_SETTINGS.setdefault(name, []).append((where, cls))
        return cls

    return register


def layer_class(name: str) -> type[NativeLayer] | None:
    """The class of a layer type, BVLC's or added; None for a name that nobody registered."""
    return REGISTRY.get(name) or ADDED.get(name)


def known_types() -> list[str]:
    """The names of all registered types, in alphabetical order."""
    return sorted({*REGISTRY, *ADDED})


def create(layer_param: caffe_pb2.LayerParameter, dialects: Sequence[str] = ()) -> NativeLayer:
    """Make the layer that a LayerParameter describes. Raises NetError, with the closest name, for an unknown type."""
    meant = [BY_DIALECT[key] for name in dialects if (key := (name, layer_param.type)) in BY_DIALECT]
    meant += [cls for tells, cls in BY_SETTINGS.get(layer_param.type, ()) if tells(layer_param)]
    cls = meant[0] if meant else layer_class(layer_param.type)
    if cls is None:
        remedy = "Correct `type` (caffe.layer_type_list() has all), or write it as a Python layer."
        close = closest(layer_param.type, known_types())
        raise NetError(
            f"layer '{layer_param.name}': Unknown layer type: {layer_param.type}. "
            f"{f'Did you mean {close}? ' if close else ''}{remedy}",
            layer=layer_param.name,
            found=layer_param.type,
            expected=known_types(),
            remedy=remedy,
        )
    return cls(layer_param)
