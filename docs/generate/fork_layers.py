"""docs/fork-layers.md: the forks' layer types, from the classes and their docstrings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from caffe import forks
from caffe.layer_types.base import ADDED, NativeLayer
from caffe.net.fork_names import TYPES
from docs.generate.layers import entries

PAGE = "docs/fork-layers.md"
TITLES = {
    "formula": None,
    "bottom": "Bottoms",
    "top": "Tops",
    "blobs": "Parameters learned or kept",
    "parameters": "Settings",
    "restrictions": "Restrictions",
    "source": "After",
}
HEADER = """\
<!-- Generated from the classes in caffe/forks by `python -m docs.generate`: do not edit. -->

# Layer types of Caffe's forks

Most Caffe nets that people still have were made for a fork. These are the layer types that only forks have and that run
here, beside the 61 of BVLC Caffe in [layers.md](layers.md); they are written as [a type of your own](adding-a-layer.md)
would be. N is the number of items in a batch, C of channels, H and W are height and width. How fields of forks in
BVLC's own messages are read stands in [differences.md](differences.md).
"""
MISSING = """\
## Types that are known and not implemented

A net with one of them is refused by an error that names the fork. Write it as a Python layer, or as a type of your own.
"""


def added() -> dict[str, type[NativeLayer]]:
    """The types of caffe/forks by name."""
    forks.load()
    return {name: cls for name, cls in sorted(ADDED.items()) if cls.__module__.startswith(f"{forks.__name__}.")}


def text() -> str:
    """The text of docs/fork-layers.md."""
    lines = [HEADER]
    modules: dict[str, list[str]] = {}
    for name, cls in added().items():
        modules.setdefault(cls.__module__, []).append(name)
    for module in sorted(modules):
        lines += [f"## {sys.modules[module].__doc__}".rstrip(), ""]
        for name in modules[module]:
            lines += [*_section(name, ADDED[name]), ""]
    lines.append(MISSING)
    by_fork: dict[str, list[str]] = {}
    for name, fork in TYPES.items():
        if name not in ADDED:
            by_fork.setdefault(fork, []).append(name)
    lines += [f"- {fork}: {', '.join(names)}" for fork, names in by_fork.items()]
    return "\n".join(lines) + "\n"


def _section(name: str, cls: type[NativeLayer]) -> Iterator[str]:
    said = entries(inspect.cleandoc(cls.__doc__ or ""))
    yield from (f"### {name}", "", said["description"], "", "```text", *said["formula"].splitlines(), "```", "")
    settings = (cls.settings,) if isinstance(cls.settings, str) else cls.settings
    for key, title in TITLES.items():
        if title and key in said:
            where = f" (`{'`, `'.join(settings)}`)" if key == "parameters" and settings else ""
            yield f"- {title}{where}: {said[key]}"
    yield f"- Here `{cls.__module__.replace('.', '/')}.py`"
