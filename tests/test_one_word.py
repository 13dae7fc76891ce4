"""One name, one thing: no two classes share a name, nor do modules whose subjects differ."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("caffe", "fcn_caffe", "net_spec", "surgery", "data_layers")
FILES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py", "caffe_pb2.py")
]
DISTINCT = ("weights", "sources", "progress", "atomic", "device", "report", "datasets")
"""Names that say too little for two modules to have them."""


def defined(path: Path) -> dict[str, str]:
    """The public classes and type aliases of a module, and what each is: "class", or the alias's value."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = f"class of {path.relative_to(ROOT)}"
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = target.id if isinstance(target, ast.Name) else ""
            if name[:1].isupper() and not name.isupper() and node.value:
                found[name] = ast.unparse(node.value)
    return {name: what for name, what in found.items() if not name.startswith("_")}


def test_a_type_has_a_name_of_its_own():
    things: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        for name, what in defined(path).items():
            things[name].add(what)
    assert not {name: whats for name, whats in things.items() if len(whats) > 1}


@pytest.mark.parametrize("name", DISTINCT)
def test_a_module_has_a_name_that_says_which_it_is(name):
    rooms = [path.parent for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    found = [path for path in FILES if path.stem == name] + [room for room in rooms if room.name == name]
    assert len(found) <= 1
