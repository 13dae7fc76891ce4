"""Modules that register layer types, and their import.

A program imports or contains them; `--layers MODULE` of a command names them, the variable CAFFE_LAYERS (several,
separated by commas), and installed packages by an entry point of the group `caffe.layers`.
"""

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module, metadata

from caffe.errors import CaffeError, UsageError

GROUP, VARIABLE = "caffe.layers", "CAFFE_LAYERS"


def load_added() -> None:
    """Import what the environment and installed packages name, once. Raises UsageError for what cannot be imported."""
    import_layers(_names(os.environ.get(VARIABLE, "")), VARIABLE)
    _import_installed()


def import_layers(modules: Sequence[str], said: str) -> None:
    """Import modules, also from the working directory; `said` names in errors what named them."""
    for name in modules:
        _import(name, said)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def layers_flag(text: str) -> None:
    """What `--layers` of a command means: modules, separated by commas."""
    import_layers(_names(text), "--layers")


@cache
def _import_installed() -> None:
    for point in metadata.entry_points(group=GROUP):
        _import(point.value.partition(":")[0], f"the entry point '{point.name}' of the group {GROUP}")


def _import(name: str, said: str) -> None:
    if name in sys.modules:
        return
    here = os.getcwd()
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.append(here)
    try:
        import_module(name)
    except CaffeError:
        raise
    except Exception as error:
        raise UsageError(
            f"{said} names the module '{name}', which cannot be imported: {type(error).__name__}: {error}. Correct the "
            "name, put its folder on PYTHONPATH, or mend the module."
        ) from error
    finally:
        if added:
            sys.path.remove(here)
