"""The catalogue of layer types by BVLC's families, a folder each. Importing a module registers its classes."""

import pkgutil
from functools import cache
from importlib import import_module

from caffe.layer_types.base import REGISTRY, known_types


@cache
def load() -> None:
    """Import every module below this folder, so that the registry is complete. A second call does nothing."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        import_module(module.name)


def layer_type_list(added: bool = False) -> list[str]:
    """The names of BVLC Caffe's layer types; with `added` also those of forks, and those that programs registered."""
    load()
    if not added:
        return sorted(REGISTRY)
    import_module("caffe.forks").load()
    return known_types()
