"""Layer types of Caffe's forks, by what nets need them for, a module each. Importing one registers its classes."""

import pkgutil
from functools import cache
from importlib import import_module


@cache
def load() -> None:
    """Import every module of this folder, so that all types are registered. A second call does nothing."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
