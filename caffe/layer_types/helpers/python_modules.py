"""Finds the modules of Python layers: on sys.path; by an entry point; or, for the `caffe` command, in nearby folders.

Entry points of an installed package, in the group GROUP, map names in prototxts to its modules:

    [project.entry-points."caffe.python_layers"]
    my_layers = "my_package.my_layers"

A layer with `module: "my_layers"` is then of my_package.my_layers, unless sys.path has a my_layers of its own.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from caffe.errors import NetError
from caffe.log import log

GROUP = "caffe.python_layers"
BUILT_IN = {
    "roi_data_layer.layer": "caffe.forks.python_layers.roi_data_layer",
    "rpn.anchor_target_layer": "caffe.forks.python_layers.anchor_target_layer",
    "rpn.proposal_layer": "caffe.forks.python_layers.proposal_layer",
    "rpn.proposal_target_layer": "caffe.forks.python_layers.proposal_target_layer",
    "spatial_dropout": "caffe.forks.python_layers.spatial_dropout",
}
"""Modules of published nets that today's Python cannot import: the name in a prototxt → what serves instead."""

_near: list[str] = []


def look_near(folders: Iterable[str]) -> None:
    """Let a module that is found nowhere else be looked for directly below these folders, the first one first."""
    _near[:] = dict.fromkeys(folders)


def load(name: str, owner: str, importing: Callable[[str], ModuleType]) -> ModuleType:
    """The module that a prototxt names. owner: the layer, for errors. importing: as importlib.import_module.

    Raises NetError if it is nowhere, or in several folders nearby, and whatever the module itself raises.
    """
    try:
        return importing(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(missing + "."):
            raise
        registered = _registered(name, owner)
        if registered is None and not _add_folder(name, owner):
            if name not in BUILT_IN:
                raise NetError(_not_found(name, owner)) from error
            log.info("%s: no module '%s' is found: the built-in %s serves", owner, name, BUILT_IN[name])
            registered = BUILT_IN[name]
        return importing(registered or name)


def is_there(name: str) -> bool:
    """Whether `load` finds the module, without importing it; a module in a package imports that package."""
    try:
        found = find_spec(name) is not None
    except (ImportError, ValueError):
        found = False
    near = (_holders(Path(base), name, ("*/",)) for base in _near)
    return found or name in BUILT_IN or bool(metadata.entry_points(group=GROUP, name=name)) or any(map(any, near))


def _registered(name: str, owner: str) -> str | None:
    """The module that an installed package gives for the name."""
    modules = sorted({found.value for found in metadata.entry_points(group=GROUP, name=name)})
    if len(modules) > 1:
        raise NetError(
            f"{owner}: several installed packages have a module for '{name}': {', '.join(modules)}. Name one of these "
            "as `module`."
        )
    return modules[0] if modules else None


def _add_folder(name: str, owner: str) -> bool:
    """Put the folder nearby that has the module, and its other modules, on sys.path; whether there is one."""
    each = (list(dict.fromkeys(_holders(Path(base), name, ("*/",)))) for base in _near)
    folders = next(filter(None, each), [])
    if len(folders) > 1:
        raise NetError(
            f"{owner}: there is a module '{name}' in {' and in '.join(folders)}. Add one of them to PYTHONPATH, as in "
            f"`PYTHONPATH={folders[0]} ...`."
        )
    if folders:
        log.info("Python layers of %s are from %s", name, folders[0])
        sys.path.append(folders[0])
        importlib.invalidate_caches()
    return bool(folders)


def _not_found(name: str, owner: str) -> str:
    searched = "".join(f"\n    {path or '.'}" for path in sys.path)
    here = Path.cwd()
    bases = dict.fromkeys([here, *here.parents[:2], *(Path(path).resolve() for path in sys.path)])
    folder = next((folder for base in bases for folder in _holders(base, name, ("", "*/"))), None)
    if folder:
        remedy = f"It is in {folder}: add that to PYTHONPATH, as in `PYTHONPATH={folder} ...`."
    else:
        remedy = "Put its folder on PYTHONPATH, or correct `module`."
    return f"{owner}: No module named '{name}'. {remedy} Searched were (working directory {os.getcwd()}):{searched}"


def _holders(base: Path, name: str, depths: tuple[str, ...]) -> Iterator[str]:
    """Folders at or below one that hold the module. depths: of "" for itself, and "*/" for those directly below."""
    first = name.split(".")[0]
    for depth in depths:
        for found in sorted(base.glob(f"{depth}{first}.py")):
            yield str(found.resolve().parent)
        for found in sorted(base.glob(f"{depth}{first}/__init__.py")):
            yield str(found.resolve().parents[1])
