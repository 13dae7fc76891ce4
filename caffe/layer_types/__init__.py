"""The catalogue of layer types, one file per family. Importing a family registers its classes."""

import pkgutil
from importlib import import_module

from caffe.layer import REGISTRY


def load() -> None:
    """Import every family in this folder, so that the registry is complete."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


def layer_type_list() -> list[str]:
    """The names of all layer types."""
    load()
    return sorted(REGISTRY)
