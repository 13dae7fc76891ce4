"""What others may call says what it does; where arrays go in or come out, it names their shapes."""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from docs.generate import api

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("fcn_caffe", "net_spec", "surgery", "data_layers")
DOCUMENTED = ("caffe/io.py", "caffe/classifier.py", "caffe/detector.py", "caffe/coord_map.py", "caffe/blob/blob.py")
"""Modules of the engine whose public functions take or give arrays; of all others docs/api.md asks for a docstring."""
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
ARRAY = re.compile(r"\b(ndarray|Tensor)\b")
SHAPE = re.compile(r"×|\bshape|\([A-Z], |image|gray|one value")
"""Shapes, and words of which the shape is known: an image is height×width×3."""
OF_PYCAFFE = ("setup", "reshape", "forward", "backward")
"""Methods that caffe.Layer describes."""


def public(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """The functions and classes of a module, and the methods of its classes, whose names are public."""
    found = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            found.append((node.name, node))
            methods = node.body if isinstance(node, ast.ClassDef) else []
            found += [
                (f"{node.name}.{each.name}", each)
                for each in methods
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_") and each.name not in OF_PYCAFFE
            ]
    return found


def setter(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Attribute) for each in getattr(node, "decorator_list", []))


def declared(node: ast.AST) -> bool:
    """Whether it is a method of a Protocol without a body."""
    return isinstance(node, ast.FunctionDef) and ast.unparse(node.body[0]) == "..."


@cache
def described(package: str) -> frozenset[str]:
    """The names of the methods that some class of a package describes: those that override them need not."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / package).rglob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = [each for node in classes for each in node.body if isinstance(each, ast.FunctionDef)]
    return frozenset(each.name for each in methods if ast.get_docstring(each))


def silent(path: Path, lacks: Callable[[ast.AST], bool]) -> list[str]:
    """The public names of a module whose docstring lacks something; but for setters, Protocols, overriding methods."""
    of_others = described(path.relative_to(ROOT).parts[0])
    found = []
    for name, node in public(ast.parse(path.read_text(encoding="utf-8"))):
        overrides = "." in name and name.rpartition(".")[2] in of_others and not ast.get_docstring(node)
        if lacks(node) and not setter(node) and not declared(node) and not overrides:
            found.append(name)
    return found


def arrays(node: ast.AST) -> bool:
    """Whether a function's annotations have arrays."""
    if not isinstance(node, ast.FunctionDef):
        return False
    given = [each.annotation for each in (*node.args.args, *node.args.kwonlyargs)]
    return any(each is not None and ARRAY.search(ast.unparse(each)) for each in (*given, node.returns))


def of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=of)
def test_every_public_name_has_a_docstring(path):
    assert not silent(path, lambda node: not ast.get_docstring(node))


@pytest.mark.parametrize("path", [*FILES, *(ROOT / name for name in DOCUMENTED)], ids=of)
def test_arrays_that_go_in_or_come_out_have_shapes(path):
    assert not silent(path, lambda node: arrays(node) and not SHAPE.search(ast.get_docstring(node) or ""))


def test_the_documented_engine_has_docstrings():
    assert api.text()
