"""Which variables of the environment a source reads or sets: from its syntax tree, nothing is run.

Found are os.environ[x], os.environ.get(x), .pop, .setdefault, os.getenv(x), os.putenv(x), and `x in os.environ`, where
x is a text, a constant of this or another module of the project, an element of one, a loop's variable over one, a
parameter that callers in the same module give such a value, or what a function of the project returns.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

METHODS = {"get", "pop", "setdefault"}
FUNCTIONS = {"getenv", "putenv", "unsetenv"}


@dataclass(frozen=True)
class Read:
    """A place where the environment is asked; `names` is empty where the scan cannot tell for what.

    A name may have `*` for a part that is made while the program runs.
    """

    file: str
    line: int
    names: frozenset[str]


class Scan:
    """The reads of many files, which may take constants and functions of one another."""

    def __init__(self, root: Path, files: list[Path]):
        self._trees = {str(path.relative_to(root)): ast.parse(path.read_text(encoding="utf-8")) for path in files}

    def reads(self) -> list[Read]:
        """Every place, by file and line."""
        return [
            Read(file, expression.lineno, frozenset(self._texts(expression, file, 0)))
            for file, tree in self._trees.items()
            for expression in _asked(tree)
        ]

    def _texts(self, expression: ast.expr, file: str, depth: int) -> set[str]:
        """The texts that an expression may have; none where that cannot be told."""
        if depth > 8:
            return set()
        deeper = depth + 1
        if isinstance(expression, ast.Constant):
            return {expression.value} if isinstance(expression.value, str) else set()
        if isinstance(expression, ast.Tuple | ast.List | ast.Set):
            return set().union(*(self._texts(each, file, deeper) for each in expression.elts))
        if isinstance(expression, ast.Subscript):
            return self._texts(expression.value, file, deeper)
        if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
            sides = [self._texts(side, file, deeper) for side in (expression.left, expression.right)]
            return {a + b for a in sides[0] or {"*"} for b in sides[1] or {"*"}} if any(sides) else set()
        if isinstance(expression, ast.JoinedStr):
            return {"".join(part.value if isinstance(part, ast.Constant) else "*" for part in expression.values)}
        if isinstance(expression, ast.Call):
            return self._returned(expression, file, deeper)
        if isinstance(expression, ast.Name):
            return self._named(expression.id, expression, file, deeper)
        if isinstance(expression, ast.Attribute):
            return self._named(expression.attr, expression, file, deeper)
        return set()

    def _named(self, name: str, at: ast.expr, file: str, depth: int) -> set[str]:
        """The texts of a constant here or in a file that this one imports from, a loop's variable, or a parameter."""
        found: set[str] = set()
        for where in (file, *self._imported(file)):
            for node in self._trees[where].body:
                for target, value in _assigned(node):
                    if target == name:
                        found |= self._texts(value, where, depth)
            if found:
                return found
        for node in ast.walk(self._trees[file]):
            if isinstance(node, ast.For | ast.comprehension) and name in _bound(node.target):
                found |= self._texts(node.iter, file, depth)
            elif isinstance(node, ast.FunctionDef) and _within(at, node):
                names = [each.arg for each in node.args.args]
                if name in names:
                    for call in ast.walk(self._trees[file]):
                        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == node.name:
                            given = dict(zip(names, call.args, strict=False))
                            found |= self._texts(given[name], file, depth) if name in given else set()
        return found

    def _returned(self, call: ast.Call, file: str, depth: int) -> set[str]:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        for where in (file, *self._imported(file)):
            for node in self._trees[where].body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
                    return set().union(*(self._texts(each, where, depth) for each in returned))
        return set()

    def _imported(self, file: str) -> Iterator[str]:
        """The files of the project that a file imports, or takes names from."""
        for node in ast.walk(self._trees[file]):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                continue
            for module in modules:
                path = module.replace(".", "/")
                yield from (
                    each for each in (f"{path}.py", f"{path}/__init__.py") if each in self._trees and each != file
                )


def _asked(tree: ast.Module) -> Iterator[ast.expr]:
    """The expressions that say which variable is meant, wherever the environment is asked or changed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_environ(node.value):
            yield node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of_environ = node.func.attr in METHODS and _is_environ(node.func.value)
            of_os = node.func.attr in FUNCTIONS and getattr(node.func.value, "id", "") == "os"
            if of_environ or of_os:
                yield node.args[0]
        elif isinstance(node, ast.Compare) and any(_is_environ(each) for each in node.comparators):
            yield node.left


def _is_environ(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "environ"


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Names that a statement gives values, one by one."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for each, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(each, ast.Name):
                        yield each.id, value


def _bound(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _within(expression: ast.expr, function: ast.FunctionDef) -> bool:
    return any(node is expression for node in ast.walk(function))
