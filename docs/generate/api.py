"""docs/api.md: the public names of `caffe` and of the FCN part's libraries, with signatures and first sentences."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

PAGE = "docs/api.md"

MODULES = (
    "caffe",
    "caffe.io",
    "caffe.net_spec",
    "caffe.coord_map",
    "caffe.draw",
    "caffe.errors",
    "fcn_caffe.functions",
    "fcn_caffe.inference.segmenter",
    "fcn_caffe.surgery",
)
"""Each with its page's section; what a module imports from others is described where it is defined."""

SHARED = {"Blob": "caffe.blob", "Solver": "caffe.solver"}
"""Classes that a program meets but does not name: the blobs of nets and layers, and what all solvers have."""

HEADER = """\
<!-- Generated from signatures and docstrings by `python -m docs.generate`: do not edit. -->

# Public names

What a program may call, with signatures and the first sentence of each docstring; `help(caffe.Net.forward)` tells the
rest. Names that begin with an underscore, and modules that are not listed, are the project's own and may change. What
pycaffe has is here under the same names; how it differs is in [differences.md](differences.md).
"""


def text() -> str:
    """The page. Raises ValueError for a public name without a docstring."""
    modules = [import_module(name) for name in MODULES]
    silent = [name for module in modules for name in without_docstring(module)]
    silent += [f"{name}.{each}" for name, cls in _shared().items() for each, what in members(cls) if not sentence(what)]
    if silent:
        raise ValueError(f"public names without a docstring: {', '.join(silent)}. Write a sentence for each.")
    lines = [HEADER]
    lines += [f"- [{module.__name__}](#{_anchor(module.__name__)}): {sentence(module)}" for module in modules]
    for module in modules:
        lines += ["", f"## {module.__name__}", "", sentence(module), "", *_functions(module)]
        for name, cls in _classes(module):
            lines += ["", f"### {module.__name__}.{name}", "", *_class(name, cls)]
    lines += ["", "## What nets and solvers consist of"]
    for name, cls in _shared().items():
        lines += ["", f"### {name}", "", *_class(name, cls)]
    return "\n".join(lines) + "\n"


def without_docstring(module: ModuleType) -> Iterator[str]:
    """The public functions, classes and methods of a module that say nothing of themselves."""
    for name, value in public(module):
        if isinstance(value, FunctionType | type) and not sentence(value):
            yield f"{module.__name__}.{name}"
        if isinstance(value, type):
            yield from (f"{module.__name__}.{name}.{each}" for each, what in members(value) if not sentence(what))


def public(module: ModuleType) -> list[tuple[str, Any]]:
    """The public names of a module in the order of the alphabet: those of __all__, or else what it defines itself."""
    listed = getattr(module, "__all__", None)
    if listed is None:
        own = vars(module).items()
        listed = [name for name, value in own if getattr(value, "__module__", None) == module.__name__]
    names = sorted({name for name in listed if not name.startswith("_")}, key=lambda name: (name.lower(), name))
    return [(name, getattr(module, name)) for name in names]


def members(cls: type) -> list[tuple[str, Any]]:
    """The public methods and properties of a class and of those bases that the page does not show themselves."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if base is not cls and base in _shown():
            break
        if base.__module__.partition(".")[0] in {name.partition(".")[0] for name in MODULES}:
            for name, value in vars(base).items():
                if not name.startswith("_") and isinstance(value, FunctionType | property | classmethod | staticmethod):
                    found.setdefault(name, value)
    return sorted(found.items())


@cache
def _shown() -> frozenset[type]:
    """The classes that have a section of their own."""
    own = (cls for name in MODULES for _, cls in _classes(import_module(name)))
    return frozenset((*own, *_shared().values()))


@cache
def _shared() -> dict[str, type]:
    return {name: getattr(import_module(module), name) for name, module in SHARED.items()}


def sentence(value: Any) -> str:
    """The first sentence of a docstring of one's own; "" if there is none."""
    written = (getattr(value, "__func__", value).__doc__ or "").strip()
    if isinstance(value, type) and "__doc__" not in vars(value):
        written = ""
    first = " ".join(written.partition("\n\n")[0].split())
    end = re.search(r"(?<![.\s]\w)[.](?=\s+[A-Z`])", first)
    return first[: end.end()] if end else first


def signature(name: str, value: Any) -> str:
    """A function's name, arguments and what it returns, as its source has them."""
    function = inspect.unwrap(getattr(value, "__func__", value))
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = node.args
    for group in (arguments.posonlyargs, arguments.args):
        if group and group[0].arg in ("self", "cls") and not isinstance(value, staticmethod):
            if "." not in function.__qualname__.replace(".<locals>", ""):
                continue
            del group[0]
            break
    returned = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"{name}({ast.unparse(arguments)}){'' if returned == ' -> None' else returned}"


def _functions(module: ModuleType) -> Iterator[str]:
    rows = [(name, value) for name, value in public(module) if isinstance(value, FunctionType)]
    if rows:
        yield from (
            "| | |",
            "|---|---|",
            *(f"| `{_cell(signature(*row))}` | {_cell(sentence(row[1]))} |" for row in rows),
        )
    constants = [
        f"`{name}` = `{value!r}`"
        for name, value in public(module)
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    ]
    if constants:
        yield from ("", f"Constants: {', '.join(constants)}.")


def _classes(module: ModuleType) -> Iterator[tuple[str, type]]:
    for name, value in public(module):
        if isinstance(value, type) and not hasattr(value, "DESCRIPTOR"):
            yield name, value


def _class(name: str, cls: type) -> Iterator[str]:
    base = next((f" Has all that {each.__name__} has." for each in cls.__mro__[1:] if each in _shown()), "")
    yield sentence(cls) + ("" if issubclass(cls, Exception) else base)
    made = cls.__dict__.get("__init__") or cls.__dict__.get("__new__")
    if isinstance(made, FunctionType) and made.__code__.co_filename == inspect.getsourcefile(cls):
        yield from ("", f"`{signature(name, made)}`")
    shown = members(cls)
    if issubclass(cls, Exception):
        shown = []
    if shown:
        yield from ("", "| | |", "|---|---|")
    for each, what in shown:
        call = each if isinstance(what, property) else signature(each, what)
        yield f"| `{_cell(call)}` | {_cell(sentence(what))} |"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lower())
