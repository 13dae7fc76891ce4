"""The walk of an image that docs/design.md describes is the walk that it takes, and its steps are short."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 40
CALLS = [
    ("main", "find"),
    ("main", "deploy_net"),
    ("deploy_net", "load"),
    ("main", "write_all"),
    ("write_all", "write_one"),
    *(("write_one", step) for step in ("read_image", "segment", "refined", "save_labels")),
    ("save_labels", "save_picture"),
    ("save_picture", "open_atomic"),
]


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    """The functions at the top of a module."""
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def called(path: Path, name: str) -> set[str]:
    """What a function calls, itself or by functions of its module that it calls."""
    there, found, waiting = functions(path), set(), [name]
    while waiting:
        for node in ast.walk(there[waiting.pop()]):
            if isinstance(node, ast.Call):
                callee = getattr(node.func, "id", getattr(node.func, "attr", ""))
                waiting += [callee] if callee in there and callee not in found else []
                found.add(callee)
    return found


@pytest.fixture(scope="module")
def steps() -> dict[str, Path]:
    """The functions of the walk, and their modules."""
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8").split("## One image")[1].split("\n## ")[0]
    return {name: ROOT / path for path, name in re.findall(r"`(\S+\.py): (\w+)`", text)}


def test_the_walk_has_these_steps(steps):
    assert set(steps) == {name for pair in CALLS for name in pair}


@pytest.mark.parametrize(("caller", "callee"), CALLS)
def test_each_step_is_called_by_the_one_above_it(steps, caller, callee):
    assert callee in called(steps[caller], caller)
    assert callee in functions(steps[callee])


def test_no_function_on_the_way_is_long(steps):
    for name, path in steps.items():
        for each in {name, *called(path, name)} & functions(path).keys():
            node = functions(path)[each]
            assert node.end_lineno - node.lineno < MOST_LINES, each


@pytest.mark.parametrize(
    "package", ["fcn_caffe/inference", "fcn_caffe/commands", "fcn_caffe/scoring", "fcn_caffe/training"]
)
def test_functions_of_the_tools_are_short(package):
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < MOST_LINES, f"{path}: {node.name}"
