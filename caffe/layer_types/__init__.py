"""The catalogue of layer types by BVLC's families, a folder each. Importing a module registers its classes."""

import pkgutil
from importlib import import_module

from caffe.layer_types.base import REGISTRY


def load() -> None:
    """Import every module below this folder, so that the registry is complete."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        import_module(module.name)


def layer_type_list() -> list[str]:
    """The names of all layer types."""
    load()
    return sorted(REGISTRY)
