"""The layer classes by the names that prototxts give them (LayerRegistry, include/caffe/layer_factory.hpp)."""

from typing import Any, TypeVar

from caffe.errors import NetError
from caffe.layer_types.base.native import NativeLayer

L = TypeVar("L", bound=type[NativeLayer])

REGISTRY: dict[str, type[NativeLayer]] = {}
"""BVLC Caffe's types, by name."""
ADDED: dict[str, type[NativeLayer]] = {}
"""Types of forks, and those that programs register."""


def layer_type(cls: L) -> L:
    """Register a layer class: its name is the `type` that prototxts name."""
    REGISTRY[cls.__name__] = cls
    return cls


def layer_class(name: str) -> type[NativeLayer] | None:
    """The class of a layer type, BVLC's or added."""
    return REGISTRY.get(name) or ADDED.get(name)


def known_types() -> list[str]:
    return sorted({*REGISTRY, *ADDED})


def create(layer_param: Any) -> NativeLayer:
    """The layer that a LayerParameter names; an unknown type is refused with the known ones (LayerRegistry)."""
    cls = layer_class(layer_param.type)
    if cls is None:
        raise NetError(
            f"layer '{layer_param.name}': Unknown layer type: {layer_param.type} (known types: "
            f"{', '.join(known_types())}). Correct `type`, or write it as a Python layer."
        )
    return cls(layer_param)
