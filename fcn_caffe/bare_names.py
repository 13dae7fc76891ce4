"""The names that modules had before they were parts of a package: `voc_layers` is fcn_caffe.data_layers.voc_layers.

Prototxts name the modules of data layers so (`module: "voc_layers"`), and scripts from the root of the checkout import
net_spec, surgery and segdata. An import by the bare name gives the package's module itself, not a second copy of it. A
module of the user's own that has such a name, and is found on sys.path, is left alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Optional

LAYERS = (
    *(
        "camvid_layers",
        "depth_layers",
        "edge_folder_layers",
        "edge_layers",
        "folder_layers",
        "nyud_layers",
        "pascalcontext_layers",
        "siftflow_layers",
        "tag_layers",
    ),
    "voc_layers",
)

NAMES = {
    "net_spec": "fcn_caffe.net_spec",
    "surgery": "fcn_caffe.surgery",
    "segdata": "fcn_caffe.data_layers.segdata",
    **{layer: f"fcn_caffe.data_layers.{layer}" for layer in LAYERS},
}
"""Bare names, and the modules that they stand for."""


def install() -> None:
    """Have bare names found from now on. One that is just being imported, and so imports the package, becomes the
    package's module, too."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in [name for name in sys.modules if name.partition(".")[0] in NAMES]:
        bare, full = sys.modules[name], full_name(name)
        if full not in sys.modules and _is_same_file(getattr(bare, "__file__", None), importlib.util.find_spec(full)):
            sys.modules[name] = importlib.import_module(full)


def full_name(name: str) -> str:
    """What a bare name, or that of a module in a package of such a name, stands for."""
    root, dot, rest = name.partition(".")
    return NAMES[root] + dot + rest


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        root, _, rest = fullname.partition(".")
        if root not in NAMES or rest.endswith("__main__"):  # `python -m net_spec` runs the file
            return None
        if rest:
            if sys.modules.get(root) is not sys.modules.get(NAMES[root]):
                return None
        elif not self._is_ours(root):
            return None
        full = full_name(fullname)
        found = importlib.util.find_spec(full)
        return None if found is None else ModuleSpec(fullname, _Same(full), is_package=_is_package(found))

    @staticmethod
    def _is_ours(root: str) -> bool:
        """Whether nothing else of this name is on sys.path; a mere folder, without __init__.py, is nothing."""
        found = PathFinder.find_spec(root)
        if found is None or found.origin is None:
            return True
        return _is_same_file(found.origin, importlib.util.find_spec(NAMES[root]))


class _Same(Loader):
    """Loads a module by giving another one, which may be loaded already."""

    def __init__(self, full: str):
        self.full = full

    def create_module(self, spec: ModuleSpec) -> Any:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.full)


def _is_package(spec: ModuleSpec) -> bool:
    return spec.submodule_search_locations is not None


def _is_same_file(path: Optional[str], spec: Optional[ModuleSpec]) -> bool:
    if path is None or spec is None or spec.origin is None:
        return False
    return os.path.realpath(path) == os.path.realpath(spec.origin)
